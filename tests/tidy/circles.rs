//! Circles of imports between the files of one crate.

use crate::source::{Literals, Source, blank};
use std::collections::{BTreeMap, BTreeSet};

/// Returns the files in a circle of imports, except circles of files that may refer to each other.
pub(crate) fn check(files: &[&Source], may_refer_to_each_other: impl Fn(&Source) -> bool) -> Vec<String> {
    let graph = graph(files);
    let reached: Vec<_> = (0..files.len()).map(|from| reachable(&graph, from)).collect();
    let returns = |from: usize, to: usize| reached[from].contains(&to);
    let mut found = Vec::new();
    for of in (0..files.len()).filter(|&of| returns(of, of)) {
        if (reached[of].iter()).all(|&file| !returns(file, of) || may_refer_to_each_other(files[file])) {
            continue;
        }
        let next: Vec<_> = graph[of].iter().filter(|&&to| returns(to, of)).map(|&to| &*files[to].path).collect();
        found.push(format!(
            "{}: imports in a circle, through {}; move what both need",
            files[of].path,
            next.join(", ")
        ));
    }
    found
}

/// The files that each file imports from.
fn graph(files: &[&Source]) -> Vec<BTreeSet<usize>> {
    let modules: Vec<_> = files.iter().map(|file| module(&file.path)).collect();
    let by_module: BTreeMap<_, _> =
        modules.iter().enumerate().map(|(index, module)| (module.as_slice(), index)).collect();
    let imported = |index: usize| {
        let code = without_inline_modules(&blank(&files[index].text, Literals::Blank));
        let targets = paths(&code).into_iter().filter_map(|path| {
            let path = absolute(&modules[index], &path);
            (0..=path.len()).rev().find_map(|length| by_module.get(&path[..length]).copied())
        });
        targets.filter(|&to| to != index).collect()
    };
    (0..files.len()).map(imported).collect()
}

/// The path of the module that a file holds.
fn module(path: &str) -> Vec<String> {
    let inside = path.split_once("src/").map_or(path, |(_, inside)| inside).trim_end_matches(".rs");
    inside.split('/').filter(|part| !["mod", "lib"].contains(part)).map(str::to_owned).collect()
}

/// A path as seen from the root of the crate. One without `crate`, `self` or `super` starts at a child of the module.
fn absolute(module: &[String], path: &[String]) -> Vec<String> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    let (base, rest) = match path[0].as_str() {
        "crate" => (&module[..0], &path[1..]),
        "self" => (module, &path[1..]),
        _ => (&module[..module.len().saturating_sub(supers)], &path[supers..]),
    };
    [base, rest].concat()
}

/// The paths in `code` that start at the crate, at this or the outer module, or at a child that the file declares.
fn paths(code: &str) -> Vec<Vec<String>> {
    let children = code.lines().filter_map(|line| {
        let name = line.trim().strip_suffix(';')?.rsplit_once("mod ")?;
        (name.0.is_empty() || name.0.starts_with("pub")).then_some(name.1)
    });
    let mut found = Vec::new();
    for root in ["crate", "self", "super"].into_iter().chain(children) {
        for (at, _) in code.match_indices(&format!("{root}::")) {
            let before = &code[..at];
            // `$crate` is a path of the places that use the macro.
            let inside = before.ends_with(|char: char| char.is_alphanumeric() || "_:$".contains(char));
            let statement = before.rsplit(';').next().unwrap_or(before);
            let grouped =
                statement.contains("use ") && statement.ends_with(['{', ',', ' ', '\n']) && statement.contains('{');
            if !inside && !grouped && !before.ends_with("(in ") {
                expand(&code[at..], &[], &mut found);
            }
        }
    }
    found
}

/// Adds the path at the start of `rest`, and each path of a group that it ends with; returns the text behind it.
fn expand<'a>(mut rest: &'a str, prefix: &[String], found: &mut Vec<Vec<String>>) -> &'a str {
    let mut path = prefix.to_vec();
    loop {
        if let Some(group) = rest.strip_prefix('{') {
            rest = group.trim_start();
            while !rest.is_empty() && !rest.starts_with('}') {
                rest = expand(rest, &path, found).trim_start_matches(|char| char != ',' && char != '}');
                rest = rest.trim_start_matches(',').trim_start();
            }
            return rest.strip_prefix('}').unwrap_or(rest);
        }
        let end = rest.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        path.push(name.to_owned());
        match after.strip_prefix("::") {
            Some(next) => rest = next,
            None => break found.push(path),
        }
        if rest.starts_with(['*', '<']) {
            break found.push(path);
        }
    }
    rest
}

/// The code without modules in braces, such as tests: their `super` is the file itself.
fn without_inline_modules(code: &str) -> String {
    let mut out = String::new();
    let mut depth = 0_usize;
    for line in code.lines() {
        let starts = depth == 0 && line.trim_start().starts_with("mod ") && line.ends_with('{');
        match starts || depth > 0 {
            true => depth = depth + line.matches('{').count() - line.matches('}').count(),
            false => out.extend([line, "\n"]),
        }
    }
    out
}

fn reachable(graph: &[BTreeSet<usize>], from: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<_> = graph[from].iter().copied().collect();
    while let Some(file) = next.pop() {
        if reached.insert(file) {
            next.extend(&graph[file]);
        }
    }
    reached
}

#[test]
fn a_circle_of_imports_is_found() {
    let found = |texts: &[(&str, &str)]| {
        let files: Vec<_> =
            texts.iter().map(|(path, text)| Source { path: (*path).to_owned(), text: (*text).to_owned() }).collect();
        let files: Vec<_> = files.iter().collect();
        check(&files, |file| file.text.contains("Row<")).len()
    };
    assert_eq!(found(&[("src/a.rs", "use crate::b::{self as x, C};"), ("src/b.rs", "fn a() { crate::a::b() }")]), 2);
    assert_eq!(found(&[("src/a.rs", "use crate::b;"), ("src/b.rs", "pub(in crate::a) struct B; // crate::a")]), 0);
    assert_eq!(found(&[("src/a.rs", "use crate::b::X; Row<"), ("src/b.rs", "use super::a::Y; Row<")]), 0);
    let re_export = "mod b;\nmod c;\npub use b::B;\n";
    assert_eq!(found(&[("src/a/mod.rs", re_export), ("src/a/b.rs", "use super::c::C;"), ("src/a/c.rs", "")]), 0);
    assert_eq!(found(&[("src/a/mod.rs", re_export), ("src/a/b.rs", "use super::{\n    D,\n};")]), 2);
    let grouped = "mod b;\nuse crate::{\n    b::B,\n};\n";
    assert_eq!(found(&[("src/a/mod.rs", grouped), ("src/a/b.rs", "use super::A;"), ("src/b.rs", "")]), 0);
    let root = "mod b;\npub use b::B;\npub fn a() {}\n";
    assert_eq!(found(&[("src/lib.rs", root), ("src/b.rs", "use crate::{a, c};")]), 2);
    assert_eq!(found(&[("src/a.rs", "macro! { $crate::b::B }"), ("src/b.rs", "use crate::a;")]), 0);
    let tested = "#[cfg(test)]\nmod tests {\n    use super::*;\n    use crate::b;\n}\n";
    assert_eq!(found(&[("src/a.rs", tested), ("src/b.rs", "use crate::a;")]), 0);
}
