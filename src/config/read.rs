//! Collects the settings from the file and the environment, and every mistake in them.

use std::collections::HashMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;

use super::settings::{self, CONFIG_VARIABLE, CONVENTIONAL_VARIABLES, PREFIX, Setting};

/// A value as written.
#[derive(Clone)]
enum Raw {
    Text(String),
    List(Vec<String>),
}

/// The values as written, and the mistakes in them.
pub(super) struct Reader {
    values: HashMap<&'static str, Raw>,
    mistakes: Vec<String>,
}

impl Reader {
    /// Reads the file, if given, and the environment, which takes precedence.
    pub(super) fn new(file: Option<&Path>, env: &[(String, String)]) -> Self {
        let mut reader = Reader { values: HashMap::new(), mistakes: Vec::new() };
        for (variable, setting) in CONVENTIONAL_VARIABLES {
            if let Some((_, value)) = env.iter().find(|(name, value)| name == variable && !value.is_empty()) {
                reader.values.insert(setting, Raw::Text(value.clone()));
            }
        }
        if let Some(path) = file {
            reader.read_file(path);
        }
        for (variable, value) in env {
            reader.read_variable(variable, value);
        }
        reader
    }

    /// Records that a setting is wrong, with its value (not shown for a secret) and the rule as a sentence.
    pub(super) fn mistake(&mut self, name: &str, found: Option<&str>, rule: impl Display) {
        let variable = format!("{PREFIX}{}", name.to_uppercase());
        let secret = settings::named(name).is_some_and(|setting| setting.secret);
        let found = match found {
            _ if secret => "has a value that is not allowed (not shown, as it may hold a secret)".to_owned(),
            Some(found) => format!("is {}", shown(found)),
            None => "is not set".to_owned(),
        };
        self.mistakes.push(format!("{name} ({variable}) {found}. {rule}"));
    }

    /// Returns the text of a setting or its default; `None` if it has neither.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        match self.values.get(name).cloned() {
            Some(Raw::Text(text)) => Some(text),
            Some(Raw::List(list)) => {
                self.mistake(name, Some(&list.join(",")), "Write one value, not a list.");
                None
            }
            None => default_of(name).map(str::to_owned),
        }
    }

    /// Returns the entries of a list: a TOML array, or a text separated by commas.
    pub(super) fn list(&mut self, name: &'static str) -> Vec<String> {
        let entries = match self.values.get(name).cloned() {
            Some(Raw::List(list)) => list,
            Some(Raw::Text(text)) => text.split(',').map(str::to_owned).collect(),
            None => default_of(name).into_iter().flat_map(|text| text.split(',')).map(str::to_owned).collect(),
        };
        entries.iter().map(|entry| entry.trim().to_owned()).filter(|entry| !entry.is_empty()).collect()
    }

    /// Returns a whole number in `range`; the lower bound if it is wrong, which is recorded.
    pub(super) fn number<N>(&mut self, name: &'static str, range: RangeInclusive<N>) -> N
    where
        N: FromStr + PartialOrd + Display + Copy,
    {
        self.optional_number(name, range.clone()).unwrap_or(*range.start())
    }

    /// Returns a whole number in `range`; `None` if it is not set and has no default, or is wrong, which is recorded.
    pub(super) fn optional_number<N>(&mut self, name: &'static str, range: RangeInclusive<N>) -> Option<N>
    where
        N: FromStr + PartialOrd + Display,
    {
        let text = self.text(name)?;
        // Both 1048576 and 1_048_576, as in TOML.
        let number = text.replace('_', "").parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let rule = format!("It must be a whole number from {} to {}.", range.start(), range.end());
            self.mistake(name, Some(&text), rule);
        }
        number
    }

    /// Returns one of a closed set of words; `None` if it is not set and has no default, or is wrong, which is recorded.
    pub(super) fn one_of<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(name)?;
        let found = choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice);
        if found.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            self.mistake(name, Some(&text), format!("It must be one of {}.", words.join(", ")));
        }
        found
    }

    /// Returns every recorded mistake.
    pub(super) fn into_mistakes(self) -> Vec<String> {
        self.mistakes
    }

    fn read_file(&mut self, path: &Path) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.mistakes.push(format!("The file {} cannot be read: {error}.", path.display())),
        };
        match text.parse::<toml::Table>() {
            Ok(table) => table.into_iter().for_each(|(name, value)| self.read_entry(path, &name, value)),
            Err(error) => {
                // The error's own text quotes the line, which may hold a secret.
                let start = error.span().map_or(0, |span| span.start.min(text.len()));
                let line = 1 + text.bytes().take(start).filter(|byte| *byte == b'\n').count();
                self.mistakes.push(format!(
                    "The file {} is not TOML: line {line}: {}.",
                    path.display(),
                    error.message()
                ));
            }
        }
    }

    fn read_entry(&mut self, path: &Path, name: &str, value: toml::Value) {
        let Some(setting) = settings::named(name) else {
            let hint = did_you_mean(&name.to_lowercase(), settings::all().map(|setting| setting.name.to_owned()));
            let place = path.display();
            return self.mistakes.push(format!("{} in the file {place} is not a setting.{hint}", shown(name)));
        };
        match raw(value) {
            Some(Raw::Text(text)) if text.is_empty() => {}
            Some(raw) => _ = self.values.insert(setting.name, raw),
            None => {
                self.mistake(name, Some("a table, a date or a fraction"), "Write a text, a whole number or a list.")
            }
        }
    }

    fn read_variable(&mut self, variable: &str, value: &str) {
        let Some(name) = variable.strip_prefix(PREFIX) else { return };
        // Variables with TEST_ are for the test suite, which may start this program.
        if variable == CONFIG_VARIABLE || name.starts_with("TEST_") || is_from_kubernetes(name, value) {
            return;
        }
        match settings::all().find(|setting| setting.variable() == variable) {
            Some(_) if value.is_empty() => {}
            Some(setting) => _ = self.values.insert(setting.name, Raw::Text(value.to_owned())),
            None => {
                let hint = did_you_mean(&variable.to_uppercase(), settings::all().map(Setting::variable));
                self.mistakes.push(format!("The environment variable {} is not a setting.{hint}", shown(variable)));
            }
        }
    }
}

fn default_of(name: &str) -> Option<&'static str> {
    settings::named(name).map(|setting| setting.default).filter(|default| !default.is_empty())
}

fn raw(value: toml::Value) -> Option<Raw> {
    match value {
        toml::Value::String(text) => Some(Raw::Text(text)),
        toml::Value::Integer(number) => Some(Raw::Text(number.to_string())),
        toml::Value::Boolean(yes) => Some(Raw::Text(yes.to_string())),
        toml::Value::Array(entries) => {
            entries.into_iter().map(|entry| entry.as_str().map(str::to_owned)).collect::<Option<_>>().map(Raw::List)
        }
        _ => None,
    }
}

/// Quotes a value on one line of at most 80 characters.
fn shown(value: &str) -> String {
    let cut: String = value.chars().take(80).collect();
    if cut.len() < value.len() { format!("{cut:?}...") } else { format!("{cut:?}") }
}

/// Returns whether Kubernetes sets this variable in every pod beside a service called `tollgate`.
fn is_from_kubernetes(name: &str, value: &str) -> bool {
    let marks = ["SERVICE_HOST", "SERVICE_PORT", "_TCP_", "_UDP_"];
    marks.iter().any(|mark| name.contains(mark)) || value.starts_with("tcp://") || value.starts_with("udp://")
}

/// Suggests the closest of `known`, if one is close enough to be a typing mistake.
fn did_you_mean(wrong: &str, known: impl Iterator<Item = String>) -> String {
    let closest = known.map(|name| (distance(wrong, &name), name)).min();
    match closest {
        Some((distance, name)) if distance <= 3 => format!(" Did you mean {name}?"),
        _ => String::new(),
    }
}

/// Returns the Levenshtein distance between two texts.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
