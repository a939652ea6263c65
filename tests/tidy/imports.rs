//! Which modules a file uses, and whether they stand above its own in `src/lib.rs`.

use crate::source::{Literals, Source, blank, line_at, lines_with};

/// The modules of `src/lib.rs`, in its order.
pub(crate) fn order(lib: &str) -> Vec<String> {
    let code = blank(lib, Literals::Blank);
    let declared = code.lines().filter_map(|line| {
        let line = line.trim();
        line.strip_prefix("pub mod ").or(line.strip_prefix("mod "))?.strip_suffix(';')
    });
    declared.map(str::to_owned).collect()
}

/// Returns the imports of a file that are not above its module.
pub(crate) fn check(file: &Source, order: &[String]) -> Vec<String> {
    let inside = file.path.trim_start_matches("src/");
    let module = inside.split('/').next().unwrap().trim_end_matches(".rs");
    let Some(own) = order.iter().position(|name| name == module) else {
        return vec![format!("{}: the module {module} is not in src/lib.rs; add it there", file.path)];
    };
    let code = blank(&file.text, Literals::Blank);
    let mut used = names_after(&code, "crate::");
    // From the module's own file `super` is the crate, too.
    if inside.split('/').count() == 1 || inside == format!("{module}/mod.rs") {
        let declared = |name: &str| !lines_with(&code, &format!("mod {name}")).is_empty();
        used.extend(names_after(&code, "super::").into_iter().filter(|(name, _)| !declared(name)));
    }
    let mut found: Vec<_> = used
        .iter()
        .filter(|(name, _)| order.iter().position(|module| module == name).is_some_and(|rank| rank > own))
        .map(|(name, line)| {
            format!("{}:{line}: {module} may not use {name}, which stands below it in src/lib.rs", file.path)
        })
        .collect();
    found.extend(
        lines_with(&code, "super::super")
            .iter()
            .map(|line| format!("{}:{line}: write the path from crate:: so that this test sees it", file.path)),
    );
    found
}

/// The first names of the paths that start with `root`, braces included, each with its line.
fn names_after(code: &str, root: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(root) {
        if code[..at].ends_with(|char: char| char.is_alphanumeric() || char == '_' || char == ':') {
            continue;
        }
        let start = at + root.len();
        let line = line_at(code, start);
        match code[start..].strip_prefix('{') {
            None => found.push((name(&code[start..]), line)),
            Some(group) => found.extend(heads(group).map(|(offset, head)| (head, line_at(code, start + 1 + offset)))),
        }
    }
    found
}

/// The names at the top level of a group, whose opening brace is already gone.
fn heads(group: &str) -> impl Iterator<Item = (usize, String)> {
    let mut depth = 0_usize;
    let mut found = Vec::new();
    let mut start = 0;
    for (at, char) in group.char_indices() {
        let ends = depth == 0 && matches!(char, ',' | '}');
        if ends {
            let head = group[start..at].trim_start();
            found.push((at - head.len(), name(head)));
            start = at + 1;
        }
        match char {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            _ => {}
        }
    }
    found.into_iter().filter(|(_, name)| !name.is_empty())
}

fn name(path: &str) -> String {
    path.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect()
}

#[test]
fn an_import_from_below_is_found() {
    let order = order("//! pub mod x;\npub mod error;\n\npub mod db;\nmod http;\n");
    assert_eq!(order, ["error", "db", "http"]);
    let found = |path: &str, text: &str| check(&Source { path: path.to_owned(), text: text.to_owned() }, &order).len();
    assert_eq!(found("src/db/page.rs", "use crate::error::Error; // crate::http\nuse crate::db;"), 0);
    assert_eq!(found("src/db/page.rs", "use crate::http::X;"), 1);
    assert_eq!(found("src/db/page.rs", "use crate::{\n    error::{self, http},\n    http,\n};"), 1);
    assert_eq!(found("src/db/mod.rs", "fn a() { super::http::b() }"), 1);
    assert_eq!(found("src/db/mod.rs", "mod http;\nfn a() { super::http::b() }"), 0);
    assert_eq!(found("src/db/page.rs", "use super::super::http;"), 1);
    assert_eq!(found("src/jobs.rs", ""), 1);
}
