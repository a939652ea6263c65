use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::{Documents, Limits};
use crate::graphql::engine::{
    errors::RequestError,
    execute::{Attach, Engine, Operation, Outcome, Reply, Terms},
    test_schema::{self, Calls},
};

const ALL: Terms = Terms { mutations: true, introspection: true, cost: u64::MAX, roots: None };

pub(super) fn engine() -> Engine {
    Engine::new(test_schema::schema(), &Limits::default(), Duration::from_millis(200)).unwrap()
}

fn variables(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

pub(super) async fn run(engine: &Engine, query: &str, vars: Json) -> (Reply, Calls) {
    let calls = Calls::default();
    let attached = calls.clone();
    let attach: Attach = Box::new(move |request| request.data(attached.clone()));
    let operation = Operation { query: query.to_owned(), operation_name: None, variables: variables(vars) };
    (execute(engine, operation, ALL, &attach).await, calls)
}

async fn execute(engine: &Engine, operation: Operation, terms: Terms, attach: &Attach) -> Reply {
    match engine.accept(operation, terms) {
        Ok(accepted) => engine.execute(&accepted, attach, "r1").await,
        Err(reply) => *reply,
    }
}

async fn answer(query: &str, vars: Json) -> String {
    serde_json::to_string(&run(&engine(), query, vars).await.0).unwrap()
}

pub(super) fn refused(limits: &Limits, query: &str, vars: Json) -> Vec<RequestError> {
    let sdl = Engine::new(test_schema::schema(), limits, Duration::from_secs(1)).unwrap().sdl().to_owned();
    let documents = Documents::new(&sdl, limits).unwrap();
    documents.prepare(query, None, variables(vars)).err().unwrap_or_default()
}

#[tokio::test]
async fn selections_are_merged_in_the_order_of_the_document() {
    let a = json!({ "a": true, "b": false });
    let table = [
        ("{viewer{name id} viewer{id late name}}", json!({}), r#"{"viewer":{"name":"user 1","id":"user:1","late":1}}"#),
        (
            "{viewer{late name friend{late id}}}",
            json!({}),
            r#"{"viewer":{"late":1,"name":"user 1","friend":{"late":2,"id":"user:2"}}}"#,
        ),
        (
            "{...F viewer{id} ...F} fragment F on Query{viewer{name}}",
            json!({}),
            r#"{"viewer":{"name":"user 1","id":"user:1"}}"#,
        ),
        (
            "{x:viewer{id} y:viewer{id} x:viewer{name}}",
            json!({}),
            r#"{"x":{"id":"user:1","name":"user 1"},"y":{"id":"user:1"}}"#,
        ),
        (
            "query($a:Boolean!,$b:Boolean!){viewer{id @include(if:$b) name @skip(if:$b) ...@include(if:$a){id} late @skip(if:$a)}}",
            a.clone(),
            r#"{"viewer":{"name":"user 1","id":"user:1"}}"#,
        ),
        (
            "query($a:Boolean!,$b:Boolean!){...F @include(if:$b) ...F @include(if:$a)} fragment F on Query{viewer{id}}",
            a,
            r#"{"viewer":{"id":"user:1"}}"#,
        ),
        ("query($a:Boolean=true){viewer{id @skip(if:$a) name}}", json!({}), r#"{"viewer":{"name":"user 1"}}"#),
        ("{viewer{id @skip(if:true)}}", json!({}), r#"{"viewer":{}}"#),
        ("{viewer @skip(if:true){id}}", json!({}), "{}"),
        (
            "{nodes{__typename id ...on User{name} ...on Plan{price id}}}",
            json!({}),
            r#"{"nodes":[{"__typename":"User","id":"user:1","name":"user 1"},{"__typename":"Plan","id":"plan:2","price":200}]}"#,
        ),
        (
            "{nodes{...on Plan{price} id ...on User{name}}}",
            json!({}),
            r#"{"nodes":[{"id":"user:1","name":"user 1"},{"price":200,"id":"plan:2"}]}"#,
        ),
        (
            "{nodes{...on User{friend{id}} ...on Plan{friend{price}} ...on Node{id}}}",
            json!({}),
            r#"{"nodes":[{"friend":{"id":"user:2"},"id":"user:1"},{"friend":{"price":300},"id":"plan:2"}]}"#,
        ),
        ("{nodes{...on Plan{price}}}", json!({}), r#"{"nodes":[{},{"price":200}]}"#),
        (
            "{things{...on Node{id} ...on Named{late}}}",
            json!({}),
            r#"{"things":[{"id":"user:1","late":1},{"id":"plan:2"}]}"#,
        ),
        ("{things{...on User{x:id} ...on Plan{x:id}}}", json!({}), r#"{"things":[{"x":"user:1"},{"x":"plan:2"}]}"#),
        (
            "{viewer{...on Thing{__typename} ...on Node{...on User{id}}}}",
            json!({}),
            r#"{"viewer":{"__typename":"User","id":"user:1"}}"#,
        ),
        (
            "{__schema{queryType{name}} a:__typename __schema{queryType{kind}}}",
            json!({}),
            r#"{"__schema":{"queryType":{"name":"Query","kind":"OBJECT"}},"a":"Query"}"#,
        ),
        ("mutation{b:bump a:bump b:bump}", json!({}), r#"{"b":1,"a":2}"#),
        ("mutation{...F ...F} fragment F on Mutation{bump ...on Mutation{bump}}", json!({}), r#"{"bump":1}"#),
    ];
    for (query, vars, data) in table {
        assert_eq!(answer(query, vars).await, format!("{{\"data\":{data}}}"), "{query}");
    }
}

#[tokio::test]
async fn entities_of_a_federation_are_resolved_and_merged() {
    let query = "query($r:[_Any!]!){_entities(representations:$r){...on User{id} ...on User{late id}} _service{sdl}}";
    let answer = answer(query, json!({ "r": [{ "__typename": "User", "id": "user:5" }] })).await;
    assert!(answer.starts_with(r#"{"data":{"_entities":[{"id":"user:5","late":5}],"_service":{"sdl":""#), "{answer}");
}

#[tokio::test]
async fn variables_and_defaults_reach_the_arguments_as_the_specification_says() {
    let table = [
        ("query($t:String){echo(text:$t)}", json!({}), r#"{"echo":"default none"}"#),
        ("query($t:String){echo(text:$t)}", json!({ "t": null }), r#"{"echo":"null none"}"#),
        ("query($t:String=\"given\"){echo(text:$t)}", json!({}), r#"{"echo":"given none"}"#),
        ("query($l:Level){echo(level:$l)}", json!({ "l": "HIGH" }), r#"{"echo":"default high"}"#),
        ("query($f:Int){sum(input:{terms:[1,2],factor:$f})}", json!({}), r#"{"sum":3}"#),
        ("query($t:[Int!]!){sum(input:{terms:$t,factor:2})}", json!({ "t": 4 }), r#"{"sum":8}"#),
        ("query($i:SumInput!){sum(input:$i)}", json!({ "i": { "terms": [1], "level": "LOW" } }), r#"{"sum":1001}"#),
        ("{echo(text:\"\\u{1F600}\")}", json!({}), r#"{"echo":"😀 none"}"#),
        ("{lookup(by:{name:\"x\"})}", json!({}), r#"{"lookup":"name x"}"#),
        ("query($i:ID!){lookup(by:{id:$i})}", json!({ "i": 7 }), r#"{"lookup":"id 7"}"#),
    ];
    for (query, vars, data) in table {
        assert_eq!(answer(query, vars).await, format!("{{\"data\":{data}}}"), "{query}");
    }
}

#[tokio::test]
async fn failed_fields_are_null_and_take_along_what_may_not_be_null() {
    let table = [
        ("{user(id:2){perhaps}}", r#"{"user":{"perhaps":null}}"#),
        ("{user(id:2){name fragile} viewer{id}}", r#"{"user":null,"viewer":{"id":"user:1"}}"#),
        ("{user(id:3){friends{fragile}}}", r#"{"user":null}"#),
        ("{user(id:0){id} viewer{perhaps late}}", r#"{"user":null,"viewer":{"perhaps":null,"late":1}}"#),
        ("{viewer{friend{fragile}}}", "null"),
        ("{node(id:\"user:2\"){...on User{fragile}} viewer{id}}", r#"{"node":null,"viewer":{"id":"user:1"}}"#),
    ];
    for (query, data) in table {
        let answer = answer(query, json!({})).await;
        assert!(answer.starts_with(&format!("{{\"data\":{data},\"errors\":[{{")), "{query}: {answer}");
    }
}

#[tokio::test]
async fn errors_carry_a_code_and_a_position_and_nothing_internal() {
    let table = [
        (
            "{\n  broken }",
            r#"{"message":"An internal error occurred: the log has its cause under the request id.","locations":[{"line":2,"column":3}],"path":["broken"],"extensions":{"code":"INTERNAL_SERVER_ERROR","requestId":"r1"}}"#,
        ),
        (
            "{uncoded}",
            r#"{"message":"An internal error occurred: the log has its cause under the request id.","locations":[{"line":1,"column":2}],"path":["uncoded"],"extensions":{"code":"INTERNAL_SERVER_ERROR","requestId":"r1"}}"#,
        ),
        (
            "{away}",
            r#"{"message":"The ledger is not available at the moment: try again.","locations":[{"line":1,"column":2}],"path":["away"],"extensions":{"code":"SERVICE_UNAVAILABLE"}}"#,
        ),
        (
            "{x:at(stamp:\"noon\")}",
            r#"{"message":"Expected input type \"Stamp\", found \"noon\".","locations":[{"line":1,"column":13}],"path":["x"],"extensions":{"code":"BAD_USER_INPUT"}}"#,
        ),
        (
            "{panics}",
            r#"{"message":"An internal error occurred: the log has its cause under the request id.","extensions":{"code":"INTERNAL_SERVER_ERROR","requestId":"r1"}}"#,
        ),
        (
            "{slow}",
            r#"{"message":"The operation took longer than 0 s. Request less at once, or try again.","extensions":{"code":"TIMEOUT"}}"#,
        ),
    ];
    for (query, error) in table {
        let answer = answer(query, json!({})).await;
        assert!(answer.ends_with(&format!("\"errors\":[{error}]}}")), "{query}: {answer}");
    }
    assert!(answer("mutation{slow}", json!({})).await.contains("same idempotency key"));
}

#[tokio::test]
async fn terms_and_transports_are_kept() {
    let engine = engine();
    let attach: Attach = Box::new(|request| request);
    let cases = [
        ("mutation{bump}", false, true, Outcome::MutationRefused),
        ("query{viewer{id}}", false, true, Outcome::Executed),
        ("{__schema{queryType{name}}}", true, false, Outcome::Rejected),
        ("{...{__type(name:\"Query\"){name}}}", true, false, Outcome::Rejected),
        ("{__typename}", true, false, Outcome::Executed),
        ("subscription{ticks}", true, true, Outcome::Rejected),
    ];
    for (query, mutations, introspection, outcome) in cases {
        let operation = Operation { query: query.to_owned(), ..Operation::default() };
        let terms = Terms { mutations, introspection, ..ALL };
        let reply = execute(&engine, operation, terms, &attach).await;
        assert_eq!(reply.outcome, outcome, "{query}");
    }
}

#[test]
fn what_is_wrong_with_a_request_is_said_with_code_and_place() {
    let table = [
        ("{", json!({}), "GRAPHQL_PARSE_FAILED", "", None),
        ("{viewer{\n nope}}", json!({}), "GRAPHQL_VALIDATION_FAILED", "nope", Some((2, 2))),
        ("{__typename @nope}", json!({}), "GRAPHQL_VALIDATION_FAILED", "nope", Some((1, 13))),
        ("{viewer{x:friend{id}} viewer{x:friend{id:name}}}", json!({}), "GRAPHQL_VALIDATION_FAILED", "id", None),
        ("query A{viewer{id}} query B{viewer{id}}", json!({}), "GRAPHQL_VALIDATION_FAILED", "operationName", None),
        ("fragment F on Query{viewer{id}}", json!({}), "GRAPHQL_VALIDATION_FAILED", "", None),
        ("query Q(\n$l:Level){echo(level:$l)}", json!({ "l": "MID" }), "BAD_USER_INPUT", "$l", Some((2, 1))),
        ("query($i:Int!){user(id:$i){id}}", json!({}), "BAD_USER_INPUT", "$i", Some((1, 7))),
        ("query($i:Int!){user(id:$i){id}}", json!({ "i": 4294967296_i64 }), "BAD_USER_INPUT", "$i", Some((1, 7))),
        ("query($b:Boolean=true){viewer{id @skip(if:$b)}}", json!({ "b": null }), "BAD_USER_INPUT", "@skip", None),
        ("{lookup(by:{id:1,name:\"x\"})}", json!({}), "GRAPHQL_VALIDATION_FAILED", "exactly one", Some((1, 12))),
        ("{lookup(by:{id:null})}", json!({}), "GRAPHQL_VALIDATION_FAILED", "null", Some((1, 12))),
        ("query($i:ID){lookup(by:{id:$i})}", json!({ "i": 1 }), "GRAPHQL_VALIDATION_FAILED", "null", Some((1, 24))),
        ("query($l:Lookup!){lookup(by:$l)}", json!({ "l": {} }), "BAD_USER_INPUT", "$l", Some((1, 7))),
    ];
    for (query, vars, code, word, at) in table {
        let errors = refused(&Limits::default(), query, vars);
        let error = errors.first().unwrap_or_else(|| panic!("{query} was accepted"));
        assert_eq!(error.code, code, "{query}: {error:?}");
        assert!(error.message.contains(word), "{query}: {error:?}");
        if at.is_some() {
            assert_eq!(error.position.map(|pos| (pos.line, pos.column)), at, "{query}");
        }
    }
}

#[tokio::test]
async fn a_kept_document_answers_for_the_variables_of_each_request() {
    let engine = engine();
    let query = "query Q($a:Boolean!,$i:Int!){user(id:$i){id @include(if:$a) late}}";
    for _ in 0..3 {
        for (a, i) in [(true, 1), (false, 2), (true, 3)] {
            let (reply, calls) = run(&engine, query, json!({ "a": a, "i": i })).await;
            let id = if a { format!("\"id\":\"user:{i}\",") } else { String::new() };
            assert_eq!(
                serde_json::to_string(&reply).unwrap(),
                format!("{{\"data\":{{\"user\":{{{id}\"late\":{i}}}}}}}")
            );
            assert!(calls.0.lock().unwrap().values().all(|&count| count == 1));
        }
    }
}

#[tokio::test]
async fn the_schema_is_serialised_on_the_thread_that_resolves_it() {
    for (query, is_encoded) in
        [("{__schema{types{name}}}", true), ("{__type(name:\"User\"){name}}", true), ("{__typename}", false)]
    {
        let reply = run(&engine(), query, json!({})).await.0;
        assert_eq!(reply.data.as_ref().unwrap().is_encoded(), is_encoded, "{query}");
    }
    assert_eq!(
        answer("{__type(name:\"Query\"){kind name}}", json!({})).await,
        r#"{"data":{"__type":{"kind":"OBJECT","name":"Query"}}}"#
    );
}
