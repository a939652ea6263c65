//! Entitlements: what a plan, its rules, its add-ons and overrides give, and what would give more.

use crate::support::entitlements::{
    consume, entitlement, features, plan, refusal, set, set_override, standing, subscribe,
};
use crate::support::usage::account;
use crate::support::{TestApp, World, both_engines, local_id, sql};
use chrono::TimeDelta;
use entity::{prices, subscription_items};
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use tollgate::auth::Permission;

both_engines!(
    a_plan_gives_its_features_and_others_unlock_the_rest,
    the_rules_of_the_plan_decide_while_a_payment_is_due_or_it_is_paused_or_on_trial,
    an_override_gives_takes_expires_and_is_revoked,
    an_override_changes_limits,
    an_override_replaces_those_of_its_window,
    addons_come_on_top_of_the_plan,
    users_ask_about_the_account_that_gives_their_plan,
    nobody_sees_the_entitlements_of_others,
    a_use_names_what_it_is_about,
    a_level_of_entitlements_takes_a_constant_number_of_statements,
);

/// A day's chat, an export, and a model that depends on the plan.
async fn three_plans(test: &TestApp) -> [uuid::Uuid; 2] {
    features(test, &[("chat", "LIMIT"), ("export", "SWITCH"), ("model", "CONFIG"), ("voice", "SWITCH")]).await;
    let free = json!([{"feature": "chat", "limit": 3, "window": "DAY"}, {"feature": "model", "value": "small"}]);
    let pro = json!([{"feature": "chat", "limit": 100, "window": "DAY"}, {"feature": "chat", "window": "MONTH"},
        {"feature": "export"}, {"feature": "model", "value": "large"}]);
    let free = plan(test, "free", 1, "PLAN", free, json!({})).await;
    let pro = plan(test, "pro", 2, "PLAN", pro, json!({})).await;
    [free, pro]
}

async fn a_plan_gives_its_features_and_others_unlock_the_rest(test: &TestApp) {
    let [free, pro] = three_plans(test).await;
    let alice = account(test, "alice").await;
    let nothing = entitlement(test, &alice, "export").await;
    let expected = json!({"feature": {"code": "export", "entitlementKind": "SWITCH"}, "allowed": false,
        "reason": "NO_PLAN", "value": null, "limit": null, "used": null, "remaining": null, "resetsAt": null,
        "windows": [], "unlockedBy": [{"code": "pro"}]});
    assert_eq!(nothing, expected);
    let subscription = subscribe(test, &alice, free, "active").await;
    let export = entitlement(test, &alice, "export").await;
    assert_eq!((&export["reason"], &export["unlockedBy"]), (&json!("NOT_IN_PLAN"), &json!([{"code": "pro"}])));
    let voice = entitlement(test, &alice, "voice").await;
    assert_eq!((&voice["reason"], &voice["unlockedBy"]), (&json!("NOT_IN_PLAN"), &json!([])));
    let model = entitlement(test, &alice, "model").await;
    assert_eq!(
        (&model["allowed"], &model["value"], &model["reason"]),
        (&json!(true), &json!("small"), &json!("INCLUDED"))
    );
    let chat = entitlement(test, &alice, "chat").await;
    let window = json!({"window": "DAY", "limit": "3", "used": "0", "banked": "0", "remaining": "3",
        "resetsAt": "2026-01-16T00:00:00Z"});
    assert_eq!(chat["windows"], json!([window]));
    assert_eq!((&chat["limit"], &chat["used"], &chat["remaining"]), (&json!("3"), &json!("0"), &json!("3")));
    assert_eq!(entitlement(test, &alice, "nothing").await, Value::Null);
    // At the limit, the plans with more of it are named.
    assert_eq!(refusal(&consume(test, &alice, "chat", 3, "a").await), None);
    let chat = entitlement(test, &alice, "chat").await;
    assert_eq!((&chat["allowed"], &chat["reason"]), (&json!(false), &json!("LIMIT_REACHED")));
    assert_eq!((&chat["resetsAt"], &chat["unlockedBy"]), (&json!("2026-01-16T00:00:00Z"), &json!([{"code": "pro"}])));
    let version = format!("product_version_id = {}", sql_id(test, pro));
    set(test, subscription, &version).await;
    let chat = entitlement(test, &alice, "chat").await;
    assert_eq!((&chat["remaining"], &chat["windows"][1]["limit"]), (&json!("97"), &Value::Null), "{chat}");
    let all = "{ viewer { entitlements { feature { code } allowed value } } }";
    let all = test.user("alice").data(all, json!({})).await["viewer"]["entitlements"].take();
    let row = |answer: &Value| json!([answer["feature"]["code"], answer["allowed"], answer["value"]]);
    let rows: Vec<Value> = all.as_array().unwrap().iter().map(row).collect();
    let expected =
        json!([["chat", true, null], ["export", true, null], ["model", true, "large"], ["voice", false, null]]);
    assert_eq!(json!(rows), expected);
}

/// An id in the text of a statement.
fn sql_id(test: &TestApp, id: uuid::Uuid) -> String {
    match test.app.db.schema().get_database_backend() {
        sea_orm::DbBackend::Postgres => format!("'{id}'"),
        _ => format!("x'{}'", id.simple()),
    }
}

async fn the_rules_of_the_plan_decide_while_a_payment_is_due_or_it_is_paused_or_on_trial(test: &TestApp) {
    features(test, &[("export", "SWITCH")]).await;
    let with = json!([{"feature": "export"}]);
    let strict = json!({"pastDueGraceDays": 7, "accessInTrial": false});
    let strict = plan(test, "strict", 1, "PLAN", with.clone(), strict).await;
    let lenient = plan(test, "lenient", 1, "PLAN", with, json!({"accessWhilePaused": true})).await;
    let (alice, bob) = (account(test, "alice").await, account(test, "bob").await);
    let hers = subscribe(test, &alice, strict, "active").await;
    let his = subscribe(test, &bob, lenient, "active").await;
    let included = (true, "INCLUDED".to_owned());
    let cases = [
        ("status = 'trialing'", (false, "TRIAL_EXCLUDED"), (true, "INCLUDED")),
        ("status = 'active', paused_at = updated_at", (false, "PAUSED"), (true, "INCLUDED")),
        ("status = 'paused', paused_at = NULL", (false, "PAUSED"), (true, "INCLUDED")),
        ("status = 'unpaid'", (false, "NO_PLAN"), (false, "NO_PLAN")),
        ("status = 'canceled'", (false, "NO_PLAN"), (false, "NO_PLAN")),
        ("status = 'past_due'", (true, "INCLUDED"), (true, "INCLUDED")),
    ];
    for (values, of_hers, of_his) in cases {
        for (subscription, holder, (allowed, reason)) in [(hers, &alice, of_hers), (his, &bob, of_his)] {
            set(test, subscription, values).await;
            assert_eq!(standing(test, holder, "export").await, (allowed, reason.to_owned()), "{values}");
        }
    }
    // The seven days began with the period that is not paid, at noon of the 10th.
    test.advance(TimeDelta::days(2) - TimeDelta::microseconds(1));
    assert_eq!(standing(test, &alice, "export").await, included);
    test.advance(TimeDelta::microseconds(1));
    let denied = entitlement(test, &alice, "export").await;
    assert_eq!((&denied["reason"], &denied["unlockedBy"]), (&json!("PAST_DUE"), &json!([])));
    assert_eq!(standing(test, &bob, "export").await, included);
}

async fn an_override_gives_takes_expires_and_is_revoked(test: &TestApp) {
    let [_, pro] = three_plans(test).await;
    let alice = account(test, "alice").await;
    // Without a plan, the override alone gives it.
    let until = json!({"expiresAt": "2026-01-20T00:00:00Z"});
    set_override(test, &alice, "export", until).await;
    assert_eq!(standing(test, &alice, "export").await, (true, "OVERRIDE".to_owned()));
    test.advance("2026-01-20T00:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap() - test.app.now());
    assert_eq!(standing(test, &alice, "export").await, (false, "NO_PLAN".to_owned()), "it has expired");
    subscribe(test, &alice, pro, "active").await;
    assert_eq!(standing(test, &alice, "export").await, (true, "INCLUDED".to_owned()));
    let taken = set_override(test, &alice, "export", json!({"granted": false})).await;
    let denied = entitlement(test, &alice, "export").await;
    assert_eq!((&denied["reason"], &denied["unlockedBy"]), (&json!("TAKEN_AWAY"), &json!([])));
    let revoke = "mutation($id: ID!) { revokeEntitlementOverride(input: {entitlementOverrideId: $id}) {
        entitlementOverride { revokedAt } userErrors { code message } } }";
    let revoked = test.admin().data(revoke, json!({"id": taken})).await["revokeEntitlementOverride"].take();
    assert_eq!(revoked["entitlementOverride"]["revokedAt"], "2026-01-20T00:00:00Z");
    assert_eq!(standing(test, &alice, "export").await, (true, "INCLUDED".to_owned()));
    let again = test.admin().data(revoke, json!({"id": taken})).await["revokeEntitlementOverride"].take();
    assert_eq!(again["userErrors"][0]["code"], "ALREADY_REVOKED");
    set_override(test, &alice, "model", json!({"value": "huge"})).await;
    let model = entitlement(test, &alice, "model").await;
    assert_eq!((&model["value"], &model["reason"]), (&json!("huge"), &json!("OVERRIDE")));
    // It gives what a subscription in arrears does not.
    sql::execute(test.app.db.schema(), "UPDATE subscriptions SET status = 'unpaid'").await;
    assert_eq!(entitlement(test, &alice, "model").await["value"], "huge");
    assert_eq!(standing(test, &alice, "export").await, (false, "NO_PLAN".to_owned()));
}

async fn an_override_changes_limits(test: &TestApp) {
    let [free, _] = three_plans(test).await;
    let alice = account(test, "alice").await;
    subscribe(test, &alice, free, "active").await;
    set_override(test, &alice, "chat", json!({"limit": 5, "window": "DAY"})).await;
    assert_eq!(entitlement(test, &alice, "chat").await["limit"], "5");
    assert_eq!(refusal(&consume(test, &alice, "chat", 5, "a").await), None);
    assert_eq!(refusal(&consume(test, &alice, "chat", 1, "b").await), Some("LIMIT_REACHED"));
    set_override(test, &alice, "chat", json!({"limit": 6, "window": "HOUR"})).await;
    let chat = entitlement(test, &alice, "chat").await;
    let windows: Vec<_> = chat["windows"].as_array().unwrap().iter().map(|window| &window["window"]).collect();
    assert_eq!(windows, ["HOUR", "DAY"]);
    // Without a window and a limit, everything is lifted, and unlimited is no number.
    set_override(test, &alice, "chat", json!({})).await;
    let chat = entitlement(test, &alice, "chat").await;
    assert_eq!((&chat["limit"], &chat["remaining"], &chat["allowed"]), (&Value::Null, &Value::Null, &json!(true)));
    assert_eq!(refusal(&consume(test, &alice, "chat", 1_000_000_000, "c").await), None);
    assert_eq!(entitlement(test, &alice, "chat").await["windows"][0]["used"], "1000000005");
    // Without a plan too.
    let bob = account(test, "bob").await;
    set_override(test, &bob, "chat", json!({"limit": 1, "window": "LIFETIME"})).await;
    assert_eq!(refusal(&consume(test, &bob, "chat", 1, "d").await), None);
    let refused = consume(test, &bob, "chat", 1, "e").await;
    let message = "Only 0 of 1 are left (window: lifetime): change the plan for more.";
    assert_eq!((refusal(&refused), &refused["userErrors"][0]["message"]), (Some("LIMIT_REACHED"), &json!(message)));
}

async fn an_override_replaces_those_of_its_window(test: &TestApp) {
    three_plans(test).await;
    let alice = account(test, "alice").await;
    for more in [
        json!({"limit": 1, "window": "DAY"}),
        json!({"limit": 2, "window": "HOUR"}),
        json!({"limit": 3, "window": "DAY"}),
        json!({"granted": false}),
        json!({"limit": 4, "window": "MONTH"}),
    ] {
        set_override(test, &alice, "chat", more).await;
        test.advance(TimeDelta::seconds(1));
    }
    let list = "query($id: ID!, $revoked: Boolean) { account(id: $id) { entitlementOverrides(filter: {
        feature: \"chat\", revoked: $revoked}) { nodes { limit granted } } } }";
    let limits = async |revoked: Value| {
        let found = test.admin().data(list, json!({"id": alice, "revoked": revoked})).await;
        let nodes = found["account"]["entitlementOverrides"]["nodes"].as_array().unwrap().clone();
        nodes.iter().map(|node| node["limit"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let text = |limit: &str| Some(limit.to_owned());
    assert_eq!(limits(json!(false)).await, [text("4")], "all others were replaced");
    assert_eq!(limits(json!(true)).await, [None, text("3"), text("2"), text("1")]);
    assert_eq!(limits(Value::Null).await.len(), 5);
}

async fn addons_come_on_top_of_the_plan(test: &TestApp) {
    let [free, _] = three_plans(test).await;
    let more = json!([{"feature": "chat", "limit": 10, "window": "DAY"}, {"feature": "voice"}]);
    let addon = plan(test, "more", 5, "ADDON", more, json!({})).await;
    let alice = account(test, "alice").await;
    let subscription = subscribe(test, &alice, free, "active").await;
    let voice = entitlement(test, &alice, "voice").await;
    assert_eq!((&voice["reason"], &voice["unlockedBy"]), (&json!("NOT_IN_PLAN"), &json!([{"code": "more"}])));
    let db = test.app.db.schema();
    let price =
        prices::Entity::find().filter(prices::Column::ProductVersionId.eq(addon)).one(db).await.unwrap().unwrap();
    let item = subscription_items::ActiveModel {
        id: Set(test.app.new_id()),
        account_id: Set(local_id(alice.as_str().unwrap()).1),
        subscription_id: Set(subscription),
        price_id: Set(Some(price.id)),
        external_id: Set(Some("si_1".to_owned())),
        kind: Set("addon".to_owned()),
        quantity: Set(Some(2)),
        created_at: Set(test.app.now().fixed_offset()),
        ..Default::default()
    };
    subscription_items::Entity::insert(item).exec_without_returning(db).await.unwrap();
    assert_eq!(entitlement(test, &alice, "chat").await["limit"], "23", "3 of the plan and 10 of each unit");
    assert_eq!(standing(test, &alice, "voice").await, (true, "INCLUDED".to_owned()));
}

async fn users_ask_about_the_account_that_gives_their_plan(test: &TestApp) {
    let world = World::make(test).await;
    let query = "{ entitlement(feature: \"export\") { account { id } allowed reason }
        viewer { entitlements { account { id } reason } account { entitlement(feature: \"export\") { reason } } } }";
    // Bob has a plan through the account that Alice shares with him.
    let bob = test.user("bob").data(query, json!({})).await;
    let shared = world.id("Account", "shared");
    assert_eq!(bob["entitlement"], json!({"account": {"id": shared}, "allowed": true, "reason": "INCLUDED"}));
    assert_eq!(bob["viewer"]["entitlements"][0]["account"]["id"], shared);
    assert_eq!(bob["viewer"]["account"]["entitlement"]["reason"], "NO_PLAN");
    let carol = test.user("carol").data(query, json!({})).await;
    let own = json!({"account": {"id": world.id("Account", "carol")}, "allowed": false, "reason": "NO_PLAN"});
    assert_eq!(carol["entitlement"], own);
    let service = test.service(&Permission::ALL);
    assert_eq!(service.code("{ entitlement(feature: \"export\") { allowed } }", json!({})).await, "BAD_USER_INPUT");
    assert_eq!(
        test.anonymous().code("{ entitlement(feature: \"x\") { allowed } }", json!({})).await,
        "UNAUTHENTICATED"
    );
}

async fn nobody_sees_the_entitlements_of_others(test: &TestApp) {
    let world = World::make(test).await;
    let query = "query($id: ID!) { entitlement(feature: \"export\", accountId: $id) { reason }
        account(id: $id) { entitlements { reason } entitlement(feature: \"export\") { reason } } }";
    let shared = json!({"id": world.id("Account", "shared")});
    for caller in [test.user("alice"), test.user("bob"), test.admin(), test.service(&[Permission::CreditsWrite])] {
        let seen = caller.data(query, shared.clone()).await;
        assert_eq!(seen["entitlement"], json!({"reason": "INCLUDED"}));
        assert_eq!(seen["account"]["entitlement"], json!({"reason": "INCLUDED"}));
    }
    for caller in [test.user("eve"), test.user("carol"), test.service(&[])] {
        assert_eq!(caller.data(query, shared.clone()).await, json!({"entitlement": null, "account": null}));
    }
    // Whoever issues licences sees the account, and not what it uses.
    let keys = test.service(&[Permission::KeysWrite]).data(query, shared).await;
    assert_eq!(keys, json!({"entitlement": null, "account": {"entitlements": [], "entitlement": null}}));
}

async fn a_use_names_what_it_is_about(test: &TestApp) {
    let [free, _] = three_plans(test).await;
    let alice = account(test, "alice").await;
    subscribe(test, &alice, free, "active").await;
    let use_chat = "mutation($account: ID!, $type: String, $id: String, $reason: String) { consume(input: {
        accountId: $account, feature: \"chat\", idempotencyKey: \"a\", refType: $type, refId: $id, reason: $reason}) {
        usageEvent { refType refId } userErrors { code field } } }";
    let used = async |more: Value| {
        let mut variables = json!({"account": alice});
        variables.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        test.admin().data(use_chat, variables).await["consume"].take()
    };
    let refused = json!({"usageEvent": null, "userErrors": [{"code": "REFERENCE_INVALID", "field": ["refType"]}]});
    assert_eq!(used(json!({"type": "message"})).await, refused);
    let refused = json!({"usageEvent": null, "userErrors": [{"code": "REASON_INVALID", "field": ["reason"]}]});
    assert_eq!(used(json!({"reason": "x".repeat(501)})).await, refused);
    let event = json!({"usageEvent": {"refType": "message", "refId": "m_17"}, "userErrors": []});
    for _ in 0..2 {
        assert_eq!(used(json!({"type": "message", "id": "m_17", "reason": "a reply"})).await, event);
    }
    assert_eq!(refusal(&consume(test, &alice, "chat", 1, "b").await), None);
    let query = "query($id: String) { viewer { account { usageEvents(filter: {refType: \"message\", refId: $id}) {
        nodes { measuredValue } } } } }";
    for (id, expected) in [("m_17", json!([{"measuredValue": "1"}])), ("m_18", json!([]))] {
        let found = test.user("alice").data(query, json!({"id": id})).await;
        assert_eq!(found["viewer"]["account"]["usageEvents"]["nodes"], expected);
    }
}

async fn a_level_of_entitlements_takes_a_constant_number_of_statements(test: &TestApp) {
    let [free, pro] = three_plans(test).await;
    for (number, name) in ["alice", "bob", "carol", "dave", "erin", "frank"].into_iter().enumerate() {
        let account = account(test, name).await;
        subscribe(test, &account, [free, pro][number % 2], "active").await;
        assert_eq!(refusal(&consume(test, &account, "chat", 3, name).await), None);
    }
    let query = "query($first: Int!) { accounts(first: $first) { nodes { entitlements { allowed feature { code }
        unlockedBy { code } windows { used } } entitlement(feature: \"chat\") { allowed } } } }";
    let statements = async |first: usize| {
        let before = test.app.db.statements();
        let found = test.admin().data(query, json!({"first": first})).await;
        assert_eq!(found["accounts"]["nodes"].as_array().unwrap().len(), first);
        test.app.db.statements() - before
    };
    // The features of a published version are read once.
    statements(6).await;
    let (few, many) = (statements(2).await, statements(6).await);
    assert_eq!(few, many, "{few} statements for 2 accounts, {many} for 6");
}
