//! Subscriptions over time.

use super::*;

#[tokio::test]
async fn a_subscription_lives_for_fourteen_months_with_a_card_that_fails_once() {
    let shop = Shop::open().await;
    shop.new_event_types();
    let subscription = shop.subscribe(&[("expand[]", "latest_invoice.payments")]).await;
    assert_eq!(subscription["status"], "active");
    assert_eq!(at(&subscription, "/latest_invoice/payments/data/0/status"), "paid");
    assert_eq!(at(&subscription, "/latest_invoice/parent/subscription_details/subscription"), subscription["id"]);
    assert_eq!(
        shop.new_event_types(),
        [
            "invoice.created",
            "invoice.finalized",
            "payment_intent.created",
            "customer.subscription.created",
            "charge.succeeded",
            "payment_intent.succeeded",
            "invoice.paid",
            "invoice.payment_succeeded",
            "invoice_payment.paid",
            "customer.subscription.updated",
            "customer.updated",
        ]
    );
    let id = subscription["id"].clone();
    shop.pass(200);
    assert_eq!(shop.sandbox.objects("invoice").len(), 7);
    shop.sandbox.set_card(&shop.customer, Card::WithoutFunds).unwrap();
    shop.pass(13);
    assert_eq!(shop.object(&id)["status"], "past_due");
    assert_eq!(shop.sandbox.object(&shop.customer).unwrap()["delinquent"], true);
    shop.sandbox.set_card(&shop.customer, Card::Good).unwrap();
    shop.pass(4);
    assert_eq!(shop.object(&id)["status"], "active");
    shop.pass(210);
    assert_eq!(shop.object(&id)["status"], "active");
    let invoices = shop.sandbox.objects("invoice");
    assert_eq!((invoices.len(), invoices.iter().all(|invoice| invoice["status"] == "paid")), (15, true));
    shop.sandbox.set_card(&shop.customer, Card::Declined).unwrap();
    shop.pass(60);
    let ended = shop.object(&id);
    assert_eq!(
        (ended["status"].clone(), at(&ended, "/cancellation_details/reason")),
        (json!("canceled"), json!("payment_failed"))
    );
    assert_eq!(shop.sandbox.objects("invoice").last().unwrap()["attempt_count"], 4);
    let days: Vec<i64> = shop.sandbox.objects("invoice").iter().map(|it| it["created"].as_i64().unwrap()).collect();
    assert!(days.is_sorted());
    shop.assert_events_complete();
}

#[tokio::test]
async fn events_tell_each_change_with_what_was_before() {
    let shop = Shop::open().await;
    shop.subscribe(&[("trial_period_days", "7")]).await;
    shop.pass(100);
    shop.assert_events_complete();
    let types: Vec<String> = shop.new_event_types();
    assert!(types.contains(&"customer.subscription.trial_will_end".to_owned()));
}
#[tokio::test]
async fn subscriptions_end_as_they_are_told_to() {
    let shop = Shop::open().await;
    let first = shop.subscribe(&[]).await;
    let path = format!("subscriptions/{}", first["id"].as_str().unwrap());
    let ending =
        shop.ok(&path, &[("cancel_at_period_end", "true"), ("cancellation_details[feedback]", "too_complex")]).await;
    assert_eq!(ending["cancel_at"], at(&first, "/items/data/0/current_period_end"));
    let kept = shop.ok(&path, &[("cancel_at_period_end", "false")]).await;
    assert_eq!((&kept["cancel_at"], &kept["canceled_at"]), (&json!(null), &json!(null)));
    shop.ok(&path, &[("cancel_at_period_end", "true")]).await;
    shop.pass(40);
    let ended = shop.object(&first["id"]);
    assert_eq!((&ended["status"], &ended["ended_at"]), (&json!("canceled"), &ended["cancel_at"]));
    assert_eq!(shop.post(&path, &[("cancel_at", "")]).await.status, 400);
    let second = shop.subscribe(&[]).await;
    shop.pass(10);
    let path = format!("subscriptions/{}", second["id"].as_str().unwrap());
    let gone = shop.send("DELETE", &path, &[("prorate", "true"), ("invoice_now", "true")], None).await;
    assert_eq!(gone.json()["status"], "canceled");
    assert!(shop.sandbox.object(&shop.customer).unwrap()["balance"].as_i64().unwrap() < -1900);
    let list = shop.get("subscriptions", &[("customer", &shop.customer)]).await;
    assert_eq!(list["data"], json!([]));
    let list = shop.get("subscriptions", &[("customer", &shop.customer), ("status", "all")]).await;
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
    shop.assert_events_complete();
}

#[tokio::test]
async fn first_payments_are_awaited_for_a_day() {
    let shop = Shop::open().await;
    let expand = ("expand[]", "latest_invoice.confirmation_secret");
    let asked = shop.subscribe(&[("payment_behavior", "default_incomplete"), expand]).await;
    let secret = at(&asked, "/latest_invoice/confirmation_secret/client_secret");
    let intent = secret.as_str().unwrap().split("_secret_").next().unwrap();
    assert_eq!(asked["status"], "incomplete");
    assert_eq!(shop.sandbox.confirm(intent, Card::NeedsAuthentication), Ok(false));
    shop.sandbox.authenticate(intent, true).unwrap();
    assert_eq!(shop.object(&asked["id"])["status"], "active");
    shop.sandbox.set_card(&shop.customer, Card::Declined).unwrap();
    let late = shop.subscribe(&[]).await;
    shop.pass(1);
    assert_eq!(shop.object(&late["id"])["status"], "incomplete_expired");
    assert_eq!(shop.object(&late["latest_invoice"])["status"], "void");
    let pairs = [
        ("customer", shop.customer.as_str()),
        ("items[0][price]", &shop.monthly),
        ("payment_behavior", "error_if_incomplete"),
    ];
    let refused = shop.post("subscriptions", &pairs).await;
    assert_eq!((refused.status, at(refused.json(), "/error/decline_code")), (402, json!("generic_decline")));
    let poor = shop.made("customers", &[]).await;
    let refused = shop.post("subscriptions", &[("customer", &poor), ("items[0][price]", &shop.monthly)]).await;
    assert_eq!((refused.status, refused.code()), (400, "resource_missing"));
    shop.assert_events_complete();
}

#[tokio::test]
async fn coupons_last_as_long_as_they_say_and_are_capped() {
    let shop = Shop::open().await;
    shop.ok("coupons", &[("id", "once"), ("percent_off", "25"), ("duration", "once"), ("max_redemptions", "1")]).await;
    shop.ok(
        "coupons",
        &[("id", "three"), ("percent_off", "12.5"), ("duration", "repeating"), ("duration_in_months", "3")],
    )
    .await;
    let code = shop.made("promotion_codes", &[("coupon", "three"), ("code", "THREE"), ("max_redemptions", "1")]).await;
    let one = shop.subscribe(&[("discounts[0][coupon]", "once"), ("expand[]", "discounts")]).await;
    assert_eq!(at(&one, "/discounts/0/coupon/times_redeemed"), 1);
    let three = shop.subscribe(&[("discounts[0][promotion_code]", &code)]).await;
    let pairs = [("customer", shop.customer.as_str()), ("items[0][price]", &shop.monthly)];
    for (name, value) in [("discounts[0][coupon]", "once"), ("discounts[0][promotion_code]", &code)] {
        let refused = shop.post("subscriptions", &[pairs[0], pairs[1], (name, value)]).await;
        assert_eq!((refused.status, refused.code()), (400, "coupon_expired"));
    }
    shop.pass(150);
    let totals = |subscription: &Value| {
        let invoices = shop.sandbox.objects("invoice");
        let own =
            invoices.iter().filter(|it| it["parent"]["subscription_details"]["subscription"] == subscription["id"]);
        own.map(|it| it["total"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(totals(&one), [2250, 3000, 3000, 3000, 3000]);
    assert_eq!(totals(&three), [2625, 2625, 2625, 3000, 3000]);
    assert_eq!(shop.object(&three["id"])["discounts"], json!([]));
    let found = shop.get("promotion_codes", &[("code", "three")]).await;
    assert_eq!((at(&found, "/data/0/active"), at(&found, "/data/0/coupon/id")), (json!(false), json!("three")));
    shop.assert_events_complete();
}

#[tokio::test]
async fn a_trial_without_a_card_may_pause() {
    let shop = Shop::open().await;
    let poor = shop.made("customers", &[]).await;
    let pairs = [
        ("customer", poor.as_str()),
        ("items[0][price]", &shop.monthly),
        ("trial_period_days", "14"),
        ("trial_settings[end_behavior][missing_payment_method]", "pause"),
    ];
    let trial = shop.ok("subscriptions", &pairs).await;
    assert_eq!(trial["status"], "trialing");
    shop.pass(15);
    assert_eq!(shop.object(&trial["id"])["status"], "paused");
    shop.sandbox.set_card(&poor, Card::Good).unwrap();
    let path = format!("subscriptions/{}/resume", trial["id"].as_str().unwrap());
    assert_eq!(shop.ok(&path, &[]).await["status"], "active");
    shop.assert_events_complete();
}

#[tokio::test]
async fn collection_can_be_paused() {
    let shop = Shop::open().await;
    let subscription = shop.subscribe(&[]).await;
    let path = format!("subscriptions/{}", subscription["id"].as_str().unwrap());
    let until = (START + 50 * 86_400).to_string();
    shop.ok(&path, &[("pause_collection[behavior]", "void"), ("pause_collection[resumes_at]", &until)]).await;
    shop.pass(70);
    let statuses: Vec<Value> = shop.sandbox.objects("invoice").iter().map(|it| it["status"].clone()).collect();
    assert_eq!(statuses, ["paid", "void", "paid"]);
    assert_eq!(shop.object(&subscription["id"])["pause_collection"], json!(null));
    shop.assert_events_complete();
}
