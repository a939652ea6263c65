//! Credits of plans where the plan changes: nothing is granted twice, and nothing that was not used is lost.

use crate::support::company::local_id;
use crate::support::credits::{balance, number, unit};
use crate::support::entitlements::{plan, subscribe};
use crate::support::usage::account;
use crate::support::{TestApp, both_engines, sql};
use chrono::{DateTime, TimeDelta, Utc};
use entity::subscription_versions;
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use tollgate::credits::note_plans;
use uuid::Uuid;

both_engines!(
    changing_to_and_fro_grants_only_what_was_not_used,
    a_plan_without_the_unit_ends_the_rest,
    days_are_counted_across_plans,
    credits_that_come_back_after_the_change_expire,
    an_allowance_that_is_kept_is_granted_once_in_its_period,
    a_welcome_gift_is_given_once,
    days_of_expiry_are_local_days,
);

/// Publishes a plan with one allowance.
async fn version(test: &TestApp, code: &str, unit_code: &str, allowance: Value) -> Uuid {
    unit(test, unit_code).await;
    let mut terms = json!({"unit": unit_code});
    terms.as_object_mut().unwrap().extend(allowance.as_object().unwrap().clone());
    plan(test, code, 1, "PLAN", json!([]), json!({"creditAllowances": [terms]})).await
}

/// A person with a subscription that changes its plan.
struct Person<'t> {
    test: &'t TestApp,
    account: Value,
    subscription: Uuid,
}

impl Person<'_> {
    async fn new<'t>(test: &'t TestApp, version: Uuid) -> Person<'t> {
        let account = account(test, "ann").await;
        let subscription = subscribe(test, &account, version, "active").await;
        let person = Person { test, account, subscription };
        person.change(version).await;
        person
    }

    /// Changes the plan, as a webhook does.
    async fn change(&self, version: Uuid) {
        let (db, now) = (self.test.app.db.schema(), self.test.app.now().fixed_offset());
        let update = "UPDATE subscriptions SET product_version_id = $2 WHERE id = $1";
        sql::rows(db, update, [self.subscription.into(), version.into()]).await;
        let row = subscription_versions::ActiveModel {
            id: Set(self.test.app.new_id()),
            account_id: Set(local_id(&self.account)),
            subscription_id: Set(self.subscription),
            effective_at: Set(now),
            recorded_at: Set(now),
            status: Set("active".to_owned()),
            paused: Set(false),
            product_version_id: Set(Some(version)),
            items: Set(json!([])),
            cause: Set("test".to_owned()),
            ..Default::default()
        };
        subscription_versions::Entity::insert(row).exec_without_returning(db).await.unwrap();
        let id = local_id(&self.account);
        self.test.app.db.write(move |txn| Box::pin(async move { note_plans(txn, id).await })).await.unwrap();
        self.test.advance(TimeDelta::hours(1));
    }

    async fn ask(&self, mutation: &str, mut input: Value) -> Value {
        input["idempotencyKey"] = json!(self.test.app.new_id());
        let mut data = self.test.admin().data(mutation, json!({"input": input})).await;
        data.as_object_mut().unwrap().values_mut().next().unwrap().take()
    }

    async fn spend(&self, amount: i64) -> Value {
        let spend = "mutation($input: SpendCreditsInput!) { spendCredits(input: $input) {
            transaction { id } userErrors { code } } }";
        let input = json!({"accountId": self.account, "unit": "credit", "amount": amount});
        let done = self.ask(spend, input).await;
        assert_eq!(done["userErrors"], json!([]));
        done["transaction"]["id"].clone()
    }

    async fn available(&self) -> i64 {
        balance(self.test, "ann").await[0]
    }
}

async fn changing_to_and_fro_grants_only_what_was_not_used(test: &TestApp) {
    let small = version(test, "small", "credit", json!({"amount": 100, "cadence": "BILLING"})).await;
    let large = version(test, "large", "credit", json!({"amount": 500, "cadence": "BILLING"})).await;
    let ann = Person::new(test, small).await;
    for _ in 0..3 {
        ann.change(large).await;
        assert_eq!(ann.available().await, 500);
        ann.change(small).await;
        assert_eq!(ann.available().await, 100);
    }
    ann.spend(70).await;
    ann.change(large).await;
    assert_eq!(ann.available().await, 430);
    let spent = ann.spend(60).await;
    ann.change(small).await;
    assert_eq!(ann.available().await, 0, "more was used than the plan includes");
    ann.change(large).await;
    assert_eq!(ann.available().await, 370);
    // Credits spent of a replaced allowance come back to nobody, and no longer count as used.
    let reverse = "mutation($input: ReverseLedgerTransactionInput!) { reverseLedgerTransaction(input: $input) {
        available userErrors { code } } }";
    assert_eq!(ann.ask(reverse, json!({"transactionId": spent})).await["available"], "370");
    ann.change(small).await;
    assert_eq!(ann.available().await, 30);
    test.run_jobs().await;
    assert_eq!(ann.available().await, 30);
}

async fn a_plan_without_the_unit_ends_the_rest(test: &TestApp) {
    let paid = version(test, "paid", "credit", json!({"amount": 100, "cadence": "BILLING"})).await;
    let other = version(test, "other", "minute", json!({"amount": 7, "cadence": "BILLING"})).await;
    let ann = Person::new(test, paid).await;
    ann.spend(30).await;
    ann.change(other).await;
    let rows = sql::rows(test.app.db.read(), "SELECT available, expired FROM balances ORDER BY available", []).await;
    let found: Vec<(i64, i64)> =
        (rows.iter()).map(|row| (row.try_get("", "available").unwrap(), row.try_get("", "expired").unwrap())).collect();
    assert_eq!(found, [(0, 70), (7, 0)]);
    ann.change(paid).await;
    let query = "SELECT b.available FROM balances b JOIN credit_units u ON u.id = b.credit_unit_id ORDER BY u.code";
    let found: Vec<i64> = sql::column(test.app.db.read(), query, []).await;
    assert_eq!(found, [70, 0]);
}

async fn days_are_counted_across_plans(test: &TestApp) {
    let daily = |amount: i64| json!({"amount": amount, "cadence": "DAY", "rolloverCap": 0});
    let small = version(test, "small", "credit", daily(10)).await;
    let large = version(test, "large", "credit", daily(20)).await;
    let ann = Person::new(test, small).await;
    ann.spend(4).await;
    ann.change(large).await;
    assert_eq!(ann.available().await, 16);
    ann.spend(3).await;
    ann.change(small).await;
    assert_eq!(ann.available().await, 3);
    ann.change(large).await;
    assert_eq!(ann.available().await, 13);
    test.advance(TimeDelta::days(1));
    assert_eq!(ann.available().await, 20, "another day is another allowance");
    ann.change(small).await;
    assert_eq!(ann.available().await, 10);
}

async fn credits_that_come_back_after_the_change_expire(test: &TestApp) {
    let small = version(test, "small", "credit", json!({"amount": 100, "cadence": "BILLING"})).await;
    let large = version(test, "large", "credit", json!({"amount": 500, "cadence": "BILLING"})).await;
    let ann = Person::new(test, small).await;
    let hold = "mutation($input: HoldCreditsInput!) { holdCredits(input: $input) { creditHold { id } } }";
    let tomorrow = test.app.now() + TimeDelta::days(1);
    let input = json!({"accountId": ann.account, "unit": "credit", "amount": 100, "expiresAt": tomorrow});
    let held = ann.ask(hold, input).await["creditHold"]["id"].take();
    ann.change(large).await;
    assert_eq!(ann.available().await, 400, "held credits count as used");
    let release = "mutation($input: ReleaseHoldInput!) { releaseHold(input: $input) { available } }";
    let released = ann.ask(release, json!({"holdId": held})).await;
    assert_eq!(number(&released["available"]), 400);
    assert_eq!(balance(test, "ann").await, [400, 0, 0, 100]);
}

async fn an_allowance_that_is_kept_is_granted_once_in_its_period(test: &TestApp) {
    let kept = |amount: i64, days: i64| json!({"amount": amount, "cadence": "BILLING", "expiresAfterDays": days, "onPlanChange": "KEEP"});
    let small = version(test, "small", "credit", kept(100, 20)).await;
    let large = version(test, "large", "credit", kept(500, 62)).await;
    let ann = Person::new(test, small).await;
    ann.spend(70).await;
    ann.change(large).await;
    assert_eq!(ann.available().await, 530);
    ann.change(small).await;
    ann.change(large).await;
    assert_eq!(ann.available().await, 530, "both of the period are granted, and stay");
    test.advance(TimeDelta::days(20));
    assert_eq!(balance(test, "ann").await, [500, 0, 70, 30], "each ends at its own time");
}

async fn a_welcome_gift_is_given_once(test: &TestApp) {
    let gift = version(test, "gift", "credit", json!({"amount": 100, "cadence": "ONCE"})).await;
    let other = version(test, "other", "credit", json!({"amount": 10, "cadence": "ONCE"})).await;
    let ann = Person::new(test, gift).await;
    ann.spend(30).await;
    ann.change(other).await;
    assert_eq!(ann.available().await, 0);
    ann.change(gift).await;
    assert_eq!(ann.available().await, 70);
}

async fn days_of_expiry_are_local_days(test: &TestApp) {
    let daily = json!({"amount": 10, "cadence": "DAY", "expiresAfterDays": 1});
    let version = version(test, "daily", "credit", daily).await;
    let ann = Person::new(test, version).await;
    let zone = "mutation($id: ID!) { setAccountTimeZone(input: {accountId: $id, timeZone: \"Europe/Berlin\"}) {
        userErrors { code } } }";
    test.admin().data(zone, json!({"id": ann.account})).await;
    // The clocks go forward on the 29th of March, and back on the 25th of October.
    for day in ["2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z"] {
        let day: DateTime<Utc> = day.parse().unwrap();
        test.advance(day - test.app.now());
        for hour in 0..40 {
            assert_eq!(ann.available().await, 10, "{day} and {hour} hours");
            test.advance(TimeDelta::hours(1));
        }
    }
}
