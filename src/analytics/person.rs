//! The people whom events and experiments are about.

use uuid::Uuid;

/// The maximum length of an anonymous id.
const MAX_ANONYMOUS_ID_BYTES: usize = 255;

/// A user, or a visitor who is not known to be one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Person {
    /// A user.
    User(Uuid),
    /// A visitor, by the anonymous id of the host application.
    Visitor(String),
}

impl Person {
    /// Returns the user; `None` for a visitor.
    pub(super) fn user_id(&self) -> Option<Uuid> {
        match self {
            Person::User(id) => Some(*id),
            Person::Visitor(_) => None,
        }
    }

    /// Returns the anonymous id; `None` for a user.
    pub(super) fn anonymous_id(&self) -> Option<&str> {
        match self {
            Person::User(_) => None,
            Person::Visitor(id) => Some(id),
        }
    }
}

/// Returns true for a text that can be an anonymous id.
pub(super) fn is_anonymous_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_ANONYMOUS_ID_BYTES && !text.contains('\0')
}
