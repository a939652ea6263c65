//! The status of a licence by its key, which never reveals the owner.

use crate::licences::{REGISTER, issue, register};
use crate::support::{HeldTable, Reply, SECRET, TestApp, World, both_engines, global_id, licences};
use chrono::TimeDelta;
use serde_json::{Value, json};
use tollgate::auth::LicenseKeySecret;

both_engines!(
    an_application_may_run_where_the_licence_is_good_and_the_device_has_a_place,
    a_wrong_key_is_answered_like_a_mistyped_one,
    the_last_check_is_known_to_the_minute,
    an_address_may_ask_so_often_and_again_after_a_while,
    a_key_may_be_tried_so_often_from_wherever,
    a_trusted_proxy_says_where_a_request_comes_from,
    nobody_is_locked_out_by_others_who_try_wrong_keys,
    a_check_does_not_wait_for_the_time_of_last_use,
);

const STATUS: &str = "query($key: String!, $fingerprint: String = \"a\") {
    licenseStatus(key: $key, fingerprint: $fingerprint) {
        valid status reason deviceRegistered devicesUsed maxDevices plan checkedAt } }";

async fn status(test: &TestApp, key: &str) -> Value {
    test.anonymous().data(STATUS, json!({"key": key})).await["licenseStatus"].take()
}

async fn an_application_may_run_where_the_licence_is_good_and_the_device_has_a_place(test: &TestApp) {
    let world = World::make(test).await;
    let (licence, secret) = licences::issued(&test.app, world.shared).await;
    let key = secret.expose();
    let expected = |valid, status: &str, reason: Value, registered, used, plan: Value| {
        json!({"valid": valid, "status": status, "reason": reason, "deviceRegistered": registered,
            "devicesUsed": used, "maxDevices": 3, "plan": plan, "checkedAt": "2026-01-15T12:00:00Z"})
    };
    let sold = json!("sold");
    let stranger = expected(false, "ACTIVE", json!("DEVICE_NOT_REGISTERED"), false, 0, sold.clone());
    assert_eq!(status(test, &key).await, stranger);
    for fingerprint in ["b", "c", "d"] {
        register(test, &key, fingerprint).await;
    }
    let full = expected(false, "ACTIVE", json!("DEVICE_LIMIT_REACHED"), false, 3, sold.clone());
    assert_eq!(status(test, &key).await, full);
    let devices = "query($id: ID!) { node(id: $id) { ... on LicenseKey { devices { nodes { id } } } } }";
    let devices = test.admin().data(devices, json!({"id": global_id("LicenseKey", licence)})).await;
    let free = "mutation($id: ID!) { revokeDevice(input: {deviceId: $id}) { userErrors { code } } }";
    test.user("alice").data(free, json!({"id": devices["node"]["devices"]["nodes"][0]["id"]})).await;
    register(test, &key, "a").await;
    assert_eq!(status(test, &key).await, expected(true, "ACTIVE", Value::Null, true, 3, sold));
    // However it is typed.
    for typed in [key.to_lowercase(), key.replace('-', ""), key.replace('0', "O")] {
        assert_eq!(status(test, &typed).await["valid"], true, "{typed}");
    }
    let revoke = "mutation($id: ID!) { revokeLicenseKey(input: {licenseKeyId: $id}) { userErrors { code } } }";
    test.admin().data(revoke, json!({"id": global_id("LicenseKey", licence)})).await;
    let ended = expected(false, "REVOKED", json!("LICENSE_REVOKED"), true, 3, Value::Null);
    assert_eq!(status(test, &key).await, ended);
    // Nothing of the account is in it.
    let body = test.anonymous().post(STATUS, json!({"key": key})).await.body;
    assert!(world.seen(&serde_json::from_str(&body).unwrap()).is_empty(), "{body}");
}

async fn a_wrong_key_is_answered_like_a_mistyped_one(test: &TestApp) {
    let (licence, key) = issue(test, 1).await;
    register(test, &key, "a").await;
    let unknown = LicenseKeySecret::generate(&mut rand::rng()).expose();
    let prefix = licence["keyPrefix"].as_str().unwrap();
    let forged = forged(prefix, 0);
    assert_eq!(LicenseKeySecret::parse(&forged).unwrap().prefix(), prefix);
    let mistyped = key.replacen(&key[20..21], if &key[20..21] == "7" { "8" } else { "7" }, 1);
    let first = test.anonymous().post(STATUS, json!({"key": ""})).await.body;
    assert!(first.contains("\"UNKNOWN\"") && first.contains("\"devicesUsed\":null"), "{first}");
    for key in [&unknown, &forged, &mistyped, "TG", &"x".repeat(5_000), "💥", "\u{0}"] {
        assert_eq!(test.anonymous().post(STATUS, json!({"key": key})).await.body, first, "{key}");
    }
    // One without a key has none.
    assert_eq!(status(test, &key).await["valid"], true);
}

/// The first key from `number` on with this prefix, another secret, and the right check character.
fn forged(prefix: &str, number: u32) -> String {
    let found = (number..).find_map(|number| {
        let secret = format!("{number:019}").chars().collect::<Vec<_>>();
        let groups: String = secret.iter().enumerate().flat_map(|(at, char)| dashed(at, *char)).collect();
        "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
            .chars()
            .map(|last| format!("{prefix}-{groups}{last}"))
            .find(|key| LicenseKeySecret::parse(key).is_some())
    });
    found.unwrap()
}

/// A character of the secret part, with the dash before a new group.
fn dashed(at: usize, char: char) -> Vec<char> {
    if at > 0 && at.is_multiple_of(5) { vec!['-', char] } else { vec![char] }
}

async fn the_last_check_is_known_to_the_minute(test: &TestApp) {
    let (licence, key) = issue(test, 1).await;
    let seen =
        "query($id: ID!) { node(id: $id) { ... on LicenseKey { lastVerifiedAt devices { nodes { lastSeenAt } } } } }";
    let seen = async || {
        let mut data = test.admin().data(seen, json!({"id": licence["id"]})).await;
        data["node"].take()
    };
    assert_eq!(seen().await["lastVerifiedAt"], Value::Null);
    register(test, &key, "a").await;
    for (seconds, shown) in [(0, "12:00:00"), (59, "12:00:00"), (1, "12:01:00"), (300, "12:06:00")] {
        test.advance(TimeDelta::seconds(seconds));
        status(test, &key).await;
        test.flush().await;
        let node = seen().await;
        assert_eq!(node["lastVerifiedAt"], format!("2026-01-15T{shown}Z"));
        assert_eq!(node["devices"]["nodes"][0]["lastSeenAt"], format!("2026-01-15T{shown}Z"));
    }
    // A key that is wrong touches nothing.
    test.advance(TimeDelta::hours(1));
    status(test, &key.replace("TG", "TX")).await;
    test.flush().await;
    assert_eq!(seen().await["lastVerifiedAt"], "2026-01-15T12:06:00Z");
}

/// Checks that the response asks for a wait of this number of seconds.
fn is_limited(reply: &Reply, seconds: u64) {
    assert_eq!(reply.status, 429, "{}", reply.body);
    assert_eq!(reply.headers["retry-after"], seconds.to_string());
    let error = &reply.json()["errors"][0];
    assert_eq!(error["extensions"], json!({"code": "RATE_LIMITED", "retryAfterSeconds": seconds}));
    // The mutation beside others is null by itself.
    assert!([Value::Null, json!({"registerDevice": null})].contains(&reply.json()["data"]));
}

async fn an_address_may_ask_so_often_and_again_after_a_while(test: &TestApp) {
    let beside = |settings: &'static [(&'static str, &'static str)]| test.beside(settings);
    let test = &beside(&[("TOLLGATE_LICENSE_CHECKS_PER_MINUTE", "4"), ("TOLLGATE_JWT_HS256_SECRET", SECRET)]).await;
    let ask = async |address: &str, query: &str| {
        let variables = json!({"key": "TG-TYPED-WRONG", "fingerprint": "a"});
        test.anonymous().calling_from(address).post(query, variables).await
    };
    // Registrations count with checks, and each field of a document by itself.
    let twice = "query($key: String!, $fingerprint: String!) {
        a: licenseStatus(key: $key, fingerprint: $fingerprint) { status }
        b: licenseStatus(key: $key, fingerprint: $fingerprint) { status } }";
    assert_eq!(ask("203.0.113.9", STATUS).await.status, 200);
    assert_eq!(ask("203.0.113.9", REGISTER).await.status, 200);
    assert_eq!(ask("203.0.113.9", twice).await.status, 200);
    is_limited(&ask("203.0.113.9", STATUS).await, 15);
    is_limited(&ask("203.0.113.9", REGISTER).await, 15);
    // Another address is not touched by it, but an IPv6 household is one.
    assert_eq!(ask("203.0.113.10", STATUS).await.status, 200);
    for host in 1..=4 {
        assert_eq!(ask(&format!("2001:db8:1:2::{host}"), STATUS).await.status, 200);
    }
    is_limited(&ask("2001:db8:1:2:ffff::1", STATUS).await, 15);
    assert_eq!(ask("2001:db8:1:3::1", STATUS).await.status, 200);
    // Nor are other fields.
    let plans = test.anonymous().calling_from("203.0.113.9").post("{ plans { totalCount } }", json!({})).await;
    assert_eq!(plans.status, 200);

    test.advance(TimeDelta::milliseconds(14_500));
    is_limited(&ask("203.0.113.9", STATUS).await, 1);
    test.advance(TimeDelta::milliseconds(500));
    assert_eq!(ask("203.0.113.9", STATUS).await.status, 200);
    is_limited(&ask("203.0.113.9", STATUS).await, 15);
    // A document with too many checks is refused as a whole.
    test.advance(TimeDelta::seconds(15));
    is_limited(&ask("203.0.113.9", twice).await, 15);
}

async fn a_key_may_be_tried_so_often_from_wherever(test: &TestApp) {
    let (_, key) = issue(test, 1).await;
    let test =
        &test.beside(&[("TOLLGATE_LICENSE_CHECKS_PER_MINUTE", "4"), ("TOLLGATE_JWT_HS256_SECRET", SECRET)]).await;
    let ask = async |number: usize, key: &str| {
        let address = format!("198.51.100.{number}");
        test.anonymous().calling_from(&address).post(STATUS, json!({"key": key})).await
    };
    for number in 0..4 {
        assert_eq!(ask(number, &key).await.status, 200);
    }
    is_limited(&ask(5, &key).await, 15);
    is_limited(&ask(6, &key.to_lowercase()).await, 15);
    assert_eq!(ask(7, &LicenseKeySecret::generate(&mut rand::rng()).expose()).await.status, 200);
    test.advance(TimeDelta::seconds(15));
    assert_eq!(ask(8, &key).await.status, 200);
}

async fn a_trusted_proxy_says_where_a_request_comes_from(test: &TestApp) {
    let settings = [
        ("TOLLGATE_LICENSE_CHECKS_PER_MINUTE", "1"),
        ("TOLLGATE_JWT_HS256_SECRET", SECRET),
        ("TOLLGATE_TRUSTED_PROXIES", "10.0.0.0/8"),
        ("TOLLGATE_CLIENT_IP_HEADER", "X-Real-Client"),
    ];
    let test = &test.beside(&settings).await;
    let ask = async |peer: &str, said: &str| {
        let client = test.anonymous().calling_from(peer).with_header("x-real-client", said);
        client.post(STATUS, json!({"key": ""})).await.status.as_u16()
    };
    assert_eq!(ask("10.0.0.1", "203.0.113.9").await, 200);
    assert_eq!(ask("10.0.0.2", "203.0.113.9").await, 429);
    assert_eq!(ask("10.0.0.1", "203.0.113.10").await, 200);
    // The header of a sender that is not a proxy is ignored.
    assert_eq!(ask("192.0.2.1", "203.0.113.11").await, 200);
    assert_eq!(ask("192.0.2.1", "203.0.113.12").await, 429);
    assert_eq!(ask("10.0.0.1", "203.0.113.11").await, 200);
}

async fn nobody_is_locked_out_by_others_who_try_wrong_keys(test: &TestApp) {
    let (licence, key) = issue(test, 1).await;
    let test =
        &test.beside(&[("TOLLGATE_LICENSE_CHECKS_PER_MINUTE", "4"), ("TOLLGATE_JWT_HS256_SECRET", SECRET)]).await;
    let prefix = licence["keyPrefix"].as_str().unwrap();
    let ask = async |address: &str, query: &str, key: &str| {
        let variables = json!({"key": key, "fingerprint": "a"});
        test.anonymous().calling_from(address).post(query, variables).await
    };
    // Whoever knows the prefix tries keys from many addresses, and from the owner's.
    for number in 0..30 {
        let wrong = forged(prefix, number * 1_000);
        let query = if number % 2 == 0 { STATUS } else { REGISTER };
        ask(&format!("198.51.100.{number}"), query, &wrong).await;
        ask("203.0.113.9", query, &wrong).await;
    }
    is_limited(&ask("203.0.113.9", STATUS, &forged(prefix, 99_000)).await, 15);
    is_limited(&ask("203.0.113.9", REGISTER, &forged(prefix, 99_000)).await, 15);
    let right = ask("203.0.113.9", REGISTER, &key).await.json();
    assert_eq!(right["data"]["registerDevice"]["userErrors"], json!([]), "{right}");
    assert_eq!(ask("203.0.113.9", STATUS, &key).await.json()["data"]["licenseStatus"]["valid"], true);
    assert_eq!(ask("192.0.2.7", STATUS, &key).await.json()["data"]["licenseStatus"]["valid"], true);
    // A right key has a limit of its own, wherever it comes from.
    assert_eq!(ask("192.0.2.8", STATUS, &key).await.status, 200);
    is_limited(&ask("192.0.2.9", STATUS, &key).await, 15);
    // Wrong keys have a limit for each address.
    let keys = (0..40).map(|number| forged(prefix, 500_000 + number * 1_000));
    let mut waits = Vec::new();
    for key in keys {
        let reply = ask("192.0.2.10", STATUS, &key).await;
        waits.push(reply.headers.get("retry-after").map(|wait| wait.to_str().unwrap().to_owned()));
    }
    assert!(waits[..4].iter().all(Option::is_none) && waits[4..].iter().all(Option::is_some), "{waits:?}");
}

async fn a_check_does_not_wait_for_the_time_of_last_use(test: &TestApp) {
    let (licence, key) = issue(test, 1).await;
    register(test, &key, "a").await;
    test.advance(TimeDelta::minutes(2));
    let held = HeldTable::of(test, "license_keys").await;
    for _ in 0..20 {
        assert_eq!(status(test, &key).await["valid"], true);
    }
    held.release().await;
    test.flush().await;
    let seen = "query($id: ID!) { node(id: $id) { ... on LicenseKey { lastVerifiedAt } } }";
    let seen = test.admin().data(seen, json!({"id": licence["id"]})).await;
    assert_eq!(seen["node"]["lastVerifiedAt"], "2026-01-15T12:02:00Z");
}
