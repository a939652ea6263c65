//! Plans with features, and accounts that hold them.

use super::company::{global_id, local_id};
use super::{TestApp, sql};
use chrono::{DateTime, Utc};
use entity::subscriptions;
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use tollgate::app::App;
use tollgate::auth::Permission;
use uuid::Uuid;

pub(crate) const CONSUME: &str = "mutation($account: ID!, $feature: String!, $amount: BigInt!, $key: String!) {
    consume(input: {accountId: $account, feature: $feature, amount: $amount, idempotencyKey: $key}) {
        consumed creditsSpent creditUnit { code } usageEvent { id }
        entitlement { allowed reason limit used remaining resetsAt
            windows { window limit used banked remaining resetsAt } }
        userErrors { code field message } } }";
pub(crate) const ENTITLEMENT: &str = "query($account: ID!, $feature: String!) {
    entitlement(feature: $feature, accountId: $account) { feature { code entitlementKind } allowed reason value limit used
        remaining resetsAt windows { window limit used banked remaining resetsAt } unlockedBy { code } } }";

/// Creates features, each with its kind.
pub(crate) async fn features(test: &TestApp, features: &[(&str, &str)]) {
    for (code, kind) in features {
        let create = format!(
            "mutation {{ createFeature(input: {{code: \"{code}\", kind: {kind}, name: \"{code}\"}}) {{
                userErrors {{ code }} }} }}"
        );
        let made = test.admin().data(&create, json!({})).await;
        assert_eq!(made["createFeature"]["userErrors"], json!([]), "{code}");
    }
}

/// Publishes a plan with these features and rules of access, and returns the id of its version.
pub(crate) async fn plan(test: &TestApp, code: &str, rank: i64, kind: &str, features: Value, access: Value) -> Uuid {
    let create = format!(
        "mutation($code: String!, $rank: Int!) {{
            createPlan(input: {{code: $code, kind: {kind}, name: $code, rank: $rank}}) {{ plan {{ id }} }} }}"
    );
    let plan = test.admin().data(&create, json!({"code": code, "rank": rank})).await;
    let mut input = json!({"planId": plan["createPlan"]["plan"]["id"], "features": features,
        "prices": [{"currency": "USD", "unitAmount": 900, "interval": "MONTH"}]});
    input.as_object_mut().unwrap().extend(access.as_object().cloned().unwrap_or_default());
    let create = "mutation($input: CreatePlanVersionInput!) { createPlanVersion(input: $input) {
        planVersion { id } userErrors { code message } } }";
    let version = test.admin().data(create, json!({"input": input})).await["createPlanVersion"].take();
    assert_eq!(version["userErrors"], json!([]), "{code}");
    let publish = "mutation($id: ID!) { publishPlanVersion(input: {planVersionId: $id}) { userErrors { code } } }";
    test.admin().data(publish, json!({"id": version["planVersion"]["id"]})).await;
    local_id(&version["planVersion"]["id"])
}

/// Gives an account a subscription to a version, with a billing period from the 10th of January to that of February.
pub(crate) async fn subscribe(test: &TestApp, account: &Value, version: Uuid, status: &str) -> Uuid {
    let id = test.app.new_id();
    let instant = |text: &str| text.parse::<DateTime<Utc>>().unwrap().fixed_offset();
    let start = instant("2026-01-10T12:00:00Z");
    let row = subscriptions::ActiveModel {
        id: Set(id),
        account_id: Set(local_id(account)),
        product_version_id: Set(Some(version)),
        provider: Set("stripe".to_owned()),
        external_id: Set(format!("sub_{id}")),
        status: Set(status.to_owned()),
        started_at: Set(start),
        current_period_start: Set(Some(start)),
        current_period_end: Set(Some(instant("2026-02-10T12:00:00Z"))),
        cancel_at_period_end: Set(false),
        created_at: Set(start),
        updated_at: Set(start),
        ..Default::default()
    };
    subscriptions::Entity::insert(row).exec_without_returning(test.app.db.schema()).await.unwrap();
    id
}

/// Changes columns of a subscription.
pub(crate) async fn set(test: &TestApp, subscription: Uuid, values: &str) {
    let update = format!("UPDATE subscriptions SET {values} WHERE id = $1");
    sql::rows(test.app.db.schema(), &update, [subscription.into()]).await;
}

/// Uses a feature, and returns the payload.
pub(crate) async fn consume(test: &TestApp, account: &Value, feature: &str, amount: i64, key: &str) -> Value {
    let service = test.service(&[Permission::CreditsWrite]);
    let variables = json!({"account": account, "feature": feature, "amount": amount.to_string(), "key": key});
    service.data(CONSUME, variables).await["consume"].take()
}

/// The code of the refusal of a use; `None` if it was counted.
pub(crate) fn refusal(payload: &Value) -> Option<&str> {
    payload["userErrors"][0]["code"].as_str()
}

/// The entitlement of an account to a feature.
pub(crate) async fn entitlement(test: &TestApp, account: &Value, feature: &str) -> Value {
    let variables = json!({"account": account, "feature": feature});
    test.admin().data(ENTITLEMENT, variables).await["entitlement"].take()
}

/// An entitlement as whether it is allowed and why.
pub(crate) async fn standing(test: &TestApp, account: &Value, feature: &str) -> (bool, String) {
    let answer = entitlement(test, account, feature).await;
    (answer["allowed"].as_bool().unwrap(), answer["reason"].as_str().unwrap().to_owned())
}

/// Sets an override, and returns its global id.
pub(crate) async fn set_override(test: &TestApp, account: &Value, feature: &str, more: Value) -> String {
    let set = "mutation($input: SetEntitlementOverrideInput!) { setEntitlementOverride(input: $input) {
        entitlementOverride { id } userErrors { code message } } }";
    let mut input = json!({"accountId": account, "feature": feature, "reason": "a promise of the support"});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = test.admin().data(set, json!({"input": input})).await["setEntitlementOverride"].take();
    assert_eq!(made["userErrors"], json!([]), "{input}");
    made["entitlementOverride"]["id"].as_str().unwrap().to_owned()
}

/// Revokes an override.
pub(crate) async fn revoke(test: &TestApp, id: &str) {
    let revoke = "mutation($id: ID!) { revokeEntitlementOverride(input: {entitlementOverrideId: $id}) {
        userErrors { code } } }";
    let done = test.admin().data(revoke, json!({"id": id})).await;
    assert_eq!(done["revokeEntitlementOverride"]["userErrors"], json!([]));
}

/// Sets the time zone of an account.
pub(crate) async fn set_zone(test: &TestApp, account: &Value, zone: &str) {
    let set =
        "mutation($account: ID!, $zone: String!) { setAccountTimeZone(input: {accountId: $account, timeZone: $zone}) {
        userErrors { code } } }";
    let done = test.admin().data(set, json!({"account": account, "zone": zone})).await;
    assert_eq!(done["setAccountTimeZone"]["userErrors"], json!([]), "{zone}");
}

/// Uses a feature, and returns the id of the event.
pub(crate) async fn used_event(test: &TestApp, account: &Value, feature: &str, amount: i64, key: &str) -> Value {
    let used = consume(test, account, feature, amount, key).await;
    assert_eq!(used["userErrors"], json!([]), "{feature} {amount}");
    used["usageEvent"]["id"].clone()
}

/// Inserts an override that is revoked already, and returns its id.
pub(crate) async fn override_row(app: &App, account: Uuid, feature: Uuid) -> Uuid {
    let id = app.new_id();
    let now = app.now().fixed_offset();
    let row = entity::entitlement_overrides::ActiveModel {
        id: Set(id),
        account_id: Set(account),
        feature_id: Set(feature),
        granted: Set(true),
        value: Set(None),
        limit_units: Set(None),
        limit_window: Set(None),
        reason: Set("a promise".to_owned()),
        created_by: Set("user:x".to_owned()),
        created_at: Set(now),
        expires_at: Set(None),
        revoked_at: Set(Some(now)),
    };
    entity::entitlement_overrides::Entity::insert(row).exec_without_returning(app.db.schema()).await.unwrap();
    id
}

/// Inserts a rule of a rate limit, and returns its id.
pub(crate) async fn rate_limit_row(app: &App, code: &str) -> Uuid {
    let id = app.new_id();
    let now = app.now().fixed_offset();
    let row = entity::rate_limit_rules::ActiveModel {
        id: Set(id),
        code: Set(code.to_owned()),
        max_count: Set(1_000),
        window_seconds: Set(60),
        created_at: Set(now),
        updated_at: Set(now),
    };
    entity::rate_limit_rules::Entity::insert(row).exec_without_returning(app.db.schema()).await.unwrap();
    id
}

/// Overrides of some accounts, of two features, one with everything, and rules of rate limits.
pub(crate) async fn for_some(app: &App) {
    let db = app.db.schema();
    let features = sql::ids(db, "SELECT id FROM features ORDER BY id LIMIT 2", []).await;
    let accounts = sql::ids(db, "SELECT id FROM accounts ORDER BY created_at DESC, id DESC LIMIT 4", []).await;
    for account in accounts {
        for number in 0..8 {
            let id = override_row(app, account, features[number % features.len()]).await;
            let values = match number % 3 {
                0 => "revoked_at = NULL",
                1 => "value = 'large', limit_units = 7, limit_window = 'day', granted = FALSE",
                _ => "expires_at = '2099-01-01 00:00:00+00:00'",
            };
            let update = format!("UPDATE entitlement_overrides SET {values} WHERE id = $1");
            sql::rows(db, &update, [id.into()]).await;
        }
    }
    let unit = sql::ids(db, "SELECT id FROM credit_units ORDER BY id LIMIT 1", []).await;
    let update = "UPDATE product_features SET overage_unit_id = $1, overage_credits = 5 WHERE limit_units IS NOT NULL";
    sql::rows(db, update, [unit[0].into()]).await;
    sql::execute(db, "UPDATE product_versions SET past_due_grace_days = 7 WHERE number = 1").await;
    for number in 0..8 {
        rate_limit_row(app, &format!("limit-{number}")).await;
    }
}

/// The global id of an account.
pub(crate) fn account_id(id: Uuid) -> Value {
    json!(global_id("Account", id))
}
