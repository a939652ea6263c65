//! An event to be recorded, and the rules about it.

use crate::analytics::person::{Person, is_anonymous_id};
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use crate::usage::check_object;
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

/// The maximum length of a name.
const MAX_NAME_BYTES: usize = 64;
/// The maximum length of dedupe keys.
const MAX_KEY_BYTES: usize = 255;
/// The maximum length of addresses of pages.
const MAX_PAGE_BYTES: usize = 2_000;

/// An event to be recorded.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The name of what happened.
    pub name: String,
    /// The user who did it; `None` for a visitor, or for the caller.
    pub user_id: Option<Uuid>,
    /// The visitor who did it, by an id that the host application chose.
    pub anonymous_id: Option<String>,
    /// Identifies the event: a second one of the person with it is the same one.
    pub dedupe_key: String,
    /// Properties that the host application gives the event.
    pub properties: Option<Value>,
    /// The page that was viewed.
    pub page: Option<String>,
    /// The page that led to it.
    pub referrer: Option<String>,
    /// Time of the event; `None` for now.
    pub occurred_at: Option<DateTime<Utc>>,
}

impl NewEvent {
    /// Checks everything that can be checked without the database.
    pub(super) fn check(&self) -> Result<()> {
        check_name(&self.name)?;
        if !is_text(&self.dedupe_key, MAX_KEY_BYTES) {
            let message = "`dedupeKey` must be 1 to 255 bytes long, without NUL.";
            return Err(Error::refused("DEDUPE_KEY_INVALID", &["dedupeKey"], message));
        }
        let address = |text: &Option<String>| text.as_ref().is_none_or(|text| is_text(text, MAX_PAGE_BYTES));
        if !address(&self.page) {
            let message = "`page` must be 1 to 2,000 bytes long, without NUL.";
            return Err(Error::refused("PAGE_INVALID", &["page"], message));
        }
        if !address(&self.referrer) {
            let message = "`referrer` must be 1 to 2,000 bytes long, without NUL.";
            return Err(Error::refused("PAGE_INVALID", &["referrer"], message));
        }
        check_object(self.properties.as_ref(), "PROPERTIES_INVALID", "properties", &["properties"])
    }
}

/// The persons whose events a caller may record.
#[derive(Debug, Clone, Copy)]
pub(in crate::analytics) enum Recorder {
    /// Users and visitors; the caller by default, if the caller is a user.
    Anybody(Option<Uuid>),
    /// The caller alone.
    Own(Uuid),
    /// Visitors alone: the caller is a page with a publishable key.
    Visitors,
}

impl Recorder {
    /// Returns the persons whose events `viewer` may record; fails for one who may record none.
    pub(in crate::analytics) fn of(viewer: &Viewer) -> Result<Recorder> {
        if viewer.page().is_some() {
            return Ok(Recorder::Visitors);
        }
        match viewer.user_id() {
            own_id if viewer.permissions().contains(Permission::EventsWrite) => Ok(Recorder::Anybody(own_id)),
            Some(own_id) => Ok(Recorder::Own(own_id)),
            None => viewer.require(Permission::EventsWrite).map(|()| Recorder::Anybody(None)),
        }
    }

    /// Returns the caller; `None` for one who is no user.
    pub(in crate::analytics) fn own_id(self) -> Option<Uuid> {
        match self {
            Recorder::Anybody(own_id) => own_id,
            Recorder::Own(own_id) => Some(own_id),
            Recorder::Visitors => None,
        }
    }

    /// Checks that the caller may record events of a user.
    pub(in crate::analytics) fn check(self, user: Uuid) -> Result<()> {
        match self {
            Recorder::Anybody(_) => Ok(()),
            Recorder::Own(own_id) if own_id == user => Ok(()),
            Recorder::Own(_) | Recorder::Visitors => Err(user_not_found()),
        }
    }

    /// Returns the person that the caller names; the caller by default.
    pub(super) fn person(self, user_id: Option<Uuid>, anonymous_id: Option<&str>) -> Result<Person> {
        let refused = |field, message| Err(Error::refused("PERSON_INVALID", field, message));
        match (self, user_id, anonymous_id) {
            (Recorder::Visitors | Recorder::Anybody(_), None, Some(visitor)) => {
                check_visitor(visitor).map(|()| Person::Visitor(visitor.to_owned()))
            }
            (Recorder::Visitors, ..) => {
                refused(&["anonymousId"], "A publishable key is for visitors: give `anonymousId`, and no `userId`.")
            }
            (_, Some(user), None) => self.check(user).map(|()| Person::User(user)),
            (Recorder::Own(_), None, Some(_)) => refused(
                &["anonymousId"],
                "Users record their own events: omit `anonymousId`, and name it once with `identify`.",
            ),
            (_, None, None) => match self.own_id() {
                Some(own) => Ok(Person::User(own)),
                None => refused(&["userId"], "Give either `userId` or `anonymousId`."),
            },
            (_, Some(_), Some(_)) => refused(&["userId"], "Give either `userId` or `anonymousId`."),
        }
    }
}

/// Returns true for a text that can be the name of an event.
pub(in crate::analytics) fn is_event_name(text: &str) -> bool {
    is_text(text, MAX_NAME_BYTES) && text.trim() == text && !text.chars().any(char::is_control)
}

/// Checks the name of an event.
fn check_name(name: &str) -> Result<()> {
    if is_event_name(name) {
        return Ok(());
    }
    let message = "`name` must be 1 to 64 bytes long, without control characters and surrounding spaces.";
    Err(Error::refused("NAME_INVALID", &["name"], message))
}

/// Checks the names of events that a query gives; fails with `BAD_USER_INPUT`.
pub(in crate::analytics) fn check_names(names: &[String]) -> Result<()> {
    names.iter().try_for_each(|name| check_name(name)).map_err(|error| Error::bad_input(error.to_string()))
}

/// Checks the id of a visitor.
pub(super) fn check_visitor(anonymous_id: &str) -> Result<()> {
    if is_anonymous_id(anonymous_id) {
        return Ok(());
    }
    let message = "`anonymousId` must be 1 to 255 bytes long, without NUL: make it random, such as a UUID.";
    Err(Error::refused("ANONYMOUS_ID_INVALID", &["anonymousId"], message))
}

pub(in crate::analytics) fn user_not_found() -> Error {
    Error::refused("USER_NOT_FOUND", &["userId"], "User not found.")
}

fn is_text(text: &str, max_bytes: usize) -> bool {
    !text.is_empty() && text.len() <= max_bytes && !text.contains('\0')
}
