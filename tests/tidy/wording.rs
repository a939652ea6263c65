//! Comments, descriptions and messages that open with a question word.

use crate::source::Source;

/// Openings after which the reader must reach the end of the sentence to learn its subject.
const OPENINGS: &[&str] = &["What", "Who", "Whom", "Whose", "Where", "Whether", "The same"];

/// The comments and strings of a file that start with one of them, each `path:line: advice`.
pub(crate) fn check(file: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let mut starts = true;
    for (index, line) in file.text.lines().enumerate() {
        let line = line.trim_start();
        let comment = line.starts_with("//").then(|| line.trim_start_matches(['/', '!']).trim_start());
        let text = comment.filter(|_| starts);
        starts = comment.is_none_or(str::is_empty);
        let strings = comment.is_none().then(|| line.match_indices('"').map(|(at, _)| &line[at + 1..]));
        let opening = text.into_iter().chain(strings.into_iter().flatten()).find_map(opening);
        if let Some(opening) = opening {
            found.push(format!(
                "{}:{}: starts with `{opening}`; start with the verb or the thing",
                file.path,
                index + 1
            ));
        }
    }
    found
}

fn opening(text: &str) -> Option<&'static str> {
    let starts = |opening: &&&str| text.strip_prefix(**opening).is_some_and(|rest| rest.starts_with([' ', ',', ':']));
    OPENINGS.iter().find(starts).copied()
}

#[test]
fn riddles_are_found() {
    let found = |text: &str| check(&Source { path: "src/a.rs".to_owned(), text: text.to_owned() }).len();
    assert_eq!(found(concat!("/// What it is.\nfn a() {}\n// The same again.\nlet x = \"Whe", "ther it is\";\n")), 3);
    assert_eq!(found("/// Returns it.\n/// What follows is the second line.\n// Whatever\n\"The same\"\n"), 0);
    assert_eq!(found("/// Returns it.\n///\n/// Where it is: nowhere.\n"), 1);
}
