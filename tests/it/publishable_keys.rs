//! Publishable keys: pages in browsers record events of visitors with them, from their origins, at their rates, and do
//! nothing else. `access.rs` tries every root field with one.

use crate::support::live::{Server, Socket};
use crate::support::pages::{page, publishable_key, use_up_keys};
use crate::support::{Client, Reply, SECRET, TestApp, both_engines};
use axum::body::Body;
use axum::http::Request;
use chrono::{SecondsFormat, TimeDelta};
use entity::analytics_events;
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};
use tollgate::auth::Permission;

both_engines!(
    a_page_records_events_of_visitors,
    a_page_does_nothing_else,
    a_page_has_no_stream_and_no_socket,
    a_key_is_for_its_origins_alone,
    a_preflight_lets_pages_send_keys_and_nothing_else,
    a_revoked_key_is_refused_from_the_next_request_on,
    an_address_that_floods_leaves_room_for_others,
    all_pages_of_a_key_have_a_limit,
    requests_of_pages_are_small,
    nobody_creates_a_key_without_the_right_to_record_events,
    the_number_of_keys_is_limited,
);

const SITE: &str = "https://www.example.com";
const TRACK: &str = "mutation($events: [TrackedEventInput!]!) { trackEvents(input: {events: $events}) {
    results { outcome userErrors { code field } } userErrors { code field } } }";
const CREATE: &str = "mutation($name: String!) {
    createPublishableKey(input: {name: $name, origins: [\"https://www.example.com\"]}) {
        publishableKey { key origins eventsPerMinute createdBy } userErrors { code } } }";
const REVOKE: &str = "mutation($id: ID!) {
    revokePublishableKey(input: {publishableKeyId: $id}) { publishableKey { revokedAt } userErrors { code } } }";

fn events(count: usize) -> Value {
    let of = |number: usize| json!({"name": "seen", "anonymousId": "v-1", "dedupeKey": number.to_string()});
    json!({"events": (0..count).map(of).collect::<Vec<_>>()})
}

/// The code of the first rule that refused an event.
async fn refusal(page: &Client<'_>, event: Value) -> Value {
    let done = page.data(TRACK, json!({"events": [event]})).await["trackEvents"].take();
    assert_eq!(done["userErrors"], json!([]));
    done["results"][0]["userErrors"][0]["code"].clone()
}

async fn recorded(test: &TestApp) -> u64 {
    analytics_events::Entity::find().count(test.app.db.schema()).await.unwrap()
}

async fn a_page_records_events_of_visitors(test: &TestApp) {
    let key = publishable_key(test, &[SITE]).await;
    let site = page(test, &key, SITE);
    let done = site.data(TRACK, events(2)).await["trackEvents"].take();
    let new = json!({"outcome": "RECORDED", "userErrors": []});
    assert_eq!(done, json!({"results": [new, new], "userErrors": []}));
    assert_eq!(site.data(TRACK, events(1)).await["trackEvents"]["results"][0]["outcome"], "DUPLICATE");
    // Of visitors alone, also where the person of an event exists.
    let me = test.user("ann").data("{ viewer { user { id } } }", json!({})).await;
    for person in [
        json!({}),
        json!({"userId": me["viewer"]["user"]["id"]}),
        json!({"userId": me["viewer"]["user"]["id"], "anonymousId": "v-1"}),
    ] {
        let mut event = json!({"name": "seen", "dedupeKey": "x"});
        event.as_object_mut().unwrap().extend(person.as_object().unwrap().clone());
        assert_eq!(refusal(&site, event).await, "PERSON_INVALID", "{person}");
    }
    assert_eq!(recorded(test).await, 2);
    // The key is shown again, for it is public.
    let list = test.admin().data("{ publishableKeys { nodes { key } } }", json!({})).await;
    assert_eq!(list["publishableKeys"]["nodes"], json!([{"key": key["key"]}]));
    assert_eq!(test.anonymous().code("{ publishableKeys { totalCount } }", json!({})).await, "UNAUTHENTICATED");
}

async fn a_page_does_nothing_else(test: &TestApp) {
    let key = publishable_key(test, &[SITE]).await;
    let site = page(test, &key, SITE);
    // Nothing of a document runs that selects another root field, by whatever name.
    let event = "events: [{name: \"a\", anonymousId: \"v\", dedupeKey: \"1\"}]";
    let track = format!("trackEvents(input: {{{event}}}) {{ userErrors {{ code }} }}");
    for document in [
        format!("mutation {{ {track} identify(input: {{anonymousId: \"v\"}}) {{ userErrors {{ code }} }} }}"),
        format!(
            "mutation {{ {track} ...More }} fragment More on Mutation {{ trackEvents2: identify(input: {{anonymousId: \"v\"}}) {{ userErrors {{ code }} }} }}"
        ),
        "{ viewer { role } }".to_owned(),
        "{ __typename viewer { role } }".to_owned(),
        "query($no: Boolean = false) { plans @skip(if: $no) { totalCount } }".to_owned(),
        "{ _service { sdl } }".to_owned(),
        "subscription { paymentRecorded { id } }".to_owned(),
    ] {
        assert_eq!(site.code(&document, json!({})).await, "FORBIDDEN", "{document}");
    }
    assert_eq!(recorded(test).await, 0);
    assert_eq!(site.data("{ __typename }", json!({})).await, json!({"__typename": "Query"}));
    // In a batch, each operation by itself.
    let batch = json!([{"query": "{ viewer { role } }"}, {"query": format!("mutation {{ {track} }}")}]);
    let request = Request::post("/graphql").header("content-type", "application/json").header("origin", SITE);
    let request = request.header("authorization", format!("Bearer {}", key["key"].as_str().unwrap()));
    let reply = test.send(request.body(Body::from(batch.to_string())).unwrap()).await.json();
    assert_eq!(reply[0]["errors"][0]["extensions"]["code"], "FORBIDDEN");
    assert_eq!((&reply[1]["data"]["trackEvents"]["userErrors"], recorded(test).await), (&json!([]), 1));
    // Introspection is open as to callers without a credential.
    site.data("{ __schema { queryType { name } } }", json!({})).await;
    let closed = [("TOLLGATE_JWT_HS256_SECRET", SECRET), ("TOLLGATE_INTROSPECTION", "authenticated")];
    let closed = test.beside(&closed).await;
    let site = page(&closed, &key, SITE);
    assert_eq!(site.code("{ __schema { queryType { name } } }", json!({})).await, "FORBIDDEN");
    // Pages are limited to trusted documents as anonymous callers are.
    let documents = tempfile::tempdir().unwrap();
    std::fs::write(documents.path().join("plans.graphql"), "{ plans { totalCount } }").unwrap();
    let trusted = test
        .beside(&[
            ("TOLLGATE_JWT_HS256_SECRET", SECRET),
            ("TOLLGATE_TRUSTED_DOCUMENTS", documents.path().to_str().unwrap()),
            ("TOLLGATE_TRUSTED_DOCUMENTS_ONLY", "anonymous"),
        ])
        .await;
    assert_eq!(page(&trusted, &key, SITE).code(TRACK, events(1)).await, "DOCUMENT_NOT_TRUSTED");
}

async fn a_page_has_no_stream_and_no_socket(test: &TestApp) {
    let key = publishable_key(test, &[SITE]).await;
    let bearer = format!("Bearer {}", key["key"].as_str().unwrap());
    for media in ["text/event-stream", "multipart/mixed;subscriptionSpec=1.0"] {
        let reply = page(test, &key, SITE).with_header("accept", media).post(TRACK, events(1)).await;
        assert_eq!((reply.status.as_u16(), code(&reply)), (403, json!("FORBIDDEN")), "{media}");
    }
    for path in ["/graphql?query={__typename}", "/schema.graphql", "/metrics"] {
        let request = Request::get(path).header("origin", SITE).header("authorization", &bearer);
        assert_eq!(test.send(request.body(Body::empty()).unwrap()).await.status.as_u16(), 403, "{path}");
    }
    let server = Server::start(test).await;
    let mut socket = Socket::offering(&server, "graphql-transport-ws").await;
    socket.say(json!({"type": "connection_init", "payload": {"authorization": bearer}})).await;
    assert_eq!(socket.closed().await, 4403);
    server.stop().await;
    assert_eq!(recorded(test).await, 0);
}

fn code(reply: &Reply) -> Value {
    reply.json()["errors"][0]["extensions"]["code"].take()
}

fn readable_by(reply: &Reply) -> Option<&str> {
    reply.headers.get("access-control-allow-origin").map(|origin| origin.to_str().unwrap())
}

async fn a_key_is_for_its_origins_alone(test: &TestApp) {
    let key = publishable_key(test, &[SITE, "http://localhost:3000/"]).await;
    let other = publishable_key(test, &["https://other.example"]).await;
    for (key, origin, status) in [
        (&key, SITE, 200),
        (&key, "http://localhost:3000", 200),
        (&key, "https://other.example", 403),
        (&other, SITE, 403),
        (&other, "https://other.example", 200),
        (&key, "http://www.example.com", 403),
        (&key, "https://www.example.com:8443", 403),
        (&key, "https://WWW.example.com", 403),
        (&key, "https://www.example.com.evil.example", 403),
        (&key, "https://example.com", 403),
        (&key, "https://www.example.com http://localhost:3000", 403),
        (&key, "null", 403),
        (&key, "", 403),
    ] {
        let reply = page(test, key, origin).post(TRACK, events(1)).await;
        assert_eq!(reply.status.as_u16(), status, "{origin} {}", reply.body);
        if status == 200 {
            assert_eq!(readable_by(&reply), Some(origin));
            assert!(reply.headers.get_all("vary").iter().any(|vary| vary.to_str().unwrap().contains("origin")));
        } else {
            assert_eq!(code(&reply), "FORBIDDEN", "{origin}");
        }
    }
    // Nor without a page.
    assert_eq!(test.bearer(key["key"].as_str()).code(TRACK, events(1)).await, "FORBIDDEN");
    let unknown = page(test, &json!({"key": "tgpub_abcdefghijklmnopqrstuvwx"}), SITE).post(TRACK, events(1)).await;
    // The page may read why, so that it stops.
    assert_eq!((unknown.status.as_u16(), readable_by(&unknown)), (401, Some(SITE)));
}

/// The origin that the answer to a preflight lets in, with its methods.
async fn preflight(test: &TestApp, origin: &str, path: &str) -> Option<(String, String)> {
    let request = Request::options(path).header("origin", origin).header("access-control-request-method", "POST");
    let request = request.header("access-control-request-headers", "authorization,content-type");
    let reply = test.send(request.body(Body::empty()).unwrap()).await;
    let methods = reply.headers.get("access-control-allow-methods").map(|it| it.to_str().unwrap().to_owned());
    readable_by(&reply).map(|origin| (origin.to_owned(), methods.unwrap_or_default()))
}

async fn a_preflight_lets_pages_send_keys_and_nothing_else(test: &TestApp) {
    assert_eq!(preflight(test, SITE, "/graphql").await, None);
    let key = publishable_key(test, &[SITE]).await;
    assert_eq!(preflight(test, SITE, "/graphql").await, Some((SITE.to_owned(), "POST".to_owned())));
    for (origin, path) in [("https://other.example", "/graphql"), (SITE, "/schema.graphql"), (SITE, "/healthz")] {
        assert_eq!(preflight(test, origin, path).await, None, "{origin} {path}");
    }
    // A browser sends any credential after it; only keys are taken.
    let credentials = [None, Some(test.user_token("ann")), Some(test.admin_token())];
    for credential in &credentials {
        let caller = test.bearer(credential.as_deref()).with_header("origin", SITE);
        let reply = caller.post("{ viewer { role } }", json!({})).await;
        assert_eq!((reply.status.as_u16(), code(&reply)), (403, json!("FORBIDDEN")), "{credential:?}");
        assert_eq!(readable_by(&reply), None);
        // Those of our own host are not concerned, nor are origins that nobody lets in.
        for (origin, host) in [(SITE, "www.example.com"), ("https://other.example", "api.example.com")] {
            let caller = test.bearer(credential.as_deref()).with_header("origin", origin).with_header("host", host);
            let reply = caller.post("{ viewer { role } }", json!({})).await;
            assert_eq!((reply.status.as_u16(), readable_by(&reply)), (200, None), "{origin} {}", reply.body);
        }
    }
    let get = Request::get("/graphql?query={__typename}").header("origin", SITE);
    let get = get.header("authorization", format!("Bearer {}", test.admin_token()));
    assert_eq!(test.send(get.body(Body::empty()).unwrap()).await.status.as_u16(), 403);
    // Origins of the settings may send everything, as before.
    let own = [("TOLLGATE_JWT_HS256_SECRET", SECRET), ("TOLLGATE_CORS_ORIGINS", SITE)];
    let own = test.beside(&own).await;
    let admin = own.admin().with_header("origin", SITE);
    let reply = admin.post("{ viewer { role } }", json!({})).await;
    assert_eq!((reply.status.as_u16(), readable_by(&reply)), (200, Some(SITE)));
    let reply = page(&own, &key, SITE).post(TRACK, events(1)).await;
    assert_eq!((reply.status.as_u16(), reply.headers.get_all("access-control-allow-origin").iter().count()), (200, 1));
}

async fn a_revoked_key_is_refused_from_the_next_request_on(test: &TestApp) {
    let key = publishable_key(test, &[SITE]).await;
    let elsewhere = test.beside(&[("TOLLGATE_JWT_HS256_SECRET", SECRET)]).await;
    for node in [test, &elsewhere] {
        page(node, &key, SITE).data(TRACK, events(1)).await;
    }
    let first = test.admin().data(REVOKE, json!({"id": key["id"]})).await;
    assert_eq!(first["revokePublishableKey"]["publishableKey"]["revokedAt"], "2026-01-15T12:00:00Z");
    for node in [test, &elsewhere] {
        let reply = page(node, &key, SITE).post(TRACK, events(1)).await;
        assert_eq!((reply.status.as_u16(), code(&reply)), (401, json!("UNAUTHENTICATED")));
        assert_eq!(preflight(node, SITE, "/graphql").await, None);
    }
    test.advance(TimeDelta::minutes(5));
    assert_eq!(test.admin().data(REVOKE, json!({"id": key["id"]})).await, first, "once more changes nothing");
}

async fn an_address_that_floods_leaves_room_for_others(test: &TestApp) {
    let key = publishable_key(test, &[SITE]).await;
    let send = async |address: &str, count: usize| {
        let reply = page(test, &key, SITE).calling_from(address).post(TRACK, events(count)).await;
        let wait = reply.headers.get("retry-after").map(|wait| wait.to_str().unwrap().to_owned());
        (reply.status.as_u16(), wait.unwrap_or_default())
    };
    let (ok, refused) = ((200, String::new()), |wait: &str| (429, wait.to_owned()));
    // A tenth of 1,000.
    assert_eq!(send("192.0.2.1", 60).await, ok);
    assert_eq!(send("192.0.2.1", 41).await, refused("1"));
    assert_eq!(send("192.0.2.1", 40).await, ok);
    for _ in 0..30 {
        assert_eq!(send("192.0.2.1", 100).await, refused("60"));
    }
    // All addresses of a network in IPv6 are one.
    assert_eq!(send("2001:db8::1", 100).await, ok);
    assert_eq!(send("2001:db8::ffff:2", 1).await, refused("1"));
    assert_eq!(send("2001:db8:0:1::1", 100).await, ok);
    // Events that were refused cost the key nothing.
    for address in 2..9 {
        assert_eq!(send(&format!("192.0.2.{address}"), 100).await, ok);
    }
    test.advance(TimeDelta::seconds(6));
    assert_eq!(send("192.0.2.1", 10).await, ok);
    assert_eq!(send("192.0.2.1", 1).await, refused("1"));
    let reply = page(test, &key, SITE).calling_from("192.0.2.1").post(TRACK, events(1)).await;
    assert_eq!((code(&reply), readable_by(&reply)), (json!("RATE_LIMITED"), Some(SITE)));
}

async fn all_pages_of_a_key_have_a_limit(test: &TestApp) {
    let key = publishable_key(test, &[SITE]).await;
    let other = publishable_key(test, &[SITE]).await;
    let send = async |key: &Value, address: usize, count: usize| {
        let address = format!("198.51.100.{address}");
        page(test, key, SITE).calling_from(&address).post(TRACK, events(count)).await.status.as_u16()
    };
    for address in 0..10 {
        assert_eq!(send(&key, address, 100).await, 200);
    }
    assert_eq!(send(&key, 10, 1).await, 429);
    // Another key has its own, for each address too; malformed events count.
    assert_eq!(send(&other, 0, 100).await, 200);
    let nobodys = json!({"events": (0..100).map(|_| json!({"name": "", "dedupeKey": "1"})).collect::<Vec<_>>()});
    for address in 20..29 {
        let address = format!("198.51.100.{address}");
        page(test, &other, SITE).calling_from(&address).data(TRACK, nobodys.clone()).await;
    }
    assert_eq!(send(&other, 30, 1).await, 429);
    test.advance(TimeDelta::minutes(1));
    assert_eq!((send(&key, 10, 100).await, send(&other, 30, 100).await), (200, 200));
}

async fn requests_of_pages_are_small(test: &TestApp) {
    let key = publishable_key(test, &[SITE]).await;
    let site = page(test, &key, SITE);
    let refused = site.data(TRACK, events(101)).await["trackEvents"].take();
    assert_eq!(refused, json!({"results": null, "userErrors": [{"code": "TOO_MANY_EVENTS", "field": ["events"]}]}));
    let event = |change: Value| {
        let mut event = json!({"name": "seen", "anonymousId": "v", "dedupeKey": change.to_string()});
        event.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        event
    };
    let at = |delta: TimeDelta| json!((test.app.now() + delta).to_rfc3339_opts(SecondsFormat::Secs, true));
    for (change, code) in [
        (json!({"properties": {"a": "x".repeat(1_016)}}), Value::Null),
        (json!({"properties": {"a": "x".repeat(1_017)}}), json!("PROPERTIES_INVALID")),
        (json!({"occurredAt": at(TimeDelta::days(-1))}), Value::Null),
        (json!({"occurredAt": at(TimeDelta::seconds(-86_401))}), json!("OCCURRED_AT_INVALID")),
        (json!({"occurredAt": at(TimeDelta::minutes(6))}), json!("OCCURRED_AT_INVALID")),
    ] {
        let mut event = event(change.clone());
        event["dedupeKey"] = json!(change.to_string().len().to_string() + &code.to_string());
        assert_eq!(refusal(&site, event).await, code, "{change}");
    }
}

async fn nobody_creates_a_key_without_the_right_to_record_events(test: &TestApp) {
    let both = test.service(&[Permission::KeysWrite, Permission::EventsWrite]);
    let made = both.data(CREATE, json!({"name": "site"})).await["createPublishableKey"].take();
    let key = &made["publishableKey"];
    let shown = (&key["origins"], &key["eventsPerMinute"], &key["createdBy"]);
    assert_eq!(shown, (&json!([SITE]), &json!(10_000), &json!("service:backend")));
    assert!(key["key"].as_str().unwrap().starts_with("tgpub_"));
    for permission in [Permission::KeysWrite, Permission::EventsWrite] {
        assert_eq!(test.service(&[permission]).code(CREATE, json!({"name": "site"})).await, "FORBIDDEN");
    }
}

async fn the_number_of_keys_is_limited(test: &TestApp) {
    use_up_keys(&test.app).await;
    let refused = test.admin().data(CREATE, json!({"name": "one more"})).await;
    assert_eq!(refused["createPublishableKey"]["userErrors"], json!([{"code": "TOO_MANY_KEYS"}]));
    let list = test.admin().data("{ publishableKeys(first: 1) { totalCount nodes { id } } }", json!({})).await;
    assert_eq!(list["publishableKeys"]["totalCount"], 100);
    test.admin().data(REVOKE, json!({"id": list["publishableKeys"]["nodes"][0]["id"]})).await;
    let made = test.admin().data(CREATE, json!({"name": "one more"})).await;
    assert_eq!(made["createPublishableKey"]["userErrors"], json!([]));
}
