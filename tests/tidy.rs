//! The structure of the tree, as ARCHITECTURE.md describes it. Needs no database; every failure names its remedy.
#![allow(clippy::unwrap_used, reason = "a test may panic anywhere, not only in the function that carries #[test]")]

#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/links.rs"]
mod links;
#[path = "tidy/proportion.rs"]
mod proportion;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/wording.rs"]
mod wording;

use source::{Literals, Source, blank, files, lines_with, root, rust};

/// Words that may stand only in certain places.
struct Home {
    words: &'static [&'static str],
    /// Beginnings of paths, or parts of them after `*`.
    homes: &'static [&'static str],
    advice: &'static str,
}

/// Checked in src/, sandbox/ and seed/, in code, not in comments or literals.
const HOMES: &[Home] = &[
    Home {
        words: &["async_graphql"],
        homes: &["src/graphql/", "src/http/graphql.rs"],
        advice: "GraphQL types and resolvers go into src/graphql/",
    },
    Home {
        words: &["async_graphql_axum"],
        homes: &["src/http/tests/"],
        advice: "our own handler, src/http/graphql.rs, stands in for it; the tests alone compare the two",
    },
    Home {
        words: &["apollo_compiler"],
        homes: &["src/graphql/"],
        advice: "checks of GraphQL documents go into src/graphql/",
    },
    Home {
        words: &["axum", "tower_http"],
        homes: &["src/http/", "sandbox/"],
        advice: "handlers and routes go into src/http/; a verb knows nothing of HTTP (sandbox/ is another server)",
    },
    Home {
        words: &["hyper", "hyper_util", "tokio_io_timeout"],
        homes: &["src/http/connection.rs"],
        advice: "connections are served in src/http/connection.rs",
    },
    Home {
        words: &["jsonwebtoken"],
        homes: &["src/auth/"],
        advice: "tokens are read in src/auth/, everyone else takes a Viewer",
    },
    Home {
        words: &["reqwest"],
        homes: &["src/auth/", "src/providers/", "sandbox/src/http/delivery.rs"],
        advice: "requests to other machines are made in src/providers/, and for key sets in src/auth/",
    },
    Home {
        words: &["rustls", "rustls_native_certs", "webpki_roots", "reqwest::Client::builder"],
        homes: &["src/providers/http"],
        advice: "the one HTTP client is made in src/providers/http.rs",
    },
    Home {
        words: &["prometheus_client"],
        homes: &["src/metrics.rs", "src/http/metrics.rs"],
        advice: "counters are in src/metrics.rs, and /metrics in src/http/metrics.rs",
    },
    Home {
        words: &["csv"],
        homes: &["src/analytics/reports/write.rs"],
        advice: "files of rows are written in src/analytics/reports/write.rs",
    },
    Home { words: &["governor"], homes: &["src/rate_limit.rs"], advice: "rate limits are kept in src/rate_limit.rs" },
    Home {
        words: &["std::env", "env::var*", "env::vars*"],
        homes: &["src/config"],
        advice: "settings are read once, in src/config; take them from Config",
    },
    Home {
        words: &["Utc::now", "Local::now", "SystemTime::now"],
        homes: &["src/clock.rs"],
        advice: "take the time from app.now(), so that tests can move it",
    },
    Home {
        words: &["Entity::find*", "::find()", "::find_by*", "Query::select", "QuerySelect", "Statement::from*"],
        homes: &["*/store.rs", "*/store/", "src/db/", "src/jobs/queue.rs", "seed/"],
        advice: "queries go into the feature's store.rs, where reads start from visible(scope)",
    },
    Home {
        words: &["println!", "print!"],
        homes: &["src/cli/"],
        advice: "use tracing; only commands in src/cli/ print",
    },
];

/// Words that stand nowhere in our Rust.
const BANNED: &[(&str, &str)] = &[
    ("#[ignore*", "mend the test or remove it"),
    ("todo!", "finish it, or leave it out"),
    ("unimplemented!", "finish it, or leave it out"),
    ("dbg!", "remove it, or use tracing"),
];

/// Words that stand nowhere at all: what is left to do belongs into an issue.
const LEFT_OVERS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

/// Paths of one machine; the last is fine outside src/.
const MACHINE_PATHS: &[&str] =
    &[concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/t", "mp/")];

/// The longest file of the programs, and of everything else.
const MAX_LINES_IN_SRC: usize = 300;
const MAX_LINES: usize = 400;

/// The code that becomes part of the program, without the generated entities and the migrations.
const PROGRAM: &[&str] = &["src/", "sandbox/", "seed/"];

/// Fails with all findings, each `path:line: what to do`.
fn none(found: Vec<String>) {
    assert!(found.is_empty(), "{} to mend:\n{}", found.len(), found.join("\n"));
}

fn at_home(path: &str, homes: &[&str]) -> bool {
    homes.iter().any(|home| match home.strip_prefix('*') {
        Some(part) => path.contains(part),
        None => path.starts_with(home),
    })
}

#[test]
fn modules_import_only_those_above_them_in_lib_rs() {
    let sources = rust();
    let lib = sources.iter().find(|file| file.path == "src/lib.rs").unwrap();
    let order = imports::order(&lib.text);
    let inner = sources.iter().filter(|file| !["src/lib.rs", "src/main.rs"].contains(&file.path.as_str()));
    none(inner.filter(|file| file.path.starts_with("src/")).flat_map(|file| imports::check(file, &order)).collect());
}

#[test]
fn each_library_has_one_home() {
    none(rust().iter().filter(|file| at_home(&file.path, PROGRAM)).flat_map(strays).collect());
}

fn strays(file: &Source) -> Vec<String> {
    let code = blank(&file.text, Literals::Blank);
    let mut found = Vec::new();
    for home in HOMES.iter().filter(|home| !at_home(&file.path, home.homes)) {
        for word in home.words {
            let name = word.trim_end_matches(['*', '(', ')']);
            let lines = lines_with(&code, word);
            found.extend(lines.iter().map(|line| format!("{}:{line}: {name}: {}", file.path, home.advice)));
        }
    }
    found
}

#[test]
fn stores_read_through_visible() {
    let stores: Vec<_> = rust().into_iter().filter(|file| at_home(&file.path, &["*/store.rs", "*/store/"])).collect();
    let (found, reasons): (Vec<_>, Vec<_>) = stores.iter().map(unscoped).unzip();
    let (mut found, reasons) = (found.concat(), reasons.concat());
    if !found.is_empty() && !reasons.is_empty() {
        found.push(format!("The reads marked so far:\n{}", reasons.join("\n")));
    }
    none(found);
}

/// The reads of a store outside `visible`, and the reasons of those that are marked.
fn unscoped(file: &Source) -> (Vec<String>, Vec<String>) {
    let code = blank(&file.text, Literals::Blank);
    let (code, text): (Vec<_>, Vec<_>) = (code.lines().collect(), file.text.lines().collect());
    let (mut found, mut reasons) = (Vec::new(), Vec::new());
    for (index, line) in code.iter().enumerate() {
        if !["::find()", "::find_by*"].iter().any(|word| !lines_with(line, word).is_empty()) {
            continue;
        }
        let function = (0..=index).rev().find(|&above| !lines_with(code[above], "fn").is_empty());
        if function.is_some_and(|function| !lines_with(code[function], "fn visible").is_empty()) {
            continue;
        }
        let head = function.map_or(index..index, |function| {
            let above = text[..function].iter().rev();
            let length = above.take_while(|line| line.trim_start().starts_with(['/', '#'])).count();
            function - length..function
        });
        let marked = text[head].iter().chain(&text[index.saturating_sub(1)..=index]);
        let reason = marked.filter_map(|line| line.split_once("// unscoped: ")).find(|(_, why)| !why.trim().is_empty());
        let place = format!("{}:{}", file.path, index + 1);
        match reason {
            Some((_, reason)) => reasons.push(format!("{place}: {reason}")),
            None => found.push(format!(
                "{place}: start from visible(scope); where no caller is involved, write `// unscoped: <reason>` above"
            )),
        }
    }
    (found, reasons)
}

#[test]
fn only_the_types_of_the_api_import_in_circles() {
    let sources = rust();
    let crates = ["src/", "migration/src/", "sandbox/src/", "seed/src/"];
    let circles = crates.iter().flat_map(|root| {
        let files: Vec<_> = sources.iter().filter(|file| file.path.starts_with(root)).collect();
        circles::check(&files, holds_a_type_of_the_api)
    });
    none(circles.collect());
}

/// Types of the API show rows of tables, or answers of a feature, and refer to each other; roots, payloads and loaders
/// have files of their own.
fn holds_a_type_of_the_api(file: &Source) -> bool {
    let shown = ["(pub(crate) Row<", "(pub(crate) entitlements::Entitlement)"];
    file.path.starts_with("src/graphql/") && shown.iter().any(|shown| file.text.contains(shown))
}

#[test]
fn comments_and_messages_start_with_the_thing() {
    let written = ["src/", "migration/", "tests/", "benches/", "sandbox/", "seed/"];
    let sources = rust();
    // A migration never changes, not even its comments.
    let migration = |file: &Source| file.path.starts_with("migration/src/m0");
    let read = sources.iter().filter(|file| at_home(&file.path, &written) && !migration(file));
    none(read.flat_map(wording::check).collect());
}

#[test]
fn files_are_short() {
    let long = |file: &Source| {
        let max = if at_home(&file.path, &["src/", "*/src/"]) { MAX_LINES_IN_SRC } else { MAX_LINES };
        let lines = file.text.lines().count();
        (lines > max).then(|| format!("{}: {lines} lines; {max} are allowed, so split it by verb", file.path))
    };
    none(rust().iter().filter_map(long).collect());
}

/// The least number of lines of tests for a hundred lines of code.
const MIN_TEST_PERCENT: usize = 81;

#[test]
fn tests_keep_up_with_the_code() {
    let lines = proportion::lines(&rust());
    println!("{lines:?}: {} %", lines.percent());
    assert!(lines.percent() >= MIN_TEST_PERCENT, "{lines:?}: write tests of the behaviour that has none");
}

#[test]
fn nothing_is_unfinished_or_switched_off() {
    let banned = |file: &Source| {
        let code = blank(&file.text, Literals::Blank);
        let at = |(word, advice)| {
            lines_with(&code, word)
                .into_iter()
                .map(move |line| format!("{line}: {}: {advice}", word.trim_end_matches('*')))
        };
        let found: Vec<_> = BANNED.iter().copied().flat_map(at).collect();
        found.into_iter().map(|rest| format!("{}:{rest}", file.path)).collect::<Vec<_>>()
    };
    let mut found: Vec<_> = rust().iter().flat_map(banned).collect();
    for file in files() {
        let lines = LEFT_OVERS.iter().flat_map(|word| lines_with(&file.text, word));
        found.extend(lines.map(|line| format!("{}:{line}: do it, or open an issue", file.path)));
    }
    none(found);
}

#[test]
fn no_path_is_of_one_machine() {
    none(files().iter().flat_map(machine_paths).collect());
}

fn machine_paths(file: &Source) -> Vec<String> {
    let known = if at_home(&file.path, PROGRAM) { MACHINE_PATHS } else { &MACHINE_PATHS[..3] };
    let starts = |line: &str, path: &str| {
        line.match_indices(path).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            before.is_none_or(|char| !char.is_alphanumeric() && !"/._-}>".contains(char))
        })
    };
    let lines = file.text.lines().enumerate().filter(|(_, line)| known.iter().any(|path| starts(line, path)));
    lines.map(|(index, _)| format!("{}:{}: take the path from a setting", file.path, index + 1)).collect()
}

#[test]
fn lines_end_cleanly() {
    none(files().iter().flat_map(unclean).collect());
}

fn unclean(file: &Source) -> Vec<String> {
    let lines = file.text.split('\n').enumerate().filter(|(_, line)| line.ends_with([' ', '\t', '\r']));
    let mut found: Vec<_> =
        lines.map(|(index, _)| format!("{}:{}: remove the white space at the end", file.path, index + 1)).collect();
    if !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n")) {
        found.push(format!("{}: end the file with one newline", file.path));
    }
    found
}

#[test]
fn documents_link_to_what_exists_and_can_be_reached() {
    none(links::check(&files(), |path| root().join(path).exists()));
}

#[test]
fn the_tree_is_complete() {
    let sources = files();
    let mut found = Vec::new();
    match sources.iter().find(|file| file.path == "CHANGELOG.md") {
        Some(changelog) if changelog.text.lines().any(|line| line.trim() == "## Unreleased") => {}
        _ => found.push("CHANGELOG.md: has no `## Unreleased` section; add one".to_owned()),
    }
    if !sources.iter().any(|file| file.path == "schema.graphql") {
        found.push("schema.graphql: is missing; run .ci/update".to_owned());
    }
    let targets = sources.iter().map(|file| file.path.as_str()).filter(|path| {
        let parts: Vec<_> = path.split('/').collect();
        matches!(parts[..], ["tests", file] if file.ends_with(".rs")) || matches!(parts[..], ["tests", _, "main.rs"])
    });
    let strangers = targets.filter(|path| !["tests/tidy.rs", "tests/it/main.rs"].contains(path));
    found.extend(strangers.map(|path| format!("{path}: is a test binary of its own; make it a module of tests/it")));
    none(found);
}

#[test]
fn the_rules_find_what_they_look_for() {
    let file = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };

    let text = "a /* b /* c */ */ d // e\n\"f\\\"g\" 'h' '\\'' &'i r#\"j\" k\"# l";
    assert_eq!(blank(text, Literals::Blank).split_whitespace().collect::<Vec<_>>(), ["a", "d", "&'i", "r#", "l"]);
    assert!(blank(text, Literals::Keep).contains("r#\"j\" k\"# l"));
    assert_eq!(lines_with("axum\nmy_axum axum2\n(axum::x)", "axum"), [1, 3]);
    assert_eq!(lines_with("Statement::from_string", "Statement::from*"), [1]);

    assert_eq!(
        strays(&file("src/plans/mod.rs", "use axum::Router; // axum\nlet x = Self::find();\nPermission::find(scope)"))
            .len(),
        2
    );
    assert_eq!(strays(&file("src/http/mod.rs", "use axum::Router;\nlet x = \"Utc::now\";")).len(), 0);

    let store = "fn visible() {\n    Entity::find()\n}\nfn all() {\n    Entity::find()\n}\n\
        // unscoped: a job\nfn job() {\n    Self::find_by_id(1)\n}\nfn other() {\n    // unscoped: \n    E::find()\n}\n";
    let (found, reasons) = unscoped(&file("src/plans/store.rs", store));
    assert_eq!((found.len(), reasons.len()), (2, 1), "{found:?} {reasons:?}");

    let path = concat!("/t", "mp/x");
    assert_eq!(machine_paths(&file("src/a.rs", &format!("\"{path}\""))).len(), 1);
    assert_eq!(machine_paths(&file("docs/a.md", &format!("`{path}` $HOME/ho{}", "me/x"))).len(), 0);
    assert_eq!(unclean(&file("a.md", "a \nb\t\nc")).len(), 3);
    assert_eq!(unclean(&file("a.md", "a\nb\n")).len(), 0);
}
