//! A request under an idempotency key: it is made once, its result is kept, and the key is its caller's.

use super::Request;
use super::cast::{Cast, unknown};
use crate::checkouts::buy;
use crate::support::gifts::REFUSED;
use crate::support::{Schema, Shop, both_engines, sql};
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::collections::BTreeSet;

both_engines!(
    a_repeated_request_gives_its_first_result_and_does_nothing_again,
    a_refusal_by_stripe_is_the_result_of_its_key,
    every_mutation_with_an_idempotency_key_is_tried,
);

/// A request that succeeds, and the fields that make it another one.
pub(super) struct Valid {
    pub(super) request: Request,
    other: Value,
}

fn valid(mutation: &'static str, caller: &'static str, mut input: Value, other: Value) -> Valid {
    input["idempotencyKey"] = format!("the key of {mutation}").into();
    Valid { request: Request { mutation, caller, input }, other }
}

/// Returns a valid request for each mutation at Stripe, each on objects of its own.
pub(super) async fn requests(cast: &Cast<'_>) -> Vec<Valid> {
    // Buyers who are customers at Stripe already, so that a request needs no prerequisite.
    for subject in ["yan", "ann", "zoe"] {
        buy(cast.shop, subject, "price_credits", &format!("{subject} begins")).await;
    }
    let mut requests = purchases(cast).await;
    requests.extend(changes(cast).await);
    requests.extend(catalogue(cast).await);
    requests.extend(refunds(cast).await);
    requests
}

async fn purchases(cast: &Cast<'_>) -> Vec<Valid> {
    let shop = cast.shop;
    let [basic, pro, credits] =
        [shop.price("price_basic").await, shop.price("price_pro").await, shop.price("price_credits").await];
    let page = json!({"successUrl": "https://app.example.com/a", "cancelUrl": "https://app.example.com/b"});
    let of = |price: &str| {
        let mut input = page.clone();
        input["priceId"] = price.into();
        input
    };
    let ((_, gift), (_, other)) = (cast.gift("ann").await, cast.gift("ann").await);
    vec![
        valid("startCheckout", "ann", of(&credits), json!({"quantity": 2})),
        valid("createSubscription", "yan", json!({"priceId": basic}), json!({"priceId": pro})),
        valid("purchaseCredits", "ann", json!({"priceId": credits}), json!({"quantity": 3})),
        valid("buyGift", "ann", of(&basic), json!({"message": "another"})),
        valid("redeemGift", "zoe", json!({"code": gift}), json!({"code": other})),
    ]
}

async fn changes(cast: &Cast<'_>) -> Vec<Valid> {
    let (pro, seats) = (cast.shop.price("price_pro").await, cast.shop.price("price_seats").await);
    let mut subscriptions = Vec::new();
    for subject in ["cal", "res", "pau", "cha", "und", "add", "rem", "cod"] {
        subscriptions.push(cast.subscriber(subject, "price_basic").await);
    }
    let [cal, res, pau, cha, und, add, rem, cod] = <[Value; 8]>::try_from(subscriptions).unwrap();
    let tri = cast.subscriber("tri", "price_pro").await;
    cast.done("cancelSubscription", "res", json!({"subscriptionId": res, "idempotencyKey": "before"})).await;
    let later = json!({"subscriptionId": und, "priceId": pro, "timing": "PERIOD_END", "idempotencyKey": "before"});
    cast.done("changePlan", "und", later).await;
    cast.done("addAddon", "rem", json!({"subscriptionId": rem, "priceId": seats, "idempotencyKey": "before"})).await;
    let item = cast.id("SubscriptionItem", "SELECT id FROM subscription_items WHERE kind = 'addon'").await;
    cast.promotion("HALF").await;
    let until = (cast.shop.test.app.now() + TimeDelta::days(30)).to_rfc3339();
    let of = |id: &Value| json!({"subscriptionId": id});
    let with_price = |id: &Value, price: &str| json!({"subscriptionId": id, "priceId": price});
    let code = json!({"subscriptionId": cod, "promoCode": "HALF"});
    let extended = json!({"subscriptionId": tri, "until": until});
    vec![
        valid("cancelSubscription", "cal", of(&cal), json!({"comment": "another"})),
        valid("resumeSubscription", "res", of(&res), of(&cal)),
        valid("pauseSubscription", "pau", of(&pau), json!({"until": until})),
        valid("changePlan", "cha", with_price(&cha, &pro), json!({"timing": "PERIOD_END"})),
        valid("undoScheduledChange", "und", of(&und), of(&cal)),
        valid("addAddon", "add", with_price(&add, &seats), json!({"quantity": 2})),
        valid(
            "removeAddon",
            "rem",
            json!({"subscriptionItemId": item}),
            json!({"subscriptionItemId": unknown("SubscriptionItem")}),
        ),
        valid("applyPromoCode", "cod", code, json!({"promoCode": "OTHER"})),
        valid("extendTrial", "admin", extended, of(&cal)),
    ]
}

async fn catalogue(cast: &Cast<'_>) -> Vec<Valid> {
    let version = json!({"planVersionId": cast.published("team", "PLAN", "MONTH").await});
    let other = cast.published("crew", "PLAN", "MONTH").await;
    let (coupon, promo_code) = cast.promotion("QUARTER").await;
    let ten = json!({"code": "ten", "name": "Ten", "percentBasisPoints": 1000, "duration": "FOREVER"});
    let code = json!({"couponId": coupon, "code": "OTHER"});
    let ended = json!({"promoCodeId": promo_code});
    vec![
        valid("publishPlanToStripe", "admin", version, json!({"planVersionId": other})),
        valid("createCoupon", "admin", ten, json!({"name": "Ten percent"})),
        valid("createPromoCode", "admin", code, json!({"firstPurchaseOnly": true})),
        valid("deactivatePromoCode", "admin", ended, json!({"promoCodeId": unknown("PromoCode")})),
    ]
}

async fn refunds(cast: &Cast<'_>) -> Vec<Valid> {
    let (approved, denied) = (cast.refund("yan").await, cast.refund("zoe").await);
    let requested = json!({"paymentId": cast.payment("cal").await, "amount": 200});
    vec![
        valid("requestRefund", "cal", requested, json!({"amount": 300})),
        valid("approveRefund", "admin", json!({"refundId": approved}), json!({"amount": 50})),
        valid("denyRefund", "admin", json!({"refundId": denied}), json!({"reason": "another"})),
    ]
}

/// Returns the number of requests to Stripe that are stored, and of those that Stripe has seen.
pub(super) async fn made(shop: &Shop) -> (i64, usize) {
    let stored = sql::number(shop.test.app.db.read(), "SELECT COUNT(*) FROM outbox_calls").await;
    let changes = shop.stripe.requests().into_iter().filter(|request| request.method != "GET").count();
    (stored, changes)
}

/// Returns the code of the first error of the request.
fn error(reply: &Value) -> &str {
    reply["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

async fn a_repeated_request_gives_its_first_result_and_does_nothing_again(shop: &Shop) {
    let cast = Cast { shop };
    for Valid { request, other } in requests(&cast).await {
        let mutation = request.mutation;
        let first = request.reply(shop).await;
        assert_eq!(first["data"][mutation]["userErrors"], json!([]), "{mutation}: {first}");
        let before = made(shop).await;
        for _ in 0..2 {
            assert_eq!(request.reply(shop).await, first, "{mutation}");
        }
        assert_eq!(made(shop).await, before, "{mutation} was carried out again");
        let mut changed = Request { input: request.input.clone(), ..request };
        changed.input.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        assert_eq!(error(&changed.reply(shop).await), "IDEMPOTENCY_KEY_REUSED", "{mutation}");
        let somebody = Request { caller: if changed.caller == "admin" { "ann" } else { "admin" }, ..changed };
        assert_ne!(error(&somebody.reply(shop).await), "IDEMPOTENCY_KEY_REUSED", "{mutation}: a key is its caller's");
        shop.deliver().await;
        assert_eq!(Request { caller: request.caller, input: request.input, mutation }.reply(shop).await, first);
    }
}

/// Mutations without a request to Stripe: the version of `publishPlanToStripe` is at Stripe already.
const LOCAL: &[&str] = &["requestRefund", "denyRefund", "publishPlanToStripe"];

async fn a_refusal_by_stripe_is_the_result_of_its_key(shop: &Shop) {
    let cast = Cast { shop };
    for Valid { request, .. } in requests(&cast).await {
        let mutation = request.mutation;
        if LOCAL.contains(&mutation) {
            continue;
        }
        shop.stripe.fail_next(REFUSED);
        let first = request.codes(shop).await;
        shop.stripe.clear_faults();
        assert_eq!(first, ["PROVIDER_REFUSED"], "{mutation}");
        let before = made(shop).await;
        assert_eq!(request.codes(shop).await, first, "{mutation}: the key keeps its result");
        assert_eq!(made(shop).await, before, "{mutation}: a refused request is not sent again");
        shop.deliver().await;
    }
}

async fn every_mutation_with_an_idempotency_key_is_tried(shop: &Shop) {
    let schema = Schema::of(&shop.test).await;
    let keyed = schema.fields("Mutation").into_iter().filter(|field| {
        let input = field.args.iter().find(|arg| arg.name == "input").unwrap();
        schema.inputs(input.named()).iter().any(|slot| slot.name == "idempotencyKey")
    });
    let mut keyed: BTreeSet<String> = keyed.map(|field| field.name).collect();
    let cast = Cast { shop };
    for Valid { request, .. } in requests(&cast).await {
        assert!(keyed.remove(request.mutation), "{} takes no key", request.mutation);
    }
    // Those that Stripe has no part in have tests in credits.rs, spending.rs, usage.rs, entitlement_limits.rs and
    // licences.rs.
    let local = [
        "captureHold",
        "consume",
        "correctUsage",
        "grantCredits",
        "holdCredits",
        "issueLicenseKey",
        "releaseHold",
        "reverseLedgerTransaction",
        "spendCredits",
        "transferCredits",
    ];
    assert_eq!(keyed, BTreeSet::from(local.map(str::to_owned)));
}
