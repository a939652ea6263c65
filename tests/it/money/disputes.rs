//! Disputes: own amount and currency, and the part of the payment that is lost with them.

use super::story::{
    charge, customer, dispute, flows, intent, merged, paddle, paddle_customer, stripe, tell, tell_from, time,
    unchanged_by_a_rebuild,
};
use crate::support::{TestApp, both_engines};
use serde_json::{Value, json};
use tollgate::providers::Provider;

both_engines!(
    what_is_lost_is_lost_in_the_payments_currency,
    a_closed_dispute_is_dated_by_its_event,
    paddles_adjustments_have_currencies,
);

const AT: i64 = 1_767_225_605;
const CLOSED: i64 = AT + 900_000;

/// A pack of 1000 credits for 40.00, and a dispute that was closed.
fn story(amount: (i64, &str), status: &str, with: Value) -> Vec<(Provider, Value)> {
    let session = json!({"id": "cs_1", "object": "checkout.session", "mode": "payment", "status": "complete",
        "payment_status": "paid", "amount_total": 4_000, "currency": "usd", "customer": "cus_1", "created": AT,
        "payment_intent": "pi_1", "metadata": {"credits": "1000"}});
    let disputed = |status: &str| merged(dispute("du_1", "pi_1", AT + 100, amount, status), with.clone());
    vec![
        customer(),
        stripe(AT, "charge.succeeded", charge("pi_1", AT, (4_000, "usd"), json!({}))),
        stripe(AT, "payment_intent.succeeded", intent("pi_1", AT, (4_000, "usd"), json!({}))),
        stripe(AT, "checkout.session.completed", session),
        stripe(AT + 100, "charge.dispute.created", disputed("needs_response")),
        stripe(CLOSED, "charge.dispute.closed", disputed(status)),
    ]
}

fn moved(movements: &[(i64, &str)]) -> Value {
    let movement =
        |(amount, currency): &(i64, &str)| json!({"amount": amount, "currency": currency, "created": AT + 100});
    json!({"balance_transactions": movements.iter().map(movement).collect::<Vec<_>>()})
}

async fn what_is_lost_is_lost_in_the_payments_currency(test: &TestApp) {
    // The dispute, its end, what moved; the returned part, and the credits that are kept.
    let cases = [
        ((4_000, "usd"), "lost", moved(&[]), Some("0"), json!("4000"), "LOST"),
        ((1_000, "usd"), "lost", moved(&[]), Some("750"), json!("1000"), "LOST"),
        ((4_000, "usd"), "won", moved(&[]), Some("1000"), json!("0"), "WON"),
        ((4_000, "usd"), "warning_closed", moved(&[]), Some("1000"), json!("0"), "WON"),
        ((4_000, "usd"), "prevented", moved(&[]), Some("1000"), json!("0"), "WON"),
        ((4_000, "usd"), "lost", moved(&[(-4_000, "usd"), (1_000, "usd")]), Some("250"), json!("3000"), "LOST"),
        ((4_000, "usd"), "won", moved(&[(-4_000, "usd"), (4_000, "usd")]), Some("1000"), json!("0"), "WON"),
        ((4_000, "usd"), "won", moved(&[(-4_000, "usd"), (3_000, "usd")]), Some("750"), json!("1000"), "WON"),
        ((4_000, "usd"), "won", moved(&[(-4_000, "usd")]), Some("1000"), json!("0"), "WON"),
        ((3_600, "eur"), "lost", moved(&[]), Some("1000"), Value::Null, "LOST"),
        ((3_600, "eur"), "lost", moved(&[(-3_600, "eur")]), Some("1000"), Value::Null, "LOST"),
        ((3_600, "eur"), "lost", moved(&[(-3_900, "usd")]), Some("25"), json!("3900"), "LOST"),
        ((3_600, "eur"), "won", moved(&[]), Some("1000"), json!("0"), "WON"),
        ((600_000, "jpy"), "lost", moved(&[]), Some("1000"), Value::Null, "LOST"),
    ];
    for (number, (amount, status, with, kept, returned, told_status)) in cases.into_iter().enumerate() {
        let events = story(amount, status, with.clone());
        tell_from(test, number * 10, &events, |told| {
            let payment = told.payment("pi_1");
            let dispute = &payment["disputes"][0];
            let own = json!({"amount": amount.0.to_string(), "currency": amount.1.to_uppercase()});
            assert_eq!(
                (&dispute["amount"], &dispute["caseStatus"]),
                (&own, &json!(told_status)),
                "{amount:?} {status}"
            );
            assert_eq!((flows(payment), &dispute["closedAt"]), ([4_000, 4_000, 0], &time(CLOSED)));
            let part = payment["returned"].get("amount").cloned().unwrap_or_default();
            assert_eq!(part, returned, "{amount:?} {status} {with}");
            assert_eq!(told.account["creditBalance"]["available"].as_str(), kept, "{amount:?} {status} {with}");
        })
        .await;
    }
    unchanged_by_a_rebuild(test).await;
}

async fn a_closed_dispute_is_dated_by_its_event(test: &TestApp) {
    // Stripe was asked long after, and no event told of the end: the movement of the money dates it, else its opening.
    let mut events = story((4_000, "usd"), "won", moved(&[(-4_000, "usd"), (4_000, "usd")]));
    let (_, closing) = events.pop().unwrap();
    let updated = stripe(CLOSED, "charge.dispute.updated", closing["data"]["object"].clone());
    events.push(updated);
    tell(test, &events, |told| assert_eq!(told.payment("pi_1")["disputes"][0]["closedAt"], time(AT + 100))).await;
}

async fn paddles_adjustments_have_currencies(test: &TestApp) {
    let totals = json!({"subtotal": "4000", "discount": "0", "tax": "0", "total": "4000", "grand_total": "4000",
        "balance": "0", "currency_code": "USD"});
    let transaction = json!({"id": "txn_1", "status": "completed",
        "customer_id": "ctm_1", "currency_code": "USD", "billed_at": "2026-01-02T10:00:00Z",
        "created_at": "2026-01-02T10:00:00Z", "updated_at": "2026-01-02T10:00:00Z", "items": [], "payments": [],
        "details": {"totals": totals, "line_items": []}});
    let adjustment = |action: &str, ty: &str, (total, currency): (&str, &str)| {
        json!({"id": "adj_1", "action": action, "type": ty, "transaction_id": "txn_1", "customer_id": "ctm_1",
            "status": "approved", "currency_code": currency, "totals": {"total": total, "currency_code": currency},
            "created_at": "2026-01-03T10:00:00Z", "updated_at": "2026-01-03T10:00:00Z", "items": []})
    };
    let cases = [
        (adjustment("refund", "partial", ("1000", "USD")), 1_000, json!("1000")),
        (adjustment("refund", "partial", ("900", "EUR")), 0, Value::Null),
        (adjustment("refund", "full", ("3600", "EUR")), 4_000, json!("4000")),
        (adjustment("chargeback", "partial", ("1000", "USD")), 0, json!("1000")),
        (adjustment("chargeback", "partial", ("900", "EUR")), 0, Value::Null),
        (adjustment("chargeback", "full", ("3600", "EUR")), 0, json!("4000")),
    ];
    for (number, (adjustment, refunded, returned)) in cases.into_iter().enumerate() {
        let events = [
            paddle_customer(),
            paddle("2026-01-02T10:00:00Z", "transaction.completed", transaction.clone()),
            paddle("2026-01-03T10:00:00Z", "adjustment.created", adjustment.clone()),
        ];
        tell_from(test, number * 10, &events, |told| {
            let payment = told.payment("txn_1");
            assert_eq!(flows(payment), [4_000, 4_000, refunded], "{adjustment}");
            assert_eq!(payment["returned"].get("amount").cloned().unwrap_or_default(), returned, "{adjustment}");
            let parts = [&payment["refunds"]["nodes"][0]["amount"], &payment["disputes"][0]["amount"]];
            let own = parts.into_iter().find(|part| !part.is_null()).unwrap();
            assert_eq!(own["currency"], adjustment["currency_code"]);
        })
        .await;
    }
    unchanged_by_a_rebuild(test).await;
}
