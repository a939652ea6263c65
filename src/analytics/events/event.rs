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

    /// Returns the person of the event as this caller may name it.
    pub(super) fn person(&self, recorder: Recorder) -> Result<Person> {
        let refused = |field, message| Err(Error::refused("PERSON_INVALID", field, message));
        match (self.user_id, &self.anonymous_id) {
            (None, None) => match recorder.own_id {
                Some(own) => Ok(Person::User(own)),
                None => refused(&["userId"], "Give either `userId` or `anonymousId`."),
            },
            (Some(user), None) => recorder.check(user).map(|()| Person::User(user)),
            (None, Some(visitor)) if recorder.records_any => {
                check_visitor(visitor).map(|()| Person::Visitor(visitor.clone()))
            }
            (None, Some(_)) => refused(
                &["anonymousId"],
                "Users record their own events: omit `anonymousId`, and name it once with `identify`.",
            ),
            (Some(_), Some(_)) => refused(&["userId"], "Give either `userId` or `anonymousId`."),
        }
    }
}

/// The persons whose events a caller may record.
#[derive(Debug, Clone, Copy)]
pub(in crate::analytics) struct Recorder {
    /// True for a caller who may record events of anybody.
    pub(in crate::analytics) records_any: bool,
    /// The caller; `None` for one who is no user.
    pub(in crate::analytics) own_id: Option<Uuid>,
}

impl Recorder {
    /// Returns the persons whose events `viewer` may record; fails for one who may record none.
    pub(in crate::analytics) fn of(viewer: &Viewer) -> Result<Recorder> {
        let recorder =
            Recorder { records_any: viewer.permissions().contains(Permission::EventsWrite), own_id: viewer.user_id() };
        if !recorder.records_any && recorder.own_id.is_none() {
            viewer.require(Permission::EventsWrite)?;
        }
        Ok(recorder)
    }

    /// Checks that the caller may record events of a user.
    pub(in crate::analytics) fn check(self, user: Uuid) -> Result<()> {
        if self.records_any || self.own_id == Some(user) { Ok(()) } else { Err(user_not_found()) }
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
pub(super) fn check_names(names: &[String]) -> Result<()> {
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
