//! A usage event to be recorded, and the rules about it.

use super::path::{find, name, whole_number};
use super::values::MeterAggregation;
use crate::error::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// The maximum value of an event, and of its cost.
pub(super) const MAX_VALUE: i64 = 1_000_000_000_000_000;
/// The maximum length of an event's dimensions as JSON.
const MAX_DIMENSIONS_BYTES: usize = 4_096;
/// The maximum length of a proof.
const MAX_PROOF_BYTES: usize = 4_096;
/// The maximum length of the other texts.
const MAX_TEXT_BYTES: usize = 255;
/// The time by which the clock of a sender may be ahead.
const MAX_AHEAD: TimeDelta = TimeDelta::minutes(5);
/// The age from which on an event is too late.
const MAX_AGE: TimeDelta = TimeDelta::days(400);
/// The beginning of the dedupe keys of corrections.
pub(super) const CORRECTION_PREFIX: &str = "correction:";
/// The beginning of the dedupe keys of uses that were checked before.
pub(super) const CONSUME_PREFIX: &str = "consume:";

/// An event to be recorded.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The account that used something.
    pub account_id: Uuid,
    /// The code of the meter.
    pub meter: String,
    /// The quantity; `None` where the meter counts events or reads the value from the dimensions.
    pub value: Option<i64>,
    /// The properties of the usage, such as the model.
    pub dimensions: Option<Value>,
    /// Identifies the usage: a second event with it is the same one.
    pub dedupe_key: String,
    /// Time of the usage; `None` for now.
    pub occurred_at: Option<DateTime<Utc>>,
    /// The user who used it.
    pub user_id: Option<Uuid>,
    /// The device that it was used on.
    pub device_id: Option<Uuid>,
    /// The type of the object in the host application that it is about.
    pub ref_type: Option<String>,
    /// The id of that object.
    pub ref_id: Option<String>,
    /// True if the host has verified the usage.
    pub verified: bool,
    /// The host's proof of the usage.
    pub proof: Option<String>,
    /// The hash of the content that was made or used.
    pub content_hash: Option<String>,
}

/// The measure that a meter takes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Measure {
    /// The quantity.
    pub(super) value: i64,
    /// The value whose occurrences a unique meter counts once.
    pub(super) unique_value: Option<String>,
}

impl NewEvent {
    /// Checks the dedupe key.
    pub(super) fn check_key(&self) -> Result<()> {
        let key = &self.dedupe_key;
        let is_reserved = key.starts_with(CORRECTION_PREFIX) || key.starts_with(CONSUME_PREFIX);
        if key.is_empty() || key.len() > MAX_TEXT_BYTES || key.contains('\0') || is_reserved {
            let message = "`dedupeKey` must be 1 to 255 bytes long, without NUL, and not begin with `correction:` or \
                `consume:`.";
            return Err(Error::refused("DEDUPE_KEY_INVALID", &["dedupeKey"], message));
        }
        Ok(())
    }

    /// Checks the rest of what can be checked without the database.
    pub(super) fn check(&self) -> Result<()> {
        let text = |text: &Option<String>, max: usize| {
            text.as_ref().is_none_or(|text| !text.is_empty() && text.len() <= max && !text.contains('\0'))
        };
        if self.ref_type.is_some() != self.ref_id.is_some()
            || !text(&self.ref_type, MAX_TEXT_BYTES)
            || !text(&self.ref_id, MAX_TEXT_BYTES)
        {
            let message = "`refType` and `refId` must be given together, each 1 to 255 bytes long.";
            return Err(Error::refused("REFERENCE_INVALID", &["refId"], message));
        }
        if !text(&self.proof, MAX_PROOF_BYTES) {
            return Err(Error::refused("PROOF_INVALID", &["proof"], "`proof` must be 1 to 4,096 bytes long."));
        }
        if !text(&self.content_hash, MAX_TEXT_BYTES) {
            let message = "`contentHash` must be 1 to 255 bytes long.";
            return Err(Error::refused("CONTENT_HASH_INVALID", &["contentHash"], message));
        }
        check_dimensions(self.dimensions.as_ref())
    }

    /// Returns the time of the usage; an error if it is too far from `now`.
    pub(super) fn occurred_at(&self, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
        event_time(self.occurred_at, now)
    }

    /// Returns the measure of this event by a meter.
    pub(super) fn measure(&self, aggregation: MeterAggregation, value_path: Option<&str>) -> Result<Measure> {
        let refused = |message: String| Err(Error::refused("VALUE_INVALID", &["value"], message));
        let takes_none = value_path.is_some() || aggregation == MeterAggregation::Count;
        if takes_none && self.value.is_some() {
            return refused(match value_path {
                Some(path) => format!("The meter reads the value from `{path}` in `dimensions`: omit `value`."),
                None => "The meter counts events: omit `value`.".to_owned(),
            });
        }
        if aggregation == MeterAggregation::Count {
            return Ok(Measure { value: 1, unique_value: None });
        }
        let at_path = value_path.map(|path| (path, find(self.dimensions.as_ref(), path)));
        if let (MeterAggregation::Unique, Some((path, found))) = (aggregation, at_path) {
            let text = found.and_then(name).filter(|text| !text.is_empty() && text.len() <= MAX_TEXT_BYTES);
            return match text {
                Some(text) => Ok(Measure { value: 1, unique_value: Some(text) }),
                None => refused(format!(
                    "`{path}` in `dimensions` must be a text of 1 to 255 bytes, a whole number or a flag."
                )),
            };
        }
        let (subject, value) = match at_path {
            Some((path, found)) => (format!("`{path}` in `dimensions`"), found.and_then(whole_number)),
            None => ("`value`".to_owned(), self.value),
        };
        match value {
            Some(value) if (0..=MAX_VALUE).contains(&value) => Ok(Measure { value, unique_value: None }),
            _ => refused(format!(
                "{subject} must be a whole number from 0 to 1,000,000,000,000,000: take back usage with `correctUsage`."
            )),
        }
    }

    /// Returns the value of the dimension by which daily sums are kept apart; empty if there is none.
    pub(super) fn group(&self, group_by: Option<&str>) -> Result<String> {
        group(self.dimensions.as_ref(), group_by).filter(|group| group.len() <= MAX_TEXT_BYTES).ok_or_else(|| {
            let path = group_by.unwrap_or_default();
            let message =
                format!("`{path}` in `dimensions` must be a text of at most 255 bytes, a whole number or a flag.");
            Error::refused("DIMENSIONS_INVALID", &["dimensions"], message)
        })
    }
}

/// Returns the value of the dimension by which daily sums are kept apart, empty if the event has none; `None` if it has
/// no name.
pub(super) fn group(dimensions: Option<&Value>, group_by: Option<&str>) -> Option<String> {
    match group_by.and_then(|path| find(dimensions, path)) {
        Some(value) => name(value),
        None => Some(String::new()),
    }
}

/// Returns the time of an event, which is `now` if it was not given; fails with `OCCURRED_AT_INVALID` if it is too far from
/// `now`.
pub fn event_time(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let at = at.unwrap_or(now);
    let refused = |message| Err(Error::refused("OCCURRED_AT_INVALID", &["occurredAt"], message));
    if at > now + MAX_AHEAD {
        return refused("`occurredAt` must not be more than 5 minutes in the future: check the sender's clock.");
    }
    if at < now - MAX_AGE {
        return refused("`occurredAt` must not be more than 400 days in the past: leave out what is older.");
    }
    Ok(at)
}

fn check_dimensions(dimensions: Option<&Value>) -> Result<()> {
    check_object(dimensions, "DIMENSIONS_INVALID", "dimensions", &["dimensions"])
}

/// Checks the properties of an event, given in the input's field `name`; fails with `code` unless they are a JSON object of
/// at most 4,096 bytes.
pub fn check_object(
    value: Option<&Value>,
    code: &'static str,
    name: &str,
    field: &'static [&'static str],
) -> Result<()> {
    let Some(value) = value else { return Ok(()) };
    let refused = |message: String| Err(Error::refused(code, field, message));
    if !value.is_object() {
        return refused(format!("`{name}` must be a JSON object."));
    }
    let text = value.to_string();
    if text.len() > MAX_DIMENSIONS_BYTES {
        return refused(format!(
            "`{name}` must have at most 4,096 bytes as JSON: keep long values in the host application."
        ));
    }
    // PostgreSQL cannot store NUL, which JSON writes like this.
    if text.contains("\\u0000") && has_nul(value) {
        return refused(format!("`{name}` must not contain a NUL character."));
    }
    Ok(())
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

/// A recorded event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The event.
    pub event_id: Uuid,
    /// True if it was recorded before: its dedupe key was used for this account and meter.
    pub duplicate: bool,
}

/// An event that waits to be recorded.
#[derive(Debug)]
pub(super) struct RecordEvent {
    pub(super) event: NewEvent,
    /// The caller, in the form of the audit log.
    pub(super) actor: String,
}
