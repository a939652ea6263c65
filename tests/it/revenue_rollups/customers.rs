//! Recurring revenue by plan and account, and trials, computed from the rows alone.

use super::model::{Movement, midnight, standing};
use super::rates::is_rounded;
use super::{books, day, number};
use crate::support::company::{global_id, local_id};
use crate::support::{Company, both_engines, sql};
use chrono::{DateTime, Days, FixedOffset, NaiveDate, TimeDelta};
use entity::{payments, product_versions, subscription_versions, subscriptions};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tollgate::auth::Permission;
use tollgate::subscriptions::Exact;
use uuid::Uuid;

both_engines!(
    movements_of_an_account_name_their_causes,
    plans_and_top_customers_add_up_to_recurring_revenue,
    trials_are_counted_by_what_became_of_them,
    wrong_arguments_are_refused,
);

const OF_ACCOUNT: &str = "query($id: ID!) { analytics { customerMovements(accountId: $id) {
    day movementKind churnCause currency arrBefore { amount currency } arrAfter { amount } arrChange { amount }
    subscription { account { id } } version { id effectiveAt status paused event { id } } event { id }
} } }";

async fn movements_of_an_account_name_their_causes(test: &Company<120>) {
    let db = test.db();
    let [book, _] = books(test, db).await;
    let accounts: BTreeSet<Uuid> = book.keys().map(|(account, _)| *account).collect();
    let mut causes = BTreeSet::new();
    for account in accounts {
        let id = global_id("Account", account);
        let data = test.admin().data(OF_ACCOUNT, json!({"id": id})).await;
        let rows = data["analytics"]["customerMovements"].as_array().unwrap();
        let mut found: BTreeMap<String, Vec<Movement>> = BTreeMap::new();
        for row in rows {
            let (before, after) = (number(&row["arrBefore"]["amount"]), number(&row["arrAfter"]["amount"]));
            assert_eq!(number(&row["arrChange"]["amount"]), after - before);
            let currency = row["currency"].as_str().unwrap();
            assert_eq!(row["arrBefore"]["currency"], currency);
            assert_eq!(row["subscription"]["account"]["id"], id);
            assert_eq!(row["version"]["event"], row["event"]);
            let effective: DateTime<FixedOffset> = row["version"]["effectiveAt"].as_str().unwrap().parse().unwrap();
            assert!(effective.naive_utc().date() <= day(row["day"].as_str().unwrap()));
            let cause = match (row["version"]["paused"].as_bool(), row["version"]["status"].as_str()) {
                _ if row["movementKind"] != "CHURN" => Value::Null,
                (Some(true), _) => json!("PAUSED"),
                (_, Some("UNPAID")) => json!("PAYMENT_FAILED"),
                (_, Some("ACTIVE" | "PAST_DUE")) => json!("DOWNGRADE_TO_FREE"),
                _ => json!("VOLUNTARY"),
            };
            assert_eq!(row["churnCause"], cause, "{row}");
            causes.insert(cause.to_string());
            let kind = row["movementKind"].as_str().unwrap().to_lowercase();
            let kind = super::KINDS.into_iter().find(|known| *known == kind).unwrap();
            let day = day(row["day"].as_str().unwrap());
            found.entry(currency.to_owned()).or_default().push(Movement { day, kind, before, after });
        }
        let expected = book.iter().filter(|((own, _), _)| *own == account);
        let expected: BTreeMap<String, Vec<Movement>> =
            expected.map(|((_, currency), movements)| (currency.clone(), movements.clone())).collect();
        assert_eq!(found, expected);
    }
    assert!(causes.len() > 2, "{causes:?}");
    // A caller who may see figures, but not the accounts.
    let service = test.service(&[Permission::AnalyticsRead]);
    let account = global_id("Account", book.keys().next().unwrap().0);
    let data = service.data(OF_ACCOUNT, json!({"id": account})).await;
    let row = &data["analytics"]["customerMovements"][0];
    assert_eq!([&row["subscription"], &row["version"], &row["event"]], [&Value::Null; 3]);
    assert_eq!(row["movementKind"], "NEW");
}

const CUSTOMERS: &str = "query($at: DateTime!, $currency: Currency!) { analytics {
    topCustomers(currency: $currency, first: 7, asOf: $at) {
        account { id } recurring { arr { amount currency } customerCount } subscriptionCount
    }
    recurringRevenueByPlan(asOf: $at) {
        plan { id } currency recurring { arr { amount } customerCount } subscriptionCount
    }
    recurringRevenue(asOf: $at) { currency arr { amount } subscriptionCount }
} }";

async fn plans_and_top_customers_add_up_to_recurring_revenue(test: &Company<120>) {
    let db = test.db();
    let today = test.app.now().date_naive();
    let [book, _] = books(test, db).await;
    let mut versions = sql::models::<subscription_versions::Model>(db, "SELECT * FROM subscription_versions").await;
    versions.sort_by_key(|version| (version.effective_at, version.recorded_at, version.id));
    let products = sql::models::<product_versions::Model>(db, "SELECT * FROM product_versions").await;
    let products: BTreeMap<Uuid, Uuid> = products.iter().map(|version| (version.id, version.product_id)).collect();
    for back in [0, 30, 200] {
        let end = today - Days::new(back);
        let at = midnight(end) - TimeDelta::microseconds(1);
        let customers = standing(&book, end);
        let currencies: BTreeSet<&String> = customers.keys().map(|(_, currency)| currency).collect();
        for currency in currencies {
            let data = test.admin().data(CUSTOMERS, json!({"at": at.to_rfc3339(), "currency": currency})).await;
            let data = &data["analytics"];
            let mut expected: Vec<(i64, Uuid)> = customers
                .iter()
                .filter(|((_, own), _)| own == currency)
                .map(|((account, _), arr)| (-arr, *account))
                .collect();
            expected.sort_unstable();
            expected.truncate(7);
            let top = data["topCustomers"].as_array().unwrap();
            let read = |row: &Value| {
                assert_eq!(row["recurring"]["arr"]["currency"], **currency);
                (-number(&row["recurring"]["arr"]["amount"]), local_id(&row["account"]["id"]))
            };
            assert_eq!(top.iter().map(read).collect::<Vec<_>>(), expected);
            // The plans add up to the whole.
            let plans = data["recurringRevenueByPlan"].as_array().unwrap();
            let of_currency: Vec<&Value> = plans.iter().filter(|row| row["currency"] == **currency).collect();
            let total = data["recurringRevenue"].as_array().unwrap().iter().find(|row| row["currency"] == **currency);
            let total = total.unwrap();
            let sum = |field: fn(&Value) -> &Value| of_currency.iter().map(|row| number(field(row))).sum::<i64>();
            assert_eq!(sum(|row| &row["recurring"]["arr"]["amount"]), number(&total["arr"]["amount"]));
            assert_eq!(sum(|row| &row["subscriptionCount"]), number(&total["subscriptionCount"]));
            // Each plan has the subscriptions whose newest state names it.
            let mut states: BTreeMap<Uuid, &subscription_versions::Model> = BTreeMap::new();
            for version in versions.iter().filter(|version| version.effective_at <= at) {
                states.insert(version.subscription_id, version);
            }
            let paying = |state: &&&subscription_versions::Model| {
                customers.contains_key(&(state.account_id, (*currency).clone()))
            };
            let plans: BTreeSet<Uuid> = states
                .values()
                .filter(|state| {
                    matches!(&*state.status, "active" | "past_due") && !state.paused && state.arr_minor > Some(0)
                })
                .filter(|state| state.currency.as_ref() == Some(currency))
                .filter(paying)
                .filter_map(|state| products.get(&state.product_version_id?).copied())
                .collect();
            let shown = of_currency.iter().filter(|row| !row["plan"].is_null()).map(|row| local_id(&row["plan"]["id"]));
            assert!(shown.collect::<BTreeSet<_>>().is_subset(&plans));
        }
    }
}

const TRIALS: &str = "query($from: Date!, $to: Date!, $at: DateTime!) { analytics {
    trialCohorts(from: $from, to: $to, asOf: $at, withinDays: 14) {
        startsOn startedCount convertedCount convertedInTimeCount runningCount pendingPaymentCount lostCount
        conversionRate medianDaysToConvert
    }
} }";

type At = DateTime<FixedOffset>;

/// Started, converted, converted in time, running, pending and lost of a month, and the times of the conversions.
type Month = ([i64; 6], Vec<TimeDelta>);

async fn trials_are_counted_by_what_became_of_them(test: &Company<200>) {
    let db = test.db();
    let subscriptions = sql::models::<subscriptions::Model>(db, "SELECT * FROM subscriptions").await;
    let payments = sql::models::<payments::Model>(db, "SELECT * FROM payments WHERE status = 'succeeded'").await;
    let mut versions = sql::models::<subscription_versions::Model>(db, "SELECT * FROM subscription_versions").await;
    versions.sort_by_key(|version| (version.effective_at, version.recorded_at, version.id));
    let (from, to) = (day("2024-06-11"), day("2026-03-01"));
    let now = test.app.now().fixed_offset();
    let mut seen = [0; 6];
    for at in [now, now - TimeDelta::days(100), now - TimeDelta::days(101)] {
        let mut months: BTreeMap<NaiveDate, Month> = BTreeMap::new();
        for subscription in &subscriptions {
            let Some(started) = subscription.trial_start.filter(|started| *started <= at) else { continue };
            if started < midnight(from) || started >= midnight(to) {
                continue;
            }
            let paid = payments.iter().filter(|payment| payment.account_id == subscription.account_id);
            let paid = paid.filter(|payment| payment.subscription_id.is_some() && payment.received_minor > 0);
            let paid: Option<At> =
                paid.filter_map(|payment| payment.paid_at).filter(|paid| started <= *paid && *paid <= at).min();
            let state = versions.iter().rfind(|v| v.subscription_id == subscription.id && v.effective_at <= at);
            let (counts, times) = months.entry(super::month(started.naive_utc().date())).or_default();
            counts[0] += 1;
            match (paid, state.map(|state| &*state.status)) {
                (Some(paid), _) => {
                    counts[1] += 1;
                    counts[2] += i64::from(paid - started <= TimeDelta::days(14));
                    times.push(paid - started);
                }
                (None, Some("trialing")) => counts[3] += 1,
                (None, Some("past_due")) => counts[4] += 1,
                _ => counts[5] += 1,
            }
        }
        let data = test.admin().data(TRIALS, json!({"from": from, "to": to, "at": at.to_rfc3339()})).await;
        let rows = data["analytics"]["trialCohorts"].as_array().unwrap();
        assert_eq!(rows.len(), months.len());
        for (row, (month, (counts, mut times))) in rows.iter().zip(months) {
            assert_eq!(row["startsOn"], month.to_string());
            let fields = ["started", "converted", "convertedInTime", "running", "pendingPayment", "lost"];
            assert_eq!(fields.map(|field| number(&row[format!("{field}Count")])), counts, "{row}");
            seen = std::array::from_fn(|index| seen[index] + counts[index]);
            let rate = match counts[1] + counts[5] {
                0 => None,
                decided => Some(Exact::new(counts[1].into(), decided.into())),
            };
            assert!(is_rounded(&row["conversionRate"], rate, 12), "{row}");
            times.sort_unstable();
            let time = |index: usize| i128::from(times[index].num_microseconds().unwrap());
            let last = times.len().checked_sub(1);
            let median = last.map(|last| Exact::new(time(last / 2) + time(times.len() / 2), 2 * 86_400_000_000));
            assert!(is_rounded(&row["medianDaysToConvert"], median, 12), "{row} {median:?}");
        }
    }
    assert!(seen[0] > 20 && seen[1] > 5 && seen[5] > 0, "{seen:?}");
}

async fn wrong_arguments_are_refused(test: &Company<1>) {
    for (field, message) in [
        ("topCustomers(currency: \"EUR\", first: 101) { subscriptionCount }", "`first` must be between 0 and 100."),
        (
            "trialCohorts(from: \"2025-01-01\", to: \"2025-02-01\", withinDays: -1) { startedCount }",
            "`withinDays` must be between 0 and 3,700.",
        ),
        ("movements(from: \"2025-01-01\", to: \"2025-01-01\") { startsOn }", "The range must be 1 to 3,700 days long."),
        ("rates(from: \"2025-01-01\", to: \"2045-01-01\") { currency }", "The range must be 1 to 3,700 days long."),
        (
            "cohorts(from: \"2025-01-01\", to: \"2025-02-01\", period: QUARTER) { currency }",
            "Cohorts are by month or by week: choose one of these as `period`.",
        ),
        (
            "cohorts(from: \"1969-01-01\", to: \"1970-01-02\") { currency }",
            "Dates must be between 1970-01-01 and 9999-12-31.",
        ),
    ] {
        let reply = test.admin().post(&format!("{{ analytics {{ {field} }} }}"), json!({})).await.json();
        assert_eq!(reply["errors"][0]["message"], message, "{reply}");
        assert_eq!(reply["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        // And nobody else has figures.
        let reply = test.user("user_1").post(&format!("{{ analytics {{ {field} }} }}"), json!({})).await.json();
        assert_eq!(reply["errors"][0]["extensions"]["code"], "FORBIDDEN");
    }
}
