//! The users, owners and objects that an event may wait for.

use std::fmt;

/// A prerequisite of an event, as stored in `inbox_events.waits_for`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WaitKey {
    /// A user of the host application, by the host application's id.
    User(String),
    /// An owner of the customer with this id at the provider.
    Customer(String),
    /// The object with this id at the provider.
    Object(String),
    /// An owner of the object with this id at the provider, which nothing names yet.
    Owner(String),
}

impl fmt::Display for WaitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, id) = match self {
            WaitKey::User(id) => ("user", id),
            WaitKey::Customer(id) => ("customer", id),
            WaitKey::Object(id) => ("object", id),
            WaitKey::Owner(id) => ("owner", id),
        };
        write!(f, "{kind}:{id}")
    }
}
