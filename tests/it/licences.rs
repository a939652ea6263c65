//! Licence keys and devices: shown once, kept as hashes, used on so many devices and no more.

use crate::support::{Client, TestApp, World, both_engines, global_id, licences, local_id, sql};
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tollgate::auth::Permission;

both_engines!(
    a_key_is_shown_once_and_kept_as_a_hash,
    an_owner_is_shown_a_key_once_and_then_replaces_it,
    of_many_who_ask_for_a_key_at_once_one_is_shown_it,
    a_licence_is_changed_by_its_owner_only,
    a_revoked_licence_ends_for_good,
    devices_have_places_up_to_the_limit,
    of_many_devices_at_once_no_more_get_a_place_than_there_are,
    a_device_with_a_place_keeps_it_however_often_it_registers,
    wrong_input_is_refused_with_its_field,
    everything_done_to_a_licence_is_in_the_audit_log,
);

const ISSUE: &str = "mutation($account: ID!, $key: String = \"k\", $devices: Int) {
    issueLicenseKey(input: {accountId: $account, idempotencyKey: $key, maxDevices: $devices}) {
        key licenseKey { id keyPrefix licenseStatus licenseSource maxDevices issuedAt account { id } }
        userErrors { code field } } }";
const REVEAL: &str = "mutation($id: ID!) { revealLicenseKey(input: {licenseKeyId: $id}) {
    key licenseKey { id keyPrefix } userErrors { code field message } } }";
const REPLACE: &str = "mutation($id: ID!) { replaceLicenseKey(input: {licenseKeyId: $id}) {
    key licenseKey { id keyPrefix } userErrors { code field } } }";
const REVOKE: &str = "mutation($id: ID!) { revokeLicenseKey(input: {licenseKeyId: $id, reason: \"shared\"}) {
    licenseKey { id licenseStatus revokedAt } userErrors { code field } } }";
pub(crate) const REGISTER: &str = "mutation($key: String!, $fingerprint: String!, $name: String, $version: String) {
    registerDevice(input: {key: $key, fingerprint: $fingerprint, name: $name, appVersion: $version}) {
        registration { fingerprint registeredAt devicesUsed maxDevices } userErrors { code field } } }";
const REVOKE_DEVICE: &str = "mutation($id: ID!) { revokeDevice(input: {deviceId: $id}) {
    device { id revokedAt } userErrors { code field } } }";
const DEVICES: &str = "query($id: ID!, $all: Boolean = false) { node(id: $id) { ... on LicenseKey {
    devices(includeRevoked: $all) { nodes { id fingerprint displayName appVersion firstSeenAt lastSeenAt } } } } }";

/// The account of a user, who is made for it.
pub(crate) async fn account(test: &TestApp, name: &str) -> Value {
    test.user(name).data("{ viewer { account { id } } }", json!({})).await["viewer"]["account"]["id"].take()
}

/// Issues a licence to Alice as an admin: the licence, and its key.
pub(crate) async fn issue(test: &TestApp, devices: i64) -> (Value, String) {
    let variables = json!({"account": account(test, "alice").await, "devices": devices});
    let mut payload = test.admin().data(ISSUE, variables).await["issueLicenseKey"].take();
    assert_eq!(payload["userErrors"], json!([]));
    (payload["licenseKey"].take(), payload["key"].as_str().unwrap().to_owned())
}

pub(crate) async fn register(test: &TestApp, key: &str, fingerprint: &str) -> Value {
    let variables = json!({"key": key, "fingerprint": fingerprint});
    test.anonymous().data(REGISTER, variables).await["registerDevice"].take()
}

async fn a_key_is_shown_once_and_kept_as_a_hash(test: &TestApp) {
    let (licence, key) = issue(test, 2).await;
    assert_eq!(licence["licenseStatus"], "ACTIVE");
    assert_eq!(licence["licenseSource"], "ADMIN");
    assert_eq!(licence["maxDevices"], 2);
    assert_eq!(licence["account"]["id"], account(test, "alice").await);
    assert!(key.starts_with(&format!("{}-", licence["keyPrefix"].as_str().unwrap())), "{key}");

    let again = json!({"account": licence["account"]["id"], "devices": 2});
    let repeated = test.admin().data(ISSUE, again).await["issueLicenseKey"].take();
    assert_eq!(repeated, json!({"key": null, "licenseKey": licence, "userErrors": []}));
    let other = json!({"account": licence["account"]["id"], "devices": 3});
    assert_eq!(test.admin().code(ISSUE, other).await, "IDEMPOTENCY_KEY_REUSED");

    // The secret part stands in no answer and in no column, with or without dashes.
    register(test, &key, "f").await;
    let lists = "{ licenseKeys { nodes { id keyPrefix devices { nodes { id fingerprint } } } }
        auditLog { nodes { before after } } }";
    let mut kept = vec![test.admin().post(lists, json!({})).await.body];
    for table in ["license_keys", "devices", "audit_log", "idempotency_keys", "changes", "jobs"] {
        kept.push(everything(test, table).await);
    }
    let plain = key.replace('-', "");
    // And the hash leaves through no field.
    let hash: String = sql::column(test.app.db.schema(), "SELECT hash FROM license_keys", []).await.remove(0);
    assert!(hash.len() == 64 && !kept[0].contains(&hash));
    let fields = "{ __type(name: \"LicenseKey\") { fields { name } } }";
    assert!(!test.admin().post(fields, json!({})).await.body.contains("hash"));
    for text in kept {
        assert!(!text.contains(&key[15..]) && !text.contains(&plain[12..]), "{text}");
    }
}

/// All that a table holds, as text.
async fn everything(test: &TestApp, table: &str) -> String {
    let db = test.app.db.schema();
    let columns = match db.get_database_backend() {
        sea_orm::DbBackend::Postgres => vec![format!("{table}::text")],
        _ => {
            let names = format!("SELECT name FROM pragma_table_info('{table}')");
            let names: Vec<String> = sql::column(db, &names, []).await;
            names.iter().map(|name| format!("quote({name})")).collect()
        }
    };
    let rows: Vec<String> = sql::column(db, &format!("SELECT {} FROM {table}", columns.join(" || ' ' || ")), []).await;
    rows.join("\n")
}

async fn an_owner_is_shown_a_key_once_and_then_replaces_it(test: &TestApp) {
    let (_, account) = local_id(account(test, "alice").await.as_str().unwrap());
    let (id, order) = licences::bought(&test.app, account).await;
    let id = json!({"id": global_id("LicenseKey", id)});
    let alice = test.user("alice");
    let mine = "{ viewer { account { licenseKeys { nodes { keyPrefix licenseSource orderExternalId orderProvider
        licensedProductExternalId purchase { id } } } } } }";
    let mut seen = alice.data(mine, json!({})).await;
    let expected = json!([{"keyPrefix": null, "licenseSource": "PURCHASE", "orderExternalId": order,
        "orderProvider": "PADDLE", "licensedProductExternalId": "pro_1", "purchase": null}]);
    assert_eq!(seen["viewer"]["account"]["licenseKeys"]["nodes"].take(), expected);

    let shown = alice.data(REVEAL, id.clone()).await["revealLicenseKey"].take();
    let first = shown["key"].as_str().unwrap();
    assert_eq!(register(test, first, "a").await["registration"]["devicesUsed"], 1);
    let refused = alice.data(REVEAL, id.clone()).await["revealLicenseKey"].take();
    assert!(refused["key"].is_null() && refused["licenseKey"].is_null());
    assert_eq!(refused["userErrors"][0]["code"], "KEY_ALREADY_SHOWN");
    assert!(refused["userErrors"][0]["message"].as_str().unwrap().contains("replaceLicenseKey"));

    let replaced = alice.data(REPLACE, id.clone()).await["replaceLicenseKey"].take();
    let second = replaced["key"].as_str().unwrap();
    assert_ne!(shown["licenseKey"]["keyPrefix"], replaced["licenseKey"]["keyPrefix"]);
    assert_eq!(register(test, first, "b").await["userErrors"][0]["code"], "LICENSE_INVALID");
    // The devices keep their places.
    assert_eq!(register(test, second, "a").await["registration"]["devicesUsed"], 1);
    // And an admin may, too.
    let third = test.admin().data(REPLACE, id).await["replaceLicenseKey"]["key"].take();
    assert_eq!(register(test, second, "a").await["userErrors"][0]["code"], "LICENSE_INVALID");
    assert_eq!(register(test, third.as_str().unwrap(), "b").await["registration"]["devicesUsed"], 2);
}

async fn of_many_who_ask_for_a_key_at_once_one_is_shown_it(test: &TestApp) {
    let (_, account) = local_id(account(test, "alice").await.as_str().unwrap());
    let (id, _) = licences::bought(&test.app, account).await;
    let id = json!({"id": global_id("LicenseKey", id)});
    let answers = join_all((0..16).map(async |_| test.user("alice").data(REVEAL, id.clone()).await)).await;
    let (shown, refused): (Vec<_>, Vec<_>) =
        answers.iter().map(|answer| &answer["revealLicenseKey"]).partition(|payload| payload["key"].is_string());
    assert_eq!((shown.len(), refused.len()), (1, 15));
    assert!(refused.iter().all(|payload| payload["userErrors"][0]["code"] == "KEY_ALREADY_SHOWN"));
    let key = shown[0]["key"].as_str().unwrap();
    assert_eq!(register(test, key, "a").await["registration"]["devicesUsed"], 1);
}

async fn a_licence_is_changed_by_its_owner_only(test: &TestApp) {
    let world = World::make(test).await;
    let (unshown, _) = licences::bought(&test.app, world.shared).await;
    let unshown = global_id("LicenseKey", unshown);
    let device = world.id("Device", "shared");
    let unknown = |ty| global_id(ty, uuid::Uuid::from_u128(7));
    for name in ["eve", "carol"] {
        for (mutation, id, ty) in
            [(REVEAL, &*unshown, "LicenseKey"), (REPLACE, &unshown, "LicenseKey"), (REVOKE_DEVICE, device, "Device")]
        {
            let theirs = test.user(name).post(mutation, json!({"id": id})).await;
            let none = test.user(name).post(mutation, json!({"id": unknown(ty)})).await;
            assert_eq!(theirs.body, none.body, "{name}: theirs and none look alike");
            assert!(theirs.body.contains("\"NOT_FOUND\""), "{}", theirs.body);
        }
    }
    // To see everything is not to change everything.
    let reader = test.service(&[Permission::BillingRead]);
    for caller in [&reader, &test.anonymous()] {
        for (mutation, id) in [(REVEAL, &*unshown), (REPLACE, &unshown), (REVOKE, &unshown), (REVOKE_DEVICE, device)] {
            let code = caller.code(mutation, json!({"id": id})).await;
            assert!(["FORBIDDEN", "UNAUTHENTICATED"].contains(&&*code), "{mutation}: {code}");
        }
    }
    assert_eq!(test.user("alice").code(REVOKE, json!({"id": unshown})).await, "FORBIDDEN");
    // A fellow member may.
    let shown = test.user("bob").data(REVEAL, json!({"id": unshown})).await;
    assert!(shown["revealLicenseKey"]["key"].is_string());
    let freed = test.user("bob").data(REVOKE_DEVICE, json!({"id": device})).await;
    assert_eq!(freed["revokeDevice"]["userErrors"], json!([]));
}

async fn a_revoked_licence_ends_for_good(test: &TestApp) {
    let (licence, key) = issue(test, 2).await;
    register(test, &key, "a").await;
    let id = json!({"id": licence["id"]});
    let first = test.admin().data(REVOKE, id.clone()).await;
    assert_eq!(first["revokeLicenseKey"]["licenseKey"]["revokedAt"], "2026-01-15T12:00:00Z");
    assert_eq!(first["revokeLicenseKey"]["licenseKey"]["licenseStatus"], "REVOKED");
    test.advance(TimeDelta::minutes(5));
    assert_eq!(test.admin().data(REVOKE, id.clone()).await, first, "once more changes nothing");
    for fingerprint in ["a", "b"] {
        let refused = register(test, &key, fingerprint).await;
        assert_eq!(refused["userErrors"], json!([{"code": "LICENSE_REVOKED", "field": ["key"]}]));
    }
    for (mutation, field) in [(REVEAL, "revealLicenseKey"), (REPLACE, "replaceLicenseKey")] {
        let refused = test.user("alice").data(mutation, id.clone()).await;
        assert_eq!(refused[field]["userErrors"][0]["code"], "LICENSE_REVOKED");
    }
    let revoked = "{ licenseKeys(filter: {status: REVOKED}) { totalCount } }";
    assert_eq!(test.admin().data(revoked, json!({})).await["licenseKeys"]["totalCount"], 1);
}

async fn devices_have_places_up_to_the_limit(test: &TestApp) {
    let (licence, key) = issue(test, 2).await;
    let place = json!({"fingerprint": "a", "registeredAt": "2026-01-15T12:00:00Z", "devicesUsed": 1, "maxDevices": 2});
    assert_eq!(register(test, &key, "a").await, json!({"registration": place, "userErrors": []}));
    assert_eq!(register(test, &key, "b").await["registration"]["devicesUsed"], 2);
    let full = json!({"registration": null, "userErrors": [{"code": "DEVICE_LIMIT_REACHED", "field": ["key"]}]});
    assert_eq!(register(test, &key, "c").await, full);

    let id = json!({"id": licence["id"]});
    let devices = test.user("alice").data(DEVICES, id.clone()).await["node"]["devices"]["nodes"].take();
    assert_eq!(devices[0]["fingerprint"], "a");
    let freed = test.user("alice").data(REVOKE_DEVICE, json!({"id": devices[0]["id"]})).await;
    assert_eq!(freed["revokeDevice"]["device"]["revokedAt"], "2026-01-15T12:00:00Z");
    test.advance(TimeDelta::minutes(1));
    assert_eq!(test.user("alice").data(REVOKE_DEVICE, json!({"id": devices[0]["id"]})).await, freed);
    assert_eq!(register(test, &key, "c").await["registration"]["devicesUsed"], 2);
    // A revoked device does not get a place by registering again.
    assert_eq!(register(test, &key, "a").await, full);
    let shown = test.user("alice").data(DEVICES, id.clone()).await["node"]["devices"]["nodes"].take();
    let names: Vec<_> = shown.as_array().unwrap().iter().map(|device| device["fingerprint"].clone()).collect();
    assert_eq!(names, ["b", "c"]);
    let all = test.user("alice").data(DEVICES, json!({"id": licence["id"], "all": true})).await;
    assert_eq!(all["node"]["devices"]["nodes"].as_array().unwrap().len(), 3);
}

async fn of_many_devices_at_once_no_more_get_a_place_than_there_are(test: &TestApp) {
    let (licence, key) = issue(test, 3).await;
    // Each device registers twice, which must take one place.
    let answers = join_all((0..48).map(|number| {
        let (key, fingerprint) = (key.clone(), format!("f{}", number % 24));
        async move { (fingerprint.clone(), register(test, &key, &fingerprint).await) }
    }))
    .await;
    let placed: BTreeSet<_> =
        answers.iter().filter(|(_, payload)| payload["registration"].is_object()).map(|(name, _)| name).collect();
    assert_eq!(placed.len(), 3);
    for (fingerprint, payload) in &answers {
        match placed.contains(fingerprint) {
            true => assert_eq!(payload["userErrors"], json!([]), "{fingerprint}"),
            false => assert_eq!(payload["userErrors"][0]["code"], "DEVICE_LIMIT_REACHED", "{fingerprint}"),
        }
    }
    let shown = test.admin().data(DEVICES, json!({"id": licence["id"], "all": true})).await;
    assert_eq!(shown["node"]["devices"]["nodes"].as_array().unwrap().len(), 3);
}

async fn a_device_with_a_place_keeps_it_however_often_it_registers(test: &TestApp) {
    let (licence, key) = issue(test, 1).await;
    let variables = json!({"key": key, "fingerprint": "a", "name": "Ada's laptop", "version": "1.0"});
    let first = test.anonymous().data(REGISTER, variables).await["registerDevice"].take();
    test.advance(TimeDelta::hours(1));
    let variables = json!({"key": key.to_lowercase().replace('-', " "), "fingerprint": "a", "version": "1.1"});
    assert_eq!(test.anonymous().data(REGISTER, variables).await["registerDevice"], first);
    let devices = test.admin().data(DEVICES, json!({"id": licence["id"]})).await["node"]["devices"]["nodes"].take();
    let device = &devices[0];
    assert_eq!((&device["displayName"], &device["appVersion"]), (&json!("Ada's laptop"), &json!("1.1")));
    let seen = (&device["firstSeenAt"], &device["lastSeenAt"]);
    assert_eq!(seen, (&json!("2026-01-15T12:00:00Z"), &json!("2026-01-15T13:00:00Z")));
}

async fn wrong_input_is_refused_with_its_field(test: &TestApp) {
    let (licence, key) = issue(test, 1).await;
    let long = "x".repeat(201);
    for (variables, code, field) in [
        (json!({"key": "", "fingerprint": "a"}), "LICENSE_INVALID", "key"),
        (json!({"key": key.replace("TG", "TX"), "fingerprint": "a"}), "LICENSE_INVALID", "key"),
        (json!({"key": format!("{key}0"), "fingerprint": "a"}), "LICENSE_INVALID", "key"),
        (json!({"key": key, "fingerprint": " "}), "FINGERPRINT_INVALID", "fingerprint"),
        (json!({"key": key, "fingerprint": long}), "FINGERPRINT_INVALID", "fingerprint"),
        (json!({"key": key, "fingerprint": "a", "name": long}), "TEXT_TOO_LONG", "name"),
        (json!({"key": key, "fingerprint": "a", "version": long}), "TEXT_TOO_LONG", "appVersion"),
    ] {
        let payload = test.anonymous().data(REGISTER, variables).await["registerDevice"].take();
        assert_eq!(payload, json!({"registration": null, "userErrors": [{"code": code, "field": [field]}]}));
    }
    let account = licence["account"]["id"].clone();
    for (variables, code) in [
        (json!({"account": account, "devices": 0, "key": "x"}), "MAX_DEVICES_INVALID"),
        (json!({"account": account, "devices": 10_001, "key": "x"}), "MAX_DEVICES_INVALID"),
        (json!({"account": global_id("Account", uuid::Uuid::nil()), "key": "y"}), "ACCOUNT_NOT_FOUND"),
    ] {
        let payload = test.admin().data(ISSUE, variables).await["issueLicenseKey"].take();
        assert_eq!(payload["userErrors"][0]["code"], code);
        assert!(payload["licenseKey"].is_null() && payload["key"].is_null());
    }
    // Without a number, the configured one applies.
    let issued = test.admin().data(ISSUE, json!({"account": account, "key": "z"})).await;
    assert_eq!(issued["issueLicenseKey"]["licenseKey"]["maxDevices"], 3);
    // A caller who can issue licences sees their accounts, and nothing else of them.
    let issuer: Client<'_> = test.service(&[Permission::KeysWrite]);
    let issued = issuer.data(ISSUE, json!({"account": account, "key": "z"})).await;
    assert_eq!(issued["issueLicenseKey"]["licenseKey"]["account"]["id"], account);
}

async fn everything_done_to_a_licence_is_in_the_audit_log(test: &TestApp) {
    let (licence, key) = issue(test, 1).await;
    register(test, &key, "a").await;
    let id = json!({"id": licence["id"]});
    let (_, account) = local_id(licence["account"]["id"].as_str().unwrap());
    let (bought, _) = licences::bought(&test.app, account).await;
    let bought = json!({"id": global_id("LicenseKey", bought)});
    test.user("alice").data(REVEAL, bought.clone()).await;
    test.user("alice").data(REPLACE, bought.clone()).await;
    let devices = test.user("alice").data(DEVICES, id.clone()).await["node"]["devices"]["nodes"].take();
    test.user("alice").data(REVOKE_DEVICE, json!({"id": devices[0]["id"]})).await;
    test.admin().data(REVOKE, id).await;
    let log = "{ auditLog(orderBy: {field: AT, direction: ASC}) { nodes { action entityId after before actor } } }";
    let log = test.admin().data(log, json!({})).await["auditLog"]["nodes"].take();
    let deeds: Vec<_> = log.as_array().unwrap().iter().map(|deed| (&deed["action"], &deed["entityId"])).collect();
    let expected = [
        (json!("license_keys.issue"), licence["id"].clone()),
        (json!("license_keys.reveal"), bought["id"].clone()),
        (json!("license_keys.replace"), bought["id"].clone()),
        (json!("devices.revoke"), devices[0]["id"].clone()),
        (json!("license_keys.revoke"), licence["id"].clone()),
    ];
    assert_eq!(deeds, expected.iter().map(|(action, id)| (action, id)).collect::<Vec<_>>());
    assert_eq!(log[2]["before"]["keyPrefix"], log[1]["after"]["keyPrefix"]);
    assert_eq!(log[4]["after"]["reason"], "shared");
    assert!(log[1]["actor"].as_str().unwrap().starts_with("user:"));
}
