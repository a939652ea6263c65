//! Refusals that follow from a state that only time, the provider or another system gives.

use super::Request;
use super::cast::Cast;
use super::refusals::with;
use crate::support::gifts::{paid, redeem};
use crate::support::refunds::{approved, bought, requested};
use crate::support::{Shop, both_engines, local_id, sql};
use chrono::TimeDelta;
use serde_json::{Value, json};

both_engines!(
    a_subscription_without_a_plan_has_none_to_change,
    an_addon_of_a_subscription_that_ended_or_is_elsewhere_stays,
    a_subscription_that_is_over_is_not_changed_whatever_its_end,
    a_gift_that_cannot_be_redeemed_says_why,
    a_refund_of_money_that_has_gone_is_not_approved,
    a_promotion_code_that_cannot_be_used_says_why_wherever_it_is_given,
);

/// Sends a request, and returns the code, the field and the message of its only error.
async fn refusal(shop: &Shop, mutation: &'static str, caller: &'static str, input: Value) -> (String, Value, String) {
    let key = format!("{mutation} {}", shop.test.app.new_id());
    let request = Request { mutation, caller, input: with(&input, json!({"idempotencyKey": key})) };
    let reply = request.reply(shop).await;
    let errors = reply["data"][mutation]["userErrors"].as_array().unwrap_or_else(|| panic!("{mutation}: {reply}"));
    assert_eq!(errors.len(), 1, "{mutation}: {reply}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&errors[0]["code"]), errors[0]["field"].clone(), text(&errors[0]["message"]))
}

async fn change(shop: &Shop, update: &str, id: &Value) {
    let (_, id) = local_id(id.as_str().unwrap());
    sql::rows(shop.test.app.db.schema(), update, [id.into()]).await;
}

async fn a_subscription_without_a_plan_has_none_to_change(shop: &Shop) {
    let cast = Cast { shop };
    let ann = cast.subscriber("ann", "price_basic").await;
    let pro = shop.price("price_pro").await;
    change(shop, "UPDATE subscription_items SET kind = 'metered' WHERE subscription_id = $1", &ann).await;
    for timing in ["NOW", "PERIOD_END"] {
        let input = json!({"subscriptionId": ann, "priceId": pro, "timing": timing});
        let (code, field, message) = refusal(shop, "changePlan", "ann", input).await;
        assert_eq!((code.as_str(), &field), ("NO_PLAN", &json!(["subscriptionId"])), "{timing}");
        assert_eq!(message, "The subscription has no plan that could be changed.");
    }
    let preview =
        "query($id: ID!, $price: ID!) { previewPlanChange(subscriptionId: $id, priceId: $price) { renewsAt } }";
    let code = shop.test.user("ann").code(preview, json!({"id": ann, "price": pro})).await;
    assert_eq!(code, "NO_PLAN", "the preview says the rule of the change");
}

async fn an_addon_of_a_subscription_that_ended_or_is_elsewhere_stays(shop: &Shop) {
    let cast = Cast { shop };
    let ann = cast.subscriber("ann", "price_basic").await;
    let seats = shop.price("price_seats").await;
    cast.done("addAddon", "ann", json!({"subscriptionId": ann, "priceId": seats, "idempotencyKey": "0"})).await;
    let item = cast.id("SubscriptionItem", "SELECT id FROM subscription_items WHERE kind = 'addon'").await;
    let input = json!({"subscriptionItemId": item});
    // Somebody else's add-on is not found, in whatever state it is.
    shop.test.user("eve").data("{ viewer { role } }", json!({})).await;
    assert_eq!(refusal(shop, "removeAddon", "eve", input.clone()).await.0, "ADDON_NOT_FOUND");
    change(shop, "UPDATE subscriptions SET provider = 'paddle' WHERE id = $1", &ann).await;
    assert_eq!(refusal(shop, "removeAddon", "ann", input.clone()).await.0, "NOT_AT_STRIPE");
    assert_eq!(refusal(shop, "removeAddon", "admin", input.clone()).await.0, "NOT_AT_STRIPE");
    change(
        shop,
        "UPDATE subscriptions SET provider = 'stripe', status = 'canceled', ended_at = created_at WHERE id = $1",
        &ann,
    )
    .await;
    assert_eq!(refusal(shop, "removeAddon", "ann", input.clone()).await.0, "SUBSCRIPTION_OVER");
    assert_eq!(refusal(shop, "removeAddon", "eve", input).await.0, "ADDON_NOT_FOUND");
}

async fn a_subscription_that_is_over_is_not_changed_whatever_its_end(shop: &Shop) {
    let cast = Cast { shop };
    let ann = cast.subscriber("ann", "price_basic").await;
    let [pro, seats] = [shop.price("price_pro").await, shop.price("price_seats").await];
    let until = (shop.test.app.now() + TimeDelta::days(3)).to_rfc3339();
    let changes: [(&'static str, &'static str, Value); 8] = [
        ("cancelSubscription", "ann", json!({})),
        ("resumeSubscription", "ann", json!({})),
        ("pauseSubscription", "ann", json!({})),
        ("changePlan", "ann", json!({"priceId": pro})),
        ("undoScheduledChange", "ann", json!({})),
        ("addAddon", "ann", json!({"priceId": seats})),
        ("applyPromoCode", "ann", json!({"promoCode": "ANY"})),
        ("extendTrial", "admin", json!({"until": until})),
    ];
    for status in ["canceled", "incomplete_expired"] {
        let end = format!("UPDATE subscriptions SET status = '{status}', ended_at = created_at WHERE id = $1");
        change(shop, &end, &ann).await;
        for &(mutation, caller, ref input) in &changes {
            let input = with(input, json!({"subscriptionId": ann}));
            let (code, field, message) = refusal(shop, mutation, caller, input).await;
            assert_eq!(
                (code.as_str(), &field),
                ("SUBSCRIPTION_OVER", &json!(["subscriptionId"])),
                "{status} {mutation}"
            );
            assert!(
                message == "The subscription is over and cannot be changed. Start a new one.",
                "{mutation}: {message}"
            );
        }
    }
    let shown = "query($id: ID!) { subscription(id: $id) { status endedAt scheduledChanges { id } } }";
    let shown = shop.test.user("ann").data(shown, json!({"id": ann})).await["subscription"].take();
    assert_eq!((&shown["status"], &shown["scheduledChanges"]), (&json!("INCOMPLETE_EXPIRED"), &json!([])));
}

async fn a_gift_that_cannot_be_redeemed_says_why(shop: &Shop) {
    let (ann, bob) = (shop.test.user("ann"), shop.test.user("bob"));
    bob.data("{ viewer { role } }", json!({})).await;
    let mut told = Vec::new();
    for (update, code, message) in [
        ("status = 'refunded'", "GIFT_REFUNDED", "The gift was refunded to its buyer."),
        ("status = 'open', paid_at = NULL, payment_id = NULL", "GIFT_NOT_PAID", "The gift is not paid yet."),
        ("status = 'abandoned', paid_at = NULL, payment_id = NULL", "GIFT_NOT_PAID", "The gift is not paid yet."),
        ("expires_at = '2026-01-15T12:00:00+00:00'", "GIFT_EXPIRED", "The gift has expired."),
    ] {
        let (gift, secret) = paid(shop, &ann).await;
        change(shop, &format!("UPDATE gifts SET {update} WHERE id = $1"), &json!(gift)).await;
        let done = redeem(shop, &bob, &secret).await;
        let error = json!({"code": code, "field": ["code"], "message": message});
        assert_eq!(done, json!({"gift": null, "subscription": null, "userErrors": [error]}), "{update}");
        told.push(gift);
    }
    // One second earlier it could have been redeemed.
    let (gift, secret) = paid(shop, &ann).await;
    change(shop, "UPDATE gifts SET expires_at = '2026-01-15T12:00:01+00:00' WHERE id = $1", &json!(gift)).await;
    let done = redeem(shop, &bob, &secret).await;
    assert_eq!((&done["gift"]["redemptionStatus"], &done["userErrors"]), (&json!("REDEEMED"), &json!([])));
    shop.deliver().await;
    let replace =
        "mutation($id: ID!) { replaceGiftCode(input: {giftId: $id}) { code userErrors { code field message } } }";
    let replaced = ann.data(replace, json!({"id": told[0]})).await["replaceGiftCode"].take();
    let message = "The code of a gift that is refunded cannot be replaced.";
    let error = json!({"code": "GIFT_OVER", "field": ["giftId"], "message": message});
    assert_eq!(replaced, json!({"code": null, "userErrors": [error]}));
}

async fn a_refund_of_money_that_has_gone_is_not_approved(shop: &Shop) {
    let admin = shop.test.admin();
    let (payment, _) = bought(shop, "ann").await;
    let first = requested(shop, &admin, &payment, Some(600)).await;
    let second = requested(shop, &admin, &payment, Some(400)).await;
    approved(shop, &first).await;
    shop.deliver().await;
    // The rest goes back by another way, of which only the payment's own figure tells.
    change(shop, "UPDATE payments SET refunded_minor = 1000 WHERE id = $1", &json!(payment)).await;
    let (code, field, message) = refusal(shop, "approveRefund", "admin", json!({"refundId": second})).await;
    assert_eq!((code.as_str(), field), ("NOTHING_LEFT", json!(["amount"])));
    assert_eq!(message, "Nothing is left to refund.");
    change(shop, "UPDATE payments SET refunded_minor = 900 WHERE id = $1", &json!(payment)).await;
    let (code, _, message) = refusal(shop, "approveRefund", "admin", json!({"refundId": second})).await;
    assert_eq!((code.as_str(), message.as_str()), ("AMOUNT_TOO_LARGE", "`amount` must be at most 100."));
    let failed = "UPDATE payments SET status = 'failed', paid_at = NULL, refunded_minor = 0 WHERE id = $1";
    change(shop, failed, &json!(payment)).await;
    let (code, field, message) = refusal(shop, "approveRefund", "admin", json!({"refundId": second})).await;
    assert_eq!((code.as_str(), field), ("PAYMENT_NOT_SUCCEEDED", json!(["paymentId"])));
    assert_eq!(message, "The payment has not succeeded, so there is nothing to refund.");
    // It can be denied in any case, which needs no money.
    let deny = json!({"refundId": second, "reason": "gone"});
    let key = with(&deny, json!({"idempotencyKey": "deny"}));
    let request = Request { mutation: "denyRefund", caller: "admin", input: key };
    assert_eq!(request.codes(shop).await, [""; 0]);
}

async fn a_promotion_code_that_cannot_be_used_says_why_wherever_it_is_given(shop: &Shop) {
    let cast = Cast { shop };
    let sub = cast.subscriber("sub", "price_basic").await;
    shop.test.user("new").data("{ viewer { role } }", json!({})).await;
    let (_, promo_code) = cast.promotion("SUMMER").await;
    let basic = shop.price("price_basic").await;
    let page = json!({"priceId": basic, "successUrl": "https://a.example/", "promoCode": "SUMMER"});
    let plain = json!({"priceId": basic, "promoCode": "SUMMER"});
    let applied = json!({"subscriptionId": sub, "promoCode": "SUMMER"});
    for (update, code, message) in [
        ("expires_at = created_at", "PROMO_CODE_EXPIRED", "The promotion code has expired."),
        (
            "max_redemptions = 1, times_redeemed = 1",
            "PROMO_CODE_USED_UP",
            "The promotion code has reached its maximum number of redemptions.",
        ),
        ("active = FALSE", "PROMO_CODE_EXPIRED", "The promotion code was deactivated."),
    ] {
        let reset = "expires_at = NULL, max_redemptions = NULL, times_redeemed = 0, active = TRUE";
        change(shop, &format!("UPDATE promo_codes SET {reset} WHERE id = $1"), &promo_code).await;
        change(shop, &format!("UPDATE promo_codes SET {update} WHERE id = $1"), &promo_code).await;
        for (mutation, caller, input) in [
            ("startCheckout", "new", &page),
            ("createSubscription", "new", &plain),
            ("applyPromoCode", "sub", &applied),
        ] {
            for written in ["SUMMER", "summer", " Summer "] {
                let input = with(input, json!({"promoCode": written}));
                let found = refusal(shop, mutation, caller, input).await;
                assert_eq!(found, (code.to_owned(), json!(["promoCode"]), message.to_owned()), "{mutation} {update}");
            }
        }
    }
    change(shop, "UPDATE promo_codes SET active = TRUE, first_purchase_only = TRUE WHERE id = $1", &promo_code).await;
    let (code, _, message) = refusal(shop, "applyPromoCode", "sub", applied).await;
    let first = ("PROMO_CODE_NOT_FIRST", "The promotion code is only for a first purchase.");
    assert_eq!((code.as_str(), message.as_str()), first);
    shop.deliver().await;
}
