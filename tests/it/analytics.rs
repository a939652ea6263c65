//! Analytics: every figure equals one that is computed here from the rows alone, by the definitions of the metrics.

use crate::support::{Company, TestApp, both_engines, sql};
use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, TimeDelta};
use entity::{payments, refunds, subscription_versions};
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

both_engines!(revenue_is_the_sum_of_payments_and_refunds, recurring_revenue_is_what_was_in_force,);

type Instant = DateTime<FixedOffset>;

const REVENUE: &str = "query($from: Date!, $to: Date!, $period: AnalyticsPeriod!) { analytics {
    revenue(from: $from, to: $to, period: $period) {
        startsOn stream gross { amount currency } refunded { amount currency } net { amount currency } paymentCount
    }
} }";

const RECURRING: &str = "query($at: DateTime!) { analytics {
    forever: recurringRevenue(asOf: $at) { ...figures }
    all: recurringRevenue(asOf: $at, discounts: ALL_ACTIVE) { ...figures }
    counts: subscriptionCounts(asOf: $at) { status subscriptionCount }
} }
fragment figures on RecurringRevenueSummary {
    currency mrr { amount currency } arr { amount currency } subscriptionCount customerCount
}";

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// The first day of the period of an instant, by the calendar of chrono.
fn start(at: Instant, period: &str) -> NaiveDate {
    let day = at.naive_utc().date();
    match period {
        "DAY" => day,
        "WEEK" => {
            let week = day.iso_week();
            NaiveDate::from_isoywd_opt(week.year(), week.week(), chrono::Weekday::Mon).unwrap()
        }
        _ => NaiveDate::from_ymd_opt(day.year(), day.month(), 1).unwrap(),
    }
}

/// Revenue by the rows alone: gross, refunded and how many payments, by period, currency and stream.
async fn revenue(
    db: &DatabaseConnection,
    from: NaiveDate,
    to: NaiveDate,
    period: &str,
) -> BTreeMap<(NaiveDate, String, String), (i64, i64, i64)> {
    let payments = sql::models::<payments::Model>(db, "SELECT * FROM payments").await;
    let refunds = sql::models::<refunds::Model>(db, "SELECT * FROM refunds").await;
    let inside = |at: Option<Instant>| at.filter(|at| (from..to).contains(&at.naive_utc().date()));
    let mut sums: BTreeMap<_, (i64, i64, i64)> = BTreeMap::new();
    for payment in payments.iter().filter(|payment| payment.status == "succeeded") {
        let Some(at) = inside(payment.paid_at) else { continue };
        let sum = sums.entry((start(at, period), payment.currency.clone(), payment.stream.to_uppercase())).or_default();
        sum.0 += payment.received_minor;
        sum.2 += 1;
    }
    for refund in refunds.iter().filter(|refund| refund.status == "processed") {
        let Some(at) = inside(refund.processed_at) else { continue };
        let payment = payments.iter().find(|payment| payment.id == refund.payment_id).unwrap();
        let key = (start(at, period), refund.currency.clone(), payment.stream.to_uppercase());
        sums.entry(key).or_default().1 += refund.amount_minor;
    }
    sums
}

/// Asks for revenue, and puts it into the form of [`revenue`].
async fn asked(
    test: &TestApp,
    from: NaiveDate,
    to: NaiveDate,
    period: &str,
) -> BTreeMap<(NaiveDate, String, String), (i64, i64, i64)> {
    let variables = json!({"from": from.to_string(), "to": to.to_string(), "period": period});
    let data = test.admin().data(REVENUE, variables).await;
    let rows = data["analytics"]["revenue"].as_array().unwrap();
    let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap();
    let read = |row: &Value| {
        let currency = row["gross"]["currency"].as_str().unwrap();
        assert!([&row["refunded"], &row["net"]].iter().all(|money| money["currency"] == currency), "{row}");
        let (gross, refunded) = (number(&row["gross"]["amount"]), number(&row["refunded"]["amount"]));
        assert_eq!(number(&row["net"]["amount"]), gross - refunded);
        let text = |field: &str| row[field].as_str().unwrap().to_owned();
        ((day(&text("startsOn")), currency.to_owned(), text("stream")), (gross, refunded, number(&row["paymentCount"])))
    };
    let mut found: BTreeMap<_, _> = rows.iter().map(read).collect();
    assert_eq!(found.len(), rows.len(), "one row for each period, currency and stream");
    // Other rows are there for their tax or their disputes.
    found.retain(|_, sums| *sums != (0, 0, 0));
    assert!(rows.iter().map(|row| read(row).0).is_sorted(), "oldest first");
    found
}

async fn revenue_is_the_sum_of_payments_and_refunds(test: &Company<80>) {
    // From the facts, from the table, and from both.
    compare_revenue(test).await;
    test.run_jobs().await;
    assert_eq!(sql::number(test.db(), "SELECT COUNT(*) FROM analytics_marks").await, 0);
    compare_revenue(test).await;
    let late = "UPDATE payments SET received_minor = received_minor + 5, amount_minor = amount_minor + 5 \
        WHERE id IN (SELECT id FROM payments WHERE status = 'succeeded' ORDER BY id DESC LIMIT 40)";
    sql::execute(test.db(), late).await;
    let late = "UPDATE payments SET stream = 'other' WHERE id IN (SELECT payment_id FROM refunds ORDER BY id LIMIT 2)";
    sql::execute(test.db(), late).await;
    compare_revenue(test).await;
    test.advance(TimeDelta::minutes(1));
    test.run_jobs().await;
    compare_revenue(test).await;
    let all = revenue(test.db(), day("2020-01-01"), day("2027-01-01"), "MONTH").await;
    assert!(all.keys().map(|key| &key.1).collect::<BTreeSet<_>>().len() > 1, "there are several currencies");
    assert!(all.values().any(|sum| sum.1 > 0), "there are refunds");
}

async fn compare_revenue(test: &Company<80>) {
    for (from, to) in [("2024-01-01", "2026-02-01"), ("2025-11-13", "2026-01-09"), ("2025-12-31", "2026-01-01")] {
        let mut whole = BTreeSet::new();
        for period in ["DAY", "WEEK", "MONTH"] {
            let expected = revenue(test.db(), day(from), day(to), period).await;
            assert_eq!(asked(test, day(from), day(to), period).await, expected, "{from} {to} {period}");
            whole.insert(expected.values().fold((0, 0, 0), |a, b| (a.0 + b.0, a.1 + b.1, a.2 + b.2)));
        }
        assert_eq!(whole.len(), 1, "all periods add up to the same: {whole:?}");
    }
}

/// Recurring revenue by currency (ARR, subscriptions, accounts), and subscriptions by status, by the rows alone.
type InForce = (BTreeMap<String, (i64, usize, usize)>, BTreeMap<String, usize>);

async fn in_force(db: &DatabaseConnection, at: Instant, every_discount: bool) -> InForce {
    let versions = sql::models::<subscription_versions::Model>(db, "SELECT * FROM subscription_versions").await;
    let payments = sql::models::<payments::Model>(db, "SELECT * FROM payments").await;
    let paid: BTreeSet<Uuid> = payments
        .iter()
        .filter(|payment| payment.status == "succeeded" && payment.amount_minor > 0)
        .filter(|payment| payment.paid_at.is_some_and(|paid| paid <= at))
        .filter_map(|payment| payment.subscription_id)
        .collect();
    let mut states: BTreeMap<Uuid, &subscription_versions::Model> = BTreeMap::new();
    for version in versions.iter().filter(|version| version.effective_at <= at) {
        let newest = states.entry(version.subscription_id).or_insert(version);
        let order = |row: &subscription_versions::Model| (row.effective_at, row.recorded_at, row.id);
        if order(version) > order(newest) {
            *newest = version;
        }
    }
    let mut sums: BTreeMap<String, (i64, usize, BTreeSet<Uuid>)> = BTreeMap::new();
    let mut counts = BTreeMap::new();
    for (subscription, state) in states {
        *counts.entry(state.status.to_uppercase()).or_default() += 1;
        let arr = if every_discount { state.discounted_arr_minor } else { state.arr_minor }.unwrap();
        let recurs = matches!(&*state.status, "active" | "past_due") && !state.paused && arr > 0;
        if recurs && paid.contains(&subscription) {
            let sum = sums.entry(state.currency.clone().unwrap()).or_default();
            (sum.0, sum.1) = (sum.0 + arr, sum.1 + 1);
            sum.2.insert(state.account_id);
        }
    }
    (sums.into_iter().map(|(currency, (arr, n, accounts))| (currency, (arr, n, accounts.len()))).collect(), counts)
}

/// Asks what was in force, and compares it with the rows.
async fn compare(test: &TestApp, db: &DatabaseConnection, at: Instant) -> InForce {
    let data = test.admin().data(RECURRING, json!({"at": at.to_rfc3339()})).await["analytics"].take();
    let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap();
    let figures = |name: &str| -> BTreeMap<String, (i64, usize, usize)> {
        let read = |row: &Value| {
            let currency = row["currency"].as_str().unwrap();
            assert!([&row["mrr"], &row["arr"]].iter().all(|money| money["currency"] == currency), "{row}");
            let arr = number(&row["arr"]["amount"]);
            // Half up: figures are never negative.
            assert_eq!(number(&row["mrr"]["amount"]), (arr + 6).div_euclid(12), "{row}");
            let count = |field: &str| usize::try_from(number(&row[field])).unwrap();
            (currency.to_owned(), (arr, count("subscriptionCount"), count("customerCount")))
        };
        data[name].as_array().unwrap().iter().map(read).collect()
    };
    let expected = in_force(db, at, false).await;
    assert_eq!(figures("forever"), expected.0, "{at}");
    assert_eq!(figures("all"), in_force(db, at, true).await.0, "{at}, every discount");
    let counts = data["counts"].as_array().unwrap().iter().map(|row| {
        (row["status"].as_str().unwrap().to_owned(), usize::try_from(number(&row["subscriptionCount"])).unwrap())
    });
    assert_eq!(counts.collect::<BTreeMap<_, _>>(), expected.1, "{at}");
    expected
}

async fn recurring_revenue_is_what_was_in_force(test: &Company<80>) {
    let mut instants: BTreeSet<Instant> =
        (0..20).map(|n| test.app.now().fixed_offset() - TimeDelta::days(23 * n)).collect();
    // On the boundaries: at a change, and a microsecond before it.
    let changes: Vec<Instant> =
        sql::column(test.db(), "SELECT effective_at FROM subscription_versions ORDER BY id", []).await;
    let first: Vec<Instant> =
        sql::column(test.db(), "SELECT first_paid_at FROM subscriptions WHERE first_paid_at IS NOT NULL", []).await;
    for at in changes.into_iter().step_by(17).chain(first.into_iter().step_by(13)) {
        instants.extend([at, at - TimeDelta::microseconds(1)]);
    }
    assert!(instants.len() > 30);
    let mut most = 0;
    for at in instants {
        most = most.max(compare(test, test.db(), at).await.0.len());
    }
    assert!(most > 1, "there are several currencies");
    let discounted = "SELECT COUNT(*) FROM subscription_versions WHERE arr_minor <> discounted_arr_minor";
    assert!(sql::number(test.db(), discounted).await > 0, "the policies differ somewhere");
}
