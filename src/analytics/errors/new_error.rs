//! An error to be recorded, and the rules about it.

use super::values::ErrorSeverity;
use crate::error::{Error, Result};
use crate::usage::check_object;
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

/// An error of the host application, to be recorded.
#[derive(Debug, Clone)]
pub struct NewError {
    /// The type, such as the name of an exception.
    pub error_type: String,
    /// The message.
    pub message: String,
    /// The severity.
    pub severity: ErrorSeverity,
    /// Puts errors into one group, in place of type and message.
    pub fingerprint: Option<String>,
    /// The calls that led to it.
    pub stack: Option<String>,
    /// The version of the host application.
    pub release: Option<String>,
    /// The page on which it happened.
    pub page: Option<String>,
    /// The user to whom it happened; `None` for the caller, or for nobody.
    pub user_id: Option<Uuid>,
    /// Identifies the error: a second one of the user with it is the same one.
    pub dedupe_key: String,
    /// Properties that the host application gives the error.
    pub properties: Option<Value>,
    /// Time of the error; `None` for now.
    pub occurred_at: Option<DateTime<Utc>>,
}

/// A text of an error, with its greatest length in bytes and the refusal of another.
struct Text<'e>(&'e str, usize, &'static str, &'static [&'static str], &'static str);

impl NewError {
    /// Checks everything that can be checked without the database.
    pub(super) fn check(&self) -> Result<()> {
        let required = [
            Text(
                &self.error_type,
                200,
                "ERROR_TYPE_INVALID",
                &["errorType"],
                "`errorType` must be 1 to 200 bytes long, without NUL.",
            ),
            Text(
                &self.message,
                2_000,
                "MESSAGE_INVALID",
                &["message"],
                "`message` must be 1 to 2,000 bytes long, without NUL: cut longer ones.",
            ),
            Text(
                &self.dedupe_key,
                255,
                "DEDUPE_KEY_INVALID",
                &["dedupeKey"],
                "`dedupeKey` must be 1 to 255 bytes long, without NUL.",
            ),
        ];
        let optional = [
            (
                &self.fingerprint,
                255,
                "FINGERPRINT_INVALID",
                &["fingerprint"],
                "`fingerprint` must be 1 to 255 bytes long, without NUL.",
            ),
            (
                &self.stack,
                8_000,
                "STACK_INVALID",
                &["stack"],
                "`stack` must be 1 to 8,000 bytes long, without NUL: send its first frames.",
            ),
            (
                &self.release,
                100,
                "RELEASE_INVALID",
                &["release"],
                "`release` must be 1 to 100 bytes long, without NUL.",
            ),
            (&self.page, 2_000, "PAGE_INVALID", &["page"], "`page` must be 1 to 2,000 bytes long, without NUL."),
        ];
        let optional = optional.iter().filter_map(|(text, max, code, field, message)| {
            text.as_deref().map(|text| Text(text, *max, code, *field, message))
        });
        for Text(text, max, code, field, message) in required.into_iter().chain(optional) {
            if text.is_empty() || text.len() > max || text.contains('\0') {
                return Err(Error::refused(code, field, message));
            }
        }
        check_object(self.properties.as_ref(), "PROPERTIES_INVALID", "properties", &["properties"])
    }
}
