//! Idempotency keys of the mutations at Stripe: their form, many requests at once under one key, and other callers.

use super::Request;
use super::audit::prepared;
use super::cast::Cast;
use super::repeated::{Valid, made, requests};
use crate::support::{Shop, both_engines, local_id, sql};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;

both_engines!(
    a_key_must_have_1_to_255_bytes,
    of_many_equal_requests_at_once_one_is_sent,
    the_keys_of_two_callers_do_not_meet,
    a_key_is_not_shared_between_mutations,
    a_refused_rule_leaves_the_key_to_another_request,
);

fn with_key(request: &Request, key: &str) -> Request {
    let mut input = request.input.clone();
    input["idempotencyKey"] = key.into();
    Request { mutation: request.mutation, caller: request.caller, input }
}

/// Returns the code and the message of the first error of a reply.
fn error(reply: &Value) -> (&str, &str) {
    let error = &reply["errors"][0];
    (error["extensions"]["code"].as_str().unwrap_or_default(), error["message"].as_str().unwrap_or_default())
}

/// Returns the number of idempotency keys that are taken.
async fn keys(shop: &Shop) -> i64 {
    sql::number(shop.test.app.db.read(), "SELECT COUNT(*) FROM idempotency_keys").await
}

async fn a_key_must_have_1_to_255_bytes(shop: &Shop) {
    const RULE: &str = "`idempotencyKey` must be 1 to 255 bytes long, without NUL.";
    let cast = Cast { shop };
    for Valid { request, .. } in requests(&cast).await {
        let mutation = request.mutation;
        let before = (made(shop).await, keys(shop).await);
        // In two-byte letters, the longest has 127 of them.
        for key in ["", &"x".repeat(256), &"ä".repeat(128), &"k".repeat(10_000)] {
            let reply = with_key(&request, key).reply(shop).await;
            assert_eq!(error(&reply), ("BAD_USER_INPUT", RULE), "{mutation} {} bytes: {reply}", key.len());
        }
        assert_eq!((made(shop).await, keys(shop).await), before, "{mutation} did something");
        let longest = with_key(&request, &format!("{}{mutation:-<128}", "ä".repeat(63)));
        assert_eq!(longest.input["idempotencyKey"].as_str().unwrap().len(), 254);
        assert_eq!(longest.codes(shop).await, [""; 0], "{mutation}");
        shop.deliver().await;
    }
}

/// Returns the idempotency keys of the requests that Stripe has seen after the first `count` ones.
fn keys_at_stripe(shop: &Shop, count: usize) -> BTreeSet<Option<String>> {
    let requests = shop.stripe.requests().into_iter().skip(count).filter(|request| request.method != "GET");
    requests.map(|request| request.idempotency_key).collect()
}

async fn of_many_equal_requests_at_once_one_is_sent(shop: &Shop) {
    let cast = prepared(shop).await;
    for Valid { request, .. } in requests(&cast).await {
        let mutation = request.mutation;
        let (before, taken, seen) = (made(shop).await, keys(shop).await, shop.stripe.requests().len());
        let replies = join_all((0..4).map(|_| request.reply(shop))).await;
        for reply in &replies {
            assert_eq!(reply["data"][mutation]["userErrors"], json!([]), "{mutation}: {reply}");
        }
        let after = made(shop).await;
        let local = ["requestRefund", "denyRefund", "publishPlanToStripe"].contains(&mutation);
        let sent = i64::from(!local);
        assert_eq!(after.0 - before.0, sent, "{mutation}: requests that are stored");
        // Each of the callers may send it, under one key, by which Stripe knows that it is one.
        let at_stripe = keys_at_stripe(shop, seen);
        assert_eq!(at_stripe.len(), usize::try_from(sent).unwrap(), "{mutation}: {at_stripe:?}");
        assert!(at_stripe.iter().all(Option::is_some), "{mutation}: {at_stripe:?}");
        assert_eq!(keys(shop).await - taken, 1, "{mutation}: one key is taken");
        // All that follows from it is there once, too.
        shop.deliver().await;
        let again = request.reply(shop).await;
        assert_eq!(again["data"][mutation]["userErrors"], json!([]), "{mutation}: {again}");
        assert_eq!(made(shop).await.0, after.0, "{mutation}");
    }
}

async fn the_keys_of_two_callers_do_not_meet(shop: &Shop) {
    let cast = Cast { shop };
    let price = shop.price("price_credits").await;
    let input = json!({"priceId": price, "successUrl": "https://a.example/", "idempotencyKey": "the same key"});
    let mut sessions = Vec::new();
    for caller in ["ann", "bob", "cid"] {
        let request = Request { mutation: "startCheckout", caller, input: input.clone() };
        assert_eq!(request.codes(shop).await, [""; 0], "{caller}");
        let query = request.query("checkout { sessionExternalId }");
        let reply = request.caller(shop).data(&query, json!({"input": request.input})).await;
        sessions.push(reply["startCheckout"]["checkout"]["sessionExternalId"].as_str().unwrap().to_owned());
        shop.deliver().await;
    }
    sessions.sort();
    sessions.dedup();
    assert_eq!(sessions.len(), 3, "each caller has a checkout of their own");
    // Somebody who knows the key of another learns nothing of what it was for.
    let (ann, _) = (cast.subscriber("ann", "price_basic").await, cast.subscriber("bob", "price_basic").await);
    let cancel = Request {
        mutation: "cancelSubscription",
        caller: "ann",
        input: json!({"subscriptionId": ann, "idempotencyKey": "ann's key"}),
    };
    assert_eq!(cancel.codes(shop).await, [""; 0]);
    shop.deliver().await;
    let stranger = Request { caller: "bob", ..with_key(&cancel, "ann's key") };
    assert_eq!(stranger.codes(shop).await, ["SUBSCRIPTION_NOT_FOUND"]);
    let callers = "SELECT DISTINCT caller FROM idempotency_keys WHERE key = 'the same key' ORDER BY caller";
    let callers: Vec<String> = sql::column(shop.test.app.db.read(), callers, []).await;
    assert_eq!(callers.len(), 3, "{callers:?}");
    for caller in ["ann", "bob", "cid"] {
        let data = shop.test.user(caller).data("{ viewer { user { id } } }", json!({})).await;
        let (_, user) = local_id(data["viewer"]["user"]["id"].as_str().unwrap());
        assert!(callers.contains(&format!("user:{user}")), "{callers:?}");
    }
}

async fn a_key_is_not_shared_between_mutations(shop: &Shop) {
    let cast = Cast { shop };
    let ann = cast.subscriber("ann", "price_basic").await;
    let of = |mutation, input: Value| with_key(&Request { mutation, caller: "ann", input }, "one key");
    assert_eq!(of("pauseSubscription", json!({"subscriptionId": ann})).codes(shop).await, [""; 0]);
    shop.deliver().await;
    for (mutation, input) in [
        ("cancelSubscription", json!({"subscriptionId": ann})),
        ("resumeSubscription", json!({"subscriptionId": ann})),
        ("undoScheduledChange", json!({"subscriptionId": ann})),
        ("changePlan", json!({"subscriptionId": ann, "priceId": shop.price("price_pro").await})),
    ] {
        let reply = of(mutation, input).reply(shop).await;
        assert_eq!(error(&reply).0, "IDEMPOTENCY_KEY_REUSED", "{mutation}: {reply}");
    }
    let status = "query($id: ID!) { subscription(id: $id) { pausedAt cancelAt } }";
    let found = shop.test.user("ann").data(status, json!({"id": ann})).await["subscription"].take();
    assert!(found["pausedAt"].is_string() && found["cancelAt"].is_null(), "nothing else was done: {found}");
}

async fn a_refused_rule_leaves_the_key_to_another_request(shop: &Shop) {
    let cast = Cast { shop };
    let ann = cast.subscriber("ann", "price_basic").await;
    let basic = shop.price("price_basic").await;
    let change = |price: &str, timing: &str| Request {
        mutation: "changePlan",
        caller: "ann",
        input: json!({"subscriptionId": ann, "priceId": price, "timing": timing, "idempotencyKey": "a key"}),
    };
    assert_eq!(change(&basic, "NOW").codes(shop).await, ["NOTHING_TO_CHANGE"]);
    assert_eq!(change(&basic, "PERIOD_END").codes(shop).await, ["NOTHING_TO_CHANGE"]);
    let pro = shop.price("price_pro").await;
    assert_eq!(change(&pro, "PERIOD_END").codes(shop).await, [""; 0], "the key is still free");
    shop.deliver().await;
    assert_eq!(error(&change(&pro, "NOW").reply(shop).await).0, "IDEMPOTENCY_KEY_REUSED");
}
