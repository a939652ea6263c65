//! A change of plan at the end of the period leaves everything else of the subscription as it was: discounts, taxes, the
//! trial, metadata, the way of collecting payments.

use crate::checkouts::buy;
use crate::support::{Client, Shop, both_engines};
use chrono::TimeDelta;
use sandbox::Fault;
use serde_json::{Value, json};

both_engines! {
    a_scheduled_change_keeps_discounts_taxes_and_metadata,
    a_discount_that_is_used_up_is_not_given_again,
    a_repeating_discount_ends_when_it_would_have,
    a_scheduled_change_keeps_the_trial,
    a_change_in_a_later_phase_keeps_that_phase,
    an_undone_change_leaves_the_discount,
    add_ons_and_their_discounts_stay,
    a_code_and_a_scheduled_change_do_not_lose_each_other,
}

const CHANGE: &str = "mutation Go($input: ChangePlanInput!) { changePlan(input: $input) {
    subscription { plan { code } scheduledChanges { plan { code } } } userErrors { code message } } }";
const UNDO: &str = "mutation Go($input: UndoScheduledChangeInput!) { undoScheduledChange(input: $input) {
    subscription { scheduledChanges { plan { code } } } userErrors { code } } }";
const PROMO: &str = "mutation Go($input: ApplyPromoCodeInput!) { applyPromoCode(input: $input) {
    userErrors { code message } } }";

/// Ann with a plan; the global id of her subscription.
async fn ann<'s>(shop: &'s Shop, price: &str) -> (Client<'s>, Value) {
    buy(shop, "ann", price, "buy").await;
    let ann = shop.test.user("ann");
    let found = ann.data("{ viewer { subscription { id } } }", json!({})).await;
    (ann, found["viewer"]["subscription"]["id"].clone())
}

fn at_stripe(shop: &Shop) -> Value {
    shop.stripe.objects("subscription").pop().unwrap()
}

/// Has Stripe offer a coupon with a promotion code of the same letters.
async fn offer(shop: &Shop, code: &str, terms: Value) {
    let mut coupon = json!({"id": code, "object": "coupon", "percent_off": 50, "duration": "forever", "name": code,
        "valid": true, "times_redeemed": 0});
    coupon.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
    shop.stripe.put(coupon);
    shop.stripe.put(json!({"id": format!("promo_{code}"), "object": "promotion_code", "code": code, "coupon": code,
        "active": true, "restrictions": {}, "times_redeemed": 0, "customer": null}));
    shop.deliver().await;
}

async fn apply(shop: &Shop, id: &Value, code: &str) {
    let input = json!({"subscriptionId": id, "promoCode": code, "idempotencyKey": format!("apply {code}")});
    let applied = shop.ask(&shop.test.user("ann"), PROMO, input).await;
    assert_eq!(applied["userErrors"], json!([]), "{applied}");
    shop.deliver().await;
}

/// Schedules a change of Ann's plan.
async fn schedule(shop: &Shop, id: &Value, price: &str, key: &str) -> Value {
    let input = json!({"subscriptionId": id, "priceId": shop.price(price).await, "timing": "PERIOD_END",
        "idempotencyKey": key});
    let changed = shop.ask(&shop.test.user("ann"), CHANGE, input).await;
    assert_eq!(changed["userErrors"], json!([]), "{changed}");
    shop.deliver().await;
    changed
}

/// The total and the subtotal of the newest invoice.
fn billed(shop: &Shop) -> (i64, i64) {
    let invoice = shop.stripe.objects("invoice").pop().unwrap();
    (invoice["total"].as_i64().unwrap(), invoice["subtotal"].as_i64().unwrap())
}

async fn a_scheduled_change_keeps_discounts_taxes_and_metadata(shop: &Shop) {
    let (_, id) = ann(shop, "price_basic").await;
    offer(shop, "HALF", json!({})).await;
    apply(shop, &id, "HALF").await;
    let mut edited = at_stripe(shop);
    edited["default_tax_rates"] = json!([{"id": "txr_vat", "object": "tax_rate"}]);
    edited["items"]["data"][0]["tax_rates"] = json!([{"id": "txr_item", "object": "tax_rate"}]);
    edited["items"]["data"][0]["metadata"] = json!({"seat": "a"});
    edited["metadata"]["campaign"] = json!("spring");
    edited["description"] = json!("Per month");
    shop.stripe.put(edited);
    shop.deliver().await;
    let before = at_stripe(shop);
    let told = schedule(shop, &id, "price_pro", "one").await;
    assert_eq!(told["subscription"]["plan"]["code"], "basic");
    assert_eq!(told["subscription"]["scheduledChanges"], json!([{"plan": {"code": "pro"}}]));
    let mut scheduled = at_stripe(shop);
    assert!(scheduled["schedule"].is_string());
    scheduled["schedule"] = Value::Null;
    assert_eq!(scheduled, before, "nothing changes before the period ends");
    shop.advance(TimeDelta::days(32)).await;
    let after = at_stripe(shop);
    assert_eq!(after["items"]["data"][0]["price"]["id"], "price_pro");
    for name in ["discounts", "default_tax_rates", "metadata", "collection_method", "description"] {
        assert_eq!(after[name], before[name], "{name}");
    }
    for name in ["tax_rates", "metadata"] {
        assert_eq!(after["items"]["data"][0][name], before["items"]["data"][0][name], "{name} of the item");
    }
    assert_eq!(billed(shop), (1450, 2900), "half of the new plan");
    let coupon = shop.stripe.object("HALF").unwrap();
    assert_eq!(coupon["times_redeemed"], 1, "no new discount was given");
}

async fn a_discount_that_is_used_up_is_not_given_again(shop: &Shop) {
    let (_, id) = ann(shop, "price_basic").await;
    offer(shop, "ONCE", json!({"duration": "once"})).await;
    apply(shop, &id, "ONCE").await;
    shop.advance(TimeDelta::days(32)).await;
    assert_eq!(billed(shop), (450, 900));
    shop.advance(TimeDelta::days(30)).await;
    assert_eq!((billed(shop), &at_stripe(shop)["discounts"]), ((900, 900), &json!([])));
    schedule(shop, &id, "price_pro", "one").await;
    shop.advance(TimeDelta::days(31)).await;
    assert_eq!(billed(shop), (2900, 2900));
    assert_eq!(shop.stripe.object("ONCE").unwrap()["times_redeemed"], 1);
}

async fn a_repeating_discount_ends_when_it_would_have(shop: &Shop) {
    let (_, id) = ann(shop, "price_basic").await;
    offer(shop, "TWO", json!({"duration": "repeating", "duration_in_months": 2})).await;
    apply(shop, &id, "TWO").await;
    schedule(shop, &id, "price_pro", "one").await;
    let mut totals = Vec::new();
    for _ in 0..3 {
        shop.advance(TimeDelta::days(31)).await;
        totals.push(billed(shop).0);
    }
    assert_eq!(totals, [1450, 2900, 2900], "two months from its beginning, not from the change");
    assert_eq!(at_stripe(shop)["discounts"], json!([]));
}

async fn a_scheduled_change_keeps_the_trial(shop: &Shop) {
    let (_, id) = ann(shop, "price_pro").await;
    let before = at_stripe(shop);
    assert_eq!(before["status"], "trialing");
    let charges = shop.count("charge");
    schedule(shop, &id, "price_basic", "one").await;
    let during = at_stripe(shop);
    assert_eq!((&during["status"], &during["trial_end"]), (&before["status"], &before["trial_end"]));
    shop.advance(TimeDelta::days(13)).await;
    assert_eq!((at_stripe(shop)["status"].clone(), shop.count("charge")), (json!("trialing"), charges));
    shop.advance(TimeDelta::days(2)).await;
    let after = at_stripe(shop);
    assert_eq!(
        (&after["status"], &after["items"]["data"][0]["price"]["id"]),
        (&json!("active"), &json!("price_basic"))
    );
    assert_eq!(after["trial_end"], before["trial_end"]);
    assert_eq!(billed(shop), (900, 900));
}

async fn a_change_in_a_later_phase_keeps_that_phase(shop: &Shop) {
    let (_, id) = ann(shop, "price_basic").await;
    offer(shop, "HALF", json!({})).await;
    apply(shop, &id, "HALF").await;
    schedule(shop, &id, "price_pro", "one").await;
    shop.advance(TimeDelta::days(32)).await;
    // The first phase is over, and the schedule goes on with the second.
    let second = at_stripe(shop);
    assert_eq!(second["items"]["data"][0]["price"]["id"], "price_pro");
    assert!(second["schedule"].is_string());
    schedule(shop, &id, "price_basic", "two").await;
    let still = at_stripe(shop);
    assert_eq!(still["items"], second["items"], "the present phase is kept");
    assert_eq!(still["discounts"], second["discounts"]);
    shop.advance(TimeDelta::days(30)).await;
    let third = at_stripe(shop);
    assert_eq!(third["items"]["data"][0]["price"]["id"], "price_basic");
    assert_eq!((&third["discounts"], billed(shop)), (&second["discounts"], (450, 900)));
    shop.advance(TimeDelta::days(31)).await;
    assert_eq!((at_stripe(shop)["schedule"].clone(), billed(shop)), (Value::Null, (450, 900)));
}

async fn an_undone_change_leaves_the_discount(shop: &Shop) {
    let (ann, id) = ann(shop, "price_basic").await;
    offer(shop, "HALF", json!({})).await;
    apply(shop, &id, "HALF").await;
    let before = at_stripe(shop);
    schedule(shop, &id, "price_pro", "one").await;
    let undone = shop.ask(&ann, UNDO, json!({"subscriptionId": id, "idempotencyKey": "two"})).await;
    assert_eq!(undone["subscription"]["scheduledChanges"], json!([]));
    shop.deliver().await;
    assert_eq!(at_stripe(shop), before);
    shop.advance(TimeDelta::days(32)).await;
    assert_eq!(billed(shop), (450, 900));
}

async fn add_ons_and_their_discounts_stay(shop: &Shop) {
    let (ann, id) = ann(shop, "price_basic").await;
    let add = "mutation($input: AddAddonInput!) { addAddon(input: $input) { userErrors { code } } }";
    let seats = json!({"subscriptionId": id, "priceId": shop.price("price_seats").await, "quantity": 2,
        "idempotencyKey": "add"});
    assert_eq!(shop.ask(&ann, add, seats).await["userErrors"], json!([]));
    shop.deliver().await;
    offer(shop, "SEATS", json!({})).await;
    let mut edited = at_stripe(shop);
    let item = edited["items"]["data"][1]["id"].clone();
    let discount = json!({"id": "di_seats", "object": "discount", "coupon": "SEATS", "customer": edited["customer"],
        "end": null, "invoice": null, "invoice_item": null, "promotion_code": null, "checkout_session": null,
        "start": edited["created"], "subscription": edited["id"], "subscription_item": item});
    shop.stripe.load(discount);
    edited["items"]["data"][1]["discounts"] = json!(["di_seats"]);
    shop.stripe.put(edited);
    shop.deliver().await;
    schedule(shop, &id, "price_pro", "one").await;
    shop.advance(TimeDelta::days(32)).await;
    let after = at_stripe(shop);
    let items = after["items"]["data"].as_array().unwrap();
    let sold: Vec<_> = items.iter().map(|item| (&item["price"]["id"], &item["quantity"], &item["discounts"])).collect();
    let (pro, seats) = (json!("price_pro"), json!("price_seats"));
    assert_eq!(sold, [(&pro, &json!(1), &json!([])), (&seats, &json!(2), &json!(["di_seats"]))]);
    assert_eq!(billed(shop), (2900 + 500, 2900 + 1000));
}

async fn a_code_and_a_scheduled_change_do_not_lose_each_other(shop: &Shop) {
    let (_, id) = ann(shop, "price_basic").await;
    offer(shop, "HALF", json!({})).await;
    let promo = |key: &str| json!({"subscriptionId": id, "promoCode": "HALF", "idempotencyKey": key});
    let change = json!({"subscriptionId": id, "priceId": shop.price("price_pro").await, "timing": "PERIOD_END",
        "idempotencyKey": "change"});
    let away = Fault::Answer { status: 503, should_retry: None, acted: false, saved: false };
    // A code whose request is kept: the phases would not have its discount.
    shop.stripe.fail_among(100, 1, &[away]);
    assert_eq!(shop.test.user("ann").code(PROMO, json!({"input": promo("one")})).await, "PROVIDER_UNAVAILABLE");
    shop.stripe.clear_faults();
    let refused = shop.ask(&shop.test.user("ann"), CHANGE, change.clone()).await;
    assert_eq!(refused["userErrors"][0]["code"], "CHANGE_UNDER_WAY", "{refused}");
    shop.advance(TimeDelta::minutes(5)).await;
    shop.deliver().await;
    let discounts = at_stripe(shop)["discounts"].clone();
    assert_eq!(discounts.as_array().map(Vec::len), Some(1));
    let scheduled = shop.ask(&shop.test.user("ann"), CHANGE, change).await;
    assert_eq!(scheduled["userErrors"], json!([]), "the refusal was not kept: {scheduled}");
    shop.deliver().await;
    shop.advance(TimeDelta::days(32)).await;
    assert_eq!((&at_stripe(shop)["discounts"], billed(shop)), (&discounts, (1450, 2900)));
    // A scheduled change: its next phase would not have the discount.
    buy(shop, "bob", "price_basic", "bob").await;
    let bob = shop.test.user("bob");
    let found = bob.data("{ viewer { subscription { id } } }", json!({})).await;
    let id = &found["viewer"]["subscription"]["id"];
    let change = json!({"subscriptionId": id, "priceId": shop.price("price_pro").await, "timing": "PERIOD_END",
        "idempotencyKey": "change"});
    assert_eq!(shop.ask(&bob, CHANGE, change).await["userErrors"], json!([]));
    shop.deliver().await;
    let promo = json!({"subscriptionId": id, "promoCode": "HALF", "idempotencyKey": "two"});
    assert_eq!(shop.ask(&bob, PROMO, promo.clone()).await["userErrors"][0]["code"], "CHANGE_UNDER_WAY");
    shop.ask(&bob, UNDO, json!({"subscriptionId": id, "idempotencyKey": "undo"})).await;
    shop.deliver().await;
    assert_eq!(shop.ask(&bob, PROMO, promo).await["userErrors"], json!([]));
    shop.deliver().await;
}
