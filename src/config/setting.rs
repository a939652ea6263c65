//! A setting as the operator sees it.

/// A setting.
pub(super) struct Setting {
    /// The name in the file; the environment variable is `TOLLGATE_` and this in upper case.
    pub(super) name: &'static str,
    /// The default as it would be written; empty if there is none.
    pub(super) default: &'static str,
    /// The meaning, the unit, the allowed values and the effect of not setting it.
    pub(super) about: &'static str,
    /// True if the value must never be shown, not even in an error message.
    pub(super) secret: bool,
}

impl Setting {
    /// Returns the name of the environment variable.
    pub(super) fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.to_uppercase())
    }
}

/// The prefix of the environment variables.
pub(super) const PREFIX: &str = "TOLLGATE_";
/// The variable that names the file of settings; it is not a setting itself.
pub(super) const CONFIG_VARIABLE: &str = "TOLLGATE_CONFIG";

/// Creates a setting whose value may be shown.
pub(super) const fn plain(name: &'static str, default: &'static str, about: &'static str) -> Setting {
    Setting { name, default, about, secret: false }
}

/// Creates a setting whose value must not be shown.
pub(super) const fn secret(name: &'static str, default: &'static str, about: &'static str) -> Setting {
    Setting { name, default, about, secret: true }
}

/// Environment variables of other programs that set a setting of ours unless it is set itself; later ones take precedence.
pub(super) const CONVENTIONAL_VARIABLES: [(&str, &str); 4] = [
    ("HTTPS_PROXY", "https_proxy"),
    ("https_proxy", "https_proxy"),
    ("NO_PROXY", "no_proxy"),
    ("no_proxy", "no_proxy"),
];
