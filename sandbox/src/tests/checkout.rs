//! Checkout, payments and refunds.

use super::*;

async fn session(shop: &Shop, mode: &str, price: &str, more: &[(&str, &str)]) -> Value {
    let mut pairs = vec![("mode", mode), ("success_url", "https://a.example/?s={CHECKOUT_SESSION_ID}")];
    pairs.extend([("line_items[0][price]", price), ("line_items[0][quantity]", "2")]);
    pairs.extend(more);
    shop.ok("checkout/sessions", &pairs).await
}

#[tokio::test]
async fn a_pack_is_bought_with_the_third_card() {
    let shop = Shop::open().await;
    let more = [
        ("customer", shop.customer.as_str()),
        ("metadata[credits]", "100"),
        ("payment_intent_data[metadata][order]", "7"),
    ];
    let open = session(&shop, "payment", &shop.pack, &more).await;
    let id = open["id"].as_str().unwrap();
    assert_eq!(open["url"], format!("http://stripe.test/pay/{id}"));
    shop.new_event_types();
    assert_eq!(shop.sandbox.pay(id, Card::Declined).unwrap_err()["decline_code"], "generic_decline");
    let intent = shop.sandbox.pay(id, Card::NeedsAuthentication).unwrap().unwrap();
    shop.sandbox.authenticate(&intent, false).unwrap();
    assert_eq!(shop.object(&open["id"])["status"], "open");
    assert_eq!(shop.sandbox.pay(id, Card::Good), Ok(None));
    let mut news = shop.new_event_types();
    news.retain(|kind| kind != "payment_method.attached");
    assert_eq!(
        news,
        [
            "payment_intent.created",
            "charge.failed",
            "payment_intent.payment_failed",
            "payment_intent.requires_action",
            "payment_intent.payment_failed",
            "charge.succeeded",
            "payment_intent.succeeded",
            "checkout.session.completed",
        ]
    );
    let done = shop.object(&open["id"]);
    assert_eq!((&done["payment_status"], &done["payment_intent"]), (&json!("paid"), &json!(intent)));
    let paid = shop.sandbox.object(&intent).unwrap();
    assert_eq!((&paid["amount_received"], at(&paid, "/metadata/order")), (&json!(2000), json!("7")));
    assert!(shop.sandbox.pay(id, Card::Good).is_err());
    shop.assert_events_complete();
}

#[tokio::test]
async fn a_stranger_subscribes_with_a_code() {
    let shop = Shop::open().await;
    shop.ok("coupons", &[("id", "ten"), ("amount_off", "1000"), ("currency", "usd"), ("duration", "once")]).await;
    shop.ok("promotion_codes", &[("coupon", "ten"), ("code", "TEN")]).await;
    let more = [
        ("allow_promotion_codes", "true"),
        ("client_reference_id", "u_9"),
        ("subscription_data[metadata][user_id]", "u_9"),
        ("expand[]", "line_items"),
    ];
    let open = session(&shop, "subscription", &shop.monthly, &more).await;
    assert_eq!((&open["amount_total"], at(&open, "/line_items/data/0/amount_total")), (&json!(6000), json!(6000)));
    let id = open["id"].as_str().unwrap();
    assert_eq!(shop.sandbox.apply_code(id, "nine").unwrap_err()["code"], "resource_missing");
    shop.sandbox.apply_code(id, "ten").unwrap();
    assert_eq!(shop.object(&open["id"])["amount_total"], 5000);
    assert!(shop.sandbox.pay(id, Card::WithoutFunds).is_err());
    assert_eq!(shop.sandbox.pay(id, Card::Good), Ok(None));
    let done = shop.object(&open["id"]);
    assert_eq!((&done["status"], &done["payment_status"]), (&json!("complete"), &json!("paid")));
    let subscription = shop.object(&done["subscription"]);
    assert_eq!((&subscription["status"], at(&subscription, "/metadata/user_id")), (&json!("active"), json!("u_9")));
    assert_eq!((&subscription["customer"], shop.sandbox.objects("subscription").len()), (&done["customer"], 1));
    assert_eq!(shop.object(&done["invoice"])["total"], 5000);
    assert_eq!(shop.sandbox.object("ten").unwrap()["times_redeemed"], 1);
    shop.assert_events_complete();
}

#[tokio::test]
async fn sessions_begin_trials_and_expire() {
    let shop = Shop::open().await;
    let more = [("subscription_data[trial_period_days]", "14"), ("customer", &shop.customer)];
    let open = session(&shop, "subscription", &shop.monthly, &more).await;
    assert_eq!(open["amount_total"], 0);
    shop.sandbox.pay(open["id"].as_str().unwrap(), Card::Good).unwrap();
    let done = shop.object(&open["id"]);
    assert_eq!(done["payment_status"], "no_payment_required");
    assert_eq!(shop.object(&done["subscription"])["status"], "trialing");
    let other = session(&shop, "payment", &shop.pack, &[]).await;
    let third = session(&shop, "payment", &shop.pack, &[]).await;
    shop.ok(&format!("checkout/sessions/{}/expire", third["id"].as_str().unwrap()), &[]).await;
    shop.pass(1);
    assert_eq!(
        (shop.object(&other["id"])["status"].clone(), shop.object(&third["id"])["status"].clone()),
        (json!("expired"), json!("expired"))
    );
    assert_eq!(shop.new_event_types().iter().filter(|kind| *kind == "checkout.session.expired").count(), 2);
    shop.assert_events_complete();
}

#[tokio::test]
async fn cards_are_charged_without_their_holder() {
    let shop = Shop::open().await;
    for (card, status, code, left) in [
        ("pm_card_visa", 200, "", "succeeded"),
        ("pm_card_chargeDeclinedInsufficientFunds", 402, "card_declined", "requires_payment_method"),
        ("pm_card_authenticationRequired", 402, "authentication_required", "requires_payment_method"),
    ] {
        let pairs = [
            ("amount", "500"),
            ("currency", "usd"),
            ("customer", &shop.customer),
            ("payment_method", card),
            ("confirm", "true"),
            ("off_session", "true"),
        ];
        let got = shop.send("POST", "payment_intents", &pairs, Some(card)).await;
        let intent = if status == 200 { got.json().clone() } else { at(got.json(), "/error/payment_intent") };
        assert_eq!((got.status, got.code(), intent["status"].as_str().unwrap()), (status, code, left));
        assert_eq!(shop.object(&intent["id"])["status"], left);
    }
    let pairs = [
        ("amount", "500"),
        ("currency", "usd"),
        ("payment_method", "pm_card_authenticationRequired"),
        ("confirm", "true"),
    ];
    let intent = shop.ok("payment_intents", &pairs).await;
    assert_eq!(intent["status"], "requires_action");
    shop.ok(&format!("payment_intents/{}/cancel", intent["id"].as_str().unwrap()), &[]).await;
    assert_eq!(shop.new_event_types().last().unwrap(), "payment_intent.canceled");
    shop.assert_events_complete();
}

#[tokio::test]
async fn no_more_is_refunded_than_was_paid() {
    let shop = Shop::open().await;
    let pairs = [("amount", "500"), ("currency", "usd"), ("payment_method", "pm_card_visa"), ("confirm", "true")];
    let intent = shop.made("payment_intents", &pairs).await;
    shop.new_event_types();
    let refund = shop.made("refunds", &[("payment_intent", &intent), ("amount", "200"), ("reason", "duplicate")]).await;
    assert_eq!(shop.new_event_types(), ["refund.created", "charge.refunded"]);
    let refused = shop.post("refunds", &[("payment_intent", &intent), ("amount", "301")]).await;
    assert_eq!(refused.code(), "amount_too_large");
    shop.ok("refunds", &[("payment_intent", &intent)]).await;
    let charge = &shop.sandbox.objects("charge")[0];
    assert_eq!((&charge["amount_refunded"], &charge["refunded"]), (&json!(500), &json!(true)));
    assert_eq!(shop.post("refunds", &[("payment_intent", &intent)]).await.code(), "charge_already_refunded");
    shop.assert_events_complete();
    // A failed refund has no event of the charge, as at Stripe.
    shop.sandbox.fail_refund(&refund).unwrap();
    let charge = &shop.sandbox.objects("charge")[0];
    assert_eq!((&charge["amount_refunded"], &charge["refunded"]), (&json!(300), &json!(false)));
    let dispute = json!({"id": "du_1", "object": "dispute", "charge": charge["id"], "amount": 500, "created": START, "status": "needs_response"});
    shop.sandbox.put(dispute);
    assert_eq!(shop.new_event_types().last().unwrap(), "charge.dispute.created");
    assert_eq!(shop.get("disputes", &[]).await["data"][0]["id"], "du_1");
    // The first event of a charge names its outcome: Stripe has no `charge.created`.
    let charge = json!({"id": "ch_1", "object": "charge", "amount": 500, "created": START, "status": "succeeded"});
    shop.sandbox.put(charge);
    assert_eq!(shop.new_event_types(), ["charge.succeeded"]);
}
