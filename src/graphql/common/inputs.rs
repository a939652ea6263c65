//! Inputs that many fields share.

use super::scalars::Instant;
use crate::db::Between;
use crate::error::{Error, Result};
use async_graphql::InputObject;

/// The longest text of an argument, in bytes.
const MAX_TEXT_BYTES: usize = 2_000;

/// The most texts of a list in an argument.
const MAX_TEXTS: usize = 100;

/// A span of time. An end that is left out is open.
#[derive(InputObject, Clone, Copy)]
pub struct DateTimeRange {
    /// The start, inclusive.
    from: Option<Instant>,
    /// The end, exclusive.
    to: Option<Instant>,
}

impl DateTimeRange {
    /// Returns the span as lists take it.
    pub fn between(range: Option<Self>) -> Between {
        let Some(DateTimeRange { from, to }) = range else { return Between::default() };
        Between { from: from.map(|from| from.0), to: to.map(|to| to.0) }
    }
}

/// Returns a malformed value as the refusal of its field by the rule `code`, for requests whose parts are refused one by
/// one.
pub fn part<T>(value: Result<T>, code: &'static str, field: &'static [&'static str]) -> Result<T> {
    value.map_err(|error| error.as_refusal_of(code, field))
}

/// Checks a text for the database: not too long, and without NUL, which PostgreSQL cannot store.
pub fn text(name: &str, text: String) -> Result<String> {
    if text.len() > MAX_TEXT_BYTES || text.contains('\0') {
        return Err(Error::bad_input(format!(
            "`{name}` must have at most {MAX_TEXT_BYTES} bytes and no NUL character."
        )));
    }
    Ok(text)
}

/// Like `text`, for an optional text.
pub fn optional_text(name: &str, value: Option<String>) -> Result<Option<String>> {
    value.map(|value| text(name, value)).transpose()
}

/// Like `text`, for an optional list of texts.
pub fn texts(name: &str, values: Option<Vec<String>>) -> Result<Vec<String>> {
    let values = values.unwrap_or_default();
    if values.len() > MAX_TEXTS {
        return Err(Error::bad_input(format!("`{name}` must have at most {MAX_TEXTS} entries.")));
    }
    values.into_iter().map(|value| text(name, value)).collect()
}
