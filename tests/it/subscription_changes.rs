//! Changing what is bought, carried out at Stripe.

use crate::checkouts::{CHECKOUT, buy, order};
use crate::support::{Client, Shop, both_engines, global_id};
use chrono::TimeDelta;
use serde_json::{Value, json};

use sandbox::{Card, Fault};

both_engines! {
    a_subscription_ends_with_its_period_and_can_be_resumed,
    a_subscription_ends_at_once,
    a_subscription_is_paused_and_goes_on,
    a_preview_has_the_cost_of_a_plan_change,
    a_change_at_the_end_of_the_period_shows_and_can_be_undone,
    add_ons_come_and_go,
    a_change_that_the_card_declines_is_none,
    a_promotion_code_lowers_a_subscription_once,
    nobody_changes_what_is_anothers,
    while_stripe_is_away_an_end_is_kept_and_carried_out_later,
    a_change_whose_answer_is_lost_is_made_once,
    a_call_that_nobody_finished_is_finished,
    an_answer_from_another_time_is_not_taken_for_the_present,
    after_a_day_a_call_is_left_to_the_mirror,
}

const CANCEL: &str = "mutation Go($input: CancelSubscriptionInput!) { cancelSubscription(input: $input) {
    subscription { status cancelAtPeriodEnd cancelAt } userErrors { code } } }";
const RESUME: &str = "mutation Go($input: ResumeSubscriptionInput!) { resumeSubscription(input: $input) {
    subscription { status cancelAt pausedAt } userErrors { code } } }";
const PAUSE: &str = "mutation Go($input: PauseSubscriptionInput!) { pauseSubscription(input: $input) {
    subscription { status pausedAt } userErrors { code } } }";
const CHANGE: &str = "mutation Go($input: ChangePlanInput!) { changePlan(input: $input) {
    subscription { plan { code } scheduledChanges { plan { code } effectiveAt } } userErrors { code declineCode } } }";
const UNDO: &str = "mutation Go($input: UndoScheduledChangeInput!) { undoScheduledChange(input: $input) {
    subscription { plan { code } scheduledChanges { plan { code } } } userErrors { code } } }";
const ADD: &str = "mutation Go($input: AddAddonInput!) { addAddon(input: $input) {
    subscription { items { id purpose quantity } } userErrors { code } } }";
const REMOVE: &str = "mutation Go($input: RemoveAddonInput!) { removeAddon(input: $input) {
    subscription { items { purpose } } userErrors { code } } }";
const PROMO: &str = "mutation Go($input: ApplyPromoCodeInput!) { applyPromoCode(input: $input) {
    subscription { id } userErrors { code } } }";

/// Ann with the plan basic; the global id of her subscription.
async fn ann(shop: &Shop) -> (Client<'_>, Value) {
    buy(shop, "ann", "price_basic", "buy").await;
    let ann = shop.test.user("ann");
    let found = ann.data("{ viewer { subscription { id } } }", json!({})).await;
    (ann, found["viewer"]["subscription"]["id"].clone())
}

fn of(id: &Value, key: &str) -> Value {
    json!({"subscriptionId": id, "idempotencyKey": key})
}

fn with(mut input: Value, more: Value) -> Value {
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or_else(|| panic!("{payload}"))
}

fn at_stripe(shop: &Shop) -> Value {
    shop.stripe.objects("subscription").pop().unwrap()
}

async fn a_subscription_ends_with_its_period_and_can_be_resumed(shop: &Shop) {
    let (ann, id) = ann(shop).await;
    let input = with(of(&id, "one"), json!({"feedback": "TOO_EXPENSIVE", "comment": "I moved"}));
    let ended = shop.ask(&ann, CANCEL, input.clone()).await;
    assert_eq!(ended["subscription"]["cancelAtPeriodEnd"], true);
    let details = at_stripe(shop)["cancellation_details"].clone();
    assert_eq!((&details["feedback"], &details["comment"]), (&json!("too_expensive"), &json!("I moved")));
    let resumed = shop.ask(&ann, RESUME, of(&id, "two")).await;
    assert_eq!(resumed["subscription"], json!({"status": "ACTIVE", "cancelAt": null, "pausedAt": null}));
    assert_eq!(code(&shop.ask(&ann, RESUME, of(&id, "three")).await), "NOTHING_TO_RESUME");
    // The result is returned again, with the subscription as it is now.
    let again = shop.ask(&ann, CANCEL, input).await;
    assert_eq!(again["subscription"]["cancelAtPeriodEnd"], false);
    shop.ask(&ann, CANCEL, of(&id, "four")).await;
    shop.deliver().await;
    shop.advance(TimeDelta::days(32)).await;
    let ann = shop.test.user("ann");
    let plan = ann.data("{ viewer { plan { status } subscription { id } } }", json!({})).await;
    assert_eq!(plan, json!({"viewer": {"plan": null, "subscription": null}}));
    assert_eq!(code(&shop.ask(&ann, CANCEL, of(&id, "five")).await), "SUBSCRIPTION_OVER");
}

async fn a_subscription_ends_at_once(shop: &Shop) {
    let (ann, id) = ann(shop).await;
    let input = with(of(&id, "one"), json!({"timing": "NOW"}));
    let ended = shop.ask(&ann, CANCEL, input.clone()).await;
    assert_eq!(ended["subscription"]["status"], "CANCELED");
    assert_eq!(shop.ask(&ann, CANCEL, input).await, ended);
    shop.deliver().await;
    assert_eq!(at_stripe(shop)["status"], "canceled");
}

async fn a_subscription_is_paused_and_goes_on(shop: &Shop) {
    let (ann, id) = ann(shop).await;
    let input = with(of(&id, "zero"), json!({"until": "2020-01-01T00:00:00Z"}));
    assert_eq!(code(&shop.ask(&ann, PAUSE, input).await), "UNTIL_INVALID");
    let paused = shop.ask(&ann, PAUSE, of(&id, "one")).await;
    assert!(paused["subscription"]["pausedAt"].is_string(), "{paused}");
    assert_eq!(code(&shop.ask(&ann, PAUSE, of(&id, "two")).await), "ALREADY_PAUSED");
    shop.deliver().await;
    let resumed = shop.ask(&ann, RESUME, of(&id, "three")).await;
    assert_eq!(resumed["subscription"]["pausedAt"], Value::Null, "{resumed}");
    shop.deliver().await;
    assert_eq!(at_stripe(shop)["pause_collection"], Value::Null);
}

async fn a_preview_has_the_cost_of_a_plan_change(shop: &Shop) {
    let (_, id) = ann(shop).await;
    shop.advance(TimeDelta::days(10)).await;
    let ann = shop.test.user("ann");
    let preview = "query($id: ID!, $price: ID!) { previewPlanChange(subscriptionId: $id, priceId: $price) {
        dueNow { amount currency } dueAtRenewal { amount } renewsAt prorationAt lines { lineAmount { amount } } } }";
    let price = shop.price("price_pro").await;
    let unknown = json!({"id": id, "price": global_id("Price", uuid::Uuid::nil())});
    assert_eq!(ann.code(preview, unknown).await, "PRICE_NOT_FOUND");
    let told = ann.data(preview, json!({"id": id, "price": price})).await["previewPlanChange"].take();
    let due: i64 = told["dueNow"]["amount"].as_str().unwrap().parse().unwrap();
    assert!((1_000..2_000).contains(&due), "two thirds of the difference of 20.00: {told}");
    let lines = told["lines"].as_array().unwrap().iter();
    let lines = lines.map(|line| line["lineAmount"]["amount"].as_str().unwrap().parse::<i64>().unwrap());
    assert_eq!(lines.sum::<i64>(), due);
    assert_eq!(told["dueAtRenewal"]["amount"], "2900");
    // Some time later, as reckoned then.
    shop.advance(TimeDelta::minutes(20)).await;
    let at = json!({"priceId": price, "prorationAt": told["prorationAt"]});
    let changed = shop.ask(&ann, CHANGE, with(of(&id, "one"), at.clone())).await;
    assert_eq!(changed["subscription"]["plan"]["code"], "pro");
    let charge = shop.stripe.objects("charge").pop().unwrap();
    assert_eq!(charge["amount"], due, "it costs what was told");
    assert_eq!(code(&shop.ask(&ann, CHANGE, with(of(&id, "two"), at)).await), "NOTHING_TO_CHANGE");
    shop.deliver().await;
    shop.advance(TimeDelta::days(22)).await;
    assert_eq!(shop.stripe.objects("charge").pop().unwrap()["amount"], 2900);
}

async fn a_change_at_the_end_of_the_period_shows_and_can_be_undone(shop: &Shop) {
    let (ann, id) = ann(shop).await;
    let later = json!({"priceId": shop.price("price_pro").await, "timing": "PERIOD_END"});
    let planned = shop.ask(&ann, CHANGE, with(of(&id, "one"), later.clone())).await;
    assert_eq!(planned["subscription"]["plan"]["code"], "basic");
    assert_eq!(planned["subscription"]["scheduledChanges"][0]["plan"]["code"], "pro", "{planned}");
    let plan = "{ viewer { plan { plan { code } scheduledPlan { code } scheduledAt currentPeriodEnd } } }";
    let told = ann.data(plan, json!({})).await["viewer"]["plan"].take();
    assert_eq!(told["scheduledPlan"]["code"], "pro");
    assert_eq!(told["scheduledAt"], told["currentPeriodEnd"]);
    let undone = shop.ask(&ann, UNDO, of(&id, "two")).await;
    assert_eq!(undone["subscription"], json!({"plan": {"code": "basic"}, "scheduledChanges": []}));
    assert_eq!(code(&shop.ask(&ann, UNDO, of(&id, "three")).await), "NOTHING_PLANNED");
    shop.deliver().await;
    // Planned again, and then an end in its place; and at last a change that comes about.
    shop.ask(&ann, CHANGE, with(of(&id, "four"), later.clone())).await;
    let ended = shop.ask(&ann, CANCEL, of(&id, "five")).await;
    assert_eq!(ended["subscription"]["cancelAtPeriodEnd"], true, "{ended}");
    assert_eq!(code(&shop.ask(&ann, CHANGE, with(of(&id, "six"), later.clone())).await), "TO_BE_CANCELED");
    let resumed = shop.ask(&ann, RESUME, of(&id, "seven")).await;
    assert_eq!(resumed["userErrors"], json!([]), "{resumed}");
    shop.deliver().await;
    let planned = shop.ask(&ann, CHANGE, with(of(&id, "eight"), later)).await;
    assert_eq!(planned["subscription"]["scheduledChanges"][0]["plan"]["code"], "pro", "{planned}");
    shop.deliver().await;
    shop.advance(TimeDelta::days(32)).await;
    let ann = shop.test.user("ann");
    let told = ann.data(plan, json!({})).await["viewer"]["plan"].take();
    assert_eq!((&told["plan"]["code"], &told["scheduledPlan"]), (&json!("pro"), &Value::Null));
    assert_eq!(shop.stripe.objects("charge").pop().unwrap()["amount"], 2900);
}

async fn add_ons_come_and_go(shop: &Shop) {
    let (ann, id) = ann(shop).await;
    let seats = json!({"priceId": shop.price("price_seats").await, "quantity": 3});
    let added = shop.ask(&ann, ADD, with(of(&id, "one"), seats.clone())).await;
    let items = added["subscription"]["items"].as_array().unwrap();
    let addon = items.iter().find(|item| item["purpose"] == "ADDON").unwrap_or_else(|| panic!("{added}"));
    assert_eq!(addon["quantity"], 3);
    assert_eq!(code(&shop.ask(&ann, ADD, with(of(&id, "two"), seats)).await), "ADDON_ALREADY_THERE");
    let plan = items.iter().find(|item| item["purpose"] == "PLAN").unwrap();
    let input = json!({"subscriptionItemId": plan["id"], "idempotencyKey": "three"});
    assert_eq!(code(&shop.ask(&ann, REMOVE, input).await), "ADDON_NOT_FOUND");
    let input = json!({"subscriptionItemId": addon["id"], "idempotencyKey": "four"});
    let bob = shop.test.user("bob");
    assert_eq!(code(&shop.ask(&bob, REMOVE, input.clone()).await), "ADDON_NOT_FOUND");
    let removed = shop.ask(&ann, REMOVE, input).await;
    assert_eq!(removed["subscription"]["items"], json!([{"purpose": "PLAN"}]));
    shop.deliver().await;
}

async fn a_change_that_the_card_declines_is_none(shop: &Shop) {
    let (ann, id) = ann(shop).await;
    let customer = shop.stripe.objects("customer")[0]["id"].as_str().unwrap().to_owned();
    shop.stripe.set_card(&customer, Card::WithoutFunds).unwrap();
    let subscription = at_stripe(shop);
    if let Some(card) = subscription["default_payment_method"].as_str() {
        assert!(!card.is_empty());
        let mut changed = subscription.clone();
        changed["default_payment_method"] = Value::Null;
        shop.stripe.put(changed);
    }
    let change = json!({"priceId": shop.price("price_pro").await});
    let declined = shop.ask(&ann, CHANGE, with(of(&id, "one"), change)).await;
    let error = json!({"code": "CARD_DECLINED", "declineCode": "insufficient_funds"});
    assert_eq!(declined, json!({"subscription": null, "userErrors": [error]}));
    shop.deliver().await;
    let plan = ann.data("{ viewer { plan { plan { code } } } }", json!({})).await;
    assert_eq!(plan["viewer"]["plan"]["plan"]["code"], "basic");
}

async fn a_promotion_code_lowers_a_subscription_once(shop: &Shop) {
    let (ann, id) = ann(shop).await;
    shop.stripe.put(json!({"id": "half", "object": "coupon", "percent_off": 50.0, "duration": "forever",
        "name": "Half", "valid": true, "times_redeemed": 0, "metadata": {}, "currency": null, "amount_off": null}));
    shop.stripe.put(json!({"id": "promo_half", "object": "promotion_code", "code": "HALF", "active": true,
        "coupon": "half", "times_redeemed": 0, "metadata": {}, "customer": null,
        "restrictions": {"first_time_transaction": false, "minimum_amount": null}}));
    shop.deliver().await;
    let input = with(of(&id, "one"), json!({"promoCode": "half"}));
    let lowered = shop.ask(&ann, PROMO, input).await;
    assert_eq!(lowered["userErrors"], json!([]), "{lowered}");
    let input = with(of(&id, "two"), json!({"promoCode": "HALF"}));
    assert_eq!(code(&shop.ask(&ann, PROMO, input).await), "DISCOUNT_ALREADY_APPLIED");
    shop.deliver().await;
    shop.advance(TimeDelta::days(32)).await;
    assert_eq!(shop.stripe.objects("charge").pop().unwrap()["amount"], 450);
}

async fn nobody_changes_what_is_anothers(shop: &Shop) {
    let (_, id) = ann(shop).await;
    let price = json!({"priceId": shop.price("price_pro").await});
    let bob = shop.test.user("bob");
    for (query, more) in [
        (CANCEL, json!({})),
        (RESUME, json!({})),
        (PAUSE, json!({})),
        (UNDO, json!({})),
        (CHANGE, price.clone()),
        (ADD, price),
        (PROMO, json!({"promoCode": "HALF"})),
    ] {
        let input = with(of(&id, "one"), more);
        assert_eq!(code(&shop.ask(&bob, query, input.clone()).await), "SUBSCRIPTION_NOT_FOUND", "{query}");
        assert_eq!(shop.test.anonymous().code(query, json!({"input": input})).await, "UNAUTHENTICATED");
        let service = shop.test.service(&[tollgate::auth::Permission::BillingRead]);
        assert_eq!(service.code(query, json!({"input": input})).await, "FORBIDDEN");
    }
    let service =
        shop.test.service(&[tollgate::auth::Permission::BillingRead, tollgate::auth::Permission::BillingWrite]);
    let ended = shop.ask(&service, CANCEL, of(&id, "one")).await;
    assert_eq!(ended["subscription"]["cancelAtPeriodEnd"], true);
    shop.deliver().await;
}

/// Stripe does not answer the next request, however often the client tries.
fn away(shop: &Shop, fault: Fault) {
    (0..3).for_each(|_| shop.stripe.fail_next(fault));
}

const BUSY: Fault = Fault::Answer { status: 503, should_retry: None, acted: false, saved: false };

async fn while_stripe_is_away_an_end_is_kept_and_carried_out_later(shop: &Shop) {
    let (ann, id) = ann(shop).await;
    away(shop, BUSY);
    let reply = ann.post(CANCEL, json!({"input": of(&id, "one")})).await.json();
    let extensions = &reply["errors"][0]["extensions"];
    assert_eq!(*extensions, json!({"code": "PROVIDER_UNAVAILABLE", "retriedLater": true}), "{reply}");
    assert_eq!(at_stripe(shop)["cancel_at_period_end"], false);
    shop.test.advance(TimeDelta::minutes(5));
    // Another node, as this one leaves Stripe alone for a while.
    let node = shop.another_node().await;
    node.run_jobs().await;
    assert_eq!(at_stripe(shop)["cancel_at_period_end"], true);
    let again = shop.ask(&node.user("ann"), CANCEL, of(&id, "one")).await;
    assert_eq!(again["subscription"]["cancelAtPeriodEnd"], true);
    shop.deliver_to(&node).await;
}

async fn a_change_whose_answer_is_lost_is_made_once(shop: &Shop) {
    let (ann, id) = ann(shop).await;
    let change = with(of(&id, "one"), json!({"priceId": shop.price("price_pro").await}));
    // The client tries again by itself, and is answered what was done.
    shop.stripe.fail_next(Fault::CutAfter);
    let changed = shop.ask(&ann, CHANGE, change).await;
    assert_eq!(changed["subscription"]["plan"]["code"], "pro");
    assert_eq!(shop.count("charge"), 2);
    shop.deliver().await;
}

async fn a_call_that_nobody_finished_is_finished(shop: &Shop) {
    let (ann, id) = ann(shop).await;
    // The process ends after Stripe has acted and before that is written down: it never answers.
    away(shop, Fault::HangAfter);
    let _ = ann.post(CANCEL, json!({"input": of(&id, "one")})).await;
    assert_eq!(at_stripe(shop)["cancel_at_period_end"], true);
    shop.test.advance(TimeDelta::minutes(5));
    let node = shop.another_node().await;
    let mine = node.user("ann").data("{ viewer { subscription { cancelAtPeriodEnd } } }", json!({})).await;
    assert_eq!(mine["viewer"]["subscription"]["cancelAtPeriodEnd"], false, "nobody has told us yet");
    node.run_jobs().await;
    let mine = node.user("ann").data("{ viewer { subscription { cancelAtPeriodEnd } } }", json!({})).await;
    assert_eq!(mine["viewer"]["subscription"]["cancelAtPeriodEnd"], true);
    shop.deliver_to(&node).await;
}

async fn an_answer_from_another_time_is_not_taken_for_the_present(shop: &Shop) {
    let (ann, id) = ann(shop).await;
    away(shop, Fault::CutAfter);
    let reply = ann.post(CANCEL, json!({"input": of(&id, "one")})).await.json();
    assert_eq!(reply["errors"][0]["extensions"]["code"], "PROVIDER_UNAVAILABLE", "{reply}");
    shop.deliver().await;
    // Meanwhile the customer takes it back in the dashboard.
    shop.test.advance(TimeDelta::minutes(5));
    let mut resumed = at_stripe(shop);
    resumed["cancel_at_period_end"] = json!(false);
    resumed["cancel_at"] = Value::Null;
    resumed["canceled_at"] = Value::Null;
    shop.stripe.put(resumed);
    let node = shop.another_node().await;
    node.run_jobs().await;
    let mine = node.user("ann").data("{ viewer { subscription { cancelAtPeriodEnd } } }", json!({})).await;
    assert_eq!(mine["viewer"]["subscription"]["cancelAtPeriodEnd"], false);
    shop.deliver_to(&node).await;
}

async fn after_a_day_a_call_is_left_to_the_mirror(shop: &Shop) {
    let ann = shop.test.user("ann");
    buy(shop, "ann", "price_credits", "zero").await;
    let input = order(&shop.price("price_credits").await, "one");
    away(shop, BUSY);
    assert_eq!(ann.code(CHECKOUT, json!({"input": input})).await, "PROVIDER_UNAVAILABLE");
    shop.test.advance(TimeDelta::hours(25));
    let node = shop.another_node().await;
    shop.deliver_to(&node).await;
    assert_eq!(node.user("ann").code(CHECKOUT, json!({"input": input})).await, "UNRESOLVED");
    assert_eq!(node.user("ann").code(CHECKOUT, json!({"input": input})).await, "UNRESOLVED");
    assert_eq!(shop.count("checkout.session"), 1);
}
