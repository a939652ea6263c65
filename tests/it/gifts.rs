//! Gifts: bought in a checkout, redeemed by a code.

use crate::checkouts::{CHECKOUT, order};
use crate::support::gifts::{
    BUSY, BUY, REDEEM, REFUSED, REPLACE, begun, codes, input, last_session, paid, redeem, status,
};
use crate::support::refunds::{approved, requested, tell_all_again};
use crate::support::{Shop, both_engines};
use chrono::TimeDelta;
use futures_util::future::join_all;
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;
use sandbox::{Card, Fault};
use serde_json::{Value, json};
use tollgate::auth::GiftCode;

both_engines!(
    a_gift_is_bought_paid_and_redeemed,
    a_gifted_subscription_is_no_recurring_revenue,
    the_same_again_is_one_gift,
    a_code_that_is_no_gift_is_refused,
    the_code_of_a_gift_that_stripe_was_away_for_is_not_lost,
    a_code_is_replaced_by_its_buyer_alone,
    codes_that_cannot_be_redeemed,
    of_many_who_redeem_one_has_it,
    a_redemption_is_carried_out_after_stripe_was_away,
    a_redemption_that_was_done_unheard_is_told_by_its_webhook,
    a_gift_that_stripe_refuses_can_be_redeemed_again,
    a_gift_ends_with_its_money,
    a_coupon_that_is_there_already_will_do,
    a_gift_and_a_checkout_are_one_plan,
);

async fn a_gift_is_bought_paid_and_redeemed(shop: &Shop) {
    let (ann, bob) = (shop.test.user("ann"), shop.test.user("bob"));
    let bought = shop.ask(&ann, BUY, input(shop, "price_basic", "k").await).await;
    let (gift, code) = (bought["gift"]["id"].as_str().unwrap(), bought["code"].as_str().unwrap());
    assert_eq!(bought["gift"]["amount"], json!({"amount": "900", "currency": "USD"}));
    assert!(code.starts_with(bought["gift"]["codePrefix"].as_str().unwrap()) && code.starts_with("TGG-"));
    let session = shop.stripe.object(&last_session(shop)).unwrap();
    assert_eq!((&session["url"], &session["mode"]), (&bought["checkout"]["url"], &json!("payment")));
    shop.deliver().await;
    assert_eq!(codes(&redeem(shop, &bob, code).await), ["GIFT_NOT_PAID"]);
    shop.stripe.pay(&last_session(shop), Card::Good).unwrap();
    shop.deliver().await;
    assert_eq!(status(shop, gift).await, "PAID");
    let done = redeem(shop, &bob, &code.to_lowercase().replace('-', " ")).await;
    let subscription = json!({"id": done["subscription"]["id"], "status": "ACTIVE", "cancelAtPeriodEnd": true});
    assert_eq!((&done["gift"]["redemptionStatus"], &done["subscription"]), (&json!("REDEEMED"), &subscription));
    let before = shop.stripe.objects("subscription").remove(0);
    assert_eq!(before["metadata"]["gift"], session["metadata"]["gift"]);
    shop.deliver().await;
    tell_all_again(shop).await;
    let query =
        "{ gifts { nodes { id redemptionStatus personalMessage recipientEmail buyer { id } redeemer { id } purchase { stream }
        subscription { id } } } viewer { account { id gifts { totalCount } redeemedGifts { totalCount } } } }";
    let (hers, his) = (ann.data(query, json!({})).await, bob.data(query, json!({})).await);
    let (hers_gift, his_gift) = (&hers["gifts"]["nodes"][0], &his["gifts"]["nodes"][0]);
    assert_eq!((&hers_gift["purchase"]["stream"], &hers_gift["subscription"]), (&json!("GIFT"), &Value::Null));
    assert_eq!((&hers_gift["buyer"]["id"], &hers_gift["redeemer"]), (&hers["viewer"]["account"]["id"], &Value::Null));
    assert_eq!((&his_gift["buyer"], &his_gift["purchase"]), (&Value::Null, &Value::Null));
    assert_eq!(his_gift["redeemer"]["id"], his["viewer"]["account"]["id"]);
    assert_eq!(his_gift["subscription"]["id"], done["subscription"]["id"]);
    assert_eq!((&his_gift["personalMessage"], &his_gift["redemptionStatus"]), (&json!("Enjoy"), &json!("REDEEMED")));
    let counts = |data: &Value| {
        ["gifts", "redeemedGifts"]
            .map(|list| data["viewer"]["account"][list]["totalCount"].to_string().replace('"', ""))
    };
    assert_eq!((counts(&hers), counts(&his)), (["1", "0"].map(str::to_owned), ["0", "1"].map(str::to_owned)));
    let eve = shop.test.user("eve").data("{ gifts { nodes { id } } }", json!({})).await;
    assert_eq!(eve["gifts"]["nodes"], json!([]));
    shop.advance(TimeDelta::days(32)).await;
    let ended = shop.test.user("bob").data("{ subscriptions { nodes { status } } }", json!({})).await;
    assert_eq!(ended["subscriptions"]["nodes"], json!([{"status": "CANCELED"}]));
}

async fn a_gifted_subscription_is_no_recurring_revenue(shop: &Shop) {
    let (_, code) = paid(shop, &shop.test.user("ann")).await;
    redeem(shop, &shop.test.user("bob"), &code).await;
    shop.deliver().await;
    let query = "{ analytics { recurringRevenue { mrr { amount } customerCount }
        revenue(from: \"2026-01-01\", to: \"2026-02-01\", period: MONTH) { stream gross { amount } } } }";
    let told = shop.test.admin().data(query, json!({})).await["analytics"].take();
    let mrr: Vec<&Value> = told["recurringRevenue"].as_array().unwrap().iter().collect();
    assert!(mrr.iter().all(|row| row["mrr"]["amount"] == "0" && row["customerCount"] == 0), "{told}");
    assert_eq!(told["revenue"], json!([{"stream": "GIFT", "gross": {"amount": "900"}}]));
}

async fn the_same_again_is_one_gift(shop: &Shop) {
    let (ann, bob) = (shop.test.user("ann"), shop.test.user("bob"));
    let first = shop.ask(&ann, BUY, input(shop, "price_basic", "k").await).await;
    let again = shop.ask(&ann, BUY, input(shop, "price_basic", "k").await).await;
    assert_eq!((&again["gift"], &again["checkout"]), (&first["gift"], &first["checkout"]));
    assert_eq!(again["code"], Value::Null, "the code is shown once");
    let other = json!({"input": input(shop, "price_pro_year", "k").await});
    assert_eq!(ann.code(BUY, other).await, "IDEMPOTENCY_KEY_REUSED");
    shop.stripe.pay(&last_session(shop), Card::Good).unwrap();
    shop.deliver().await;
    let paid = shop.ask(&ann, BUY, input(shop, "price_basic", "k").await).await;
    assert_eq!((&paid["gift"]["redemptionStatus"], &paid["checkout"]), (&json!("PAID"), &Value::Null));
    let input = json!({"code": first["code"], "idempotencyKey": "k"});
    let done = shop.ask(&bob, REDEEM, input.clone()).await;
    assert_eq!(codes(&done).len(), 0);
    assert_eq!(shop.ask(&bob, REDEEM, input).await, done);
    assert_eq!(codes(&redeem(shop, &bob, first["code"].as_str().unwrap()).await), ["GIFT_REDEEMED"]);
    let other = json!({"input": {"code": "TGG", "idempotencyKey": "k"}});
    assert_eq!(bob.code(REDEEM, other).await, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!((shop.count("checkout.session"), shop.count("subscription")), (1, 1));
    shop.deliver().await;
}

async fn a_code_that_is_no_gift_is_refused(shop: &Shop) {
    let ann = shop.test.user("ann");
    for (name, value, expected) in [
        ("priceId", json!(shop.price("price_credits").await), "PRICE_NOT_FOUND"),
        ("priceId", json!(shop.price("price_seats").await), "PRICE_NOT_FOUND"),
        ("recipientEmail", json!("bob"), "EMAIL_INVALID"),
        ("message", json!("x".repeat(501)), "MESSAGE_TOO_LONG"),
        ("expiresAt", json!("2026-01-01T00:00:00Z"), "EXPIRES_AT_INVALID"),
        ("successUrl", json!("javascript:alert(1)"), "URL_INVALID"),
    ] {
        let mut input = input(shop, "price_basic", expected).await;
        input[name] = value;
        assert_eq!(codes(&shop.ask(&ann, BUY, input).await), [expected]);
    }
    begun(shop, &ann).await;
    shop.stripe.fail_next(REFUSED);
    let input = input(shop, "price_basic", "refused").await;
    assert_eq!(codes(&shop.ask(&ann, BUY, input).await), ["PROVIDER_REFUSED"]);
    let gifts = ann.data("{ gifts { nodes { redemptionStatus } } }", json!({})).await;
    assert_eq!(gifts["gifts"]["nodes"], json!([{"redemptionStatus": "ABANDONED"}, {"redemptionStatus": "OPEN"}]));
    shop.deliver().await;
}

async fn the_code_of_a_gift_that_stripe_was_away_for_is_not_lost(shop: &Shop) {
    let ann = shop.test.user("ann");
    begun(shop, &ann).await;
    shop.stripe.fail_next(BUSY);
    let input = json!({"input": input(shop, "price_basic", "k").await});
    assert_eq!(ann.code(BUY, input.clone()).await, "PROVIDER_UNAVAILABLE");
    let bought = ann.data(BUY, input).await["buyGift"].take();
    assert!(bought["code"].as_str().unwrap().starts_with("TGG-"));
    assert_eq!(shop.count("checkout.session"), 2);
    shop.deliver().await;
}

async fn a_code_is_replaced_by_its_buyer_alone(shop: &Shop) {
    let (ann, bob) = (shop.test.user("ann"), shop.test.user("bob"));
    let (gift, old) = paid(shop, &ann).await;
    let input = json!({"giftId": gift});
    assert_eq!(codes(&shop.ask(&bob, REPLACE, input.clone()).await), ["GIFT_NOT_FOUND"]);
    let replaced = shop.ask(&ann, REPLACE, input.clone()).await;
    assert_eq!(codes(&redeem(shop, &bob, &old).await), ["GIFT_NOT_FOUND"]);
    assert!(codes(&redeem(shop, &bob, replaced["code"].as_str().unwrap()).await).is_empty());
    assert_eq!(codes(&shop.ask(&ann, REPLACE, input).await), ["GIFT_OVER"]);
    shop.deliver().await;
}

async fn codes_that_cannot_be_redeemed(shop: &Shop) {
    let (ann, bob) = (shop.test.user("ann"), shop.test.user("bob"));
    let unknown = GiftCode::generate(&mut ChaCha20Rng::seed_from_u64(1)).expose();
    for wrong in ["", "TGG-AAAAA", &unknown] {
        let refused = redeem(shop, &bob, wrong).await;
        assert_eq!(refused["userErrors"][0]["message"], "No gift has this code.", "all are answered alike");
    }
    let mut soon = input(shop, "price_basic", "soon").await;
    soon["expiresAt"] = json!("2026-01-20T00:00:00Z");
    let soon = shop.ask(&ann, BUY, soon).await["code"].as_str().unwrap().to_owned();
    shop.stripe.pay(&last_session(shop), Card::Good).unwrap();
    let (given_up, code) = begun(shop, &ann).await;
    shop.stripe.expire(&last_session(shop)).unwrap();
    shop.deliver().await;
    assert_eq!(
        (status(shop, &given_up).await.as_str(), codes(&redeem(shop, &bob, &code).await)[0]),
        ("ABANDONED", "GIFT_NOT_PAID")
    );
    shop.advance(TimeDelta::days(5)).await;
    let bob = shop.test.user("bob");
    assert_eq!(codes(&redeem(shop, &bob, &soon).await), ["GIFT_EXPIRED"]);
    for _ in 0..40 {
        let input = json!({"input": {"code": unknown, "idempotencyKey": "guess"}});
        if bob.post(REDEEM, input).await.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED" {
            return;
        }
    }
    panic!("nobody was stopped from guessing");
}

async fn of_many_who_redeem_one_has_it(shop: &Shop) {
    let (gift, code) = paid(shop, &shop.test.user("ann")).await;
    let callers: Vec<_> = (0..64).map(|number| shop.test.user(&format!("guest {number}"))).collect();
    let answers = join_all(callers.iter().map(|caller| redeem(shop, caller, &code))).await;
    let had: Vec<_> = answers.iter().filter(|answer| codes(answer).is_empty()).collect();
    assert_eq!((had.len(), shop.count("subscription")), (1, 1), "{answers:#?}");
    assert!(answers.iter().all(|answer| codes(answer).is_empty() || codes(answer) == ["GIFT_REDEEMED"]));
    shop.deliver().await;
    assert_eq!(status(shop, &gift).await, "REDEEMED");
}

/// Two people who are known at Stripe, with a coupon there, and the code of a gift.
async fn ready(shop: &Shop) -> (String, String) {
    let (_, first) = paid(shop, &shop.test.user("bob")).await;
    assert!(codes(&redeem(shop, &shop.test.user("cat"), &first).await).is_empty());
    let gift = paid(shop, &shop.test.user("ann")).await;
    shop.deliver().await;
    gift
}

async fn a_redemption_is_carried_out_after_stripe_was_away(shop: &Shop) {
    let (gift, code) = ready(shop).await;
    let (ann, bob) = (shop.test.user("ann"), shop.test.user("bob"));
    shop.stripe.fail_next(BUSY);
    let input = json!({"input": {"code": code, "idempotencyKey": "k"}});
    assert_eq!(bob.code(REDEEM, input.clone()).await, "PROVIDER_UNAVAILABLE");
    assert_eq!(codes(&redeem(shop, &ann, &code).await), ["GIFT_REDEEMED"], "it is his, and will be carried out");
    shop.advance(TimeDelta::minutes(5)).await;
    shop.deliver().await;
    let told = bob.data(REDEEM, input).await;
    assert_eq!(told["redeemGift"]["subscription"]["status"], "ACTIVE");
    assert_eq!((status(shop, &gift).await.as_str(), shop.count("subscription")), ("REDEEMED", 2));
}

async fn a_redemption_that_was_done_unheard_is_told_by_its_webhook(shop: &Shop) {
    let (_, code) = ready(shop).await;
    let bob = shop.test.user("bob");
    shop.stripe.fail_next(Fault::Answer { status: 500, should_retry: Some(false), acted: true, saved: false });
    let input = json!({"input": {"code": code, "idempotencyKey": "k"}});
    assert_eq!(bob.code(REDEEM, input.clone()).await, "PROVIDER_UNAVAILABLE");
    shop.deliver().await;
    let told =
        bob.data("{ gifts(filter: {status: [REDEEMED]}) { nodes { subscription { status } } } }", json!({})).await;
    assert_eq!(told["gifts"]["nodes"], json!([{"subscription": {"status": "ACTIVE"}}, {"subscription": null}]));
    shop.advance(TimeDelta::minutes(5)).await;
    assert_eq!(bob.data(REDEEM, input).await["redeemGift"]["userErrors"], json!([]));
    assert_eq!(shop.count("subscription"), 2);
}

async fn a_gift_that_stripe_refuses_can_be_redeemed_again(shop: &Shop) {
    let (gift, code) = ready(shop).await;
    let bob = shop.test.user("bob");
    shop.stripe.fail_next(REFUSED);
    assert_eq!(codes(&redeem(shop, &bob, &code).await), ["PROVIDER_REFUSED"]);
    assert_eq!(status(shop, &gift).await, "PAID");
    shop.test.advance(TimeDelta::seconds(1));
    assert!(codes(&redeem(shop, &bob, &code).await).is_empty());
    shop.deliver().await;
    assert_eq!(codes(&redeem(shop, &bob, &code).await), ["GIFT_REDEEMED"]);
    let (_, more) = paid(shop, &shop.test.user("ann")).await;
    assert_eq!(codes(&redeem(shop, &bob, &more).await), ["ALREADY_SUBSCRIBED"]);
}

async fn a_gift_ends_with_its_money(shop: &Shop) {
    let (ann, bob) = (shop.test.user("ann"), shop.test.user("bob"));
    let (gift, code) = paid(shop, &ann).await;
    let query = "{ payments { nodes { id externalId } } }";
    let payment = ann.data(query, json!({})).await["payments"]["nodes"][0].take();
    let id = payment["id"].as_str().unwrap();
    approved(shop, &requested(shop, &ann, id, Some(400)).await).await;
    assert_eq!(status(shop, &gift).await, "PAID", "some of the money is still here");
    approved(shop, &requested(shop, &ann, id, None).await).await;
    shop.deliver().await;
    assert_eq!(status(shop, &gift).await, "REFUNDED");
    assert_eq!(codes(&redeem(shop, &bob, &code).await), ["GIFT_REFUNDED"]);
    shop.advance(TimeDelta::seconds(1)).await;
    let last = shop.stripe.objects("refund").pop().unwrap();
    shop.stripe.fail_refund(last["id"].as_str().unwrap()).unwrap();
    shop.deliver().await;
    assert_eq!(status(shop, &gift).await, "PAID");
    let intent = shop.stripe.object(payment["externalId"].as_str().unwrap()).unwrap();
    let dispute = json!({"id": "dp_1", "object": "dispute", "amount": 900, "charge": intent["latest_charge"],
        "payment_intent": intent["id"], "currency": "usd", "created": shop.test.app.now().timestamp(), "status": "lost",
        "reason": "fraudulent"});
    shop.stripe.put(dispute);
    shop.deliver().await;
    assert_eq!(status(shop, &gift).await, "REFUNDED");
}

async fn a_coupon_that_is_there_already_will_do(shop: &Shop) {
    let coupon = json!({"id": "tollgate-gift", "object": "coupon", "percent_off": 100, "duration": "once", "valid": true,
        "amount_off": null, "currency": null, "times_redeemed": 0, "max_redemptions": null, "redeem_by": null,
        "created": shop.test.app.now().timestamp(), "metadata": {}, "livemode": false, "name": "Gift"});
    let (_, code) = paid(shop, &shop.test.user("ann")).await;
    shop.stripe.put(coupon);
    let done = redeem(shop, &shop.test.user("bob"), &code).await;
    assert_eq!(done["subscription"]["status"], "ACTIVE", "{done}");
    shop.deliver().await;
}

async fn a_gift_and_a_checkout_are_one_plan(shop: &Shop) {
    let (ann, bob) = (shop.test.user("ann"), shop.test.user("bob"));
    let (_, code) = paid(shop, &ann).await;
    let price = shop.price("price_basic").await;
    let begun = shop.ask(&bob, CHECKOUT, order(&price, "one")).await;
    assert_eq!(redeem(shop, &bob, &code).await["userErrors"], json!([]));
    // A checkout from before the gift cannot be paid any more.
    let session = begun["checkout"]["sessionExternalId"].as_str().unwrap();
    assert!(shop.stripe.pay(session, Card::Good).is_err());
    assert_eq!(shop.stripe.objects("subscription").len(), 1);
    shop.deliver().await;

    // One that Stripe has done and nobody has heard of counts as well.
    let eve = shop.test.user("eve");
    let (_, code) = paid(shop, &ann).await;
    // She is a customer already, so that what fails is the redemption itself.
    let portal = "mutation { openBillingPortal(input: {returnUrl: \"https://a.example/\"}) { url } }";
    eve.data(portal, json!({})).await;
    (0..3).for_each(|_| shop.stripe.fail_next(Fault::CutAfter));
    let input = json!({"code": code, "idempotencyKey": "gift"});
    assert_eq!(eve.code(REDEEM, json!({"input": input})).await, "PROVIDER_UNAVAILABLE");
    assert_eq!(shop.stripe.objects("subscription").len(), 2);
    let node = shop.another_node().await;
    let refused = shop.ask(&node.user("eve"), CHECKOUT, order(&price, "two")).await;
    assert_eq!(codes(&refused), ["ALREADY_SUBSCRIBED"]);
    assert_eq!(shop.stripe.objects("subscription").len(), 2);
    shop.deliver_to(&node).await;
}
