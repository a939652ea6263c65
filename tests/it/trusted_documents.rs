//! Trusted documents: run by id, alone or beside others, and checked at the start.

use crate::persisted_queries::{get, persisted, post, sha256};
use crate::support::live::{Events, Server, Socket};
use crate::support::{Client, Reply, SECRET, TestApp, both_engines};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tollgate::app::App;
use tollgate::config::Config;
use tollgate::http::Http;

both_engines!(
    a_trusted_document_runs_by_each_of_its_names,
    manifests_of_the_known_tools_are_read,
    nothing_else_runs_for_anyone,
    nothing_else_runs_for_anonymous_callers,
    no_transport_runs_anything_else,
    documents_that_do_not_fit_the_schema_stop_the_start,
);

const JSON: &str = "application/json";
const ROLE: &str = "query Role($of: Boolean = true) { viewer { role @include(if: $of) scopes } }\n";
const PLANS: &str = "query Plans { plans { totalCount } } query Roles { viewer { role } }";
const KEY: &str = "mutation { createApiKey(input: {name: \"a\", scopes: []}) { userErrors { message } } }";

/// Creates a directory of documents, with files that are none.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("role.graphql", ROLE);
    write("shop/plans.gql", PLANS);
    write("key.graphql", KEY);
    write("README.md", "{ viewer { user { id } } }");
    write(".hidden/secret.graphql", "{ nope }");
    write(".secret.graphql", "{ nope }");
    directory
}

/// Returns a Tollgate on the same database that trusts the documents at a path.
async fn trusting(test: &TestApp, path: &Path, only: &str) -> TestApp {
    let settings = [
        ("TOLLGATE_JWT_HS256_SECRET", SECRET),
        ("TOLLGATE_TRUSTED_DOCUMENTS", path.to_str().unwrap()),
        ("TOLLGATE_TRUSTED_DOCUMENTS_ONLY", only),
    ];
    test.beside(&settings).await
}

fn code(reply: &Reply) -> String {
    reply.json()["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()
}

async fn a_trusted_document_runs_by_each_of_its_names(test: &TestApp) {
    let directory = directory();
    let role = json!({"data": {"viewer": {"role": "ANONYMOUS", "scopes": []}}});
    for only in ["nobody", "anonymous", "everyone"] {
        let trusting = trusting(test, directory.path(), only).await;
        for body in [
            json!({"documentId": "role"}),
            json!({"documentId": sha256(ROLE)}),
            json!({"documentId": format!("sha256:{}", sha256(ROLE))}),
            json!({"extensions": persisted(&sha256(ROLE))}),
            // Apollo's clients send the id of a manifest as if it were a hash.
            json!({"extensions": persisted("role")}),
            json!({"query": ROLE}),
            json!({"query": ROLE, "extensions": persisted(&sha256(ROLE))}),
        ] {
            for reply in [post(&trusting, JSON, &body).await, get(&trusting, JSON, &body).await] {
                assert_eq!((reply.status.as_u16(), reply.json()), (200, role.clone()), "{only}: {body}");
            }
        }
        let with = json!({"documentId": "role", "variables": {"of": false}, "operationName": "Role"});
        assert_eq!(post(&trusting, JSON, &with).await.json(), json!({"data": {"viewer": {"scopes": []}}}));
        let plans = json!({"documentId": "shop/plans", "operationName": "Plans"});
        assert_eq!(get(&trusting, JSON, &plans).await.json(), json!({"data": {"plans": {"totalCount": 0}}}));
        let several = post(&trusting, JSON, &json!({"documentId": "shop/plans"})).await;
        assert_eq!(code(&several), "GRAPHQL_VALIDATION_FAILED");
        // The rules on mutations and callers are those of any document.
        assert_eq!(get(&trusting, JSON, &json!({"documentId": "key"})).await.status.as_u16(), 405);
        assert_eq!(code(&post(&trusting, JSON, &json!({"documentId": "key"})).await), "UNAUTHENTICATED");
        let unknown = post(&trusting, JSON, &json!({"documentId": "README"})).await;
        let expected = if only == "nobody" { "PERSISTED_QUERY_NOT_FOUND" } else { "DOCUMENT_NOT_TRUSTED" };
        assert_eq!(code(&unknown), expected, "{only}");
    }
    for body in [
        json!({"documentId": "role", "query": ROLE}),
        json!({"documentId": "role", "extensions": persisted(&sha256(ROLE))}),
        json!({"documentId": 1}),
    ] {
        let trusting = trusting(test, directory.path(), "nobody").await;
        let reply = post(&trusting, JSON, &body).await;
        assert_eq!((reply.status.as_u16(), code(&reply).as_str()), (400, "BAD_REQUEST"), "{body}");
    }
    assert_eq!(code(&post(test, JSON, &json!({"documentId": "role"})).await), "PERSISTED_QUERY_NOT_FOUND");
}

async fn manifests_of_the_known_tools_are_read(test: &TestApp) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("manifest.json");
    let body = json!({"documentId": "a1"});
    for manifest in [
        json!({"format": "apollo-persisted-query-manifest", "version": 1, "operations": [
            {"id": "a1", "name": "Role", "type": "query", "body": ROLE},
            {"id": "a2", "name": "Plans", "type": "query", "body": "query Plans { plans { totalCount } }"},
            {"id": "a1", "name": "Role", "type": "query", "body": ROLE},
        ]}),
        json!({"a1": ROLE, "a2": "{ plans { totalCount } }"}),
    ] {
        std::fs::write(&path, manifest.to_string()).unwrap();
        let trusting = trusting(test, &path, "everyone").await;
        assert_eq!(post(&trusting, JSON, &body).await.json()["data"]["viewer"]["role"], "ANONYMOUS");
        assert_eq!(post(&trusting, JSON, &json!({"query": ROLE})).await.json()["data"]["viewer"]["role"], "ANONYMOUS");
        assert_eq!(code(&post(&trusting, JSON, &json!({"documentId": "a3"})).await), "DOCUMENT_NOT_TRUSTED");
    }
}

/// Tries documents that are not trusted, and returns the codes.
async fn untrusted(client: &Client<'_>) -> Vec<String> {
    let mut codes = Vec::new();
    for text in [
        "{ viewer { role } }",
        "{ __schema { queryType { name } } }",
        "{ _service { sdl } }",
        "{",
        // Nearly trusted.
        ROLE.trim_end(),
        "mutation { createApiKey(input: {name: \"b\", scopes: []}) { userErrors { message } } }",
    ] {
        codes.push(client.code(text, json!({})).await);
    }
    codes
}

async fn nothing_else_runs_for_anyone(test: &TestApp) {
    let directory = directory();
    let strict = trusting(test, directory.path(), "everyone").await;
    for client in [strict.anonymous(), strict.user("alice"), strict.service(&[]), strict.admin()] {
        let codes = untrusted(&client).await;
        assert!(codes.iter().all(|code| code == "DOCUMENT_NOT_TRUSTED"), "{codes:?}");
        assert!(client.data(ROLE, json!({})).await["viewer"]["scopes"].is_array());
    }
    // Nothing can be registered either.
    let text = "{ __typename }";
    for body in [
        json!({"query": text, "extensions": persisted(&sha256(text))}),
        json!({"extensions": persisted(&sha256(text))}),
    ] {
        assert_eq!(code(&post(&strict, JSON, &body).await), "DOCUMENT_NOT_TRUSTED", "{body}");
    }
    let wrong = json!({"query": ROLE, "extensions": persisted(&sha256(text))});
    assert_eq!(code(&post(&strict, JSON, &wrong).await), "PERSISTED_QUERY_MISMATCH");
    let batch = json!([{"documentId": "role"}, {"query": text}]);
    let replies = post(&strict, JSON, &batch).await.json();
    assert_eq!(replies[0]["data"]["viewer"]["role"], "ANONYMOUS");
    assert_eq!(replies[1]["errors"][0]["extensions"]["code"], "DOCUMENT_NOT_TRUSTED");
    let (json_status, graphql_status) = (
        post(&strict, JSON, &json!({"query": text})).await.status,
        post(&strict, "application/graphql-response+json", &json!({"query": text})).await.status,
    );
    assert_eq!((json_status.as_u16(), graphql_status.as_u16()), (200, 400));
}

async fn nothing_else_runs_for_anonymous_callers(test: &TestApp) {
    let directory = directory();
    let half = trusting(test, directory.path(), "anonymous").await;
    let codes = untrusted(&half.anonymous()).await;
    assert!(codes.iter().all(|code| code == "DOCUMENT_NOT_TRUSTED"), "{codes:?}");
    assert_eq!(half.user("alice").data("{ viewer { role } }", json!({})).await["viewer"]["role"], "USER");
    half.admin().data("{ __schema { queryType { name } } }", json!({})).await;
    // A document that a signed-in caller registered does not become trusted.
    let text = "{ __typename }";
    let token = format!("Bearer {}", half.user_token("alice"));
    let body = json!({"query": text, "extensions": persisted(&sha256(text))}).to_string();
    let request = axum::http::Request::post("/graphql").header("content-type", JSON).header("authorization", token);
    let registered = half.send(request.body(body.into()).unwrap()).await;
    assert_eq!(registered.json(), json!({"data": {"__typename": "Query"}}));
    let by_hash = json!({"extensions": persisted(&sha256(text))});
    assert_eq!(code(&post(&half, JSON, &by_hash).await), "DOCUMENT_NOT_TRUSTED");
}

async fn no_transport_runs_anything_else(test: &TestApp) {
    let directory = directory();
    let strict = trusting(test, directory.path(), "everyone").await;
    let server = Server::start(&strict).await;
    let token = strict.admin_token();
    let mut socket = Socket::of(&server, Some(&token)).await;
    socket.ask("1", "subscription { paymentRecorded { id } }", json!({})).await;
    assert_eq!(socket.error("1").await, "DOCUMENT_NOT_TRUSTED");
    socket.say(json!({"type": "subscribe", "id": "2", "payload": {"documentId": "role"}})).await;
    assert_eq!(socket.event("2").await["viewer"]["role"], "ADMIN");
    assert_eq!(socket.hear().await["type"], "complete");
    let payload = json!({"extensions": persisted(&sha256("{ __typename }"))});
    socket.say(json!({"type": "subscribe", "id": "3", "payload": payload})).await;
    assert_eq!(socket.error("3").await, "DOCUMENT_NOT_TRUSTED");
    let mut events = Events::of(&server, Some(&token), "{ __typename }", json!({})).await;
    assert_eq!(events.error().await, "DOCUMENT_NOT_TRUSTED");
    let mut events = Events::request(&server, "GET /graphql?documentId=role HTTP/1.1\r\n", "").await;
    assert_eq!(events.event().await["viewer"]["role"], "ANONYMOUS");
}

async fn documents_that_do_not_fit_the_schema_stop_the_start(test: &TestApp) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("manifest.json");
    let deep = "{ viewer { user { accounts { nodes { owner { accounts { nodes { owner { accounts { nodes { owner {
        accounts { nodes { id } } } } } } } } } } } } } }";
    for (text, fault) in [
        ("{ nope }", "wrong (line 1, column 3): "),
        ("query {", "wrong (line 1, column "),
        ("{ viewer { role } } { viewer { scopes } }", "wrong"),
        ("query($id: ID) { payment(id: $id) { id } }", "wrong (line 1, column "),
        (deep, "wrong"),
    ] {
        std::fs::write(&path, json!({"fine": "{ viewer { role } }", "wrong": text}).to_string()).unwrap();
        let trusting = trusting_unchecked(test, &path).await;
        let error = Http::new(&trusting).err().unwrap_or_else(|| panic!("{text} was accepted")).to_string();
        assert!(error.starts_with("The trusted documents are not valid ") && error.contains(fault), "{error}");
        assert!(!error.contains("fine"), "{error}");
    }
    // No more faults are listed than anyone reads.
    let many: serde_json::Map<String, Value> =
        (0..50).map(|n| (format!("d{n}"), json!(format!("{{ no{n} }}")))).collect();
    std::fs::write(&path, Value::Object(many).to_string()).unwrap();
    let error = Http::new(&trusting_unchecked(test, &path).await).err().unwrap().to_string();
    assert!(error.starts_with("The trusted documents are not valid (errors: 50). "), "{error}");
    assert_eq!(error.lines().count(), 21, "{error}");
}

/// Returns an app with the documents at a path, which nothing has checked.
async fn trusting_unchecked(test: &TestApp, path: &Path) -> Arc<App> {
    let env = [("TOLLGATE_TRUSTED_DOCUMENTS", path.to_str().unwrap())];
    let mut config =
        Config::load(None, env.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter()).unwrap();
    config.database = test.app.config.database.clone();
    Arc::new(App::new(config, Arc::clone(&test.app.clock)).await.unwrap())
}

/// Returns the mistakes in the settings.
fn mistakes(settings: &[(&str, &str)]) -> String {
    let env = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(None, env).unwrap_err().to_string()
}

#[test]
fn faulty_manifests_and_directories_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("manifest.json");
    for (text, fault) in [
        ("{", "It is not JSON: error at line 1 column "),
        ("[]", "It is not a manifest."),
        ("{}", "It has no documents"),
        ("{\"a\": 1}", "The entry \"a\" is not a text."),
        ("{\"format\": \"apollo-persisted-query-manifest\", \"version\": 2, \"operations\": []}", "Only version 1"),
        ("{\"format\": \"apollo-persisted-query-manifest\", \"version\": 1}", "It has no list of `operations`."),
        (
            "{\"format\": \"apollo-persisted-query-manifest\", \"version\": 1, \"operations\": [{\"id\": \"a\"}]}",
            "must have an `id` and a `body`",
        ),
        (
            "{\"format\": \"apollo-persisted-query-manifest\", \"version\": 1, \"operations\": [
                {\"id\": \"a\", \"body\": \"{ a }\"}, {\"id\": \"a\", \"body\": \"{ b }\"}]}",
            "It has two documents with the id \"a\".",
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        let found = mistakes(&[("TOLLGATE_TRUSTED_DOCUMENTS", path.to_str().unwrap())]);
        assert!(found.starts_with("trusted_documents (TOLLGATE_TRUSTED_DOCUMENTS) is "), "{found}");
        assert!(found.contains(fault), "{text}: {found}");
    }
    let empty = tempfile::tempdir().unwrap();
    std::fs::write(empty.path().join("a.txt"), "{ a }").unwrap();
    let found = mistakes(&[("TOLLGATE_TRUSTED_DOCUMENTS", empty.path().to_str().unwrap())]);
    assert!(found.contains("It has no documents"), "{found}");
    std::fs::write(empty.path().join("a.graphql"), [0xFF, 0xFE]).unwrap();
    let found = mistakes(&[("TOLLGATE_TRUSTED_DOCUMENTS", empty.path().to_str().unwrap())]);
    assert!(found.contains("a.graphql cannot be read"), "{found}");
    let found = mistakes(&[("TOLLGATE_TRUSTED_DOCUMENTS", "/nowhere/at/all.json")]);
    assert!(found.contains("/nowhere/at/all.json cannot be read"), "{found}");
    for only in ["anonymous", "everyone"] {
        let found = mistakes(&[("TOLLGATE_TRUSTED_DOCUMENTS_ONLY", only)]);
        assert!(found.contains("Set trusted_documents too: without it, nothing could run."), "{found}");
    }
    let found = mistakes(&[("TOLLGATE_TRUSTED_DOCUMENTS_ONLY", "admins")]);
    assert!(found.contains("It must be one of nobody, anonymous, everyone."), "{found}");
}
