//! The rollups of revenue: their figures equal those of an independent model, before and after the job, whatever changes.

mod cash;
mod customers;
mod judge;
mod list;
mod model;
mod plans;
mod rates;

pub(crate) use rates::is_rounded;

use crate::commands::done;
use crate::support::{Company, TestApp, both_engines, sql};
use chrono::{Datelike, Days, NaiveDate, TimeDelta};
use entity::mrr_movements;
use model::{Book, book, midnight, standing};
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use std::collections::BTreeMap;

both_engines!(
    movements_equal_those_of_an_independent_model,
    figures_follow_every_change_before_and_after_the_job,
    a_rebuild_equals_the_rows_of_the_job_and_corrects_others,
    every_change_of_the_facts_is_marked,
);

const MOVEMENTS: &str = "query($from: Date!, $to: Date!, $period: AnalyticsPeriod!, $discounts: DiscountPolicy!) {
    analytics { movements(from: $from, to: $to, period: $period, discounts: $discounts) {
        startsOn currency start { ...standing } end { ...standing }
        new { ...sum } expansion { ...sum } reactivation { ...sum } contraction { ...sum } churn { ...sum }
    } }
}
fragment standing on RecurringRevenueStanding { arr { amount currency } mrr { amount currency } customerCount }
fragment sum on MovementSum { arr { amount currency } mrr { amount currency } movementCount }";

const KINDS: [&str; 5] = ["new", "expansion", "reactivation", "contraction", "churn"];

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn start(day: NaiveDate, period: &str, from: NaiveDate) -> NaiveDate {
    match period {
        "DAY" => day,
        "WEEK" => day.week(chrono::Weekday::Mon).first_day(),
        "QUARTER" => NaiveDate::from_ymd_opt(day.year(), 1 + (day.month() - 1) / 3 * 3, 1).unwrap(),
        "YEAR" => NaiveDate::from_ymd_opt(day.year(), 1, 1).unwrap(),
        "RANGE" => from,
        _ => month(day),
    }
}

fn month(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap()
}

fn number(value: &Value) -> i64 {
    value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_else(|| panic!("{value} is a number"))
}

/// Annual amounts and counts of one period: the start, each kind, and the end.
type Row = [(i64, i64); 7];
type Rows = BTreeMap<(NaiveDate, String), Row>;

/// Returns the movements by period as the book has them.
fn expected(book: &Book, from: NaiveDate, to: NaiveDate, period: &str) -> Rows {
    let mut standings: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for ((_, currency), arr) in standing(book, from) {
        let standing = standings.entry(currency).or_default();
        *standing = (standing.0 + arr, standing.1 + 1);
    }
    let mut rows: Rows = BTreeMap::new();
    for ((_, currency), movements) in book {
        for movement in movements.iter().filter(|movement| from <= movement.day && movement.day < to) {
            let row = rows.entry((start(movement.day, period, from), currency.clone())).or_default();
            let sum = &mut row[1 + KINDS.iter().position(|kind| *kind == movement.kind).unwrap()];
            *sum = (sum.0 + movement.after - movement.before, sum.1 + 1);
        }
    }
    for ((_, currency), row) in &mut rows {
        let standing = standings.entry(currency.clone()).or_default();
        row[0] = *standing;
        standing.0 += row[1..6].iter().map(|sum| sum.0).sum::<i64>();
        standing.1 += row[1].1 + row[3].1 - row[5].1;
        row[6] = *standing;
    }
    rows
}

/// Asks for movements, and puts them into the form of [`expected`].
async fn asked(test: &TestApp, from: NaiveDate, to: NaiveDate, period: &str, policy: &str) -> Rows {
    let variables = json!({"from": from, "to": to, "period": period, "discounts": policy});
    let data = test.admin().data(MOVEMENTS, variables).await;
    let rows = data["analytics"]["movements"].as_array().unwrap();
    let read = |row: &Value| {
        let currency = row["currency"].as_str().unwrap().to_owned();
        let figure = |value: &Value, count: &str| {
            let arr = number(&value["arr"]["amount"]);
            let currencies = [&value["arr"]["currency"], &value["mrr"]["currency"]];
            assert!(currencies.iter().all(|code| **code == *currency), "{value}");
            // Half up, also of negative amounts.
            assert_eq!(number(&value["mrr"]["amount"]), (arr + 6).div_euclid(12), "{value}");
            (arr, number(&value[count]))
        };
        let mut sums = [(0, 0); 7];
        (sums[0], sums[6]) = (figure(&row["start"], "customerCount"), figure(&row["end"], "customerCount"));
        for (index, kind) in KINDS.iter().enumerate() {
            sums[index + 1] = figure(&row[*kind], "movementCount");
        }
        let moved: i64 = sums[1..6].iter().map(|sum| sum.0).sum();
        assert_eq!(sums[0].0 + moved, sums[6].0, "start and movements make the end: {row}");
        ((day(row["startsOn"].as_str().unwrap()), currency), sums)
    };
    let found: Rows = rows.iter().map(read).collect();
    assert_eq!(found.len(), rows.len(), "one row for each period and currency");
    found
}

/// Compares the answers with the books, over several ranges and periods.
async fn compare(test: &TestApp, books: &[Book; 2]) {
    let today = test.app.now().date_naive();
    let tomorrow = today + Days::new(1);
    let ranges = [
        (day("2023-01-01"), tomorrow),
        (day("2025-02-28"), day("2025-11-13")),
        (today - Days::new(9), today + Days::new(40)),
    ];
    for (from, to) in ranges {
        for (policy, book) in ["FOREVER_ONLY", "ALL_ACTIVE"].into_iter().zip(books) {
            for period in ["DAY", "WEEK", "MONTH", "QUARTER", "YEAR", "RANGE"] {
                let wanted = expected(book, from, to.min(tomorrow), period);
                assert_eq!(asked(test, from, to, period, policy).await, wanted, "{from} {to} {period} {policy}");
            }
            list::compare(test, book, from, to, policy).await;
        }
    }
}

async fn books(test: &TestApp, db: &DatabaseConnection) -> [Book; 2] {
    let today = test.app.now().date_naive();
    [book(db, today, false).await, book(db, today, true).await]
}

/// Lets the job make what is marked.
async fn make(test: &TestApp, db: &DatabaseConnection) {
    test.advance(TimeDelta::minutes(1));
    test.run_jobs().await;
    assert_eq!(sql::number(db, "SELECT COUNT(*) FROM analytics_marks").await, 0);
}

async fn movements_equal_those_of_an_independent_model(test: &Company<300>) {
    let db = test.db();
    let books = books(test, db).await;
    let all = books[0].values().flatten();
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    all.for_each(|movement| *kinds.entry(movement.kind).or_default() += 1);
    assert!(KINDS.iter().all(|kind| kinds.get(kind).is_some_and(|count| *count > 0)), "{kinds:?}");
    assert!(sql::number(db, "SELECT COUNT(*) FROM analytics_marks").await > 0);
    assert_eq!(sql::number(db, "SELECT COUNT(*) FROM mrr_movements").await, 0);
    compare(test, &books).await;
    make(test, db).await;
    compare(test, &books).await;
    // The rows are those of the books, each with the version that caused it.
    let rows = sql::models::<mrr_movements::Model>(db, "SELECT * FROM mrr_movements ORDER BY day").await;
    for (policy, book) in ["forever_only", "all_active"].into_iter().zip(&books) {
        let mut stored = Book::new();
        for row in rows.iter().filter(|row| row.discounts == policy) {
            let kind = KINDS.iter().find(|kind| **kind == row.kind).unwrap();
            let (before, after) = (row.arr_before_minor, row.arr_after_minor);
            let movement = model::Movement { day: row.day, kind, before, after };
            stored.entry((row.account_id, row.currency.clone())).or_default().push(movement);
        }
        stored
            .values_mut()
            .for_each(|movements| movements.retain(|movement| movement.day <= test.app.now().date_naive()));
        stored.retain(|_, movements| !movements.is_empty());
        assert_eq!(&stored, book);
    }
    let foreign = "SELECT COUNT(*) FROM mrr_movements m JOIN subscription_versions v ON v.id = m.subscription_version_id \
        WHERE v.account_id <> m.account_id OR v.subscription_id <> m.subscription_id \
        OR v.inbox_event_id IS DISTINCT FROM m.inbox_event_id";
    assert_eq!(sql::number(db, foreign).await, 0);
    // The ends are the recurring revenue of the last instant.
    let query =
        "query($at: DateTime!) { analytics { recurringRevenue(asOf: $at) { currency arr { amount } customerCount } } }";
    for back in [0, 1, 40, 200] {
        let last = test.app.now().date_naive() - Days::new(back);
        let at = midnight(last + Days::new(1)) - TimeDelta::microseconds(1);
        let data = test.admin().data(query, json!({"at": at.to_rfc3339()})).await;
        let rows = data["analytics"]["recurringRevenue"].as_array().unwrap();
        let read = |row: &Value| {
            (
                row["currency"].as_str().unwrap().to_owned(),
                (number(&row["arr"]["amount"]), number(&row["customerCount"])),
            )
        };
        let mut wanted: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for ((_, currency), arr) in standing(&books[0], last + Days::new(1)) {
            let sum = wanted.entry(currency).or_default();
            *sum = (sum.0 + arr, sum.1 + 1);
        }
        assert_eq!(rows.iter().map(read).collect::<BTreeMap<_, _>>(), wanted, "{last}");
    }
}

/// Facts that arrive late: corrections of the past, a state that nobody knew, a first payment that is found to be
/// earlier, and a discount that began long ago.
async fn arrive_late(db: &DatabaseConnection) {
    // A later record of a state that is known; the id of a payment is free among the versions.
    let correction = "INSERT INTO subscription_versions (id, account_id, subscription_id, effective_at, recorded_at, \
        status, paused, product_version_id, items, discount, currency, arr_minor, discounted_arr_minor, cause, \
        inbox_event_id) SELECT (SELECT p.id FROM payments p WHERE p.subscription_id = v.subscription_id \
        ORDER BY p.id DESC LIMIT 1), v.account_id, v.subscription_id, v.effective_at, \
        (SELECT MAX(p.created_at) FROM payments p), v.status, v.paused, v.product_version_id, v.items, v.discount, \
        v.currency, v.arr_minor * 2, v.arr_minor, v.cause, v.inbox_event_id FROM subscription_versions v \
        WHERE v.id IN (SELECT DISTINCT o.id FROM \
        subscription_versions o JOIN payments q ON q.subscription_id = o.subscription_id WHERE o.status = 'active' \
        AND o.arr_minor > 0 AND NOT EXISTS (SELECT 1 FROM subscription_versions e \
        WHERE e.subscription_id = o.subscription_id AND e.status = 'active' AND e.effective_at < o.effective_at) \
        ORDER BY o.id LIMIT 15)";
    sql::execute(db, correction).await;
    let changes = "INSERT INTO subscription_arr_changes (id, account_id, subscription_version_id, effective_at, \
        currency, arr_minor, discounted_arr_minor) SELECT v.id, v.account_id, v.id, s.current_period_start, v.currency, \
        v.arr_minor, v.arr_minor / 2 FROM subscription_versions v JOIN subscriptions s ON s.id = v.subscription_id \
        WHERE v.arr_minor > 0 AND s.current_period_start > v.effective_at AND v.effective_at = (SELECT MAX(o.effective_at) \
        FROM subscription_versions o WHERE o.subscription_id = v.subscription_id) ORDER BY v.id LIMIT 20";
    sql::execute(db, changes).await;
    // A payment that failed for all that is known turns out to have succeeded, and others turn out to have failed.
    let failed = "UPDATE payments SET status = 'failed', paid_at = NULL, refunded_minor = 0, received_minor = 0 \
        WHERE id IN (SELECT id FROM payments WHERE status = 'succeeded' AND refunded_minor = 0 AND id NOT IN \
        (SELECT payment_id FROM refunds) ORDER BY id LIMIT 9)";
    sql::execute(db, failed).await;
    let first = "UPDATE subscriptions SET first_paid_at = (SELECT MIN(p.paid_at) FROM payments p \
        WHERE p.subscription_id = subscriptions.id AND p.status = 'succeeded' AND p.received_minor > 0)";
    sql::execute(db, first).await;
}

async fn figures_follow_every_change_before_and_after_the_job(test: &Company<120>) {
    let db = test.db();
    make(test, db).await;
    let before = books(test, db).await;
    arrive_late(db).await;
    assert!(sql::number(db, "SELECT COUNT(DISTINCT account_id) FROM analytics_marks").await > 20);
    let after = books(test, db).await;
    assert_ne!(before, after);
    compare(test, &after).await;
    make(test, db).await;
    compare(test, &after).await;
}

/// The rows of all rollups.
async fn rollups(db: &DatabaseConnection) -> Vec<String> {
    let mut rows = Vec::new();
    rows.extend(
        sql::models::<entity::revenue_daily::Model>(db, "SELECT * FROM revenue_daily")
            .await
            .iter()
            .map(|row| format!("{row:?}")),
    );
    rows.extend(
        sql::models::<mrr_movements::Model>(db, "SELECT * FROM mrr_movements")
            .await
            .iter()
            .map(|row| format!("{row:?}")),
    );
    rows.extend(
        sql::models::<entity::mrr_daily::Model>(db, "SELECT * FROM mrr_daily")
            .await
            .iter()
            .map(|row| format!("{row:?}")),
    );
    rows.extend(
        sql::models::<entity::mrr_cohorts::Model>(db, "SELECT * FROM mrr_cohorts")
            .await
            .iter()
            .map(|row| format!("{row:?}")),
    );
    rows.sort_unstable();
    rows
}

async fn a_rebuild_equals_the_rows_of_the_job_and_corrects_others(test: &Company<120>) {
    let db = test.db();
    make(test, db).await;
    arrive_late(db).await;
    make(test, db).await;
    let made = rollups(db).await;
    let out = done(test, &["analytics", "rebuild"], &[]);
    assert!(out.contains(" customers, 0 movements corrected\n"), "{out}");
    assert!(out.contains(" days, 0 rows of cash corrected\n"), "{out}");
    assert!(out.contains("         0  other sums corrected\n"), "{out}");
    assert_eq!(rollups(db).await, made, "nothing is left to correct");
    // Rows that are wrong, missing or too many.
    for damage in [
        "DELETE FROM mrr_movements WHERE kind = 'churn'",
        "UPDATE mrr_movements SET arr_after_minor = arr_after_minor + 1 WHERE kind = 'new'",
        "UPDATE mrr_daily SET new_minor = new_minor + 5, churn_count = churn_count + 1",
        "DELETE FROM mrr_cohorts WHERE cohort_on = month_on",
        "UPDATE revenue_daily SET gross_minor = gross_minor + 7 WHERE stream = 'subscription'",
        "DELETE FROM revenue_daily WHERE stream = 'addon'",
    ] {
        sql::execute(db, damage).await;
    }
    assert_ne!(rollups(db).await, made);
    let out = done(test, &["analytics", "rebuild"], &[]);
    assert!(!out.contains(" 0 movements") && !out.contains(" 0 rows") && !out.contains("         0  other"), "{out}");
    assert_eq!(rollups(db).await, made);
    // And from nothing, as after an update to the version that added the rollups.
    for table in ["revenue_daily", "mrr_movements", "mrr_daily", "mrr_cohorts"] {
        sql::execute(db, &format!("DELETE FROM {table}")).await;
    }
    done(test, &["analytics", "rebuild"], &[]);
    assert_eq!(rollups(db).await, made);
}

async fn every_change_of_the_facts_is_marked(test: &Company<60>) {
    let db = test.db();
    test.complete().await;
    make(test, db).await;
    let one = |table: &str, condition: &str| format!("(SELECT id FROM {table} WHERE {condition} ORDER BY id LIMIT 1)");
    let paid = one("payments", "status = 'succeeded'");
    let refund = one("refunds", "status = 'processed'");
    let invoice = one("invoices", "status = 'paid'");
    let dispute = one("disputes", "TRUE");
    let subscription = one("subscriptions", "first_paid_at IS NOT NULL");
    let tables = ["refunds", "disputes", "credit_grants", "gifts", "license_keys"];
    let uses = tables.map(|table| format!("SELECT payment_id FROM {table} WHERE payment_id IS NOT NULL"));
    let unused = one("payments", &format!("status = 'succeeded' AND id NOT IN ({})", uses.join(" UNION ")));
    let earlier = "'2025-06-01T00:00:00+00:00'";
    let cases = [
        (format!("UPDATE subscriptions SET first_paid_at = {earlier} WHERE id = {subscription}"), 1, 0),
        (format!("UPDATE subscriptions SET updated_at = {earlier} WHERE id = {subscription}"), 0, 0),
        (format!("UPDATE payments SET description = 'x' WHERE id = {paid}"), 0, 0),
        (format!("UPDATE payments SET received_minor = received_minor + 1 WHERE id = {paid}"), 0, 1),
        // The day from which it goes, and the one to which.
        (format!("UPDATE payments SET paid_at = {earlier} WHERE id = {paid}"), 0, 2),
        (format!("UPDATE refunds SET amount_minor = amount_minor + 1 WHERE id = {refund}"), 0, 1),
        (format!("UPDATE refunds SET reason = 'x' WHERE id = {refund}"), 0, 0),
        (
            format!(
                "UPDATE invoices SET tax_minor = tax_minor + 1, total_minor = total_minor + 1 WHERE id = {invoice}"
            ),
            0,
            1,
        ),
        (format!("UPDATE disputes SET amount_minor = amount_minor + 1 WHERE id = {dispute}"), 0, 1),
        (format!("UPDATE disputes SET status = 'lost', closed_at = {earlier} WHERE id = {dispute}"), 0, 2),
        (format!("DELETE FROM disputes WHERE id = {dispute}"), 0, 2),
        (format!("DELETE FROM refunds WHERE id = {refund}"), 0, 1),
        (format!("DELETE FROM payments WHERE id = {unused}"), 0, 1),
    ];
    for (change, customers, days) in cases {
        sql::execute(db, &change).await;
        let marked = "SELECT COUNT(DISTINCT account_id) FROM analytics_marks";
        assert_eq!(sql::number(db, marked).await, customers, "{change}");
        let marked = sql::number(db, "SELECT COUNT(DISTINCT day) FROM analytics_marks").await;
        // The days of a payment are also those of its refunds, disputes and invoice.
        assert!(marked >= days && (days > 0 || marked == 0), "{marked}: {change}");
        make(test, db).await;
    }
}
