//! A checkout that needs no payment is fulfilled.

use super::story::{customer, fixture, merged, stripe, tell, tell_from};
use crate::support::gifts::{begun, codes, last_session, redeem, status};
use crate::support::{Shop, TestApp, both_engines, webhooks};
use sandbox::Card;
use serde_json::{Value, json};

both_engines!(
    a_free_checkout_grants_its_credits,
    only_a_complete_checkout_is_free,
    a_gift_in_a_free_checkout_is_paid,
    the_stand_in_completes_a_free_checkout,
);

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

/// Completes a checkout at Stripe that its customer need not pay.
async fn complete(shop: &Shop, session: &str) {
    let free = json!({"status": "complete", "payment_status": "no_payment_required", "amount_total": 0,
        "payment_intent": null});
    let session = merged(shop.stripe.object(session).unwrap(), free);
    shop.stripe.load(session.clone());
    let at = shop.test.app.now().timestamp();
    let (provider, event) = stripe(at, "checkout.session.completed", session);
    assert_eq!(webhooks::deliver(&shop.test, provider, &event).await.status, 200);
    shop.deliver().await;
}

async fn a_gift_in_a_free_checkout_is_paid(shop: &Shop) {
    let (gift, code) = begun(shop, &shop.test.user("ann")).await;
    let bob = shop.test.user("bob");
    assert_eq!(codes(&redeem(shop, &bob, &code).await), ["GIFT_NOT_PAID"]);
    complete(shop, &last_session(shop)).await;
    assert_eq!(status(shop, &gift).await, "PAID");
    assert_eq!(redeem(shop, &bob, &code).await["gift"]["redemptionStatus"], "REDEEMED");
    shop.deliver().await;
}

async fn the_stand_in_completes_a_free_checkout(shop: &Shop) {
    const START: &str = "mutation($input: StartCheckoutInput!) { startCheckout(input: $input) {
        checkout { sessionExternalId } userErrors { code message } } }";
    let price = shop.price("price_credits").await;
    let ann = shop.test.user("ann");
    let input = json!({"priceId": price, "successUrl": "https://a.example/", "idempotencyKey": "ann buys"});
    let begun = shop.ask(&ann, START, input).await;
    let session = begun["checkout"]["sessionExternalId"].as_str().unwrap_or_else(|| panic!("{begun}")).to_owned();
    // As with a promotion code for all of it.
    let free = merged(shop.stripe.object(&session).unwrap(), json!({"amount_total": 0}));
    shop.stripe.load(free);
    shop.stripe.pay(&session, Card::Good).unwrap();
    shop.deliver().await;
    let done = shop.stripe.object(&session).unwrap();
    assert_eq!((&done["status"], &done["payment_status"]), (&json!("complete"), &json!("no_payment_required")));
    let query = "{ viewer { account { creditBalances { available } payments(first: 1) { nodes { id } } } } }";
    let told = ann.data(query, json!({})).await["viewer"]["account"].take();
    assert_eq!((&told["creditBalances"][0]["available"], &told["payments"]["nodes"]), (&json!("100"), &json!([])));
}
