//! Credits that plans include: granted once for each period, on time whether anybody asks or not.

use crate::support::company::local_id;
use crate::support::credits::{balance, number, unit};
use crate::support::entitlements::{plan, set, subscribe};
use crate::support::usage::account;
use crate::support::{TestApp, both_engines, sql};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use tollgate::credits::note_plans;
use uuid::Uuid;

both_engines!(
    a_daily_allowance_is_right_whether_anybody_asks_or_not,
    what_is_kept_for_the_next_day_has_a_cap,
    days_begin_at_midnight_in_the_zone_of_the_account,
    a_day_is_granted_once_where_two_time_zones_meet,
    many_callers_at_midnight_are_granted_one_allowance,
    a_billing_period_is_granted_once,
    months_of_a_yearly_plan_have_their_own_allowance,
    an_add_on_grants_its_allowance_by_its_quantity,
    a_renewed_year_begins_with_its_allowance,
    accounts_from_before_there_were_allowances_get_theirs,
    no_allowance_is_granted_while_a_payment_is_due,
);

const SPEND: &str = "mutation($input: SpendCreditsInput!) { spendCredits(input: $input) {
    available userErrors { code } } }";

async fn spend(test: &TestApp, account: &Value, amount: i64) -> i64 {
    let input = json!({"accountId": account, "unit": "credit", "amount": amount, "idempotencyKey": test.app.new_id()});
    let spent = test.admin().data(SPEND, json!({"input": input})).await["spendCredits"].take();
    assert_eq!(spent["userErrors"], json!([]));
    number(&spent["available"])
}

/// Publishes a plan with one allowance.
async fn version(test: &TestApp, code: &str, allowance: Value) -> Uuid {
    unit(test, "credit").await;
    let mut terms = json!({"unit": "credit"});
    terms.as_object_mut().unwrap().extend(allowance.as_object().unwrap().clone());
    plan(test, code, 1, "PLAN", json!([]), json!({"creditAllowances": [terms]})).await
}

/// Tells the ledger that the plans of an account have changed, as a webhook does.
async fn note(test: &TestApp, account: &Value) {
    let id = local_id(account);
    test.app.db.write(move |txn| Box::pin(async move { note_plans(txn, id).await })).await.unwrap();
}

/// A person with a subscription to a plan with one allowance: the account and the subscription.
async fn subscriber(test: &TestApp, person: &str, version: Uuid) -> (Value, Uuid) {
    let account = account(test, person).await;
    let subscription = subscribe(test, &account, version, "active").await;
    note(test, &account).await;
    (account, subscription)
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn go_to(test: &TestApp, instant: &str) {
    test.advance(at(instant) - test.app.now());
}

/// The starts of the grants of an account, the oldest first.
async fn starts(test: &TestApp, account: &Value) -> Vec<DateTime<Utc>> {
    let query = "SELECT starts_at FROM credit_grants WHERE account_id = $1 ORDER BY starts_at";
    sql::column(test.app.db.read(), query, [local_id(account).into()]).await
}

async fn a_daily_allowance_is_right_whether_anybody_asks_or_not(test: &TestApp) {
    let version = version(test, "daily", json!({"amount": 100, "cadence": "DAY", "rolloverCap": 0})).await;
    for person in ["ann", "bob"] {
        let (account, _) = subscriber(test, person, version).await;
        assert_eq!(balance(test, person).await, [100, 0, 0, 0]);
        assert_eq!(spend(test, &account, 30).await, 70);
    }
    for _ in 0..7 {
        test.advance(TimeDelta::days(1));
        assert_eq!(balance(test, "ann").await[0], 100);
    }
    // Nobody asked for the other one, and no job has run.
    let expected = [100, 0, 30, 670];
    assert_eq!((balance(test, "ann").await, balance(test, "bob").await), (expected, expected));
    test.run_jobs().await;
    assert_eq!((balance(test, "ann").await, balance(test, "bob").await), (expected, expected));
    let entries = sql::rows(
        test.app.db.read(),
        "SELECT account_id, bucket, amount, effective_at FROM ledger_entries ORDER BY account_id, seq",
        [],
    );
    let entries: Vec<(Uuid, String, i64, DateTime<Utc>)> = (entries.await.iter())
        .map(|row| {
            let get = |column| row.try_get("", column).unwrap();
            (
                row.try_get("", "account_id").unwrap(),
                get("bucket"),
                row.try_get("", "amount").unwrap(),
                row.try_get("", "effective_at").unwrap(),
            )
        })
        .collect();
    let (ann, bob): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.0 == entries[0].0);
    let facts = |entries: Vec<&(Uuid, String, i64, DateTime<Utc>)>| -> Vec<_> {
        entries.into_iter().skip(4).map(|(_, bucket, amount, at)| (bucket.clone(), *amount, *at)).collect()
    };
    assert_eq!(facts(ann), facts(bob), "both ledgers tell the same");
}

async fn what_is_kept_for_the_next_day_has_a_cap(test: &TestApp) {
    let version = version(test, "daily", json!({"amount": 100, "cadence": "DAY", "rolloverCap": 50})).await;
    let (account, _) = subscriber(test, "ann", version).await;
    test.advance(TimeDelta::days(1));
    assert_eq!(balance(test, "ann").await, [150, 0, 0, 50]);
    assert_eq!(spend(test, &account, 130).await, 20);
    test.advance(TimeDelta::days(1));
    assert_eq!(balance(test, "ann").await, [120, 0, 130, 50]);
    test.advance(TimeDelta::days(1));
    assert_eq!(balance(test, "ann").await, [150, 0, 130, 120]);
}

async fn days_begin_at_midnight_in_the_zone_of_the_account(test: &TestApp) {
    let version = version(test, "daily", json!({"amount": 100, "cadence": "DAY", "rolloverCap": 0})).await;
    let ann = account(test, "ann").await;
    let set_zone = "mutation($id: ID!) { setAccountTimeZone(input: {accountId: $id, timeZone: \"Europe/Berlin\"}) {
        account { timeZone } userErrors { code } } }";
    let zone = test.admin().data(set_zone, json!({"id": ann})).await["setAccountTimeZone"].take();
    assert_eq!(zone, json!({"account": {"timeZone": "Europe/Berlin"}, "userErrors": []}));
    // The clocks go forward on the 29th of March, and back on the 25th of October.
    for (from, to, length) in
        [("2026-03-27T12:00:00Z", "2026-03-30T12:00:00Z", 23), ("2026-10-23T12:00:00Z", "2026-10-26T12:00:00Z", 25)]
    {
        go_to(test, from);
        if length == 23 {
            subscribe(test, &ann, version, "active").await;
        }
        note(test, &ann).await;
        go_to(test, to);
        test.run_jobs().await;
        let starts: Vec<_> = starts(test, &ann).await.into_iter().filter(|start| *start > at(from)).collect();
        let lengths: Vec<_> = starts.windows(2).map(|pair| (pair[1] - pair[0]).num_hours()).collect();
        assert_eq!(lengths, [24, length], "{starts:?}");
        assert_eq!(balance(test, "ann").await[0], 100);
    }
}

async fn many_callers_at_midnight_are_granted_one_allowance(test: &TestApp) {
    let version = version(test, "daily", json!({"amount": 100, "cadence": "DAY", "rolloverCap": 0})).await;
    let (account, _) = subscriber(test, "ann", version).await;
    for day in ["2026-01-16T00:00:00Z", "2026-01-20T00:00:00Z"] {
        go_to(test, day);
        let (account, test) = (&account, &test);
        join_all((0..64).map(|_| async move { spend(test, account, 1).await })).await;
        assert_eq!(balance(test, "ann").await[0], 36, "{day}");
        let started: Vec<_> = starts(test, account).await.into_iter().filter(|start| *start == at(day)).collect();
        assert_eq!(started.len(), 1);
    }
    // The clock jumps back, and the day begins again.
    test.advance(TimeDelta::hours(-3));
    note(test, &account).await;
    test.advance(TimeDelta::hours(3));
    note(test, &account).await;
    assert_eq!(balance(test, "ann").await[0], 36);
    assert_eq!(starts(test, &account).await.len(), 6);
}

async fn a_billing_period_is_granted_once(test: &TestApp) {
    let allowance = json!({"amount": 1_000, "cadence": "BILLING", "expiresAfterDays": 31});
    let version = version(test, "pro", allowance).await;
    let (account, subscription) = subscriber(test, "ann", version).await;
    assert_eq!(balance(test, "ann").await, [1_000, 0, 0, 0]);
    assert_eq!(spend(test, &account, 400).await, 600);
    for _ in 0..3 {
        note(test, &account).await;
        assert_eq!(balance(test, "ann").await[0], 600);
    }
    go_to(test, "2026-02-11T12:00:00Z");
    assert_eq!(balance(test, "ann").await, [0, 0, 400, 600], "expired, and not renewed yet");
    let renewed =
        "current_period_start = '2026-02-10T12:00:00+00:00', current_period_end = '2026-03-10T12:00:00+00:00'";
    set(test, subscription, renewed).await;
    note(test, &account).await;
    assert_eq!(balance(test, "ann").await, [1_000, 0, 400, 600]);
    test.run_jobs().await;
    assert_eq!(balance(test, "ann").await, [1_000, 0, 400, 600]);
}

async fn months_of_a_yearly_plan_have_their_own_allowance(test: &TestApp) {
    let version = version(test, "yearly", json!({"amount": 10, "cadence": "MONTH", "rolloverCap": 0})).await;
    let account = account(test, "ann").await;
    let subscription = subscribe(test, &account, version, "active").await;
    let year = "current_period_start = '2026-01-31T12:00:00+00:00', current_period_end = '2027-01-31T12:00:00+00:00', \
        started_at = '2026-01-31T12:00:00+00:00'";
    set(test, subscription, year).await;
    go_to(test, "2026-01-31T12:00:00Z");
    note(test, &account).await;
    go_to(test, "2026-06-01T00:00:00Z");
    test.run_jobs().await;
    let expected = ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"];
    let expected = expected.map(|day| at(&format!("{day}T12:00:00Z")));
    assert_eq!(starts(test, &account).await, expected);
    assert_eq!(balance(test, "ann").await, [10, 0, 0, 40]);
}

async fn a_renewed_year_begins_with_its_allowance(test: &TestApp) {
    let version = version(test, "yearly", json!({"amount": 10, "cadence": "MONTH", "rolloverCap": 0})).await;
    let account = account(test, "ann").await;
    let subscription = subscribe(test, &account, version, "active").await;
    let year = |start: u16| {
        format!(
            "current_period_start = '{start}-12-31T12:00:00+00:00', current_period_end = '{}-12-31T12:00:00+00:00', \
             started_at = '2025-12-31T12:00:00+00:00'",
            start + 1
        )
    };
    set(test, subscription, &year(2025)).await;
    note(test, &account).await;
    go_to(test, "2026-12-31T11:59:00Z");
    test.run_jobs().await;
    go_to(test, "2026-12-31T12:00:00Z");
    set(test, subscription, &year(2026)).await;
    note(test, &account).await;
    go_to(test, "2027-02-01T00:00:00Z");
    assert_eq!(balance(test, "ann").await, [10, 0, 0, 130]);
    test.run_jobs().await;
    let starts = starts(test, &account).await;
    let expected = ["2026-11-30", "2026-12-31", "2027-01-31"].map(|day| at(&format!("{day}T12:00:00Z")));
    assert_eq!((starts.len(), &starts[11..]), (14, &expected[..]));
}

async fn an_add_on_grants_its_allowance_by_its_quantity(test: &TestApp) {
    let version = version(test, "small", json!({"amount": 100, "cadence": "BILLING", "rolloverCap": 0})).await;
    let terms = json!([{"unit": "credit", "amount": 10, "cadence": "BILLING", "rolloverCap": 0}]);
    let addon = plan(test, "more", 0, "ADDON", json!([]), json!({"creditAllowances": terms})).await;
    let (account, subscription) = subscriber(test, "ann", version).await;
    assert_eq!(balance(test, "ann").await, [100, 0, 0, 0]);
    let item = add_item(test, &account, subscription, addon, 3).await;
    note(test, &account).await;
    assert_eq!(balance(test, "ann").await, [130, 0, 0, 0]);
    // Another quantity counts from the next grant on.
    let quantity = async |count: i64| {
        let update = "UPDATE subscription_items SET quantity = $2 WHERE id = $1";
        sql::rows(test.app.db.schema(), update, [item.into(), count.into()]).await;
        note(test, &account).await;
    };
    quantity(5).await;
    assert_eq!(balance(test, "ann").await, [130, 0, 0, 0]);
    assert_eq!(spend(test, &account, 20).await, 110);
    // A change of plan leaves it.
    let large = self::version(test, "large", json!({"amount": 500, "cadence": "BILLING", "rolloverCap": 0})).await;
    let update = "UPDATE subscriptions SET product_version_id = $2 WHERE id = $1";
    sql::rows(test.app.db.schema(), update, [subscription.into(), large.into()]).await;
    note(test, &account).await;
    let spent_of_addon = 130 - 20 - balance(test, "ann").await[0] + 500 - 100;
    assert_eq!(spent_of_addon, 0, "20 were used of the plan's");
    go_to(test, "2026-02-10T12:00:00Z");
    let renewed =
        "current_period_start = '2026-02-10T12:00:00+00:00', current_period_end = '2026-03-10T12:00:00+00:00'";
    set(test, subscription, renewed).await;
    note(test, &account).await;
    assert_eq!(balance(test, "ann").await[0], 550);
    sql::rows(test.app.db.schema(), "DELETE FROM subscription_items WHERE id = $1", [item.into()]).await;
    note(test, &account).await;
    assert_eq!(balance(test, "ann").await[0], 550, "what was granted stays");
}

/// Adds an add-on to a subscription, and returns the id of the item.
async fn add_item(test: &TestApp, account: &Value, subscription: Uuid, version: Uuid, quantity: i64) -> Uuid {
    let query = "SELECT id FROM prices WHERE product_version_id = $1";
    let price = sql::ids(test.app.db.read(), query, [version.into()]).await[0];
    let id = test.app.new_id();
    let row = entity::subscription_items::ActiveModel {
        id: Set(id),
        account_id: Set(local_id(account)),
        subscription_id: Set(subscription),
        price_id: Set(Some(price)),
        external_id: Set(Some(format!("si_{id}"))),
        kind: Set("addon".to_owned()),
        quantity: Set(Some(quantity)),
        created_at: Set(test.app.now().fixed_offset()),
        ..Default::default()
    };
    entity::subscription_items::Entity::insert(row).exec_without_returning(test.app.db.schema()).await.unwrap();
    id
}

async fn accounts_from_before_there_were_allowances_get_theirs(test: &TestApp) {
    const NAME: &str = "m0032_allowance_balances";
    let daily = version(test, "daily", json!({"amount": 100, "cadence": "DAY", "rolloverCap": 0})).await;
    unit(test, "more").await;
    let terms = json!([{"unit": "more", "amount": 10, "cadence": "BILLING"}]);
    let addon = plan(test, "addon", 0, "ADDON", json!([]), json!({"creditAllowances": terms})).await;
    let ann = account(test, "ann").await;
    let subscription = subscribe(test, &ann, daily, "active").await;
    add_item(test, &ann, subscription, addon, 2).await;
    let balances = "{ viewer { account { creditBalances { available unit { code } } } } }";
    let read = async || test.user("ann").data(balances, json!({})).await["viewer"]["account"]["creditBalances"].take();
    assert_eq!(read().await, json!([]));
    let db = test.app.db.schema();
    let since = migration::changes().iter().rev().position(|change| change.name == NAME).unwrap() + 1;
    migration::down(db, since).await.unwrap();
    migration::up(db, None, DateTime::UNIX_EPOCH).await.unwrap();
    // The migration takes the time of the machine.
    let due: Vec<DateTime<Utc>> = sql::column(db, "SELECT next_due_at FROM balances", []).await;
    test.advance(due[0] - test.app.now() + TimeDelta::minutes(1));
    let mut found = read().await.as_array().unwrap().clone();
    found.sort_by_key(|balance| balance["unit"]["code"].to_string());
    let expected = [("100", "credit"), ("20", "more")];
    assert_eq!(json!(found), json!(expected.map(|(left, unit)| json!({"available": left, "unit": {"code": unit}}))));
}

async fn no_allowance_is_granted_while_a_payment_is_due(test: &TestApp) {
    let version = version(test, "daily", json!({"amount": 100, "cadence": "DAY", "rolloverCap": 0})).await;
    let (account, subscription) = subscriber(test, "ann", version).await;
    assert_eq!(balance(test, "ann").await[0], 100);
    set(test, subscription, "status = 'past_due'").await;
    note(test, &account).await;
    test.advance(TimeDelta::days(3));
    assert_eq!(balance(test, "ann").await[0], 100, "what was granted stays, and nothing is added");
    set(test, subscription, "status = 'active'").await;
    note(test, &account).await;
    assert_eq!(balance(test, "ann").await[0], 100);
    assert_eq!(starts(test, &account).await.len(), 2, "days without a payment get nothing");
}

async fn a_day_is_granted_once_where_two_time_zones_meet(test: &TestApp) {
    let version = version(test, "daily", json!({"amount": 100, "cadence": "DAY", "rolloverCap": 0})).await;
    let (account, _) = subscriber(test, "ann", version).await;
    let zone = "mutation($id: ID!, $zone: String!) { setAccountTimeZone(input: {accountId: $id, timeZone: $zone}) {
        userErrors { code } } }";
    let zones = ["Asia/Tokyo", "UTC", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Tokyo"];
    for (number, name) in zones.into_iter().enumerate() {
        test.admin().data(zone, json!({"id": account, "zone": name})).await;
        test.advance(TimeDelta::hours(5 + 7 * i64::try_from(number % 3).unwrap()));
        spend(test, &account, 1).await;
        test.run_jobs().await;
    }
    let query = "SELECT business_key FROM credit_grants WHERE account_id = $1 ORDER BY business_key";
    let keys: Vec<String> = sql::column(test.app.db.read(), query, [local_id(&account).into()]).await;
    let days: Vec<_> = keys.iter().map(|key| key.rsplit(':').next().unwrap()).collect();
    assert_eq!(days, ["2026-01-15", "2026-01-16", "2026-01-17", "2026-01-18"]);
}
