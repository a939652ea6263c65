//! The effect of each setting on requests, at its value and just beyond.

use crate::sign_in::{ask, claims, hs256, refused};
use crate::support::webhooks::{STRIPE_SECRET, deliver, event, send, signature};
use crate::support::{Client, SECRET, TestApp, both_engines, sql};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use tollgate::providers::Provider;

both_engines!(
    limits_on_documents_are_inclusive,
    a_limit_on_the_batch_counts_operations,
    a_limit_on_the_body_counts_bytes,
    the_schema_is_shown_to_the_configured_callers,
    graphiql_is_shown_where_it_is_on,
    the_leeway_extends_a_token_at_both_ends,
    the_role_is_read_from_the_configured_claim,
    the_scopes_are_read_from_the_configured_claim,
    the_issuer_must_be_the_configured_one,
    any_configured_audience_is_accepted,
    users_are_created_by_their_first_request_unless_that_is_off,
    a_webhook_may_differ_from_the_clock_by_the_tolerance,
    a_webhook_is_limited_in_length_apart_from_other_bodies,
    events_of_the_configured_mode_are_applied,
    events_of_the_configured_account_are_applied,
);

/// Returns a Tollgate on the same database that accepts the tests' tokens and has these settings.
async fn configured(test: &TestApp, settings: &[(&str, &str)]) -> TestApp {
    test.beside(&[&[("TOLLGATE_JWT_HS256_SECRET", SECRET)], settings].concat()).await
}

/// Returns the code of the first error, or an empty text where there is none.
async fn code(client: &Client<'_>, query: &str) -> String {
    let body = client.post(query, json!({})).await.json();
    body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()
}

async fn limits_on_documents_are_inclusive(test: &TestApp) {
    let aliases = |count: usize| (0..count).map(|number| format!("a{number}: __typename ")).collect::<String>();
    // Tokens include the braces; the depth of a leaf at the root is 1.
    let cases: [(&str, &str, &str, &str, &str); 4] = [
        (
            "TOLLGATE_LIMIT_TOKENS",
            "11",
            "{ a: __typename b: __typename c: __typename }",
            "{ a: __typename b: __typename c: __typename __typename }",
            "GRAPHQL_PARSE_FAILED",
        ),
        ("TOLLGATE_LIMIT_DEPTH", "2", "{ viewer { role } }", "{ viewer { user { id } } }", "GRAPHQL_VALIDATION_FAILED"),
        (
            "TOLLGATE_LIMIT_ALIASES",
            "3",
            &format!("{{ {} }}", aliases(3)),
            &format!("{{ {} }}", aliases(4)),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            "TOLLGATE_LIMIT_SELECTIONS",
            "10",
            &format!("{{ {} }}", aliases(10)),
            &format!("{{ {} }}", aliases(11)),
            "GRAPHQL_VALIDATION_FAILED",
        ),
    ];
    for (setting, value, allowed, refused, expected) in cases {
        let limited = configured(test, &[(setting, value)]).await;
        assert_eq!(code(&limited.anonymous(), allowed).await, "", "{setting}={value}: {allowed}");
        assert_eq!(code(&limited.anonymous(), refused).await, expected, "{setting}={value}: {refused}");
    }
    // A limit of zero aliases allows plain fields.
    let limited = configured(test, &[("TOLLGATE_LIMIT_ALIASES", "0")]).await;
    assert_eq!(code(&limited.anonymous(), "{ __typename viewer { role } }").await, "");
    assert_eq!(code(&limited.anonymous(), "{ a: __typename }").await, "GRAPHQL_VALIDATION_FAILED");
}

/// Posts a body as JSON.
async fn post(test: &TestApp, body: String) -> (StatusCode, Value) {
    let request = Request::post("/graphql").header("content-type", "application/json").body(Body::from(body)).unwrap();
    let reply = test.send(request).await;
    (reply.status, reply.json())
}

async fn a_limit_on_the_batch_counts_operations(test: &TestApp) {
    let batch = |count: usize| Value::from(vec![json!({"query": "{ __typename }"}); count]).to_string();
    let limited = configured(test, &[("TOLLGATE_LIMIT_BATCH", "2")]).await;
    let (status, replies) = post(&limited, batch(2)).await;
    assert_eq!((status, replies.as_array().unwrap().len()), (StatusCode::OK, 2));
    let (status, reply) = post(&limited, batch(3)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{reply}");
    let single = configured(test, &[("TOLLGATE_LIMIT_BATCH", "1")]).await;
    assert_eq!(post(&single, batch(1)).await.0, StatusCode::OK);
    assert_eq!(post(&single, batch(2)).await.0, StatusCode::BAD_REQUEST);
}

async fn a_limit_on_the_body_counts_bytes(test: &TestApp) {
    let limited = configured(test, &[("TOLLGATE_BODY_LIMIT_BYTES", "1024")]).await;
    let padded = |length: usize| {
        let body = json!({"query": "{ __typename }", "extensions": {"padding": ""}}).to_string();
        body.replace("\"padding\":\"\"", &format!("\"padding\":\"{}\"", "x".repeat(length - body.len())))
    };
    assert_eq!(padded(1024).len(), 1024);
    assert_eq!(post(&limited, padded(1024)).await.0, StatusCode::OK);
    assert_eq!(post(&limited, padded(1025)).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(post(test, padded(1025)).await.0, StatusCode::OK);
}

/// Settings, as pairs of a variable and its value.
type Variables<'a> = &'a [(&'a str, &'a str)];

async fn the_schema_is_shown_to_the_configured_callers(test: &TestApp) {
    const QUERY: &str = "{ __schema { queryType { name } } }";
    let production = [("TOLLGATE_ENVIRONMENT", "production")];
    let cases: [(Variables, [bool; 3]); 6] = [
        (&[], [true, true, true]),
        (&production, [false, true, true]),
        (&[("TOLLGATE_INTROSPECTION", "everyone")], [true, true, true]),
        (&[("TOLLGATE_ENVIRONMENT", "production"), ("TOLLGATE_INTROSPECTION", "everyone")], [true, true, true]),
        (&[("TOLLGATE_INTROSPECTION", "authenticated")], [false, true, true]),
        (&[("TOLLGATE_INTROSPECTION", "nobody")], [false, false, false]),
    ];
    for (settings, expected) in cases {
        let app = configured(test, settings).await;
        let clients = [app.anonymous(), app.user("ann"), app.admin()];
        for (client, shown) in clients.iter().zip(expected) {
            let data = client.post(QUERY, json!({})).await.json();
            assert_eq!(data["data"]["__schema"]["queryType"]["name"] == "Query", shown, "{settings:?}: {data}");
            // The name of a type is no introspection of the schema.
            assert_eq!(client.data("{ __typename }", json!({})).await["__typename"], "Query");
        }
    }
}

/// Returns the reply to a token with these changes to the claims.
async fn signed(app: &TestApp, changes: Value) -> crate::support::Reply {
    ask(app, &[&format!("Bearer {}", hs256(&claims(app, changes)))]).await
}

async fn graphiql_is_shown_where_it_is_on(test: &TestApp) {
    const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let production = ("TOLLGATE_ENVIRONMENT", "production");
    let cases: [(Variables, bool); 5] = [
        (&[], true),
        (&[production], false),
        (&[("TOLLGATE_GRAPHIQL", "true"), production], true),
        (&[("TOLLGATE_GRAPHIQL", "true")], true),
        (&[("TOLLGATE_GRAPHIQL", "false")], false),
    ];
    for (settings, shown) in cases {
        let configured = configured(test, settings).await;
        let get = async |path: &str, accept: &str| {
            configured.send(Request::get(path).header("accept", accept).body(Body::empty()).unwrap()).await
        };
        let page = get("/graphql", BROWSER).await;
        let only_html = get("/graphql", "text/html").await;
        if shown {
            assert_eq!((page.status, only_html.status), (StatusCode::OK, StatusCode::OK), "{settings:?}");
            assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
            assert!(page.body.contains("/assets/graphiql.js"), "{}", page.body);
        } else {
            assert_eq!(page.status, StatusCode::BAD_REQUEST, "{settings:?}");
            assert_eq!(page.json()["errors"][0]["extensions"]["code"], "BAD_REQUEST");
            assert_eq!(only_html.status, StatusCode::NOT_ACCEPTABLE, "{settings:?}");
        }
        for asset in ["/assets/graphiql.js", "/assets/graphiql.css"] {
            let status = if shown { StatusCode::OK } else { StatusCode::NOT_FOUND };
            assert_eq!(get(asset, "*/*").await.status, status, "{settings:?} {asset}");
        }
        // A browser's query is answered in any case.
        let query = get("/graphql?query=%7B__typename%7D", BROWSER).await;
        assert_eq!((query.status, query.json()), (StatusCode::OK, json!({"data": {"__typename": "Query"}})));
    }
}

async fn the_leeway_extends_a_token_at_both_ends(test: &TestApp) {
    for leeway in [0, 30, 300] {
        let app = configured(test, &[("TOLLGATE_JWT_LEEWAY_S", &leeway.to_string())]).await;
        let now = app.app.now().timestamp();
        // A token ends at the instant of its expiry, and begins at that of `nbf`.
        for (changes, accepted) in [
            (json!({"exp": now - leeway + 1}), true),
            (json!({"exp": now - leeway - 1}), false),
            (json!({"nbf": now + leeway}), true),
            (json!({"nbf": now + leeway + 1}), false),
        ] {
            let reply = signed(&app, changes.clone()).await;
            if accepted {
                assert_eq!(reply.status, StatusCode::OK, "{leeway} {changes}: {}", reply.body);
            } else {
                refused(&reply, &format!("{leeway} {changes}"));
            }
        }
    }
}

async fn role(app: &TestApp, changes: Value) -> Value {
    signed(app, changes).await.json()["data"]["viewer"]["role"].take()
}

async fn the_role_is_read_from_the_configured_claim(test: &TestApp) {
    let cases = [
        ("app_metadata.role", json!({"app_metadata": {"role": "admin"}})),
        ("a.b.c", json!({"a": {"b": {"c": "admin"}}})),
        ("https://example.com/role", json!({"https://example.com/role": "admin"})),
        ("kind", json!({"kind": "admin"})),
    ];
    for (claim, changes) in cases {
        let app = configured(test, &[("TOLLGATE_JWT_ROLE_CLAIM", claim)]).await;
        assert_eq!(role(&app, changes.clone()).await, "ADMIN", "{claim}");
        // The default claim has no effect then, nor has the configured one in another place.
        assert_eq!(role(&app, json!({"tollgate_role": "admin"})).await, "USER", "{claim}");
        assert_eq!(role(test, changes).await, "USER", "{claim}");
        for value in [json!("ADMIN"), json!("admin "), json!(["admin"]), json!({"admin": true}), json!(1), json!(true)]
        {
            let nested = claim.split('.').rev().fold(value.clone(), |inner, name| json!({ name: inner }));
            let changes = if claim.starts_with("https") { json!({ claim: value }) } else { nested };
            assert_eq!(role(&app, changes.clone()).await, "USER", "{changes}");
        }
    }
}

async fn the_scopes_are_read_from_the_configured_claim(test: &TestApp) {
    let app = configured(test, &[("TOLLGATE_JWT_SCOPE_CLAIM", "permissions.billing")]).await;
    let expected = json!(["billing:read", "audit:read"]);
    for scopes in [
        json!("billing:read audit:read"),
        json!(["billing:read", "audit:read"]),
        json!("audit:read  billing:read unknown:scope"),
    ] {
        let changes = json!({"tollgate_role": "service", "permissions": {"billing": scopes}});
        let reply = signed(&app, changes.clone()).await.json();
        assert_eq!(reply["data"]["viewer"]["scopes"], expected, "{changes}");
    }
    // The default claim has no effect then.
    let reply = signed(&app, json!({"tollgate_role": "service", "scope": "billing:read"})).await.json();
    assert_eq!(reply["data"]["viewer"]["scopes"], json!([]));
}

async fn the_issuer_must_be_the_configured_one(test: &TestApp) {
    let app = configured(test, &[("TOLLGATE_JWT_ISSUER", "https://id.example.com")]).await;
    assert_eq!(role(&app, json!({})).await, "USER");
    for issuer in [
        json!("https://id.example.com/"),
        json!("http://id.example.com"),
        json!(["https://id.example.com"]),
        Value::Null,
    ] {
        refused(&signed(&app, json!({"iss": issuer})).await, &issuer.to_string());
    }
}

async fn any_configured_audience_is_accepted(test: &TestApp) {
    let app = configured(test, &[("TOLLGATE_JWT_AUDIENCE", "billing, app-2")]).await;
    for audience in [json!("billing"), json!("app-2"), json!(["other", "app-2"])] {
        assert_eq!(role(&app, json!({"aud": audience})).await, "USER", "{audience}");
    }
    for audience in [json!("other"), json!([]), json!("billing, app-2"), Value::Null] {
        refused(&signed(&app, json!({"aud": audience})).await, &audience.to_string());
    }
}

async fn users_are_created_by_their_first_request_unless_that_is_off(test: &TestApp) {
    let closed = configured(test, &[("TOLLGATE_CREATE_USERS_ON_SIGN_IN", "false")]).await;
    let users = || async { sql::number(test.app.db.schema(), "SELECT COUNT(*) FROM users").await };
    refused(&signed(&closed, json!({"sub": "new"})).await, "an unknown person");
    assert_eq!(users().await, 0);
    assert_eq!(role(test, json!({"sub": "new"})).await, "USER");
    assert_eq!(users().await, 1);
    assert_eq!(role(&closed, json!({"sub": "new"})).await, "USER", "a known person is let in");
    // A service is no user, so nothing needs to be created for it.
    assert_eq!(role(&closed, json!({"sub": "s", "tollgate_role": "service"})).await, "SERVICE");
    assert_eq!(users().await, 1);
}

async fn a_webhook_may_differ_from_the_clock_by_the_tolerance(test: &TestApp) {
    for (setting, provider, default) in [
        ("TOLLGATE_STRIPE_WEBHOOK_TOLERANCE_S", Provider::Stripe, 300),
        ("TOLLGATE_PADDLE_WEBHOOK_TOLERANCE_S", Provider::Paddle, 5),
    ] {
        let secret = crate::support::webhooks::secret(provider);
        let secrets = format!("TOLLGATE_{}_WEBHOOK_SECRETS", provider.name().to_uppercase());
        for tolerance in [1, default, 3600] {
            let app = test.beside(&[(secrets.as_str(), secret), (setting, &tolerance.to_string())]).await;
            let now = app.app.now().timestamp();
            for (off, status) in [(tolerance, 200), (-tolerance, 200), (tolerance + 1, 400), (-tolerance - 1, 400)] {
                let body = event(provider, &format!("evt_{tolerance}_{off}"), "cus_1").to_string();
                let header = signature(provider, &[secret], now + off, body.as_bytes());
                let reply = send(&app, provider, Some(&header), body.as_bytes()).await;
                assert_eq!(reply.status, status, "{setting}={tolerance}, {off}: {}", reply.body);
            }
        }
    }
    test.run_jobs().await;
}

async fn a_webhook_is_limited_in_length_apart_from_other_bodies(test: &TestApp) {
    let settings = [
        ("TOLLGATE_STRIPE_WEBHOOK_SECRETS", STRIPE_SECRET),
        ("TOLLGATE_WEBHOOK_BODY_LIMIT_BYTES", "2048"),
        ("TOLLGATE_BODY_LIMIT_BYTES", "1024"),
    ];
    let app = test.beside(&settings).await;
    let padded = |id: &str, length: usize| {
        let mut body = event(Provider::Stripe, id, "cus_1");
        body["padding"] = "".into();
        let missing = length - body.to_string().len();
        body["padding"] = "x".repeat(missing).into();
        body
    };
    assert_eq!(deliver(&app, Provider::Stripe, &padded("evt_1", 2048)).await.status, StatusCode::OK);
    assert_eq!(deliver(&app, Provider::Stripe, &padded("evt_2", 2049)).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(sql::number(test.app.db.read(), "SELECT COUNT(*) FROM inbox_events").await, 1);
    test.run_jobs().await;
}

/// Returns the state of the only event, and removes it.
async fn state(test: &TestApp) -> String {
    let states: Vec<String> = sql::column(test.app.db.read(), "SELECT state FROM inbox_events", []).await;
    sql::execute(test.app.db.schema(), "DELETE FROM inbox_events").await;
    sql::execute(test.app.db.schema(), "DELETE FROM jobs WHERE kind = 'apply_object'").await;
    assert_eq!(states.len(), 1);
    states[0].clone()
}

async fn events_of_the_configured_mode_are_applied(test: &TestApp) {
    let secrets = ("TOLLGATE_STRIPE_WEBHOOK_SECRETS", STRIPE_SECRET);
    let production = ("TOLLGATE_ENVIRONMENT", "production");
    let jwt = ("TOLLGATE_JWT_HS256_SECRET", SECRET);
    let cases: [(&[(&str, &str)], bool); 4] = [
        (&[secrets], false),
        (&[secrets, ("TOLLGATE_LIVEMODE", "true")], true),
        (&[secrets, jwt, production], true),
        (&[secrets, jwt, production, ("TOLLGATE_LIVEMODE", "false")], false),
    ];
    for (settings, live) in cases {
        let app = test.beside(settings).await;
        for livemode in [true, false] {
            let mut sent = event(Provider::Stripe, "evt_1", "cus_1");
            sent["livemode"] = livemode.into();
            assert_eq!(deliver(&app, Provider::Stripe, &sent).await.status, StatusCode::OK);
            let expected = if livemode == live { "received" } else { "ignored" };
            assert_eq!(state(test).await, expected, "{settings:?} {livemode}");
        }
    }
}

async fn events_of_the_configured_account_are_applied(test: &TestApp) {
    let secrets = ("TOLLGATE_STRIPE_WEBHOOK_SECRETS", STRIPE_SECRET);
    for (settings, account, expected) in [
        (&[secrets][..], None, "received"),
        (&[secrets], Some("acct_1"), "ignored"),
        (&[secrets, ("TOLLGATE_STRIPE_ACCOUNT", "acct_1")], None, "received"),
        (&[secrets, ("TOLLGATE_STRIPE_ACCOUNT", "acct_1")], Some("acct_1"), "received"),
        (&[secrets, ("TOLLGATE_STRIPE_ACCOUNT", "acct_1")], Some("acct_2"), "ignored"),
    ] {
        let app = test.beside(settings).await;
        let mut sent = event(Provider::Stripe, "evt_1", "cus_1");
        if let Some(account) = account {
            sent["account"] = account.into();
        }
        assert_eq!(deliver(&app, Provider::Stripe, &sent).await.status, StatusCode::OK);
        assert_eq!(state(test).await, expected, "{settings:?} {account:?}");
    }
}
