//! The settings as text for people: `.env.example` and the help of the command line.

use std::fmt::Write as _;

use super::settings;

/// Returns the text of `.env.example`: every setting with its default, commented out.
pub fn example() -> String {
    let mut text = String::from(
        "# All settings of Tollgate. Each may also be in tollgate.toml, in lower case and without TOLLGATE_:\n\
         #     listen = \"127.0.0.1:8080\"\n\
         # The environment takes precedence over the file. An empty variable counts as not set.\n",
    );
    for setting in settings::all() {
        text.push('\n');
        for line in wrapped(setting.about, 110) {
            _ = writeln!(text, "# {line}");
        }
        _ = writeln!(text, "#{}={}", setting.variable(), setting.default);
    }
    text
}

/// Returns the section about settings of `tollgate --help`.
pub fn help() -> String {
    let mut text = String::from(
        "Settings, as environment variables or in tollgate.toml (there in lower case and without TOLLGATE_):\n",
    );
    for setting in settings::all() {
        let default =
            if setting.default.is_empty() { String::new() } else { format!(" [default: {}]", setting.default) };
        _ = writeln!(text, "\n  {}{default}", setting.variable());
        for line in wrapped(setting.about, 90) {
            _ = writeln!(text, "      {line}");
        }
    }
    text
}

/// Breaks `text` at spaces into lines of at most `width` bytes.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
