//! The links between documents.

use crate::source::Source;
use std::collections::BTreeSet;

/// Links that lead nowhere, and pages of docs/ that no link leads to.
pub(crate) fn check(files: &[Source], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let documents: Vec<_> = files.iter().filter(|file| file.path.ends_with(".md")).collect();
    let mut found = Vec::new();
    let mut reached = BTreeSet::new();
    let mut next: Vec<_> = documents.iter().filter(|file| !file.path.contains('/')).collect();
    while let Some(file) = next.pop() {
        if reached.insert(file.path.as_str()) {
            let targets: Vec<_> = targets(file).into_iter().map(|(_, target)| target).collect();
            next.extend(documents.iter().filter(|document| targets.contains(&document.path)));
        }
    }
    for file in &documents {
        if file.path.starts_with("docs/") && !reached.contains(file.path.as_str()) {
            found.push(format!("{}: no link leads here from a page at the root; add one", file.path));
        }
        let broken = targets(file).into_iter().filter(|(_, target)| !exists(target));
        found.extend(broken.map(|(line, target)| format!("{}:{line}: {target} does not exist", file.path)));
    }
    found
}

/// The files that a document links to, from the root, each with its line.
fn targets(file: &Source) -> Vec<(usize, String)> {
    let mut in_code = false;
    let mut found = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let link = line[at + 2..].split([')', ' ', '#']).next().unwrap();
            if !link.is_empty() && !link.contains("://") && !link.starts_with("mailto:") {
                found.push((index + 1, resolve(&file.path, link)));
            }
        }
    }
    found
}

fn resolve(from: &str, link: &str) -> String {
    let mut parts: Vec<_> = from.split('/').collect();
    parts.pop();
    for part in link.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn broken_links_and_lost_pages_are_found() {
    let file = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let readme = "[a](docs/a.md#x) [b](https://b) [c](#c)\n```\n[d](d.md)\n```\n[e](src/)\n";
    let pages = [
        file("README.md", readme),
        file("docs/a.md", "[up](../README.md) [f](f.md)\n"),
        file("docs/g.md", "[h](a.md)\n"),
    ];
    let found = check(&pages, |path| ["README.md", "docs/a.md", "src"].contains(&path));
    assert_eq!(
        found,
        ["docs/a.md:1: docs/f.md does not exist", "docs/g.md: no link leads here from a page at the root; add one",]
    );
}
