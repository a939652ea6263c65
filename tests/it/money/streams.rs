//! The stream of revenue of a payment: an invoice alone says nothing of it.

use super::story::{fixture, intent, merged, stripe, tell, tell_from, unchanged_by_a_rebuild};
use crate::support::{TestApp, both_engines};
use serde_json::{Value, json};
use tollgate::providers::Provider;

both_engines!(a_manual_invoice_is_no_subscription, a_named_subscription_is);

const AT: i64 = 1_769_731_200;

/// The fixture, with another invoice.
fn with_invoice(with: Value) -> Vec<(Provider, Value)> {
    let mut events = fixture("manual-invoice.json");
    let invoice = events[2].1["data"]["object"].take();
    events[2] = stripe(AT, "invoice.paid", merged(invoice, with));
    events
}

async fn a_manual_invoice_is_no_subscription(test: &TestApp) {
    tell(test, &fixture("manual-invoice.json"), |told| {
        assert_eq!(told.payment("pi_1")["stream"], "OTHER");
        assert_eq!(told.invoice("in_m")["paymentExternalId"], "pi_1");
    })
    .await;
    // Nor is one before basil, or one that is not here.
    let mut old = with_invoice(json!({"payment_intent": "pi_1", "subscription": null}));
    old.truncate(3);
    let named = intent("pi_1", AT, (5_000, "usd"), json!({"invoice": "in_gone"}));
    let gone = [fixture("manual-invoice.json").remove(0), stripe(AT, "payment_intent.succeeded", named)];
    let credits = intent("pi_1", AT, (5_000, "usd"), json!({"metadata": {"credits": "5"}}));
    let mut of_goods = fixture("manual-invoice.json");
    of_goods[1] = stripe(AT, "payment_intent.succeeded", credits);
    let stories = [(old, "OTHER"), (gone.to_vec(), "OTHER"), (of_goods, "CREDITS")];
    for (number, (events, stream)) in stories.into_iter().enumerate() {
        tell_from(test, 10 + number * 10, &events, |told| assert_eq!(told.payment("pi_1")["stream"], stream)).await;
    }
}

async fn a_named_subscription_is(test: &TestApp) {
    let parent = json!({"type": "subscription_details", "subscription_details": {"subscription": "sub_1"}});
    let new = with_invoice(json!({"parent": parent, "billing_reason": "subscription_cycle"}));
    let manual = with_invoice(json!({"parent": parent}));
    let old = with_invoice(json!({"subscription": "sub_1", "payment_intent": "pi_1"}));
    for (number, events) in [new, manual, old].into_iter().enumerate() {
        tell_from(test, number * 10, &events, |told| assert_eq!(told.payment("pi_1")["stream"], "SUBSCRIPTION")).await;
    }
    unchanged_by_a_rebuild(test).await;
}
