//! Automatic persisted queries: documents that clients register by their hash.

use crate::support::{Reply, SECRET, TestApp, both_engines};
use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

both_engines!(
    a_document_is_found_by_its_hash_once_it_was_sent,
    a_hash_that_is_not_that_of_the_text_is_refused,
    a_persisted_query_that_is_malformed_is_refused,
    a_mutation_is_never_run_by_get_whatever_names_it,
    registered_documents_are_bounded,
    nothing_is_registered_where_that_is_off,
    a_batch_may_mix_texts_and_hashes,
);

const JSON: &str = "application/json";
const GRAPHQL: &str = "application/graphql-response+json";

pub(crate) fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// The extensions that name a document by a hash.
pub(crate) fn persisted(hash: &str) -> Value {
    json!({"persistedQuery": {"version": 1, "sha256Hash": hash}})
}

/// Posts a body as an anonymous caller.
pub(crate) async fn post(test: &TestApp, accept: &str, body: &Value) -> Reply {
    let request = Request::post("/graphql").header("content-type", JSON).header("accept", accept);
    test.send(request.body(Body::from(body.to_string())).unwrap()).await
}

/// Gets with the members of an object as parameters.
pub(crate) async fn get(test: &TestApp, accept: &str, body: &Value) -> Reply {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in body.as_object().unwrap() {
        query.append_pair(name, &value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    let request = Request::builder().method(Method::GET).uri(format!("/graphql?{}", query.finish()));
    test.send(request.header("accept", accept).body(Body::empty()).unwrap()).await
}

fn code(reply: &Reply) -> String {
    reply.json()["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()
}

async fn a_document_is_found_by_its_hash_once_it_was_sent(test: &TestApp) {
    let text = "query Who($skip: Boolean = false) { viewer { role scopes @skip(if: $skip) } }";
    let by_hash = json!({"extensions": persisted(&sha256(text))});
    for (accept, status) in [(JSON, 200), (GRAPHQL, 400)] {
        for reply in [post(test, accept, &by_hash).await, get(test, accept, &by_hash).await] {
            assert_eq!((reply.status.as_u16(), code(&reply).as_str()), (status, "PERSISTED_QUERY_NOT_FOUND"));
            // Apollo's clients know the error by this message.
            assert_eq!(reply.json()["errors"][0]["message"], "PersistedQueryNotFound");
        }
    }
    let both = json!({"query": text, "extensions": persisted(&sha256(text))});
    let all = json!({"data": {"viewer": {"role": "ANONYMOUS", "scopes": []}}});
    assert_eq!(post(test, JSON, &both).await.json(), all);
    let variables = json!({"skip": true});
    for accept in [JSON, GRAPHQL] {
        for reply in [post(test, accept, &by_hash).await, get(test, accept, &by_hash).await] {
            assert_eq!((reply.status.as_u16(), reply.json()), (200, all.clone()), "{accept}");
        }
    }
    let mut with_variables = by_hash.clone();
    with_variables["variables"] = variables;
    with_variables["operationName"] = json!("Who");
    for reply in [post(test, JSON, &with_variables).await, get(test, JSON, &with_variables).await] {
        assert_eq!(reply.json(), json!({"data": {"viewer": {"role": "ANONYMOUS"}}}));
    }
    with_variables["operationName"] = json!("Other");
    assert_eq!(code(&post(test, JSON, &with_variables).await), "GRAPHQL_VALIDATION_FAILED");
    // An empty text is none, and the case of a hash does not matter.
    for body in [
        json!({"query": "", "extensions": persisted(&sha256(text))}),
        json!({"query": null, "extensions": persisted(&sha256(text).to_uppercase())}),
    ] {
        assert_eq!(post(test, JSON, &body).await.json(), all, "{body}");
    }
    // A document may be registered by GET.
    let text = "{ viewer { scopes } }";
    let both = json!({"query": text, "extensions": persisted(&sha256(text))});
    assert_eq!(get(test, JSON, &both).await.json(), json!({"data": {"viewer": {"scopes": []}}}));
    let reply = post(test, JSON, &json!({"extensions": persisted(&sha256(text))})).await;
    assert_eq!(reply.json(), json!({"data": {"viewer": {"scopes": []}}}));
}

async fn a_hash_that_is_not_that_of_the_text_is_refused(test: &TestApp) {
    let text = "{ viewer { role } }";
    let create = "mutation { createPlan(input: {code: \"a\", kind: PLAN, name: \"P\", rank: 1}) { plan { id } } }";
    let right = sha256(text);
    for hash in [
        "ab".repeat(32).as_str(),
        &sha256("{ viewer { role } } "),
        &sha256(""),
        &right[..63],
        &format!("{right}0"),
        &format!("sha256:{right}"),
        "",
        "no hash",
    ] {
        for (query, send) in [(text, true), (text, false), (create, true)] {
            let body = json!({"query": query, "extensions": persisted(hash)});
            let reply = if send { post(test, JSON, &body).await } else { get(test, JSON, &body).await };
            assert_eq!(code(&reply), "PERSISTED_QUERY_MISMATCH", "{hash}: {}", reply.body);
            assert!(reply.json().get("data").is_none(), "{}", reply.body);
        }
        // Nothing was registered, under neither hash.
        for hash in [hash, &right] {
            let reply = post(test, JSON, &json!({"extensions": persisted(hash)})).await;
            assert_eq!(code(&reply), "PERSISTED_QUERY_NOT_FOUND", "{hash}");
        }
    }
    let plans = test.admin().data("{ plans { totalCount } }", json!({})).await;
    assert_eq!(plans["plans"]["totalCount"], 0);
}

async fn a_persisted_query_that_is_malformed_is_refused(test: &TestApp) {
    let hash = sha256("{ __typename }");
    for (extension, expected) in [
        (json!({"version": 2, "sha256Hash": hash}), "PERSISTED_QUERY_NOT_SUPPORTED"),
        (json!({"version": "1", "sha256Hash": hash}), "PERSISTED_QUERY_NOT_SUPPORTED"),
        (json!({"sha256Hash": hash}), "PERSISTED_QUERY_NOT_SUPPORTED"),
        (json!({"version": 1}), "BAD_REQUEST"),
        (json!({"version": 1, "sha256Hash": null}), "BAD_REQUEST"),
        (json!({"version": 1, "sha256Hash": 1}), "BAD_REQUEST"),
        (json!("x"), "BAD_REQUEST"),
        (json!([hash]), "BAD_REQUEST"),
    ] {
        for query in [Value::Null, json!("{ __typename }")] {
            let body = json!({"query": query, "extensions": {"persistedQuery": extension}});
            let reply = post(test, JSON, &body).await;
            assert_eq!(code(&reply), expected, "{body}: {}", reply.body);
            let status = if expected == "BAD_REQUEST" { 400 } else { 200 };
            assert_eq!(reply.status.as_u16(), status, "{body}");
        }
    }
    // No extension is none.
    for extension in [Value::Null, json!({})] {
        let body = json!({"query": "{ __typename }", "extensions": {"persistedQuery": extension}});
        assert_eq!(post(test, JSON, &body).await.json(), json!({"data": {"__typename": "Query"}}));
        let body = json!({"extensions": {"persistedQuery": extension}});
        assert_eq!(post(test, JSON, &body).await.status.as_u16(), 400);
    }
}

async fn a_mutation_is_never_run_by_get_whatever_names_it(test: &TestApp) {
    let text = "mutation { createApiKey(input: {name: \"a\", scopes: []}) { secret } }";
    let both = json!({"query": text, "extensions": persisted(&sha256(text))});
    assert_eq!(post(test, JSON, &both).await.status.as_u16(), 200);
    for body in [both, json!({"extensions": persisted(&sha256(text))})] {
        let refused = get(test, JSON, &body).await;
        assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (405, "BAD_REQUEST"), "{body}");
        assert_eq!(refused.headers["allow"], "POST");
    }
}

async fn registered_documents_are_bounded(test: &TestApp) {
    let settings = [("TOLLGATE_JWT_HS256_SECRET", SECRET), ("TOLLGATE_APQ_CACHE_BYTES", "20000")];
    let small = test.beside(&settings).await;
    // A thousand characters each, so that about twenty fit.
    let texts: Vec<String> =
        (0..100).map(|number| format!("{{ viewer {{ role }} }} # {number} {}", "x".repeat(970))).collect();
    for text in &texts {
        let both = json!({"query": text, "extensions": persisted(&sha256(text))});
        assert!(post(&small, JSON, &both).await.json().get("errors").is_none());
    }
    let mut kept = 0;
    for text in &texts {
        let reply = post(&small, JSON, &json!({"extensions": persisted(&sha256(text))})).await;
        if reply.json().get("errors").is_none() {
            kept += 1;
        } else {
            assert_eq!(code(&reply), "PERSISTED_QUERY_NOT_FOUND");
        }
    }
    assert!((1..=20).contains(&kept), "{kept} documents were kept");
    // A document that is longer than the memory runs and is not kept.
    let long = format!("{{ viewer {{ role }} }} # {}", "x".repeat(30_000));
    let both = json!({"query": long, "extensions": persisted(&sha256(&long))});
    assert!(post(&small, JSON, &both).await.json().get("errors").is_none());
    let reply = post(&small, JSON, &json!({"extensions": persisted(&sha256(&long))})).await;
    assert_eq!(code(&reply), "PERSISTED_QUERY_NOT_FOUND");
}

async fn nothing_is_registered_where_that_is_off(test: &TestApp) {
    let settings = [("TOLLGATE_JWT_HS256_SECRET", SECRET), ("TOLLGATE_APQ_CACHE_BYTES", "0")];
    let off = test.beside(&settings).await;
    let text = "{ __typename }";
    let both = json!({"query": text, "extensions": persisted(&sha256(text))});
    assert_eq!(post(&off, JSON, &both).await.json(), json!({"data": {"__typename": "Query"}}));
    let reply = post(&off, JSON, &json!({"extensions": persisted(&sha256(text))})).await;
    assert_eq!(code(&reply), "PERSISTED_QUERY_NOT_SUPPORTED");
    // Apollo's clients stop sending hashes when they see this.
    assert_eq!(reply.json()["errors"][0]["message"], "PersistedQueryNotSupported");
    let wrong = json!({"query": text, "extensions": persisted(&sha256("other"))});
    assert_eq!(code(&post(&off, JSON, &wrong).await), "PERSISTED_QUERY_MISMATCH");
}

async fn a_batch_may_mix_texts_and_hashes(test: &TestApp) {
    let text = "{ __typename }";
    let batch = json!([
        {"extensions": persisted(&sha256(text))},
        {"query": text, "extensions": persisted(&sha256(text))},
        {"extensions": persisted(&sha256(text))},
        {"query": text, "extensions": persisted(&sha256("other"))},
        {"query": "{ viewer { role } }"},
    ]);
    let replies = post(test, JSON, &batch).await.json();
    let codes: Vec<&str> = replies.as_array().unwrap().iter().map(code_of).collect();
    assert_eq!(codes, ["PERSISTED_QUERY_NOT_FOUND", "", "", "PERSISTED_QUERY_MISMATCH", ""], "{replies}");
}

fn code_of(reply: &Value) -> &str {
    reply["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}
