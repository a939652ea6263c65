//! Callers who go away, processes that end and time limits, in the middle of a change at Stripe: the work goes on to its
//! end, the same key has the answer, and nobody is charged behind their back.

use crate::checkouts::{CHECKOUT, CREATE, PURCHASE, buy, order};
use crate::support::{Client, Shop, TestApp, both_engines, sql};
use chrono::TimeDelta;
use sandbox::{Card, Fault};
use serde_json::{Value, json};
use std::time::Duration;
use tollgate::accounts;
use tollgate::billing::{self, CreditPurchase};

both_engines! {
    a_charge_goes_on_when_its_caller_hangs_up_and_the_same_key_has_the_answer,
    a_purchase_goes_on_when_its_caller_hangs_up_before_the_customer_exists,
    a_request_under_the_same_key_waits_for_the_one_that_goes_on,
    a_change_goes_on_when_its_caller_hangs_up,
    a_charge_that_stripe_did_not_answer_is_never_made_later,
    a_charge_of_a_process_that_ended_is_given_up_and_made_once_under_its_key,
    a_cancellation_of_a_process_that_ended_is_made_later,
    a_cancellation_whose_error_stripe_repeats_is_made_under_another_key,
    a_checkout_whose_error_stripe_repeats_keeps_nobody_from_the_next_one,
    after_the_time_limit_no_charge_is_sent,
    the_end_of_the_process_waits_for_what_goes_on,
}

const CANCEL: &str = "mutation Go($input: CancelSubscriptionInput!) { cancelSubscription(input: $input) {
    subscription { status cancelAtPeriodEnd } userErrors { code } } }";
const CALLS: &str = "{ providerCalls { nodes { callOperation callState attempts } } }";

/// An error of Stripe itself that it repeats under the key of the request, which it executed.
pub(crate) const REPEATED: Fault = Fault::Answer { status: 500, should_retry: Some(false), acted: true, saved: true };

/// Ann with a stored card, and the input of a purchase of credits.
async fn ann(shop: &Shop) -> (Client<'_>, Value) {
    buy(shop, "ann", "price_credits", "zero").await;
    let customer = shop.stripe.objects("customer")[0]["id"].as_str().unwrap().to_owned();
    shop.stripe.set_card(&customer, Card::Good).unwrap();
    shop.deliver().await;
    let input = json!({"priceId": shop.price("price_credits").await, "idempotencyKey": "one"});
    (shop.test.user("ann"), input)
}

/// The state of the newest call with this operation.
async fn state(node: &TestApp, operation: &str) -> Value {
    let mut calls = node.admin().data(CALLS, json!({})).await["providerCalls"]["nodes"].take();
    let mut calls = calls.as_array_mut().unwrap().iter_mut();
    let call = calls.find(|call| call["callOperation"] == operation).unwrap_or_else(|| panic!("no {operation}"));
    call["callState"].take()
}

async fn available(node: &TestApp, subject: &str) -> Value {
    let query = "{ viewer { account { creditBalances { available } } } }";
    node.user(subject).data(query, json!({})).await["viewer"]["account"]["creditBalances"][0]["available"].take()
}

async fn a_charge_goes_on_when_its_caller_hangs_up_and_the_same_key_has_the_answer(shop: &Shop) {
    let (ann, input) = ann(shop).await;
    // The first try is not answered, so that the caller is gone before Stripe answers the second.
    shop.stripe.fail_next(Fault::HangAfter);
    shop.hang_up(&ann, PURCHASE, input.clone()).await;
    shop.test.app.detached.idle().await;
    assert_eq!(shop.count("charge"), 2);
    assert_eq!(state(&shop.test, "credits.purchase").await, "DONE");
    assert_eq!(available(&shop.test, "ann").await, "200", "the answer is in our records, before any webhook");
    let requests = shop.stripe.requests().len();
    let again = shop.ask(&ann, PURCHASE, input).await;
    assert_eq!(again["payment"]["chargeStatus"], "SUCCEEDED");
    assert_eq!((shop.count("charge"), shop.stripe.requests().len()), (2, requests), "nothing is asked again");
    shop.deliver().await;
    assert_eq!(available(&shop.test, "ann").await, "200");
}

async fn a_purchase_goes_on_when_its_caller_hangs_up_before_the_customer_exists(shop: &Shop) {
    let bob = shop.test.user("bob");
    let input = order(&shop.price("price_basic").await, "one");
    shop.stripe.fail_next(Fault::HangBefore);
    shop.hang_up(&bob, CHECKOUT, input.clone()).await;
    assert_eq!((shop.count("customer"), shop.count("checkout.session")), (0, 0));
    shop.test.app.detached.idle().await;
    assert_eq!((shop.count("customer"), shop.count("checkout.session")), (1, 1));
    let session = shop.stripe.objects("checkout.session")[0]["id"].clone();
    let again = shop.ask(&bob, CHECKOUT, input).await;
    assert_eq!(again["checkout"]["sessionExternalId"], session);
    shop.deliver().await;
}

async fn a_request_under_the_same_key_waits_for_the_one_that_goes_on(shop: &Shop) {
    let (ann, input) = ann(shop).await;
    shop.stripe.fail_next(Fault::HangAfter);
    shop.hang_up(&ann, PURCHASE, input.clone()).await;
    // At once, while the first is under way.
    let (one, two) = tokio::join!(shop.ask(&ann, PURCHASE, input.clone()), shop.ask(&ann, PURCHASE, input));
    assert_eq!((&one["payment"]["chargeStatus"], &one), (&json!("SUCCEEDED"), &two));
    assert_eq!(shop.count("charge"), 2);
    shop.deliver().await;
}

async fn a_change_goes_on_when_its_caller_hangs_up(shop: &Shop) {
    buy(shop, "ann", "price_basic", "zero").await;
    let ann = shop.test.user("ann");
    let found = ann.data("{ viewer { subscription { id } } }", json!({})).await;
    let input = json!({"subscriptionId": found["viewer"]["subscription"]["id"], "idempotencyKey": "one"});
    shop.stripe.fail_next(Fault::HangBefore);
    shop.hang_up(&ann, CANCEL, input.clone()).await;
    shop.test.app.detached.idle().await;
    assert_eq!(shop.stripe.objects("subscription")[0]["cancel_at_period_end"], true);
    let mine = ann.data("{ viewer { subscription { cancelAtPeriodEnd } } }", json!({})).await;
    assert_eq!(mine["viewer"]["subscription"]["cancelAtPeriodEnd"], true);
    assert_eq!(shop.ask(&ann, CANCEL, input).await["subscription"]["cancelAtPeriodEnd"], true);
    shop.deliver().await;
}

async fn a_charge_that_stripe_did_not_answer_is_never_made_later(shop: &Shop) {
    let (ann, input) = ann(shop).await;
    (0..3).for_each(|_| shop.stripe.fail_next(Fault::HangBefore));
    shop.hang_up(&ann, PURCHASE, input).await;
    shop.test.app.detached.idle().await;
    assert_eq!(state(&shop.test, "credits.purchase").await, "ABANDONED");
    for _ in 0..10 {
        shop.advance(TimeDelta::hours(1)).await;
    }
    assert_eq!(shop.count("charge"), 1);
    assert_eq!(state(&shop.test, "credits.purchase").await, "ABANDONED");
}

async fn a_charge_of_a_process_that_ended_is_given_up_and_made_once_under_its_key(shop: &Shop) {
    let (ann, input) = ann(shop).await;
    let create = json!({"priceId": shop.price("price_basic").await, "idempotencyKey": "two"});
    for (query, input, operation) in [(PURCHASE, &input, "credits.purchase"), (CREATE, &create, "subscriptions.create")]
    {
        shop.stripe.fail_next(Fault::HangBefore);
        shop.hang_up(&ann, query, input.clone()).await;
        shop.test.app.detached.abort();
        shop.test.app.detached.idle().await;
        assert_eq!(state(&shop.test, operation).await, "PENDING", "as the process left it");
    }
    let node = shop.another_node().await;
    shop.test.advance(TimeDelta::minutes(10));
    let requests = shop.stripe.requests().len();
    node.run_jobs().await;
    assert_eq!(state(&node, "credits.purchase").await, "ABANDONED");
    assert_eq!(state(&node, "subscriptions.create").await, "ABANDONED");
    assert_eq!(shop.stripe.requests().len(), requests, "no worker asks for a charge");
    let paid = shop.ask(&node.user("ann"), PURCHASE, input).await;
    assert_eq!(paid["payment"]["chargeStatus"], "SUCCEEDED");
    assert_eq!(shop.count("charge"), 2);
    shop.deliver_to(&node).await;
}

async fn a_cancellation_of_a_process_that_ended_is_made_later(shop: &Shop) {
    buy(shop, "ann", "price_basic", "zero").await;
    let ann = shop.test.user("ann");
    let found = ann.data("{ viewer { subscription { id } } }", json!({})).await;
    let input = json!({"subscriptionId": found["viewer"]["subscription"]["id"], "idempotencyKey": "one"});
    shop.stripe.fail_next(Fault::HangBefore);
    shop.hang_up(&ann, CANCEL, input).await;
    shop.test.app.detached.abort();
    shop.test.app.detached.idle().await;
    let node = shop.another_node().await;
    shop.test.advance(TimeDelta::minutes(10));
    node.run_jobs().await;
    assert_eq!(shop.stripe.objects("subscription")[0]["cancel_at_period_end"], true);
    assert_eq!(state(&node, "subscriptions.cancel").await, "DONE");
    shop.deliver_to(&node).await;
}

async fn a_cancellation_whose_error_stripe_repeats_is_made_under_another_key(shop: &Shop) {
    buy(shop, "ann", "price_basic", "zero").await;
    let found = shop.test.user("ann").data("{ viewer { subscription { id } } }", json!({})).await;
    let input = json!({"subscriptionId": found["viewer"]["subscription"]["id"], "idempotencyKey": "one"});
    shop.stripe.fail_next(REPEATED);
    assert_eq!(shop.test.user("ann").code(CANCEL, json!({"input": input})).await, "PROVIDER_UNAVAILABLE");
    let query = "{ providerCalls { nodes { callOperation callState keyChanges sentKey } } }";
    let newest = async || shop.test.admin().data(query, json!({})).await["providerCalls"]["nodes"][0].take();
    let first = newest().await;
    assert_eq!((&first["callState"], &first["keyChanges"]), (&json!("PENDING"), &json!(0)));
    shop.advance(TimeDelta::minutes(10)).await;
    let key = format!("{}-1", first["sentKey"].as_str().unwrap());
    let done = json!({"callOperation": "subscriptions.cancel", "callState": "DONE", "keyChanges": 1, "sentKey": key});
    assert_eq!(newest().await, done);
    assert_eq!(shop.stripe.objects("subscription")[0]["cancel_at_period_end"], true);
    let answer = shop.ask(&shop.test.user("ann"), CANCEL, input).await;
    assert_eq!(answer["subscription"]["cancelAtPeriodEnd"], true);
    shop.deliver().await;
}

async fn a_checkout_whose_error_stripe_repeats_keeps_nobody_from_the_next_one(shop: &Shop) {
    let ann = shop.test.user("ann");
    let price = shop.price("price_basic").await;
    // The customer is created first.
    shop.ask(
        &ann,
        "mutation Go($input: OpenBillingPortalInput!) { openBillingPortal(input: $input) { url } }",
        json!({"returnUrl": "https://a.example/"}),
    )
    .await;
    shop.stripe.fail_next(REPEATED);
    assert_eq!(ann.code(CHECKOUT, json!({"input": order(&price, "one")})).await, "PROVIDER_UNAVAILABLE");
    assert_eq!(state(&shop.test, "checkout.subscribe").await, "ABANDONED");
    // Nobody has the address of the checkout that Stripe began, so that another one can take its place.
    let begun = shop.ask(&ann, CHECKOUT, order(&price, "two")).await;
    assert!(begun["checkout"]["url"].is_string(), "{begun}");
    assert_eq!(state(&shop.test, "checkout.subscribe").await, "DONE");
    let again = shop.ask(&ann, CHECKOUT, order(&price, "one")).await;
    assert!(again["checkout"]["url"].is_string() || again["userErrors"][0]["code"].is_string(), "{again}");
    shop.deliver().await;
}

async fn after_the_time_limit_no_charge_is_sent(shop: &Shop) {
    let (ann, input) = ann(shop).await;
    drop(ann);
    let price = sql::ids(
        shop.test.app.db.read(),
        "SELECT price_id FROM provider_prices WHERE external_id = $1",
        ["price_credits".into()],
    );
    let price_id = *price.await.first().unwrap();
    let (app, token) = (std::sync::Arc::clone(&shop.test.app), shop.test.user_token("ann"));
    let requests = shop.stripe.requests().len();
    let late = shop.test.app.detached.run(Duration::ZERO, async move {
        let viewer = accounts::sign_in(&app, Some(&token)).await.unwrap();
        let purchase = CreditPurchase { price_id, quantity: 1, account_id: None };
        billing::purchase_credits(&app, &viewer, purchase, "one").await.map(drop)
    });
    assert_eq!(late.await.unwrap_err().code(), "PROVIDER_UNAVAILABLE", "its caller was told that it failed");
    assert_eq!((shop.count("charge"), shop.stripe.requests().len()), (1, requests));
    assert_eq!(state(&shop.test, "credits.purchase").await, "ABANDONED");
    shop.advance(TimeDelta::hours(2)).await;
    assert_eq!(shop.count("charge"), 1);
    // The key goes on where it stopped.
    let paid = shop.ask(&shop.test.user("ann"), PURCHASE, input).await;
    assert_eq!(paid["payment"]["chargeStatus"], "SUCCEEDED", "{paid}");
    shop.deliver().await;
}

async fn the_end_of_the_process_waits_for_what_goes_on(shop: &Shop) {
    let (ann, input) = ann(shop).await;
    shop.stripe.fail_next(Fault::HangAfter);
    shop.hang_up(&ann, PURCHASE, input).await;
    shop.test.app.detached.finish(Duration::from_secs(30)).await;
    assert_eq!(state(&shop.test, "credits.purchase").await, "DONE");
    (0..3).for_each(|_| shop.stripe.fail_next(Fault::HangBefore));
    let two = json!({"priceId": shop.price("price_credits").await, "idempotencyKey": "two"});
    shop.hang_up(&ann, PURCHASE, two).await;
    shop.test.app.detached.finish(Duration::ZERO).await;
    shop.test.app.detached.idle().await;
    shop.stripe.clear_faults();
    assert_eq!(state(&shop.test, "credits.purchase").await, "PENDING", "no longer than the limit");
    shop.advance(TimeDelta::minutes(10)).await;
    assert_eq!(state(&shop.test, "credits.purchase").await, "ABANDONED");
}
