//! Webhooks on their way in: what is genuine is kept once, what is not leaves no trace but a security event.

use crate::support::webhooks::{PADDLE_SECRET, STRIPE_SECRET, deliver, event, mac, secret, send, signature};
use crate::support::{Reply, TestApp, both_engines, sql};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use entity::{changes, inbox_events, jobs};
use serde_json::{Value, json};
use tollgate::providers::Provider;

both_engines!(
    a_genuine_event_is_kept_with_the_job_that_applies_it,
    a_forged_one_is_refused_in_every_way_and_leaves_a_security_event,
    while_a_secret_is_replaced_either_will_do,
    the_time_of_a_signature_is_judged_by_our_clock,
    an_event_is_kept_once_however_often_it_comes,
    events_about_one_object_are_one_job,
    events_for_others_are_kept_without_effect,
    a_genuine_body_that_is_no_event_is_refused,
    a_path_without_a_secret_is_not_there,
    bodies_and_methods_that_do_not_fit_are_refused,
);

async fn events(test: &TestApp) -> Vec<inbox_events::Model> {
    sql::models(test.app.db.read(), "SELECT * FROM inbox_events ORDER BY received_at, id").await
}

async fn queued(test: &TestApp) -> Vec<jobs::Model> {
    sql::models(test.app.db.read(), "SELECT * FROM jobs WHERE kind = 'apply_object' ORDER BY unique_key").await
}

async fn told(test: &TestApp) -> Vec<changes::Model> {
    sql::models(test.app.db.read(), "SELECT * FROM changes").await
}

fn received(reply: &Reply) {
    assert_eq!((reply.status, reply.json()), (StatusCode::OK, json!({"received": true})), "{}", reply.body);
}

fn refused(reply: &Reply, message: &str) {
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{}", reply.body);
    assert_eq!(reply.json()["errors"][0]["message"], message);
}

async fn a_genuine_event_is_kept_with_the_job_that_applies_it(test: &TestApp) {
    for (provider, version, occurred) in [
        (Provider::Stripe, Some("2025-08-27.basil"), "2025-09-04T15:33:20+00:00"),
        (Provider::Paddle, None, "2025-09-04T15:33:20.027061+00:00"),
    ] {
        let name = provider.name();
        let sent = event(provider, &format!("evt_{name}"), &format!("cus_{name}"));
        received(&deliver(test, provider, &sent).await);
        let kept = events(test).await.pop().unwrap();
        assert_eq!(
            (&*kept.provider, &*kept.external_id, &*kept.kind),
            (name, &*format!("evt_{name}"), "customer.updated")
        );
        assert_eq!((kept.api_version.as_deref(), kept.occurred_at.to_rfc3339().as_str()), (version, occurred));
        assert_eq!((kept.object_id.unwrap(), kept.payload), (format!("cus_{name}"), sent));
        assert_eq!((&*kept.state, &*kept.source, kept.attempts, kept.note), ("received", "webhook", 0, None));
        assert_eq!(kept.received_at, test.app.now());
        let job = queued(test).await.pop().unwrap();
        assert_eq!(job.unique_key, Some(format!("{name}:customer:cus_{name}")));
        assert_eq!(job.payload, json!({"provider": name, "kind": "customer", "object_id": format!("cus_{name}")}));
        let change = told(test).await.into_iter().find(|change| change.subject_id == kept.id).unwrap();
        assert_eq!((&*change.kind, change.account_id), ("webhook_event_received", None));
        assert_eq!(test.run_jobs().await, 1);
    }
}

/// Headers and bodies that are not the provider's, each with what is wrong.
fn forgeries(provider: Provider, now: i64, body: &[u8]) -> Vec<(&'static str, Option<String>, Vec<u8>)> {
    let good = signature(provider, &[secret(provider)], now, body);
    let other = if provider == Provider::Stripe { Provider::Paddle } else { Provider::Stripe };
    let theirs = signature(other, &[secret(provider)], now, body);
    let wrong = signature(provider, &["whsec_of_someone_else"], now, body);
    let (time, macs) = good.split_once([',', ';']).unwrap();
    let mac = mac(provider, secret(provider), now, body);
    let tolerance = if provider == Provider::Stripe { 300 } else { 5 };
    let timed = |off: i64| Some(signature(provider, &[secret(provider)], now + off, body));
    let mut tampered = body.to_vec();
    tampered[body.len() / 2] ^= 1;
    let same = |what, header: String| (what, Some(header), body.to_vec());
    vec![
        same("no signature matches", wrong),
        ("no signature matches", Some(good.clone()), tampered),
        ("no signature matches", Some(good.clone()), [body, b" "].concat()),
        ("signature too old", timed(-tolerance - 1), body.to_vec()),
        ("signature too old", timed(-now), body.to_vec()),
        ("signature from the future", timed(tolerance + 1), body.to_vec()),
        ("no signature", None, body.to_vec()),
        same("malformed signature header", String::new()),
        same("malformed signature header", "ts==;,v1".to_owned()),
        same("signature without a time", macs.to_owned()),
        same("no signature matches", good.replace("v1=", "v0=").replace("h1=", "h0=")),
        same("no signature matches", good.replace(&mac, &mac[..40])),
        same("no signature matches", good.replace(&now.to_string(), &(now + 7).to_string())),
        same("no signature matches", time.to_owned()),
        same("signature without a time", theirs),
    ]
}

async fn a_forged_one_is_refused_in_every_way_and_leaves_a_security_event(test: &TestApp) {
    for provider in Provider::ALL {
        let body = event(provider, "evt_1", "cus_1").to_string();
        for number in 0..15 {
            // The last count is written at once, because each event comes in its own minute.
            test.advance(chrono::TimeDelta::minutes(1));
            let mut all = forgeries(provider, test.app.now().timestamp(), body.as_bytes());
            assert_eq!(all.len(), 15);
            let (what, header, body) = all.swap_remove(number);
            refused(&send(test, provider, header.as_deref(), &body).await, "The signature is not valid.");
            let detail = "SELECT detail FROM security_events ORDER BY last_at DESC LIMIT 1";
            let detail: String = sql::column(test.app.db.read(), detail, []).await.remove(0);
            assert_eq!(detail, format!("{}: {what}", provider.name()), "{header:?}");
        }
        let at = test.app.now().timestamp();
        // Not even beside one that would do.
        let good = signature(provider, &[secret(provider)], at, body.as_bytes());
        let twice = Request::post(format!("/webhooks/{}", provider.name()))
            .header(provider.signature_header(), &good)
            .header(provider.signature_header(), &good);
        refused(&test.send(twice.body(Body::from(body)).unwrap()).await, "The signature is not valid.");
    }
    assert!(events(test).await.is_empty() && queued(test).await.is_empty() && told(test).await.is_empty());
    test.advance(chrono::TimeDelta::minutes(1));
    tollgate::security::flush(&test.app).await;
    let total = "SELECT CAST(SUM(occurrences) AS BIGINT) FROM security_events";
    assert_eq!(sql::number(test.app.db.read(), total).await, 32);
}

async fn while_a_secret_is_replaced_either_will_do(test: &TestApp) {
    let (both, new) = (format!("whsec_new_0123456789,{STRIPE_SECRET}"), "pdl_ntfset_new_0123456789");
    let rolling = test
        .beside(&[
            ("TOLLGATE_STRIPE_WEBHOOK_SECRETS", &both),
            ("TOLLGATE_PADDLE_WEBHOOK_SECRETS", &format!("{new}, {PADDLE_SECRET}")),
        ])
        .await;
    let now = rolling.app.now().timestamp();
    let mut number = 0;
    for (provider, new) in [(Provider::Stripe, "whsec_new_0123456789"), (Provider::Paddle, new)] {
        let old = secret(provider);
        for secrets in [&[new][..], &[old], &[old, new], &[new, old], &["whsec_of_someone_else", old]] {
            number += 1;
            let body = event(provider, &format!("evt_{number}"), "cus_1").to_string();
            let header = signature(provider, secrets, now, body.as_bytes());
            received(&send(&rolling, provider, Some(&header), body.as_bytes()).await);
        }
    }
    assert_eq!(events(test).await.len(), 10);
    test.run_jobs().await;
}

async fn the_time_of_a_signature_is_judged_by_our_clock(test: &TestApp) {
    let wide = [
        ("TOLLGATE_STRIPE_WEBHOOK_SECRETS", STRIPE_SECRET),
        ("TOLLGATE_STRIPE_WEBHOOK_TOLERANCE_S", "1"),
        ("TOLLGATE_PADDLE_WEBHOOK_SECRETS", PADDLE_SECRET),
        ("TOLLGATE_PADDLE_WEBHOOK_TOLERANCE_S", "3600"),
    ];
    let other = test.beside(&wide).await;
    for (test, provider, tolerance) in [
        (test, Provider::Stripe, 300),
        (test, Provider::Paddle, 5),
        (&other, Provider::Stripe, 1),
        (&other, Provider::Paddle, 3_600),
    ] {
        for (off, passes) in [(-tolerance - 1, false), (-tolerance, true), (tolerance, true), (tolerance + 1, false)] {
            // The event itself is of last year, as one that is sent again after days may be.
            let body = event(provider, &format!("evt_{tolerance}_{off}"), "cus_1").to_string();
            let time = test.app.now().timestamp() + off;
            let header = signature(provider, &[secret(provider)], time, body.as_bytes());
            let reply = send(test, provider, Some(&header), body.as_bytes()).await;
            assert_eq!(reply.status.is_success(), passes, "{} {tolerance} {off}: {}", provider.name(), reply.body);
        }
    }
    test.run_jobs().await;
}

async fn an_event_is_kept_once_however_often_it_comes(test: &TestApp) {
    for provider in Provider::ALL {
        let first = event(provider, "evt_1", "cus_1");
        let copies = (0..20).map(|_| deliver(test, provider, &first));
        futures_util::future::join_all(copies).await.iter().for_each(received);
        // The id alone counts; a provider that sends an event again may change what surrounds it.
        let mut again = first.clone();
        again["notification_id"] = json!("ntf_2");
        again["pending_webhooks"] = json!(0);
        received(&deliver(test, provider, &again).await);
        let kept = events(test).await;
        let kept: Vec<_> = kept.iter().filter(|kept| kept.provider == provider.name()).collect();
        assert_eq!((kept.len(), &kept[0].payload), (1, &first));
    }
    assert_eq!(
        (queued(test).await.len(), told(test).await.len()),
        (2, 2),
        "the same id of another provider is another"
    );
    assert_eq!(test.run_jobs().await, 2);
    received(&deliver(test, Provider::Stripe, &event(Provider::Stripe, "evt_1", "cus_1")).await);
    assert_eq!(queued(test).await.len(), 0, "what is known already is not applied again");
}

async fn events_about_one_object_are_one_job(test: &TestApp) {
    for number in 0..6 {
        let object = format!("cus_{}", number % 2);
        received(&deliver(test, Provider::Stripe, &event(Provider::Stripe, &format!("evt_{number}"), &object)).await);
    }
    let keys: Vec<_> = queued(test).await.into_iter().filter_map(|job| job.unique_key).collect();
    let expected = ["stripe:customer:cus_0", "stripe:customer:cus_1"].map(str::to_owned).to_vec();
    assert_eq!((events(test).await.len(), keys), (6, expected));
    assert_eq!(test.run_jobs().await, 2);
}

async fn events_for_others_are_kept_without_effect(test: &TestApp) {
    let summary = json!({"object": {"object": "entitlements.active_entitlement_summary", "customer": "cus_1"}});
    let thin = json!({"id": "evt_4", "object": "v2.core.event", "type": "v1.billing.meter.error_report_triggered",
        "created": "2025-09-04T15:33:20.027Z", "livemode": false, "related_object": {"id": "mtr_1", "type": "billing.meter"}});
    let stripe = |id: &str, field: &str, value: Value| {
        let mut event = event(Provider::Stripe, id, "cus_1");
        event[field] = value;
        event
    };
    let mut paddle = event(Provider::Paddle, "evt_5", "cus_1");
    paddle["data"] = json!({});
    for (provider, sent, note) in [
        (Provider::Stripe, stripe("evt_1", "livemode", json!(true)), "The event is of the other mode, live or test."),
        (Provider::Stripe, stripe("evt_2", "account", json!("acct_1")), "The event is of another account."),
        (Provider::Stripe, stripe("evt_3", "data", summary), "The event is about no object with an id."),
        (Provider::Stripe, thin, "Thin events hold no object: let the endpoint send snapshots."),
        (Provider::Paddle, paddle, "The event is about no object with an id."),
    ] {
        received(&deliver(test, provider, &sent).await);
        test.advance(chrono::TimeDelta::seconds(1));
        let kept = events(test).await.pop().unwrap();
        assert_eq!((&*kept.state, kept.note.as_deref(), &kept.payload), ("ignored", Some(note), &sent));
    }
    assert_eq!((queued(test).await.len(), told(test).await.len()), (0, 5));
}

async fn a_genuine_body_that_is_no_event_is_refused(test: &TestApp) {
    for (provider, body, message) in [
        (Provider::Stripe, "", "the body is not JSON"),
        (Provider::Stripe, "{\"id\": \"evt_1\"", "the body is not JSON"),
        (Provider::Stripe, "{}", "the event has no id"),
        (Provider::Stripe, "{\"id\": \"evt_1\"}", "the event has no type"),
        (Provider::Paddle, "not JSON", "the body is not JSON"),
        (Provider::Paddle, "[]", "the event has no event_id"),
    ] {
        let header = signature(provider, &[secret(provider)], test.app.now().timestamp(), body.as_bytes());
        refused(&send(test, provider, Some(&header), body.as_bytes()).await, message);
    }
    assert!(events(test).await.is_empty());
    let nul =
        "{\"id\": \"evt_1\", \"type\": \"a\\u0000b\", \"created\": 1, \"livemode\": false, \"\\u0000\": \"\\u0000\"}";
    let header = signature(Provider::Stripe, &[STRIPE_SECRET], test.app.now().timestamp(), nul.as_bytes());
    received(&send(test, Provider::Stripe, Some(&header), nul.as_bytes()).await);
    assert_eq!(events(test).await[0].kind, "ab");
}

async fn a_path_without_a_secret_is_not_there(test: &TestApp) {
    let bare = test.beside(&[("TOLLGATE_STRIPE_WEBHOOK_SECRETS", STRIPE_SECRET)]).await;
    let reply = deliver(&bare, Provider::Paddle, &event(Provider::Paddle, "evt_1", "cus_1")).await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
    let nothing = bare.send(Request::post("/webhooks/nobody").body(Body::empty()).unwrap()).await;
    assert_eq!(reply.body, nothing.body, "nothing is said of settings");
    received(&deliver(&bare, Provider::Stripe, &event(Provider::Stripe, "evt_1", "cus_1")).await);
    test.run_jobs().await;
}

async fn bodies_and_methods_that_do_not_fit_are_refused(test: &TestApp) {
    let small = [("TOLLGATE_STRIPE_WEBHOOK_SECRETS", STRIPE_SECRET), ("TOLLGATE_WEBHOOK_BODY_LIMIT_BYTES", "1024")];
    let small = test.beside(&small).await;
    let mut sent = event(Provider::Stripe, "evt_1", "cus_1");
    let padding = 1_024 - sent.to_string().len() - ",\"padding\":\"\"".len();
    sent["padding"] = json!("x".repeat(padding));
    assert_eq!(sent.to_string().len(), 1_024);
    received(&deliver(&small, Provider::Stripe, &sent).await);
    sent["padding"] = json!("x".repeat(padding + 1));
    assert_eq!(deliver(&small, Provider::Stripe, &sent).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        let request = Request::builder().method(method).uri("/webhooks/stripe").header("origin", "https://a.example");
        let reply = test.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(reply.headers["allow"], "POST");
        assert!(!reply.headers.contains_key("access-control-allow-origin"));
    }
    assert_eq!(events(test).await.len(), 1);
    test.run_jobs().await;
}
