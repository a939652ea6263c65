//! Amounts are told in minor units of ISO 4217, whatever the provider writes, and sent as it takes them.

use super::story::{
    charge, customer, dispute, fixture, flows, intent, minor, paddle, paddle_customer, refund, stripe, sums, tell,
    tell_from, unchanged_by_a_rebuild,
};
use crate::support::{TestApp, both_engines};
use serde_json::{Value, json};

both_engines!(
    kronur_and_shillings_have_no_cents,
    every_object_is_told_in_the_same_unit,
    other_currencies_are_told_as_stripe_writes_them,
    paddle_writes_minor_units,
);

const AT: i64 = 1_767_225_605;

async fn kronur_and_shillings_have_no_cents(test: &TestApp) {
    tell(test, &fixture("isk-ugx.json"), |told| {
        for (id, currency) in [("pi_isk", "ISK"), ("pi_ugx", "UGX")] {
            let payment = told.payment(id);
            assert_eq!((flows(payment), payment["amount"]["currency"].as_str()), ([5_000, 5_000, 0], Some(currency)));
        }
    })
    .await;
}

async fn every_object_is_told_in_the_same_unit(test: &TestApp) {
    let invoice = json!({"id": "in_1", "object": "invoice", "created": AT, "currency": "isk", "customer": "cus_1",
        "status": "paid", "subtotal": 600_000, "total": 500_000, "amount_due": 500_000, "amount_paid": 500_000,
        "total_discount_amounts": [{"amount": 100_000}], "total_taxes": [], "status_transitions": {"paid_at": AT}});
    let refunded = charge("pi_1", AT, (500_000, "isk"), json!({"amount_refunded": 120_000}));
    let events = [
        customer(),
        stripe(AT, "invoice.paid", invoice),
        stripe(AT, "charge.succeeded", charge("pi_1", AT, (500_000, "isk"), json!({}))),
        stripe(AT, "payment_intent.succeeded", intent("pi_1", AT, (500_000, "isk"), json!({}))),
        stripe(AT + 60, "refund.created", refund("re_1", "pi_1", AT + 60, (120_000, "isk"), "succeeded")),
        stripe(AT + 60, "charge.refunded", refunded),
        stripe(AT + 90, "charge.dispute.created", dispute("du_1", "pi_1", AT + 90, (380_000, "isk"), "needs_response")),
    ];
    tell(test, &events, |told| {
        let invoice = told.invoice("in_1");
        assert_eq!((sums(invoice), minor(&invoice["paid"])), ([6_000, 1_000, 0, 5_000], Some(5_000)));
        let payment = told.payment("pi_1");
        assert_eq!(flows(payment), [5_000, 5_000, 1_200]);
        assert_eq!(payment["refunds"]["nodes"][0]["amount"], json!({"amount": "1200", "currency": "ISK"}));
        assert_eq!(payment["disputes"][0]["amount"], json!({"amount": "3800", "currency": "ISK"}));
    })
    .await;
    catalogue(test).await;
}

/// Prices and coupons too.
async fn catalogue(test: &TestApp) {
    let price = json!({"id": "price_isk", "object": "price", "active": true, "created": AT, "currency": "isk",
        "metadata": {"plan": "saga", "tier": "1"}, "product": "prod_saga", "unit_amount": 199_000,
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"}});
    let coupon = json!({"id": "saga-off", "object": "coupon", "amount_off": 50_000, "currency": "isk", "created": AT,
        "duration": "forever", "valid": true, "times_redeemed": 0});
    for event in [stripe(AT, "price.created", price), stripe(AT, "coupon.created", coupon)] {
        assert_eq!(crate::support::webhooks::deliver(test, event.0, &event.1).await.status, 200);
    }
    super::story::work(test).await;
    let amounts = "SELECT unit_amount_minor FROM prices WHERE currency = 'ISK' UNION ALL \
        SELECT amount_off_minor FROM coupons WHERE currency = 'ISK'";
    let mut amounts: Vec<i64> = crate::support::sql::column(test.app.db.read(), amounts, []).await;
    amounts.sort_unstable();
    assert_eq!(amounts, [500, 1_990]);
}

async fn other_currencies_are_told_as_stripe_writes_them(test: &TestApp) {
    let cases = [
        ("jpy", 5_000, 5_000),
        ("krw", 5_000, 5_000),
        ("clp", 5_000, 5_000),
        ("xof", 5_000, 5_000),
        ("kwd", 5_120, 5_120),
        ("bhd", 12_340, 12_340),
        ("huf", 500_000, 500_000),
        ("twd", 500_000, 500_000),
        ("usd", 5_000, 5_000),
        // Stripe takes whole ariary, and ISO 4217 counts in hundredths.
        ("mga", 5_000, 500_000),
    ];
    for (number, (currency, written, expected)) in cases.into_iter().enumerate() {
        let paid = intent("pi_1", AT, (written, currency), json!({}));
        let events = [customer(), stripe(AT, "payment_intent.succeeded", paid)];
        tell_from(test, number * 10, &events, |told| {
            let payment = told.payment("pi_1");
            assert_eq!(flows(payment), [expected, expected, 0], "{currency}");
            assert_eq!(payment["amount"]["currency"], Value::from(currency.to_uppercase()));
        })
        .await;
    }
    unchanged_by_a_rebuild(test).await;
}

async fn paddle_writes_minor_units(test: &TestApp) {
    let transaction = |currency: &str, amount: &str| {
        let totals = json!({"subtotal": amount, "discount": "0", "tax": "0", "total": amount, "grand_total": amount,
            "balance": "0", "currency_code": currency});
        json!({"id": "txn_1", "status": "completed", "customer_id": "ctm_1",
            "currency_code": currency, "billed_at": "2026-01-02T10:00:00Z", "created_at": "2026-01-02T10:00:00Z",
            "updated_at": "2026-01-02T10:00:00Z", "items": [], "details": {"totals": totals, "line_items": []},
            "payments": []})
    };
    for (number, currency) in ["JPY", "KRW", "CLP", "USD"].into_iter().enumerate() {
        let sold = paddle("2026-01-02T10:00:00Z", "transaction.completed", transaction(currency, "5000"));
        let events = [paddle_customer(), sold];
        tell_from(test, number * 10, &events, |told| {
            let payment = told.payment("txn_1");
            assert_eq!((flows(payment), payment["amount"]["currency"].as_str()), ([5_000, 5_000, 0], Some(currency)));
        })
        .await;
    }
}
