//! All figures of cash, by the rows alone: tax, fees and disputes too, while facts come, change and go.

use super::plans::Plans;
use super::{day, make, number};
use crate::support::{Company, TestApp, both_engines, sql};
use chrono::{DateTime, FixedOffset, NaiveDate};
use entity::{disputes, invoices, payments, refunds};
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

both_engines!(all_figures_of_cash_follow_the_facts, days_without_facts_have_no_rows,);

const REVENUE: &str = "query($from: Date!, $to: Date!) { analytics { revenue(from: $from, to: $to) {
    startsOn stream gross { amount currency } net { amount } paymentCount fees { amount } unknownFeeCount
    refunded { amount } refundCount tax { amount } disputed { amount } disputesLost { amount currency }
} } }";

/// Gross, payments, fees, unknown fees, refunded, refunds, tax, disputed and lost.
pub(super) type Figures = [i64; 9];
type Rows = BTreeMap<(NaiveDate, String, String), Figures>;
type At = Option<DateTime<FixedOffset>>;

/// The figures of a row of the answer.
pub(super) fn figures(row: &Value) -> Figures {
    let amount = |field: &str| number(&row[field]["amount"]);
    assert_eq!(amount("net"), amount("gross") - amount("refunded"), "{row}");
    assert_eq!(row["gross"]["currency"], row["disputesLost"]["currency"], "{row}");
    [
        amount("gross"),
        number(&row["paymentCount"]),
        amount("fees"),
        number(&row["unknownFeeCount"]),
        amount("refunded"),
        number(&row["refundCount"]),
        amount("tax"),
        amount("disputed"),
        amount("disputesLost"),
    ]
}

async fn asked(test: &TestApp, from: NaiveDate, to: NaiveDate) -> Rows {
    let data = test.admin().data(REVENUE, json!({"from": from, "to": to})).await;
    let rows = data["analytics"]["revenue"].as_array().unwrap();
    let read = |row: &Value| {
        let figures = figures(row);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        ((day(&text(&row["startsOn"])), text(&row["gross"]["currency"]), text(&row["stream"])), figures)
    };
    rows.iter().map(read).collect()
}

/// A fact that counts: a payment, a refund, an invoice with tax, or a dispute.
pub(super) struct Fact {
    pub(super) day: NaiveDate,
    pub(super) currency: String,
    stream: String,
    pub(super) plan: Option<Uuid>,
    pub(super) figures: Vec<(usize, i64)>,
}

/// All facts by the rows alone.
pub(super) async fn facts(db: &DatabaseConnection) -> Vec<Fact> {
    let payments = sql::models::<payments::Model>(db, "SELECT * FROM payments").await;
    let by_id: HashMap<Uuid, &payments::Model> = payments.iter().map(|payment| (payment.id, payment)).collect();
    let plans = Plans::read(db).await;
    let mut facts = Vec::new();
    let mut count = |at: At, currency: &str, stream: &str, plan: Option<Uuid>, figures: &[(usize, i64)]| {
        let Some(day) = at.map(|at| at.naive_utc().date()) else { return };
        let (currency, stream) = (currency.to_owned(), stream.to_uppercase());
        facts.push(Fact { day, currency, stream, plan, figures: figures.to_vec() });
    };
    let succeeded: Vec<&payments::Model> = payments.iter().filter(|payment| payment.status == "succeeded").collect();
    for payment in &succeeded {
        let fee = payment.fee_minor.unwrap_or_default();
        let figures = [(0, payment.received_minor), (1, 1), (2, fee), (3, i64::from(payment.fee_minor.is_none()))];
        count(payment.paid_at, &payment.currency, &payment.stream, plans.of_payment(payment), &figures);
    }
    let processed = "SELECT r.* FROM refunds r JOIN payments p ON p.id = r.payment_id \
        WHERE r.status = 'processed' AND p.status = 'succeeded'";
    for refund in sql::models::<refunds::Model>(db, processed).await {
        let (payment, figures) = (by_id[&refund.payment_id], [(4, refund.amount_minor), (5, 1)]);
        count(refund.processed_at, &refund.currency, &payment.stream, plans.of_payment(payment), &figures);
    }
    for invoice in sql::models::<invoices::Model>(db, "SELECT * FROM invoices WHERE status = 'paid'").await {
        if invoice.tax_minor == 0 {
            continue;
        }
        let paid: Vec<_> = succeeded.iter().filter(|payment| payment.invoice_id == Some(invoice.id)).collect();
        let alone = if invoice.subscription_id.is_none() { "other" } else { "subscription" };
        let stream = paid.iter().map(|payment| &*payment.stream).min().unwrap_or(alone);
        let plan = match invoice.subscription_id {
            Some(subscription) => plans.of_subscription(subscription, invoice.paid_at),
            None => paid.iter().find_map(|payment| plans.of_gift(payment.id)),
        };
        count(invoice.paid_at, &invoice.currency, stream, plan, &[(6, invoice.tax_minor)]);
    }
    for dispute in sql::models::<disputes::Model>(db, "SELECT * FROM disputes WHERE status <> 'warning'").await {
        let payment = by_id[&dispute.payment_id];
        let plan = plans.of_payment(payment);
        count(Some(dispute.created_at), &dispute.currency, &payment.stream, plan, &[(7, dispute.amount_minor)]);
        let lost = dispute.closed_at.filter(|_| dispute.status == "lost");
        count(lost, &dispute.currency, &payment.stream, plan, &[(8, dispute.amount_minor)]);
    }
    facts
}

/// Cash by the rows alone.
async fn expected(db: &DatabaseConnection, from: NaiveDate, to: NaiveDate) -> Rows {
    let mut rows = Rows::new();
    for fact in facts(db).await.into_iter().filter(|fact| (from..to).contains(&fact.day)) {
        let row = rows.entry((fact.day, fact.currency, fact.stream)).or_default();
        fact.figures.iter().for_each(|(figure, amount)| row[*figure] += amount);
    }
    rows
}

async fn compare(test: &TestApp, db: &DatabaseConnection, step: &str) -> Figures {
    let (from, to) = (day("2021-01-01"), day("2027-01-01"));
    let wanted = expected(db, from, to).await;
    assert_eq!(asked(test, from, to).await, wanted, "{step}");
    let mut sums = [0; 9];
    wanted.values().for_each(|row| sums.iter_mut().zip(row).for_each(|(sum, figure)| *sum += figure));
    sums
}

/// The first of the rows of `table` that match.
fn first(table: &str, condition: &str, count: usize) -> String {
    format!("(SELECT id FROM {table} WHERE {condition} ORDER BY id LIMIT {count})")
}

async fn all_figures_of_cash_follow_the_facts(test: &Company<80>) {
    let db = test.db();
    test.complete().await;
    let taxed = "UPDATE invoices SET tax_minor = 7, total_minor = total_minor + 7 WHERE id IN";
    sql::execute(db, &format!("{taxed} {}", first("invoices", "status = 'paid'", 40))).await;
    compare(test, db, "from the facts").await;
    make(test, db).await;
    compare(test, db, "from the rows").await;
    let late = "'2025-06-01T23:59:59.999999+00:00'";
    let succeeded = first("payments", "status = 'succeeded'", 30);
    let changes = [
        format!("UPDATE payments SET fee_minor = NULL WHERE id IN {succeeded}"),
        format!("UPDATE disputes SET status = 'lost', closed_at = {late} WHERE id IN {}", first("disputes", "TRUE", 2)),
        format!("UPDATE disputes SET status = 'warning' WHERE id IN {}", first("disputes", "status <> 'lost'", 1)),
        format!("UPDATE invoices SET paid_at = {late} WHERE id IN {}", first("invoices", "tax_minor > 0", 5)),
        format!("UPDATE refunds SET processed_at = {late} WHERE id IN {}", first("refunds", "status = 'processed'", 1)),
        format!("UPDATE payments SET stream = 'addon' WHERE invoice_id IN {}", first("invoices", "tax_minor > 0", 9)),
        format!("UPDATE payments SET invoice_id = NULL WHERE invoice_id IN {}", first("invoices", "tax_minor > 0", 3)),
        format!("DELETE FROM disputes WHERE id IN {}", first("disputes", "status = 'lost'", 1)),
        format!("DELETE FROM refunds WHERE id IN {}", first("refunds", "status = 'processed'", 1)),
    ];
    // Each alone, and then made into rows with the others.
    for change in &changes {
        sql::execute(db, change).await;
        compare(test, db, change).await;
    }
    make(test, db).await;
    let sums = compare(test, db, "from the rows that were made again").await;
    assert!(sums.iter().all(|sum| *sum > 0), "every figure occurs: {sums:?}");
}

async fn days_without_facts_have_no_rows(test: &Company<20>) {
    let db = test.db();
    make(test, db).await;
    let (from, to) = (day("2019-01-01"), day("2019-12-31"));
    assert_eq!(asked(test, from, to).await, Rows::new());
    // A day that loses its last fact loses its row.
    let rows = sql::number(db, "SELECT COUNT(*) FROM revenue_daily").await;
    let failed = "UPDATE payments SET status = 'failed', paid_at = NULL, received_minor = 0, refunded_minor = 0, \
        returned_minor = 0";
    sql::execute(db, failed).await;
    sql::execute(db, "UPDATE invoices SET tax_minor = 0").await;
    sql::execute(db, "UPDATE refunds SET status = 'failed'").await;
    assert_eq!(asked(test, day("2021-01-01"), day("2027-01-01")).await, Rows::new());
    make(test, db).await;
    assert!(rows > 0);
    assert_eq!(sql::number(db, "SELECT COUNT(*) FROM revenue_daily").await, 0);
}
