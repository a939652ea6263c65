//! Codes and names of the catalogue.

use crate::db::is_duplicate;
use crate::error::{Error, Result};
use sea_orm::DbErr;

/// Checks a code: lower case letters, digits, `-`, `_` and `.`, starting with a letter, at most 64 characters.
pub fn check_code(code: &str, field: &'static [&'static str]) -> Result<String> {
    let valid = code.len() <= 64
        && code.starts_with(|first: char| first.is_ascii_lowercase())
        && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte));
    if valid {
        return Ok(code.to_owned());
    }
    let message = "`code` must have at most 64 lower case letters, digits, '-', '_' and '.', and start with a letter.";
    Err(Error::refused("CODE_INVALID", field, message))
}

/// Returns the error of an insert: the refusal of a code that another row has, or the failure as it is.
pub fn code_taken(error: DbErr) -> Error {
    if is_duplicate(&error) {
        let message = "This code is taken: choose another, since codes are unique and never change.";
        return Error::refused("CODE_TAKEN", &["code"], message);
    }
    error.into()
}

/// Checks a name for people to read: 1 to 200 characters, without surrounding space.
pub fn check_name(name: &str, field: &'static [&'static str]) -> Result<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 || name.contains('\0') {
        return Err(Error::refused("NAME_INVALID", field, "`name` must have 1 to 200 characters."));
    }
    Ok(name.to_owned())
}
