//! Each user error of the mutations at Stripe is given by some input.

use super::cast::{Cast, unknown};
use super::{Request, messages, operators};
use crate::support::{Schema, Shop, both_engines, sql};
use sandbox::Card;
use serde_json::{Value, json};
use std::collections::BTreeSet;

both_engines!(every_user_error_of_a_mutation_at_stripe_is_given);

/// Mutations and codes that only follow from an interruption or from the state at Stripe, with the tests that have them.
const ELSEWHERE: &[(&str, &str)] = &[
    // stripe_mutations/repeated.rs
    ("*", "PROVIDER_REFUSED"),
    // coupons.rs: a code that cannot be used is refused with the reason
    ("*", "PROMO_CODE_EXPIRED"),
    ("*", "PROMO_CODE_USED_UP"),
    ("*", "PROMO_CODE_NOT_FIRST"),
    ("*", "PROMO_CODE_ALREADY_USED"),
    ("*", "PROMO_CODE_INVALID"),
    // pauses.rs
    ("pauseSubscription", "PAUSE_LIMIT_REACHED"),
    // scheduled_phases.rs
    ("*", "CHANGE_UNDER_WAY"),
    // purchases.rs
    ("*", "PURCHASE_UNDER_WAY"),
    // Depends on the bank; the stand-in confirms such a payment on the page instead.
    ("*", "AUTHENTICATION_REQUIRED"),
    // checkouts.rs: the page confirms the first payment of a subscription
    ("createSubscription", "CARD_DECLINED"),
    ("resumeSubscription", "CARD_DECLINED"),
    // stripe_mutations/states.rs
    ("removeAddon", "NOT_AT_STRIPE"),
    ("removeAddon", "SUBSCRIPTION_OVER"),
    ("changePlan", "NO_PLAN"),
    // gifts.rs, stripe_mutations/states.rs
    ("redeemGift", "GIFT_REFUNDED"),
    ("redeemGift", "GIFT_EXPIRED"),
    ("redeemGift", "PRICE_NOT_AT_STRIPE"),
    // refunds_made.rs
    ("approveRefund", "PAYMENT_NOT_SUCCEEDED"),
    ("approveRefund", "NOTHING_LEFT"),
    // refunds_of_spent_credits.rs
    ("approveRefund", "CREDITS_SPENT"),
];

/// A request and the code that it must be refused with.
pub(super) type Refusal = (&'static str, &'static str, &'static str, Value);

pub(super) fn with(input: &Value, more: Value) -> Value {
    let mut input = input.clone();
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

/// Subscriptions, by the state that they are in.
struct Subscriptions {
    active: Value,
    over: Value,
    paused: Value,
    to_be_canceled: Value,
    trialing: Value,
    with_addon: Value,
    at_paddle: Value,
}

async fn subscribe(cast: &Cast<'_>, seats: &str) -> Subscriptions {
    let ann = cast.subscriber("ann", "price_basic").await;
    let cid = cast.subscriber("cid", "price_basic").await;
    cast.done("cancelSubscription", "cid", json!({"subscriptionId": cid, "timing": "NOW", "idempotencyKey": "0"}))
        .await;
    let pia = cast.subscriber("pia", "price_basic").await;
    cast.done("pauseSubscription", "pia", json!({"subscriptionId": pia, "idempotencyKey": "0"})).await;
    let eva = cast.subscriber("eva", "price_basic").await;
    cast.done("cancelSubscription", "eva", json!({"subscriptionId": eva, "idempotencyKey": "0"})).await;
    let tia = cast.subscriber("tia", "price_pro").await;
    let add = cast.subscriber("add", "price_basic").await;
    cast.done("addAddon", "add", json!({"subscriptionId": add, "priceId": seats, "idempotencyKey": "0"})).await;
    let pad = cast.subscriber("pad", "price_basic").await;
    cast.at_paddle("subscriptions", &pad).await;
    cast.promotion("HALF").await;
    cast.done("applyPromoCode", "ann", json!({"subscriptionId": ann, "promoCode": "HALF", "idempotencyKey": "0"}))
        .await;
    Subscriptions {
        active: ann,
        over: cid,
        paused: pia,
        to_be_canceled: eva,
        trialing: tia,
        with_addon: add,
        at_paddle: pad,
    }
}

/// Returns the refusals that all changes of a subscription share.
fn shared(subscriptions: &Subscriptions, pro: &str, seats: &str) -> Vec<Refusal> {
    let Subscriptions { active: ann, over: cid, at_paddle: pad, .. } = subscriptions;
    let mut cases = Vec::new();
    let each: [(&'static str, Value); 8] = [
        ("cancelSubscription", json!({})),
        ("resumeSubscription", json!({})),
        ("pauseSubscription", json!({})),
        ("changePlan", json!({"priceId": pro})),
        ("undoScheduledChange", json!({})),
        ("addAddon", json!({"priceId": seats})),
        ("applyPromoCode", json!({"promoCode": "HALF"})),
        ("extendTrial", json!({"until": "2026-02-01T00:00:00Z"})),
    ];
    for (mutation, input) in each {
        let of = |id: &Value| with(&input, json!({"subscriptionId": id}));
        let caller = |user| if mutation == "extendTrial" { "admin" } else { user };
        cases.push((mutation, "SUBSCRIPTION_NOT_FOUND", caller("ann"), of(&unknown("Subscription"))));
        if mutation != "extendTrial" {
            cases.push((mutation, "SUBSCRIPTION_NOT_FOUND", "cid", of(ann)));
        }
        cases.push((mutation, "NOT_AT_STRIPE", caller("pad"), of(pad)));
        cases.push((mutation, "SUBSCRIPTION_OVER", caller("cid"), of(cid)));
    }
    cases
}

async fn subscriptions(cast: &Cast<'_>) -> Vec<Refusal> {
    let shop = cast.shop;
    let [basic, pro, seats] =
        [shop.price("price_basic").await, shop.price("price_pro").await, shop.price("price_seats").await];
    let subscriptions = subscribe(cast, &seats).await;
    let mut cases = shared(&subscriptions, &pro, &seats);
    let Subscriptions { active: ann, paused: pia, to_be_canceled: eva, trialing: tia, with_addon: add, .. } =
        subscriptions;
    let past = "2020-01-01T00:00:00Z";
    let of = |id: &Value, more: Value| with(&more, json!({"subscriptionId": id}));
    let item = cast.id("SubscriptionItem", "SELECT id FROM subscription_items WHERE kind = 'plan'").await;
    cases.extend([
        ("resumeSubscription", "NOTHING_TO_RESUME", "ann", of(&ann, json!({}))),
        ("pauseSubscription", "ALREADY_PAUSED", "pia", of(&pia, json!({}))),
        ("pauseSubscription", "UNTIL_INVALID", "ann", of(&ann, json!({"until": past}))),
        ("changePlan", "PRICE_NOT_FOUND", "ann", of(&ann, json!({"priceId": unknown("Price")}))),
        ("changePlan", "QUANTITY_INVALID", "ann", of(&ann, json!({"priceId": pro, "quantity": 0}))),
        ("changePlan", "NOTHING_TO_CHANGE", "ann", of(&ann, json!({"priceId": basic}))),
        ("changePlan", "TO_BE_CANCELED", "eva", of(&eva, json!({"priceId": pro, "timing": "PERIOD_END"}))),
        ("undoScheduledChange", "NOTHING_PLANNED", "ann", of(&ann, json!({}))),
        ("addAddon", "PRICE_NOT_FOUND", "ann", of(&ann, json!({"priceId": unknown("Price")}))),
        ("addAddon", "QUANTITY_INVALID", "ann", of(&ann, json!({"priceId": seats, "quantity": 0}))),
        ("addAddon", "ADDON_ALREADY_THERE", "add", of(&add, json!({"priceId": seats}))),
        ("removeAddon", "ADDON_NOT_FOUND", "ann", json!({"subscriptionItemId": unknown("SubscriptionItem")})),
        ("removeAddon", "ADDON_NOT_FOUND", "ann", json!({"subscriptionItemId": item})),
        ("applyPromoCode", "PROMO_CODE_NOT_FOUND", "eva", of(&eva, json!({"promoCode": "NO"}))),
        ("applyPromoCode", "DISCOUNT_ALREADY_APPLIED", "ann", of(&ann, json!({"promoCode": "HALF"}))),
        ("extendTrial", "NOT_TRIALING", "admin", of(&ann, json!({"until": "2026-02-01T00:00:00Z"}))),
        ("extendTrial", "UNTIL_INVALID", "admin", of(&tia, json!({"until": past}))),
        ("extendTrial", "UNTIL_INVALID", "admin", of(&tia, json!({"until": "2036-02-01T00:00:00Z"}))),
    ]);
    cases
}

async fn purchases(cast: &Cast<'_>) -> Vec<Refusal> {
    let shop = cast.shop;
    let [basic, credits, setup] =
        [shop.price("price_basic").await, shop.price("price_credits").await, shop.price("price_setup").await];
    shop.test.user("new").data("{ viewer { role } }", json!({})).await;
    let page = json!({"priceId": credits, "successUrl": "https://app.example.com/a"});
    let gift = with(&page, json!({"priceId": basic, "cancelUrl": "https://app.example.com/b"}));
    let plain = json!({"priceId": credits});
    let (no_account, no_price) = (unknown("Account"), unknown("Price"));
    cast.published("once", "PLAN", "ONE_TIME").await;
    let once = "SELECT r.id FROM prices r JOIN product_versions v ON v.id = r.product_version_id \
                JOIN products p ON p.id = v.product_id WHERE p.code = 'once'";
    let once = cast.id("Price", once).await;
    let mut cases = Vec::new();
    for (mutation, input) in
        [("startCheckout", &page), ("createSubscription", &json!({"priceId": basic})), ("purchaseCredits", &plain)]
    {
        // Credits are bought with a card that is stored.
        let buyer = if mutation == "purchaseCredits" { "ann" } else { "new" };
        cases.push((mutation, "ACCOUNT_NOT_FOUND", buyer, with(input, json!({"accountId": no_account}))));
        cases.push((mutation, "PRICE_NOT_FOUND", buyer, with(input, json!({"priceId": no_price}))));
        for quantity in [0, -1, 1_000_000_000] {
            cases.push((mutation, "QUANTITY_INVALID", buyer, with(input, json!({"quantity": quantity}))));
        }
    }
    for url in ["", "app.example.com", "ftp://app.example.com/", "javascript:alert(1)", "/done"] {
        cases.push(("startCheckout", "URL_INVALID", "new", with(&page, json!({"successUrl": url}))));
        cases.push(("startCheckout", "URL_INVALID", "new", with(&page, json!({"cancelUrl": url}))));
        cases.push(("buyGift", "URL_INVALID", "new", with(&gift, json!({"successUrl": url}))));
        cases.push(("openBillingPortal", "URL_INVALID", "ann", json!({"returnUrl": url})));
    }
    cases.extend([
        ("startCheckout", "ALREADY_SUBSCRIBED", "ann", with(&page, json!({"priceId": basic}))),
        ("createSubscription", "ALREADY_SUBSCRIBED", "ann", json!({"priceId": basic})),
        ("startCheckout", "PROMO_CODE_NOT_FOUND", "new", with(&page, json!({"promoCode": "NO"}))),
        ("createSubscription", "PROMO_CODE_NOT_FOUND", "new", json!({"priceId": basic, "promoCode": "NO"})),
        ("createSubscription", "PRICE_NOT_FOUND", "new", json!({"priceId": credits})),
        ("purchaseCredits", "PRICE_NOT_FOUND", "ann", json!({"priceId": basic})),
        ("purchaseCredits", "NO_PAYMENT_METHOD", "new", plain.clone()),
        (
            "openBillingPortal",
            "ACCOUNT_NOT_FOUND",
            "new",
            json!({"returnUrl": "https://a.example/", "accountId": no_account}),
        ),
        ("buyGift", "ACCOUNT_NOT_FOUND", "new", with(&gift, json!({"accountId": no_account}))),
        ("buyGift", "PRICE_NOT_FOUND", "new", with(&gift, json!({"priceId": no_price}))),
        ("buyGift", "PRICE_NOT_FOUND", "new", with(&gift, json!({"priceId": setup}))),
        ("buyGift", "PRICE_NOT_GIFTABLE", "new", with(&gift, json!({"priceId": once}))),
        ("buyGift", "EMAIL_INVALID", "new", with(&gift, json!({"recipientEmail": "bob"}))),
        (
            "buyGift",
            "EMAIL_INVALID",
            "new",
            with(&gift, json!({"recipientEmail": format!("{}@b.example", "x".repeat(300))})),
        ),
        ("buyGift", "MESSAGE_TOO_LONG", "new", with(&gift, json!({"message": "x".repeat(501)}))),
        ("buyGift", "EXPIRES_AT_INVALID", "new", with(&gift, json!({"expiresAt": "2020-01-01T00:00:00Z"}))),
    ]);
    cases
}

async fn gifts(cast: &Cast<'_>) -> Vec<Refusal> {
    let (open, open_code) = cast.unpaid_gift("ann").await;
    let (used, used_code) = cast.gift("ann").await;
    let (_, good_code) = cast.gift("ann").await;
    cast.shop.test.user("dan").data("{ viewer { role } }", json!({})).await;
    let no_account = unknown("Account");
    cast.done("redeemGift", "dan", json!({"code": used_code, "idempotencyKey": "0"})).await;
    vec![
        ("redeemGift", "GIFT_NOT_FOUND", "new", json!({"code": ""})),
        ("redeemGift", "GIFT_NOT_FOUND", "new", json!({"code": "TGG-00000-00000-00000-00000-00000-00000"})),
        ("redeemGift", "GIFT_NOT_PAID", "new", json!({"code": open_code})),
        ("redeemGift", "GIFT_REDEEMED", "new", json!({"code": used_code})),
        ("redeemGift", "ALREADY_SUBSCRIBED", "ann", json!({"code": good_code})),
        ("redeemGift", "ACCOUNT_NOT_FOUND", "new", json!({"code": good_code, "accountId": no_account})),
        ("replaceGiftCode", "GIFT_NOT_FOUND", "ann", json!({"giftId": unknown("Gift")})),
        ("replaceGiftCode", "GIFT_NOT_FOUND", "new", json!({"giftId": open})),
        ("replaceGiftCode", "GIFT_OVER", "ann", json!({"giftId": used})),
    ]
}

/// Refusals that need a card or a price to change: each sets it, and sends its request at once.
async fn staged(cast: &Cast<'_>) -> Vec<(&'static str, &'static str)> {
    let shop = cast.shop;
    let [pro, seats, credits] =
        [shop.price("price_pro").await, shop.price("price_seats").await, shop.price("price_credits").await];
    let subscription = cast.subscriber("kim", "price_basic").await;
    let mut given = Vec::new();
    let requests = [
        ("purchaseCredits", json!({"priceId": credits})),
        ("addAddon", json!({"subscriptionId": subscription, "priceId": seats})),
        ("changePlan", json!({"subscriptionId": subscription, "priceId": pro})),
    ];
    let customer = shop.stripe.objects("customer").pop().unwrap()["id"].as_str().unwrap().to_owned();
    shop.stripe.set_card(&customer, Card::Declined).unwrap();
    let mut at_stripe = shop.stripe.objects("subscription").pop().unwrap();
    at_stripe["default_payment_method"] = Value::Null;
    shop.stripe.put(at_stripe);
    shop.deliver().await;
    for (mutation, input) in &requests {
        let input = with(input, json!({"idempotencyKey": format!("declined {mutation}")}));
        let request = Request { mutation, caller: "kim", input };
        assert_eq!(request.codes(shop).await, ["CARD_DECLINED"], "{mutation}");
        shop.deliver().await;
        given.push((*mutation, "CARD_DECLINED"));
    }
    // A price that Stripe does not sell.
    sql::execute(shop.test.app.db.schema(), "UPDATE provider_prices SET active = FALSE").await;
    let basic = shop.price("price_basic").await;
    let page = json!({"priceId": credits, "successUrl": "https://a.example/", "cancelUrl": "https://a.example/"});
    for (mutation, caller, input) in [
        ("startCheckout", "new", page.clone()),
        ("createSubscription", "new", json!({"priceId": basic})),
        ("purchaseCredits", "kim", json!({"priceId": credits})),
        ("changePlan", "kim", json!({"subscriptionId": subscription, "priceId": pro})),
        ("addAddon", "kim", json!({"subscriptionId": subscription, "priceId": seats})),
        ("buyGift", "new", with(&page, json!({"priceId": basic}))),
    ] {
        let request = Request {
            mutation,
            caller,
            input: with(&input, json!({"idempotencyKey": format!("not at Stripe {mutation}")})),
        };
        assert_eq!(request.codes(shop).await, ["PRICE_NOT_AT_STRIPE"], "{mutation}");
        given.push((mutation, "PRICE_NOT_AT_STRIPE"));
    }
    given
}

async fn every_user_error_of_a_mutation_at_stripe_is_given(shop: &Shop) {
    let cast = Cast { shop };
    let mut cases = subscriptions(&cast).await;
    cases.extend(purchases(&cast).await);
    cases.extend(gifts(&cast).await);
    cases.extend(operators::coupons(&cast).await);
    cases.extend(operators::publishing(&cast).await);
    cases.extend(operators::refunds(&cast).await);
    let schema = Schema::of(&shop.test).await;
    let keyed = |mutation: &str| {
        let field = schema.fields("Mutation").into_iter().find(|field| field.name == mutation).unwrap();
        schema.inputs(field.args[0].named()).iter().any(|slot| slot.name == "idempotencyKey")
    };
    // Customers and ended checkouts are prerequisites, which are safe to leave behind.
    let requests = |shop: &Shop| {
        let prerequisite = |path: &str| path == "/v1/customers" || path.ends_with("/expire");
        let requests = shop.stripe.requests().into_iter();
        requests.filter(|request| request.method != "GET" && !prerequisite(&request.path)).count()
    };
    let (mut given, mut wrong) = (BTreeSet::new(), Vec::new());
    for (number, (mutation, code, caller, mut input)) in cases.into_iter().enumerate() {
        if keyed(mutation) {
            input["idempotencyKey"] = format!("case {number}").into();
        }
        let request = Request { mutation, caller, input };
        let before = requests(shop);
        let reply = request.reply(shop).await;
        if requests(shop) > before {
            let made = shop.stripe.requests().pop().unwrap();
            wrong.push(format!("{code}: {mutation} sends {} {}", made.method, made.path));
        }
        let error = &reply["data"][mutation]["userErrors"][0];
        if error["code"] != code || error["message"].as_str().is_none_or(str::is_empty) {
            wrong.push(format!("{code}: {mutation} {}: {reply}", request.input));
        }
        wrong.extend(messages::difference(mutation, code, error));
        if let Some(field) = error["field"][0].as_str() {
            let root = schema.fields("Mutation").into_iter().find(|field| field.name == mutation).unwrap();
            let known = schema.inputs(root.args[0].named()).iter().any(|slot| slot.name == field);
            assert!(known, "{mutation} has no field {field}: {reply}");
        }
        given.insert((mutation.to_owned(), code.to_owned()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    given.extend(staged(&cast).await.into_iter().map(|(mutation, code)| (mutation.to_owned(), code.to_owned())));
    let tried: BTreeSet<String> = given.iter().map(|(mutation, _)| mutation.clone()).collect();
    let promised = schema.error_codes().into_iter().filter(|(mutation, _)| tried.contains(mutation));
    let elsewhere =
        |mutation: &str, code: &str| ELSEWHERE.iter().any(|(of, known)| *known == code && ["*", mutation].contains(of));
    let missing: Vec<_> = promised.filter(|case| !given.contains(case) && !elsewhere(&case.0, &case.1)).collect();
    assert_eq!(missing, [], "each code has an input here");
    shop.deliver().await;
}
