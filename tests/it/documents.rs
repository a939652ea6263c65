//! The documentation: its GraphQL is valid, and the names, settings, commands and event types in it exist.

use apollo_compiler::{ExecutableDocument, Schema};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

const SCHEMA: &str = include_str!("../../schema.graphql");

/// A page of the documentation.
struct Page {
    path: String,
    text: String,
}

impl Page {
    /// Returns the lines of the code blocks with this language, each block with the line it starts at.
    fn blocks(&self, language: &str) -> Vec<(usize, String)> {
        let mut blocks = Vec::new();
        let mut open: Option<(usize, String, bool)> = None;
        for (index, line) in self.text.lines().enumerate() {
            match (&mut open, line.trim_start().strip_prefix("```")) {
                (None, Some(name)) => open = Some((index + 2, String::new(), name == language)),
                (Some(_), Some(_)) => {
                    let (start, text, wanted) = open.take().unwrap();
                    if wanted {
                        blocks.push((start, text));
                    }
                }
                (Some((_, text, _)), None) => {
                    text.push_str(line);
                    text.push('\n');
                }
                (None, None) => {}
            }
        }
        blocks
    }

    /// Returns the texts between backticks outside code blocks.
    fn spans(&self) -> Vec<&str> {
        let mut in_block = false;
        let mut spans = Vec::new();
        for line in self.text.lines() {
            if line.trim_start().starts_with("```") {
                in_block = !in_block;
            } else if !in_block {
                spans.extend(line.split('`').skip(1).step_by(2));
            }
        }
        spans
    }
}

/// Returns the pages at the root and in docs/, without the decisions, which keep the names of their time.
fn pages() -> Vec<Page> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |directory: &str| {
        let entries = std::fs::read_dir(root.join(directory)).unwrap().map(|entry| entry.unwrap().path());
        let pages = entries.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
        pages.map(|path| Page { path: path.display().to_string(), text: std::fs::read_to_string(&path).unwrap() })
    };
    read("").chain(read("docs").collect::<Vec<_>>()).collect()
}

/// Splits a block at the lines where an operation starts.
fn operations(block: &str) -> Vec<String> {
    let mut operations: Vec<String> = Vec::new();
    for line in block.lines() {
        let starts = ["{", "query", "mutation", "subscription"].iter().any(|start| line.starts_with(start));
        match operations.last_mut() {
            Some(operation) if !starts => operation.push_str(&format!("{line}\n")),
            _ => operations.push(format!("{line}\n")),
        }
    }
    operations
}

#[test]
fn every_operation_of_the_documentation_is_valid() {
    let schema = Schema::parse_and_validate(SCHEMA, "schema.graphql").unwrap();
    let mut texts = Vec::new();
    for page in pages() {
        for (line, block) in page.blocks("graphql") {
            texts.extend(operations(&block).into_iter().map(|text| (format!("{}:{line}", page.path), text)));
        }
    }
    assert!(texts.len() > 20, "only {} operations were found", texts.len());
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/queries");
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        texts.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
    }
    let invalid: Vec<String> = texts
        .iter()
        .filter_map(|(place, text)| {
            let errors = ExecutableDocument::parse_and_validate(&schema, text, place).err()?.errors;
            Some(format!("{place}: {errors}\n{text}"))
        })
        .collect();
    assert!(invalid.is_empty(), "{}", invalid.join("\n"));
}

/// Names of the protocol, of error extensions and of placeholders, in the style of the API.
const FOREIGN: &[&str] = &[
    "documentId",
    "operationName",
    "persistConfig",
    "persistedDocuments",
    "persistedExchange",
    "requestId",
    "requestedQueryCost",
    "retriedLater",
    "retryAfterSeconds",
    "P_PRO",
];

/// Returns the words of a text that consist of letters, digits and underscores.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_').filter(|word| !word.is_empty())
}

#[test]
fn every_name_of_the_api_in_the_documentation_exists() {
    let known: BTreeSet<&str> = words(SCHEMA).chain(FOREIGN.iter().copied()).collect();
    let codes = include_str!("../../src/error.rs");
    let codes: BTreeSet<&str> = words(codes).chain(words(include_str!("../../src/graphql/engine/errors.rs"))).collect();
    let api = [
        "api.md",
        "payments.md",
        "catalogue.md",
        "gifts.md",
        "refunds.md",
        "licences.md",
        "live.md",
        "analytics.md",
        "usage.md",
        "credits.md",
        "entitlements.md",
    ];
    let mut missing = Vec::new();
    for page in pages().iter().filter(|page| api.iter().any(|name| page.path.ends_with(name))) {
        for word in page.spans().into_iter().filter(|span| words(span).eq([*span])) {
            let field = word.starts_with(|char: char| char.is_ascii_lowercase())
                && word.contains(|char: char| char.is_ascii_uppercase());
            let value = word.contains('_')
                && word.chars().all(|char| char.is_ascii_uppercase() || char == '_')
                && !word.starts_with("TOLLGATE_");
            if (field && !known.contains(word)) || (value && !known.contains(word) && !codes.contains(word)) {
                missing.push(format!("{}: {word}", page.path));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_setting_in_the_documentation_exists() {
    let example = include_str!("../../.env.example");
    // Those of the tests and of the program itself are no settings.
    let other = [
        "TOLLGATE_CONFIG",
        "TOLLGATE_TEST_BROWSER",
        "TOLLGATE_TEST_DEADLOCK_OPERATIONS",
        "TOLLGATE_TEST_POSTGRES",
        "TOLLGATE_TEST_POSTGRES_URL",
        "TOLLGATE_TEST_REVENUE_CUSTOMERS",
        "TOLLGATE_TEST_UPDATE",
    ];
    for page in pages() {
        for name in words(&page.text).filter(|word| word.starts_with("TOLLGATE_") && word.len() > "TOLLGATE_".len()) {
            let known = other.contains(&name) || example.contains(&format!("#{name}="));
            assert!(known, "{}: {name} is no setting", page.path);
        }
    }
}

/// Returns the commands of the program in a page, each as the words after `tollgate`.
fn commands(page: &Page) -> Vec<Vec<String>> {
    let blocks: Vec<String> = ["sh", "text"].iter().flat_map(|name| page.blocks(name)).map(|(_, text)| text).collect();
    let lines = blocks.iter().flat_map(|block| block.lines());
    let lines = lines.filter_map(|line| {
        let line = line.trim_start_matches("$ ").trim_start_matches("target/release/");
        line.strip_prefix("tollgate ").filter(|rest| !rest.contains(": "))
    });
    let spans = page.spans();
    let spans = spans.iter().filter_map(|span| span.strip_prefix("tollgate "));
    let texts = lines.chain(spans).map(|line| line.split(['#', '|']).next().unwrap());
    texts.map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

#[test]
fn every_command_in_the_documentation_exists() {
    let mut helps = BTreeMap::<Vec<String>, String>::new();
    for page in pages() {
        for command in commands(&page) {
            let word = |word: &&String| word.chars().all(|char| char.is_ascii_lowercase() || char == '-');
            let path: Vec<String> =
                command.iter().take_while(|part| word(part) && !part.starts_with('-')).cloned().collect();
            let help = helps.entry(path.clone()).or_insert_with(|| {
                let output = Command::new(env!("CARGO_BIN_EXE_tollgate")).args(&path).arg("--help").output().unwrap();
                assert!(output.status.success(), "{}: tollgate {}: no such command", page.path, path.join(" "));
                String::from_utf8(output.stdout).unwrap()
            });
            assert!(help.contains(&format!("tollgate {}", path.join(" "))), "{}: {path:?} is no command", page.path);
            for flag in command.iter().filter(|part| part.starts_with("--")) {
                assert!(help.contains(flag.as_str()), "{}: tollgate {}: {flag}", page.path, path.join(" "));
            }
        }
    }
    assert!(helps.len() >= 8, "only these commands were found: {:?}", helps.keys());
}
