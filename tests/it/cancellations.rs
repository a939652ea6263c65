//! The ends of subscriptions in every form, and the cost of a change of plan as it is previewed and as it is paid.

use crate::checkouts::buy;
use crate::support::{self, Schema, Shop, both_engines};
use chrono::TimeDelta;
use serde_json::{Value, json};

both_engines!(every_feedback_reaches_stripe_at_either_time, the_previewed_cost_of_a_change_is_what_is_paid);

/// Returns the id of the newest subscription of a user.
async fn subscription(shop: &Shop, name: &str) -> Value {
    let query = "{ viewer { account { subscriptions(first: 1) { nodes { id } } } } }";
    let mut data = shop.test.user(name).data(query, json!({})).await;
    data["viewer"]["account"]["subscriptions"]["nodes"][0]["id"].take()
}

async fn every_feedback_reaches_stripe_at_either_time(shop: &Shop) {
    let schema = Schema::of(&shop.test).await;
    let cancel = support::mutation(
        "cancelSubscription",
        "subscription { status cancelAtPeriodEnd cancelAt canceledAt endedAt } userErrors { code }",
    );
    let timings = schema.values("CancellationTiming");
    let mut forms: Vec<(Option<String>, Option<&str>)> = schema
        .values("CancellationFeedback")
        .into_iter()
        .map(|feedback| (Some(feedback), Some("Zu teuer! 💶")))
        .collect();
    forms.extend([(None, None), (None, Some("No reason")), (Some("OTHER".to_owned()), None)]);
    for (number, (feedback, comment)) in forms.iter().enumerate() {
        let (name, timing) = (format!("user {number}"), &timings[number % timings.len()]);
        buy(shop, &name, "price_basic", &name).await;
        let input = json!({"subscriptionId": subscription(shop, &name).await, "timing": timing, "feedback": feedback,
            "comment": comment, "idempotencyKey": format!("end {number}")});
        let done = shop.ask(&shop.test.user(&name), &cancel, input).await;
        assert_eq!(done["userErrors"], json!([]), "{feedback:?} {timing}");
        shop.deliver().await;
        let at_stripe = shop.stripe.objects("subscription").pop().unwrap();
        let details = &at_stripe["cancellation_details"];
        let word = feedback.as_ref().map(|feedback| feedback.to_lowercase());
        assert_eq!((&details["feedback"], &details["comment"]), (&json!(word), &json!(comment)), "{feedback:?}");
        let ended = &done["subscription"];
        if timing == "NOW" {
            assert_eq!((&ended["status"], &at_stripe["status"]), (&json!("CANCELED"), &json!("canceled")));
            assert_eq!(ended["endedAt"], "2026-01-15T12:00:00Z");
        } else {
            assert_eq!((&ended["status"], &ended["cancelAtPeriodEnd"]), (&json!("ACTIVE"), &json!(true)));
            assert_eq!((&ended["cancelAt"], &ended["endedAt"]), (&json!("2026-02-15T12:00:00Z"), &Value::Null));
        }
        let plan = shop.test.user(&name).data("{ viewer { plan { status } } }", json!({})).await;
        assert_eq!(plan["viewer"]["plan"].is_null(), timing == "NOW", "{plan}");
    }
    assert_eq!(timings.len(), 2, "both times are tried in turn");
}

async fn the_previewed_cost_of_a_change_is_what_is_paid(shop: &Shop) {
    let preview = "query($id: ID!, $price: ID!, $quantity: Int) {
        previewPlanChange(subscriptionId: $id, priceId: $price, quantity: $quantity) {
            dueNow { amount currency } prorationAt lines { lineAmount { amount } } } }";
    let change = support::mutation(
        "changePlan",
        "subscription { plan { code } items { quantity } } userErrors { code message }",
    );
    for (name, days, price, quantity) in [
        ("at once", 0, "price_pro", None),
        ("after ten days", 10, "price_pro", None),
        ("near the end", 9, "price_pro", Some(3)),
        ("more of the same", 5, "price_basic", Some(4)),
    ] {
        buy(shop, name, "price_basic", name).await;
        if days > 0 {
            shop.advance(TimeDelta::days(days)).await;
        }
        let (id, price) = (subscription(shop, name).await, shop.price(price).await);
        let user = shop.test.user(name);
        let variables = json!({"id": id, "price": price, "quantity": quantity});
        let told = user.data(preview, variables).await["previewPlanChange"].take();
        let lines = told["lines"].as_array().unwrap().iter();
        let sum: i64 = lines.map(|line| line["lineAmount"]["amount"].as_str().unwrap().parse::<i64>().unwrap()).sum();
        assert_eq!(told["dueNow"], json!({"amount": sum.to_string(), "currency": "USD"}), "{name}: the lines add up");
        let input = json!({"subscriptionId": id, "priceId": price, "quantity": quantity,
            "prorationAt": told["prorationAt"], "idempotencyKey": format!("change {name}")});
        let done = shop.ask(&user, &change, input).await;
        assert_eq!(done["userErrors"], json!([]), "{name}: {done}");
        assert_eq!(done["subscription"]["items"], json!([{"quantity": quantity.unwrap_or(1)}]), "{name}");
        shop.deliver().await;
        let paid =
            "{ viewer { account { payments(first: 1) { nodes { chargeStatus amount { amount currency } } } } } }";
        let paid = user.data(paid, json!({})).await["viewer"]["account"]["payments"]["nodes"][0].take();
        assert_eq!(paid, json!({"chargeStatus": "SUCCEEDED", "amount": told["dueNow"]}), "{name}");
    }
}
