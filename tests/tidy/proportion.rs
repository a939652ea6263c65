//! The proportion of tests to code, in lines that are neither blank nor comments.

use crate::source::{Literals, Source, blank};

/// Lines of tests and of the code that they test.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    pub(crate) tests: usize,
    pub(crate) code: usize,
}

impl Lines {
    /// Returns the lines of tests for each hundred lines of code.
    pub(crate) fn percent(&self) -> usize {
        self.tests * 100 / self.code.max(1)
    }
}

/// Counts the lines of src/ and migration/ as code, and those of tests/ and of their unit tests as tests.
///
/// The stand-in for Stripe and the generated company are neither.
pub(crate) fn lines(sources: &[Source]) -> Lines {
    let mut lines = Lines::default();
    for file in sources {
        let code = blank(&file.text, Literals::Keep);
        let count = |text: &str| text.lines().filter(|line| !line.trim().is_empty()).count();
        if is_test(&file.path) {
            lines.tests += count(&code);
        } else if file.path.starts_with("src/") || file.path.starts_with("migration/src/") {
            let tests = count(&unit_tests(&code));
            lines.tests += tests;
            lines.code += count(&code) - tests;
        }
    }
    lines
}

fn is_test(path: &str) -> bool {
    let ours = ["src/", "migration/src/"].iter().any(|directory| path.starts_with(directory));
    let name = path.rsplit('/').next().unwrap_or(path);
    path.starts_with("tests/")
        || (ours && (name == "tests.rs" || name.ends_with("_tests.rs") || path.contains("/tests/")))
}

/// Returns the modules under `#[cfg(test)]` that have their code in this file.
fn unit_tests(code: &str) -> String {
    let mut tests = String::new();
    let mut lines = code.lines().peekable();
    while let Some(line) = lines.next() {
        let opens = lines.peek().is_some_and(|next| next.trim_start().starts_with("mod ") && next.ends_with('{'));
        if line.trim() == "#[cfg(test)]" && opens {
            tests.push_str(&format!("{line}\n"));
            for line in lines.by_ref() {
                tests.push_str(&format!("{line}\n"));
                if line == "}" {
                    break;
                }
            }
        }
    }
    tests
}

#[test]
fn lines_are_counted_by_their_kind() {
    let file = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let text = "// a comment\nfn one() {}\n\n/// Two.\nfn two() {}\n#[cfg(test)]\nmod tests {\n    fn three() {}\n}\n";
    let found = lines(&[
        file("src/a.rs", text),
        file("src/a/tests.rs", "#[test]\nfn four() {}\n"),
        file("tests/it/a.rs", "fn five() {}\n"),
        file("sandbox/src/tests/a.rs", "fn six() {}\n"),
    ]);
    assert_eq!(found, Lines { tests: 7, code: 2 });
    assert_eq!(found.percent(), 350);
}
