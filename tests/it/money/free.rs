//! A checkout that needs no payment is fulfilled.

use super::story::{customer, fixture, merged, stripe, tell, tell_from};
use crate::support::{TestApp, both_engines};
use serde_json::{Value, json};

both_engines!(a_free_checkout_grants_its_credits, only_a_complete_checkout_is_free);

async fn a_free_checkout_grants_its_credits(test: &TestApp) {
    tell(test, &fixture("free-checkout.json"), |told| {
        assert_eq!(told.account["creditBalance"]["available"], "100");
        assert_eq!(told.account["payments"]["nodes"], json!([]));
        assert_eq!(told.account["currency"], Value::Null, "nothing was paid");
    })
    .await;
}

async fn only_a_complete_checkout_is_free(test: &TestApp) {
    let session = json!({"id": "cs_1", "object": "checkout.session", "mode": "payment", "amount_total": 0,
        "currency": "usd", "customer": "cus_1", "created": 1_767_225_600, "payment_intent": null,
        "metadata": {"credits": "100"}});
    let with = |status: &str, payment_status: &str| {
        merged(session.clone(), json!({"status": status, "payment_status": payment_status}))
    };
    let cases = [
        (with("open", "no_payment_required"), None),
        (with("expired", "no_payment_required"), None),
        (with("complete", "unpaid"), None),
        (merged(with("complete", "no_payment_required"), json!({"mode": "setup"})), None),
        (with("complete", "no_payment_required"), Some("100")),
        (with("complete", "paid"), Some("100")),
    ];
    for (number, (session, granted)) in cases.into_iter().enumerate() {
        let events = [customer(), stripe(1_767_225_609, "checkout.session.completed", session.clone())];
        tell_from(test, number * 10, &events, |told| {
            assert_eq!(told.account["creditBalance"]["available"].as_str(), granted, "{session}");
        })
        .await;
    }
}
