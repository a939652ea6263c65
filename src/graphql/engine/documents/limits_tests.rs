use std::time::{Duration, Instant};

use serde_json::{Map, json};

use super::tests::{engine, refused};
use super::{Documents, Limits};

#[test]
fn each_limit_is_inclusive_and_says_what_it_found() {
    let limits = Limits {
        tokens: 40,
        depth: 3,
        aliases: 2,
        selections: 8,
        introspection_depth: 2,
        errors: 2,
        ..Limits::default()
    };
    let tokens = |count: usize| format!("{{{}}}", "__typename ".repeat(count));
    let table = [
        ("{viewer{friend{id}}}".to_owned(), None),
        ("{viewer{friend{friend{id}}}}".to_owned(), Some("4 levels of fields; the limit is 3")),
        ("{viewer{...F}} fragment F on User{friend{friend{id}}}".to_owned(), Some("4 levels of fields")),
        ("{__schema{description}}".to_owned(), None),
        ("{__schema{queryType{name}}}".to_owned(), Some("3 levels of introspection; the limit is 2")),
        ("{a:__typename b:__typename}".to_owned(), None),
        ("{a:__typename b:__typename c:__typename}".to_owned(), Some("3 aliases; the limit is 2")),
        ("{...F x:viewer{id} ...F} fragment F on Query{y:viewer{id}}".to_owned(), Some("3 aliases")),
        (tokens(8), None),
        (tokens(9), Some("9 selections; the limit is 8")),
        ("{viewer{...F} ...G} fragment F on User{id} fragment G on Query{viewer{...F}}".to_owned(), None),
        (tokens(38), Some("38 selections")),
        (tokens(39), Some("more than 40 tokens; the limit is 40")),
        (format!("{{__typename {} #{}\n}}", ", ".repeat(30), " a".repeat(100)), None),
        ("{echo(text:\"a b c { } \\\" \") e:echo(text:\"\"\" \" a \\\"\"\" b \"\"\")}".to_owned(), None),
    ];
    for (query, message) in table {
        let errors = refused(&limits, &query, json!({}));
        match message {
            None => assert!(errors.is_empty(), "{query}: {errors:?}"),
            Some(message) => assert!(errors.iter().any(|it| it.message.contains(message)), "{query}: {errors:?}"),
        }
    }
    assert_eq!(refused(&limits, "{a b c d}", json!({})).len(), 2);
}

/// A document whose fragments each spread the next one twice, so that it doubles with every line.
fn bomb(levels: usize) -> String {
    let fragments = (0..levels)
        .map(|n| format!("fragment F{n} on User{{friend{{...F{m} ...F{m}}}}}", m = n + 1))
        .collect::<String>();
    format!("{{viewer{{...F0}}}}{fragments}fragment F{levels} on User{{id}}")
}

#[test]
fn documents_made_to_be_slow_are_refused_at_once() {
    let flat = (0..24).map(|n| format!("fragment F{n} on User{{...F{m} ...F{m}}}", m = n + 1)).collect::<String>();
    let by_type = "next:friend{id ...on User{a:id} ...on Plan{b:id} ";
    let narrow = (0..6).map(|n| format!("...on User{{x{n}:id}} ...on Plan{{y{n}:id}} ")).collect::<String>();
    let table = [
        bomb(11),
        format!("{{viewer{{...F0}}}}{flat}fragment F24 on User{{id}}"),
        format!("{{__typename}}{flat}fragment F24 on User{{id}}"),
        format!("{{nodes{{...on User{{{}{}}}}}}}", by_type.repeat(30), "}".repeat(30)),
        format!("{{nodes{{{}}}}}", narrow.repeat(20)),
        "{".repeat(5_000),
        format!("{{echo(text:{}1{})}}", "[".repeat(900), "]".repeat(900)),
        "{viewer{...A}} fragment A on User{friend{...A}}".to_owned(),
    ];
    let documents = Documents::new(engine().sdl(), &Limits::default()).unwrap();
    for query in table {
        let started = Instant::now();
        let result = documents.prepare(&query, None, Map::new());
        let took = started.elapsed();
        assert!(result.is_err(), "accepted: {query}");
        assert!(took < Duration::from_millis(100), "{took:?} for {query}");
    }
}

#[test]
fn the_whole_introspection_query_is_within_the_limits_and_nested_lists_of_it_are_not() {
    let whole = include_str!("introspection.graphql");
    assert!(refused(&Limits::default(), whole, json!({})).is_empty());
    let nested = "{__schema{types{fields{type{fields{type{fields{name}}}}}}}}";
    assert!(!refused(&Limits::default(), nested, json!({})).is_empty());
}
