//! The plan of the caller: which of several subscriptions gives it, in every status, and the changes ahead of it.

use crate::support::{TestApp, World, both_engines, global_id, local_id, sql};
use chrono::TimeDelta;
use entity::{scheduled_changes, subscriptions};
use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use uuid::Uuid;

both_engines!(
    a_subscription_gives_its_plan_in_some_statuses_alone,
    of_several_the_plan_with_the_highest_rank_counts,
    of_two_to_one_plan_the_newer_counts,
    a_subscription_to_an_unknown_plan_gives_none,
    a_shared_account_gives_its_plan_to_its_members,
    the_next_change_of_the_plan_is_shown,
    callers_who_are_no_users_have_no_plan,
);

const VIEWER: &str = "{ viewer {
    plan { status plan { code } subscription { id } trialEnd currentPeriodEnd cancelAt
        scheduledPlan { code } scheduledPrice { id } scheduledAt }
    subscription { id plan { code } }
    user { subscription { id } }
    account { subscription { id } } } }";

/// A world in which Eve's only subscription can be changed and copied.
struct Stage<'a> {
    test: &'a TestApp,
    world: World,
    eve: subscriptions::Model,
}

impl<'a> Stage<'a> {
    async fn make(test: &'a TestApp) -> Self {
        let world = World::make(test).await;
        let (_, id) = local_id(world.id("Subscription", "eve"));
        let eve = subscriptions::Entity::find_by_id(id).one(test.app.db.read()).await.unwrap().unwrap();
        Stage { test, world, eve }
    }

    async fn set(&self, id: Uuid, values: &str) {
        let update = format!("UPDATE subscriptions SET {values} WHERE id = $1");
        sql::rows(self.test.app.db.schema(), &update, [id.into()]).await;
    }

    /// Adds a subscription of Eve's to the newest version of a plan.
    async fn another(&self, version: Uuid, status: &str, later: TimeDelta) -> Uuid {
        let id = self.test.app.new_id();
        let row = subscriptions::Model {
            id,
            external_id: format!("sub_{id}"),
            product_version_id: Some(version),
            price_id: None,
            status: status.to_owned(),
            created_at: self.eve.created_at + later,
            schedule_external_id: None,
            ..self.eve.clone()
        };
        row.into_active_model().insert(self.test.app.db.schema()).await.unwrap();
        id
    }

    /// Publishes a version of a new plan with this rank.
    async fn plan(&self, code: &str, rank: i32) -> Uuid {
        let create = "mutation($code: String!, $rank: Int!) {
            createPlan(input: {code: $code, kind: PLAN, name: $code, rank: $rank}) { plan { id } } }";
        let plan = self.test.admin().data(create, json!({"code": code, "rank": rank})).await;
        let version = "mutation($plan: ID!) { createPlanVersion(input: {planId: $plan,
            prices: [{currency: \"USD\", unitAmount: 900, interval: MONTH}]}) { planVersion { id } } }";
        let version = self.test.admin().data(version, json!({"plan": plan["createPlan"]["plan"]["id"]})).await;
        let id = version["createPlanVersion"]["planVersion"]["id"].clone();
        let publish = "mutation($id: ID!) { publishPlanVersion(input: {planVersionId: $id}) { userErrors { code } } }";
        self.test.admin().data(publish, json!({"id": id})).await;
        local_id(id.as_str().unwrap()).1
    }

    async fn viewer(&self, name: &str) -> Value {
        self.test.user(name).data(VIEWER, json!({})).await["viewer"].take()
    }

    /// Checks that each way to ask for the current subscription of Eve gives this one.
    async fn current(&self, id: Option<Uuid>, case: &str) {
        let viewer = self.viewer("eve").await;
        let expected = id.map_or(Value::Null, |id| json!(global_id("Subscription", id)));
        let ways = [
            &viewer["plan"]["subscription"],
            &viewer["subscription"],
            &viewer["user"]["subscription"],
            &viewer["account"]["subscription"],
        ];
        for way in ways {
            assert_eq!(way["id"], expected, "{case}: {viewer}");
        }
    }
}

async fn a_subscription_gives_its_plan_in_some_statuses_alone(test: &TestApp) {
    let stage = Stage::make(test).await;
    for (status, gives) in [
        ("trialing", true),
        ("active", true),
        ("past_due", true),
        ("unpaid", false),
        ("paused", false),
        ("incomplete", false),
        ("incomplete_expired", false),
        ("canceled", false),
    ] {
        stage.set(stage.eve.id, &format!("status = '{status}'")).await;
        stage.current(gives.then_some(stage.eve.id), status).await;
        let viewer = stage.viewer("eve").await;
        let plan = &viewer["plan"];
        if gives {
            assert_eq!((&plan["status"], &plan["plan"]["code"]), (&json!(status.to_uppercase()), &json!("sold")));
            assert_eq!(viewer["subscription"]["plan"]["code"], "sold");
        } else {
            assert_eq!(*plan, Value::Null, "{status}");
        }
        // The list has it in every status.
        let list = "{ viewer { account { subscriptions(first: 1) { nodes { id status } } } } }";
        let list = test.user("eve").data(list, json!({})).await;
        let shown = &list["viewer"]["account"]["subscriptions"]["nodes"][0];
        assert_eq!(shown["status"], status.to_uppercase());
    }
}

async fn of_several_the_plan_with_the_highest_rank_counts(test: &TestApp) {
    let stage = Stage::make(test).await;
    let (low, high) = (stage.plan("low", -5).await, stage.plan("high", 50).await);
    let older = stage.another(low, "active", TimeDelta::days(2)).await;
    stage.current(Some(stage.eve.id), "a newer one to a lower plan changes nothing").await;
    let higher = stage.another(high, "past_due", TimeDelta::days(-300)).await;
    stage.current(Some(higher), "an older one to a higher plan counts").await;
    stage.set(higher, "status = 'canceled'").await;
    stage.current(Some(stage.eve.id), "unless it gives none any more").await;
    stage.set(stage.eve.id, "status = 'unpaid'").await;
    stage.current(Some(older), "the lowest is better than none").await;
    // The rank is that of now.
    stage.set(higher, "status = 'trialing'").await;
    sql::execute(test.app.db.schema(), "UPDATE products SET rank = -9 WHERE code = 'high'").await;
    stage.current(Some(older), "the rank has changed").await;
    stage.set(older, "status = 'canceled'").await;
    stage.current(Some(higher), "one is left").await;
    stage.set(higher, "status = 'paused'").await;
    stage.current(None, "none is left").await;
}

async fn of_two_to_one_plan_the_newer_counts(test: &TestApp) {
    let stage = Stage::make(test).await;
    let version = stage.eve.product_version_id.unwrap();
    let older = stage.another(version, "active", TimeDelta::days(-1)).await;
    stage.current(Some(stage.eve.id), "an older one").await;
    let newer = stage.another(version, "past_due", TimeDelta::seconds(1)).await;
    stage.current(Some(newer), "a newer one, though a payment is due").await;
    stage.set(newer, "status = 'incomplete'").await;
    stage.current(Some(stage.eve.id), "the newer one is not complete").await;
    stage.set(stage.eve.id, "status = 'canceled'").await;
    stage.current(Some(older), "the older one is left").await;
    // At the same instant the greater id decides, so that every answer is the same.
    let twin = stage.another(version, "active", TimeDelta::days(-1)).await;
    stage.current(Some(twin.max(older)), "two of one instant").await;
}

async fn a_subscription_to_an_unknown_plan_gives_none(test: &TestApp) {
    let stage = Stage::make(test).await;
    stage.set(stage.eve.id, "product_version_id = NULL, price_id = NULL").await;
    stage.current(None, "an unknown plan").await;
    let query = "query($id: ID!) { subscription(id: $id) { planUnknown plan { id } planVersion { id } price { id } } }";
    let id = global_id("Subscription", stage.eve.id);
    let shown = test.user("eve").data(query, json!({"id": id})).await;
    assert_eq!(shown["subscription"], json!({"planUnknown": true, "plan": null, "planVersion": null, "price": null}));
    let known = stage.another(stage.plan("known", -100).await, "active", TimeDelta::days(-9)).await;
    stage.current(Some(known), "a known plan").await;
}

async fn a_shared_account_gives_its_plan_to_its_members(test: &TestApp) {
    let stage = Stage::make(test).await;
    let shared = stage.world.id("Subscription", "shared");
    for (name, has_own) in [("alice", true), ("bob", false)] {
        let viewer = stage.viewer(name).await;
        let given = &viewer["plan"]["subscription"]["id"];
        assert!(has_own || given == shared, "{name}: {viewer}");
        assert_eq!((&viewer["subscription"]["id"], &viewer["user"]["subscription"]["id"]), (given, given), "{name}");
        let own = if has_own { json!(stage.world.id("Subscription", "alice")) } else { Value::Null };
        let of_account = viewer["account"]["subscription"].get("id").cloned().unwrap_or_default();
        assert_eq!(of_account, own, "{name}: the own account has its own alone");
    }
    assert_eq!(stage.viewer("carol").await["plan"], Value::Null, "a former member has none");
    let (_, id) = local_id(stage.world.id("Subscription", "alice"));
    stage.set(id, "status = 'canceled'").await;
    assert_eq!(stage.viewer("alice").await["plan"]["subscription"]["id"], shared, "the shared one is left");
    let leave = "UPDATE account_members SET left_at = joined_at WHERE account_id = $1 AND role = 'member'";
    sql::rows(test.app.db.schema(), leave, [stage.world.shared.into()]).await;
    assert_eq!(stage.viewer("bob").await["plan"], Value::Null, "who leaves loses it");
}

async fn the_next_change_of_the_plan_is_shown(test: &TestApp) {
    let stage = Stage::make(test).await;
    let db = test.app.db.schema();
    let viewer = stage.viewer("eve").await;
    let none = [&viewer["plan"]["scheduledPlan"], &viewer["plan"]["scheduledPrice"], &viewer["plan"]["scheduledAt"]];
    assert_eq!(none, [&Value::Null; 3], "its end is no change of the plan");
    assert_eq!(viewer["plan"]["cancelAt"], "2026-02-14T12:00:00Z");
    assert_eq!(viewer["plan"]["currentPeriodEnd"], "2026-02-14T12:00:00Z");
    let (later, sooner) = (stage.plan("later", 3).await, stage.plan("sooner", 4).await);
    for (version, days, price) in [(later, 40, None), (sooner, 20, Some("price_next"))] {
        let row = scheduled_changes::ActiveModel {
            id: Set(test.app.new_id()),
            account_id: Set(stage.eve.account_id),
            subscription_id: Set(stage.eve.id),
            kind: Set("plan_change".to_owned()),
            effective_at: Set((test.app.now() + TimeDelta::days(days)).fixed_offset()),
            product_version_id: Set(Some(version)),
            price_id: Set(None),
            price_external_id: Set(price.map(str::to_owned)),
            quantity: Set(Some(2)),
            created_at: Set(test.app.now().fixed_offset()),
        };
        scheduled_changes::Entity::insert(row).exec_without_returning(db).await.unwrap();
    }
    let plan = stage.viewer("eve").await["plan"].take();
    assert_eq!(plan["scheduledPlan"]["code"], "sooner", "the soonest counts, whatever was planned first");
    assert_eq!((&plan["scheduledAt"], &plan["scheduledPrice"]), (&json!("2026-02-04T12:00:00Z"), &Value::Null));
    assert_eq!(plan["plan"]["code"], "sold", "until then the plan is the present one");
    let query = "query($id: ID!) { subscription(id: $id) { scheduledChanges {
        changeKind effectiveAt plan { code } priceExternalId quantity } } }";
    let id = global_id("Subscription", stage.eve.id);
    let shown = test.user("eve").data(query, json!({"id": id})).await["subscription"]["scheduledChanges"].take();
    let expected = json!([
        {"changeKind": "PLAN_CHANGE", "effectiveAt": "2026-02-04T12:00:00Z", "plan": {"code": "sooner"},
            "priceExternalId": "price_next", "quantity": 2},
        {"changeKind": "CANCEL", "effectiveAt": "2026-02-14T12:00:00Z", "plan": null, "priceExternalId": null,
            "quantity": null},
        {"changeKind": "PLAN_CHANGE", "effectiveAt": "2026-02-24T12:00:00Z", "plan": {"code": "later"},
            "priceExternalId": null, "quantity": 2},
    ]);
    assert_eq!(shown, expected);
}

async fn callers_who_are_no_users_have_no_plan(test: &TestApp) {
    Stage::make(test).await;
    let query = "{ viewer { role user { id } account { id } accounts { totalCount } plan { status } trialAvailable
        subscription { id } } }";
    let nothing = |role: &str| {
        json!({"viewer": {"role": role, "user": null, "account": null, "accounts": null, "plan": null,
            "trialAvailable": null, "subscription": null}})
    };
    assert_eq!(test.anonymous().data(query, json!({})).await, nothing("ANONYMOUS"));
    assert_eq!(test.service(&tollgate::auth::Permission::ALL).data(query, json!({})).await, nothing("SERVICE"));
    let newcomer = test.user("new").data(query, json!({})).await["viewer"].take();
    assert_eq!((&newcomer["plan"], &newcomer["trialAvailable"]), (&Value::Null, &json!(true)));
    assert_eq!(newcomer["accounts"]["totalCount"], 1);
    let admin = test.admin().data(query, json!({})).await["viewer"].take();
    assert_eq!(
        (&admin["role"], &admin["plan"]),
        (&json!("ADMIN"), &Value::Null),
        "an admin has what their account has"
    );
    assert!(admin["user"]["id"].is_string() && admin["account"]["id"].is_string(), "{admin}");
}
