//! API keys: made, shown once, used, revoked; nobody hands on more than they hold.

use crate::sign_in::refused;
use crate::support::{TestApp, both_engines};
use chrono::TimeDelta;
use entity::api_keys;
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use tollgate::auth::Permission;

both_engines!(
    a_key_works_as_soon_as_it_is_made_and_is_shown_once,
    a_key_stops_working_when_it_expires,
    a_revoked_key_is_refused_from_the_next_request_on,
    a_key_holds_no_scope_that_its_maker_does_not_hold,
    the_last_use_is_known_to_the_minute,
);

const CREATE: &str = "mutation($scopes: [String!]!, $expiresAt: DateTime) {
    createApiKey(input: {name: \"back end\", scopes: $scopes, expiresAt: $expiresAt}) {
        apiKey { id prefix scopes createdBy lastUsedAt revokedAt } secret userErrors { code } } }";
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
        let data = test.admin().data(list, json!({})).await;
        assert_eq!(data["apiKeys"]["nodes"][0]["lastUsedAt"], format!("2026-01-15T{shown}Z"));
    }
}
