//! Reads the tree, and distinguishes code, comments and literals well enough for the rules.

use std::path::Path;

/// One text file.
pub(crate) struct Source {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The directories that are read, besides the files at the root.
const DIRECTORIES: &[&str] =
    &[".ci", "benches", "deploy", "docs", "entity", "examples", "migration", "sandbox", "seed", "src", "tests", "web"];
/// Directories and files that are generated, or not ours to format.
const SKIPPED: &[&str] = &["dist", "fixtures", "node_modules", "package-lock.json", "snapshots", "target"];
const TEXT: &[&str] = &[
    "css", "graphql", "html", "js", "jsx", "json", "md", "mjs", "rs", "service", "sh", "toml", "ts", "tsx", "yaml",
    "yml",
];
const TEXT_BY_NAME: &[&str] = &[".editorconfig", ".env.example", "Dockerfile", "LICENSE"];

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file that people write, sorted by path.
pub(crate) fn files() -> Vec<Source> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_file() || DIRECTORIES.contains(&name.as_str()) {
            collect(name, &mut found);
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The Rust files among them, without the generated entities.
pub(crate) fn rust() -> Vec<Source> {
    files().into_iter().filter(|file| file.path.ends_with(".rs") && !file.path.starts_with("entity/")).collect()
}

fn collect(path: String, found: &mut Vec<Source>) {
    let full = root().join(&path);
    let name = full.file_name().unwrap().to_str().unwrap();
    if SKIPPED.contains(&name) {
        return;
    }
    if full.is_dir() {
        for entry in std::fs::read_dir(&full).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            collect(format!("{path}/{name}"), found);
        }
        return;
    }
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if TEXT.contains(&extension) || TEXT_BY_NAME.contains(&name) || path.starts_with(".ci/") {
        found.push(Source { path, text: std::fs::read_to_string(full).unwrap() });
    }
}

/// The treatment of string and character literals by [`blank`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Literals {
    Keep,
    Blank,
}

/// Returns the text with its comments as spaces, and its literals too if requested; every line keeps its place.
pub(crate) fn blank(text: &str, literals: Literals) -> String {
    let mut rest = text;
    let mut out = String::with_capacity(text.len());
    while let Some(first) = rest.chars().next() {
        let (length, visible) = match first {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), false),
            '/' if rest.starts_with("/*") => (block_comment(rest), false),
            '"' => (string(rest, raw_hashes(&out)), literals == Literals::Keep),
            '\'' => (character(rest), literals == Literals::Keep || character(rest) == 1),
            _ => (first.len_utf8(), true),
        };
        let (part, after) = rest.split_at(length);
        match visible {
            true => out.push_str(part),
            false => out.extend(part.chars().map(|char| if char == '\n' { '\n' } else { ' ' })),
        }
        rest = after;
    }
    out
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// Returns the number of `#` at the end of a raw string that starts here; `None` for a plain string.
fn raw_hashes(before: &str) -> Option<usize> {
    let prefix = before.trim_end_matches('#');
    prefix.ends_with('r').then_some(before.len() - prefix.len())
}

fn string(text: &str, raw: Option<usize>) -> usize {
    if let Some(hashes) = raw {
        let end = format!("\"{}", "#".repeat(hashes));
        return text[1..].find(&end).map_or(text.len(), |at| 1 + at + end.len());
    }
    let mut escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        match char {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The length of a character literal, or 1 for the quote of a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let from = at + escaped.len_utf8();
            text[from..].find('\'').map_or(1, |end| from + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

/// The lines, from 1, where `word` stands by itself; `word*` is the beginning of a longer one, too.
pub(crate) fn lines_with(text: &str, word: &str) -> Vec<usize> {
    let (word, prefix) = word.strip_suffix('*').map_or((word, false), |word| (word, true));
    let in_word = |char: Option<char>| char.is_some_and(|char| char.is_alphanumeric() || char == '_');
    let stands_alone = |(at, _): &(usize, &str)| {
        let before = text[..*at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !(in_word(word.chars().next()) && in_word(before))
            && (prefix || !(in_word(word.chars().next_back()) && in_word(after)))
    };
    let mut lines: Vec<_> = text.match_indices(word).filter(stands_alone).map(|(at, _)| line_at(text, at)).collect();
    lines.dedup();
    lines
}

/// The line, from 1, of a byte.
pub(crate) fn line_at(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}
