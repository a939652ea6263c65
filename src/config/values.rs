//! Values that settings of several parts use.

use std::fmt;

use super::read::Reader;

/// The kind of installation, which decides some defaults and safety checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// A developer's machine or a test system.
    Development,
    /// An installation with customers.
    Production,
}

/// A text that must not be logged or shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text so that it is not shown by accident.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// Returns the text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[not shown]")
    }
}

/// Reads the kind of installation.
pub(super) fn environment(reader: &mut Reader) -> Environment {
    let choices = [("development", Environment::Development), ("production", Environment::Production)];
    reader.one_of("environment", &choices).unwrap_or(Environment::Development)
}
