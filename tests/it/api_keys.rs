//! API keys: made, shown once, used, revoked; nobody hands on more than they hold.

use crate::sign_in::refused;
use crate::support::{HeldTable, TestApp, both_engines};
use chrono::TimeDelta;
use entity::api_keys;
use sea_orm::{ConnectionTrait, EntityTrait};
use serde_json::{Value, json};
use tollgate::auth::Permission;

both_engines!(
    a_key_works_as_soon_as_it_is_made_and_is_shown_once,
    a_key_stops_working_when_it_expires,
    a_revoked_key_is_refused_from_the_next_request_on,
    a_key_holds_no_scope_that_its_maker_does_not_hold,
    the_last_use_is_known_to_the_minute,
    a_key_does_not_outlive_the_credential_that_creates_it,
    keys_end_with_the_key_that_created_them,
    a_key_ends_with_the_person_behind_it,
    a_sign_in_does_not_wait_for_the_time_of_last_use,
);

const CREATE: &str = "mutation($scopes: [String!]!, $expiresAt: DateTime) {
    createApiKey(input: {name: \"back end\", scopes: $scopes, expiresAt: $expiresAt}) {
        apiKey { id prefix scopes createdBy lastUsedAt revokedAt expiresAt parent { id } } secret userErrors { code } } }";
const REVOKE: &str =
    "mutation($id: ID!) { revokeApiKey(input: {apiKeyId: $id}) { apiKey { id revokedAt } userErrors { code } } }";
const VIEWER: &str = "{ viewer { role scopes } }";

async fn made(test: &TestApp, expires_at: Value) -> (Value, String) {
    let variables = json!({"scopes": ["billing:read", "keys:write"], "expiresAt": expires_at});
    let mut payload = test.admin().data(CREATE, variables).await["createApiKey"].take();
    assert_eq!(payload["userErrors"], json!([]));
    (payload["apiKey"].take(), payload["secret"].as_str().unwrap().to_owned())
}

async fn a_key_works_as_soon_as_it_is_made_and_is_shown_once(test: &TestApp) {
    let (key, secret) = made(test, Value::Null).await;
    let data = test.bearer(Some(&secret)).data(VIEWER, json!({})).await;
    assert_eq!(data["viewer"], json!({"role": "SERVICE", "scopes": ["billing:read", "keys:write"]}));
    assert!(secret.starts_with(&format!("tg_{}_", key["prefix"].as_str().unwrap())));

    // Only a hash is stored: the secret is in no response and in no column.
    let own_part = secret.rsplit_once('_').unwrap().1;
    let lists = "{ apiKeys { nodes { id name prefix createdBy } } auditLog { nodes { before after } } }";
    assert!(!test.admin().post(lists, json!({})).await.body.contains(own_part));
    let row = api_keys::Entity::find().one(test.app.db.schema()).await.unwrap().unwrap();
    assert!(!format!("{row:?}").contains(own_part));

    let mut wrong = secret.clone();
    let last = wrong.pop().unwrap();
    wrong.push(if last == 'a' { 'b' } else { 'a' });
    refused(&test.bearer(Some(&wrong)).post(VIEWER, json!({})).await, "another secret");
    refused(&test.bearer(Some(&secret.replacen("tg_", "tg_x", 1))).post(VIEWER, json!({})).await, "another prefix");
}

async fn a_key_stops_working_when_it_expires(test: &TestApp) {
    let (_, secret) = made(test, json!("2026-01-15T13:00:00Z")).await;
    test.advance(TimeDelta::seconds(3_599));
    test.bearer(Some(&secret)).data(VIEWER, json!({})).await;
    test.advance(TimeDelta::seconds(1));
    refused(&test.bearer(Some(&secret)).post(VIEWER, json!({})).await, "expired");
}

async fn a_revoked_key_is_refused_from_the_next_request_on(test: &TestApp) {
    let (key, secret) = made(test, Value::Null).await;
    test.bearer(Some(&secret)).data(VIEWER, json!({})).await;
    let first = test.admin().data(REVOKE, json!({"id": key["id"]})).await;
    assert_eq!(first["revokeApiKey"]["apiKey"]["revokedAt"], "2026-01-15T12:00:00Z");
    refused(&test.bearer(Some(&secret)).post(VIEWER, json!({})).await, "revoked");

    test.advance(TimeDelta::minutes(5));
    assert_eq!(test.admin().data(REVOKE, json!({"id": key["id"]})).await, first, "once more changes nothing");
    let log = "{ auditLog(filter: {action: \"api_keys.revoke\"}) { totalCount } }";
    assert_eq!(test.admin().data(log, json!({})).await["auditLog"]["totalCount"], 1);
}

async fn a_key_holds_no_scope_that_its_maker_does_not_hold(test: &TestApp) {
    let maker = test.service(&[Permission::KeysWrite, Permission::AuditRead]);
    let create = async |scopes: Value| {
        let mut data = maker.data(CREATE, json!({"scopes": scopes})).await;
        data["createApiKey"].take()
    };
    for scopes in [json!(["credits:write"]), json!(["audit:read", "billing:read"]), json!([]), json!(["admin"])] {
        let payload = create(scopes.clone()).await;
        assert_eq!(payload["userErrors"], json!([{"code": "SCOPE_INVALID"}]), "{scopes}");
        assert!(payload["apiKey"].is_null() && payload["secret"].is_null());
    }
    let payload = create(json!(["audit:read", "keys:write", "audit:read"])).await;
    assert_eq!(payload["apiKey"]["scopes"], json!(["audit:read", "keys:write"]));
    assert_eq!(payload["apiKey"]["createdBy"], "service:backend");
    // Nor does a key that was handed on hand on more.
    let key = test.bearer(payload["secret"].as_str());
    let refused = key.data(CREATE, json!({"scopes": ["billing:read"]})).await;
    assert_eq!(refused["createApiKey"]["userErrors"], json!([{"code": "SCOPE_INVALID"}]));
    let made = key.data(CREATE, json!({"scopes": ["keys:write"]})).await["createApiKey"]["apiKey"].take();
    assert_eq!(made["createdBy"], format!("key:{}", payload["apiKey"]["prefix"].as_str().unwrap()));
}

async fn the_last_use_is_known_to_the_minute(test: &TestApp) {
    let (key, secret) = made(test, Value::Null).await;
    assert_eq!(key["lastUsedAt"], Value::Null);
    let list = "{ apiKeys { nodes { lastUsedAt } } }";
    for (seconds, shown) in [(0, "12:00:00"), (59, "12:00:00"), (1, "12:01:00"), (300, "12:06:00")] {
        test.advance(TimeDelta::seconds(seconds));
        test.bearer(Some(&secret)).data(VIEWER, json!({})).await;
        test.flush().await;
        let data = test.admin().data(list, json!({})).await;
        assert_eq!(data["apiKeys"]["nodes"][0]["lastUsedAt"], format!("2026-01-15T{shown}Z"));
    }
}

/// Creates a key with `credential`; the payload.
async fn created(test: &TestApp, credential: Option<&str>, expires_at: Value) -> Value {
    let variables = json!({"scopes": ["keys:write"], "expiresAt": expires_at});
    test.bearer(credential).data(CREATE, variables).await["createApiKey"].take()
}

async fn a_key_does_not_outlive_the_credential_that_creates_it(test: &TestApp) {
    let (parent, secret) = made(test, json!("2026-01-15T18:00:00Z")).await;
    for (asked, expires) in [
        (Value::Null, "2026-01-15T18:00:00Z"),
        (json!("2026-01-15T18:00:00Z"), "2026-01-15T18:00:00Z"),
        (json!("2026-01-15T12:00:01Z"), "2026-01-15T12:00:01Z"),
    ] {
        let child = created(test, Some(&secret), asked).await;
        assert_eq!((&child["apiKey"]["expiresAt"], &child["userErrors"]), (&json!(expires), &json!([])));
        assert_eq!(child["apiKey"]["parent"]["id"], parent["id"]);
    }
    let refused = created(test, Some(&secret), json!("2026-01-15T18:00:00.000001Z")).await;
    assert_eq!(refused["userErrors"], json!([{"code": "EXPIRY_INVALID"}]));
    assert!(refused["apiKey"].is_null() && refused["secret"].is_null());
    // A grandchild is bound by the child, which ends first.
    let child = created(test, Some(&secret), json!("2026-01-15T13:00:00Z")).await;
    let grandchild = created(test, child["secret"].as_str(), Value::Null).await;
    assert_eq!(grandchild["apiKey"]["expiresAt"], "2026-01-15T13:00:00Z");
    // Nobody stands behind a service but its token, which is valid for an hour.
    let of_service = test.service(&[Permission::KeysWrite]);
    let made = of_service.data(CREATE, json!({"scopes": ["keys:write"]})).await["createApiKey"].take();
    assert_eq!(made["apiKey"]["expiresAt"], "2026-01-15T13:00:00Z");
    assert_eq!(made["apiKey"]["parent"], Value::Null);
    let later = json!({"scopes": ["keys:write"], "expiresAt": "2026-01-15T13:00:01Z"});
    let refused = of_service.data(CREATE, later).await["createApiKey"].take();
    assert_eq!(refused["userErrors"], json!([{"code": "EXPIRY_INVALID"}]));
    // An admin is a person, who can make keys for longer than a session.
    let (key, _) = self::made(test, Value::Null).await;
    assert_eq!((&key["expiresAt"], &key["parent"]), (&Value::Null, &Value::Null));
}

async fn keys_end_with_the_key_that_created_them(test: &TestApp) {
    let (parent, secret) = made(test, Value::Null).await;
    let child = created(test, Some(&secret), Value::Null).await;
    let sibling = created(test, Some(&secret), Value::Null).await;
    let grandchild = created(test, child["secret"].as_str(), Value::Null).await;
    let (other, other_secret) = made(test, Value::Null).await;
    // A key that was revoked before keeps its time, and what it created is revoked with it.
    test.admin().data(REVOKE, json!({"id": sibling["apiKey"]["id"]})).await;
    test.advance(TimeDelta::minutes(1));
    test.admin().data(REVOKE, json!({"id": parent["id"]})).await;
    for (secret, what) in [
        (Some(secret.as_str()), "the key"),
        (child["secret"].as_str(), "its child"),
        (sibling["secret"].as_str(), "its other child"),
        (grandchild["secret"].as_str(), "the child of its child"),
    ] {
        refused(&test.bearer(secret).post(VIEWER, json!({})).await, what);
    }
    test.bearer(Some(&other_secret)).data(VIEWER, json!({})).await;
    let list = "{ apiKeys { nodes { id revokedAt } } auditLog(filter: {action: \"api_keys.revoke\"}) { totalCount } }";
    let data = test.admin().data(list, json!({})).await;
    let revoked = |key: &Value| {
        let nodes = data["apiKeys"]["nodes"].as_array().unwrap();
        nodes.iter().find(|node| node["id"] == key["id"]).unwrap()["revokedAt"].clone()
    };
    assert_eq!(revoked(&sibling["apiKey"]), "2026-01-15T12:00:00Z");
    for key in [&parent, &child["apiKey"], &grandchild["apiKey"]] {
        assert_eq!(revoked(key), "2026-01-15T12:01:00Z");
    }
    assert_eq!(revoked(&other), Value::Null);
    assert_eq!(data["auditLog"]["totalCount"], 4, "each key has its own entry");
}

async fn a_key_ends_with_the_person_behind_it(test: &TestApp) {
    // Two admins by their rows, and one by the token.
    for subject in ["ann", "bob"] {
        test.user(subject).data(VIEWER, json!({})).await;
    }
    let set = async |name: &str, change: &str| {
        let sql = format!(
            "UPDATE users SET {change} WHERE id IN (SELECT user_id FROM user_identities WHERE subject = '{name}')"
        );
        test.app.db.schema().execute_unprepared(&sql).await.unwrap();
        // The users of callers are cached for half a minute.
        test.advance(TimeDelta::seconds(31));
    };
    for name in ["ann", "bob"] {
        set(name, "role = 'admin'").await;
    }
    let key = async |token: &str| {
        let payload = created(test, Some(token), Value::Null).await;
        assert_eq!(payload["userErrors"], json!([]));
        payload["secret"].as_str().unwrap().to_owned()
    };
    let of_ann = key(&test.user_token("ann")).await;
    let child_of_ann = created(test, Some(&of_ann), Value::Null).await["secret"].as_str().unwrap().to_owned();
    let of_bob = key(&test.user_token("bob")).await;
    let of_admin = key(&test.admin_token()).await;
    let works = async |secret: &str| test.bearer(Some(secret)).post(VIEWER, json!({})).await.status == 200;
    for secret in [&of_ann, &child_of_ann, &of_bob, &of_admin] {
        assert!(works(secret).await);
    }
    // Ann is no admin any more.
    set("ann", "role = 'user'").await;
    assert_eq!((works(&of_ann).await, works(&child_of_ann).await), (false, false));
    assert_eq!((works(&of_bob).await, works(&of_admin).await), (true, true));
    set("ann", "role = 'admin'").await;
    assert!(works(&of_ann).await, "it was not revoked");
    // Bob was erased.
    set("bob", "erased_at = created_at").await;
    assert!(!works(&of_bob).await);
    assert!(works(&of_admin).await);
}

async fn a_sign_in_does_not_wait_for_the_time_of_last_use(test: &TestApp) {
    let (_, secret) = made(test, Value::Null).await;
    // Another process holds the writer, or the rows.
    let held = HeldTable::of(test, "api_keys").await;
    for _ in 0..20 {
        test.bearer(Some(&secret)).data(VIEWER, json!({})).await;
    }
    held.release().await;
    test.flush().await;
    let list = "{ apiKeys { nodes { lastUsedAt } } }";
    assert_eq!(test.admin().data(list, json!({})).await["apiKeys"]["nodes"][0]["lastUsedAt"], "2026-01-15T12:00:00Z");
}
