//! What inputs of many fields share.

use super::scalars::Instant;
use crate::db::Between;
use crate::error::{Error, Result};
use async_graphql::InputObject;

/// The longest text that an argument may hold, in bytes.
const LONGEST_TEXT: usize = 2_000;

/// The most texts that a list in an argument may hold.
const MOST_TEXTS: usize = 100;

/// A span of time. An end that is left out is open.
#[derive(InputObject, Clone, Copy)]
pub struct DateTimeRange {
    /// The first instant inside.
    from: Option<Instant>,
    /// The first instant after.
    to: Option<Instant>,
}

impl DateTimeRange {
    /// The span as the lists take it.
    pub fn between(range: Option<Self>) -> Between {
        let Some(DateTimeRange { from, to }) = range else { return Between::default() };
        Between { from: from.map(|from| from.0), to: to.map(|to| to.0) }
    }
}

/// A text that may go to the database: not over-long, and without NUL, which PostgreSQL cannot store.
pub fn text(name: &str, text: String) -> Result<String> {
    if text.len() > LONGEST_TEXT || text.contains('\0') {
        return Err(Error::bad_input(format!("{name} has at most {LONGEST_TEXT} bytes, and no NUL")));
    }
    Ok(text)
}

/// The same for a text that may be left out.
pub fn optional_text(name: &str, value: Option<String>) -> Result<Option<String>> {
    value.map(|value| text(name, value)).transpose()
}

/// The same for a list of texts, which may be left out.
pub fn texts(name: &str, values: Option<Vec<String>>) -> Result<Vec<String>> {
    let values = values.unwrap_or_default();
    if values.len() > MOST_TEXTS {
        return Err(Error::bad_input(format!("{name} has at most {MOST_TEXTS} entries")));
    }
    values.into_iter().map(|value| text(name, value)).collect()
}
