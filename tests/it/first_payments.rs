//! Purchases that begin: one plan for each person whatever is open, customers whom Stripe takes, and refusals that leave
//! nothing behind.

use crate::checkouts::{CHECKOUT, CREATE, PURCHASE, buy, order};
use crate::sign_in::{claims, hs256};
use crate::support::{Shop, both_engines, sql};
use chrono::TimeDelta;
use sandbox::{Card, Fault};
use serde_json::{Value, json};

both_engines! {
    an_unpaid_subscription_ends_before_another_begins,
    an_unpaid_subscription_ends_before_a_checkout_begins,
    an_unpaid_subscription_that_is_paid_meanwhile_is_kept,
    an_unpaid_subscription_of_a_late_request_ends_too,
    a_paid_checkout_counts_although_it_could_not_be_recorded_at_first,
    whoever_has_an_address_that_stripe_refuses_can_buy,
    a_refused_purchase_leaves_no_customer,
    a_refused_checkout_leaves_the_open_one,
    a_key_has_its_answer_whatever_became_of_its_input,
}

fn codes(payload: &Value) -> Vec<&str> {
    payload["userErrors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect()
}

async fn new(shop: &Shop, price: &str, key: &str) -> Value {
    json!({"priceId": shop.price(price).await, "idempotencyKey": key})
}

fn statuses(shop: &Shop) -> Vec<String> {
    let all = shop.stripe.objects("subscription");
    all.iter().map(|one| one["status"].as_str().unwrap().to_owned()).collect()
}

fn intents(shop: &Shop) -> Vec<String> {
    let all = shop.stripe.objects("payment_intent");
    all.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

async fn an_unpaid_subscription_ends_before_another_begins(shop: &Shop) {
    let ann = shop.test.user("ann");
    assert_eq!(codes(&shop.ask(&ann, CREATE, new(shop, "price_basic", "one").await).await), [""; 0]);
    let second = shop.ask(&ann, CREATE, new(shop, "price_pro_year", "two").await).await;
    assert_eq!(codes(&second), [""; 0], "{second}");
    assert_eq!(statuses(shop), ["incomplete_expired", "incomplete"]);
    let [first, second] = intents(shop).try_into().unwrap();
    assert!(shop.stripe.confirm(&first, Card::Good).is_err(), "the first can no longer be paid");
    assert!(shop.stripe.confirm(&second, Card::Good).unwrap());
    shop.deliver().await;
    let mine = ann.data("{ viewer { account { subscriptions { nodes { status } } } } }", json!({})).await;
    let nodes = &mine["viewer"]["account"]["subscriptions"]["nodes"];
    assert_eq!(*nodes, json!([{"status": "ACTIVE"}, {"status": "INCOMPLETE_EXPIRED"}]));
    // The first key still answers with the first.
    let again = shop.ask(&ann, CREATE, new(shop, "price_basic", "one").await).await;
    assert_eq!(again["subscription"]["status"], "INCOMPLETE_EXPIRED");
    assert_eq!(again["clientSecret"], Value::Null);
}

async fn an_unpaid_subscription_ends_before_a_checkout_begins(shop: &Shop) {
    let ann = shop.test.user("ann");
    shop.ask(&ann, CREATE, new(shop, "price_basic", "one").await).await;
    let begun = shop.ask(&ann, CHECKOUT, order(&shop.price("price_pro").await, "two")).await;
    assert_eq!(codes(&begun), [""; 0], "{begun}");
    assert_eq!(statuses(shop), ["incomplete_expired"]);
    let session = begun["checkout"]["sessionExternalId"].as_str().unwrap();
    shop.stripe.pay(session, Card::Good).unwrap();
    assert!(shop.stripe.confirm(&intents(shop)[0], Card::Good).is_err());
    shop.deliver().await;
    assert_eq!(statuses(shop), ["incomplete_expired", "trialing"]);
}

async fn an_unpaid_subscription_that_is_paid_meanwhile_is_kept(shop: &Shop) {
    let ann = shop.test.user("ann");
    shop.ask(&ann, CREATE, new(shop, "price_basic", "one").await).await;
    // Paid on the page, and no webhook has told it yet.
    assert!(shop.stripe.confirm(&intents(shop)[0], Card::Good).unwrap());
    let second = shop.ask(&ann, CREATE, new(shop, "price_pro_year", "two").await).await;
    assert_eq!(codes(&second), ["ALREADY_SUBSCRIBED"]);
    assert_eq!((statuses(shop), shop.count("charge")), (vec!["active".to_owned()], 1));
    shop.deliver().await;
    assert_eq!(statuses(shop), ["active"]);
}

async fn an_unpaid_subscription_of_a_late_request_ends_too(shop: &Shop) {
    let ann = shop.test.user("ann");
    let one = new(shop, "price_basic", "one").await;
    buy(shop, "ann", "price_credits", "zero").await;
    (0..3).for_each(|_| shop.stripe.fail_next(Fault::RefuseBefore));
    assert_eq!(ann.code(CREATE, json!({"input": one})).await, "PROVIDER_UNAVAILABLE");
    // It succeeds most of a day later, and Stripe waits for its payment for as long again.
    shop.advance(TimeDelta::hours(22)).await;
    assert_eq!(codes(&shop.ask(&shop.test.user("ann"), CREATE, one).await), [""; 0]);
    shop.deliver().await;
    shop.advance(TimeDelta::hours(20)).await;
    assert_eq!(statuses(shop), ["incomplete"]);
    let second = shop.ask(&shop.test.user("ann"), CREATE, new(shop, "price_pro_year", "two").await).await;
    assert_eq!(codes(&second), [""; 0], "{second}");
    assert_eq!(statuses(shop), ["incomplete_expired", "incomplete"]);
    shop.deliver().await;
}

/// A failure between Stripe's refusal to end a paid checkout and our record of the plan, at which the process may also end.
async fn a_paid_checkout_counts_although_it_could_not_be_recorded_at_first(shop: &Shop) {
    let (ann, db) = (shop.test.user("ann"), shop.test.app.db.schema());
    let first = shop.ask(&ann, CHECKOUT, order(&shop.price("price_basic").await, "one")).await;
    shop.stripe.pay(first["checkout"]["sessionExternalId"].as_str().unwrap(), Card::Good).unwrap();
    let second = order(&shop.price("price_pro").await, "two");
    sql::break_table(db, "subscriptions").await;
    ann.code(CHECKOUT, json!({"input": second})).await;
    sql::mend_table(db, "subscriptions").await;
    assert_eq!(codes(&shop.ask(&ann, CHECKOUT, second).await), ["ALREADY_SUBSCRIBED"]);
    assert_eq!((shop.count("checkout.session"), shop.count("subscription")), (1, 1));
    shop.deliver().await;
}

async fn whoever_has_an_address_that_stripe_refuses_can_buy(shop: &Shop) {
    let token = |email: &str| hs256(&claims(&shop.test, json!({"email": email, "name": "Ann"})));
    let ann = shop.test.bearer(Some(&token("ann at home")));
    let begun = shop.ask(&ann, CHECKOUT, order(&shop.price("price_credits").await, "one")).await;
    assert_eq!(codes(&begun), [""; 0], "{begun}");
    let customers = shop.stripe.objects("customer");
    assert_eq!((customers.len(), &customers[0]["email"]), (1, &Value::Null));
    assert!(customers[0]["metadata"]["tollgate_account"].is_string(), "it is known whose it is");
    shop.deliver().await;
    // The refused address is not tried again with each purchase.
    shop.ask(&ann, CHECKOUT, order(&shop.price("price_credits").await, "two")).await;
    let requests = shop.stripe.requests().len();
    shop.ask(&ann, CHECKOUT, order(&shop.price("price_credits").await, "three")).await;
    assert_eq!(shop.stripe.requests().len(), requests + 1);
    // A new one is, as soon as the identity provider states it.
    shop.advance(TimeDelta::minutes(1)).await;
    let ann = shop.test.bearer(Some(&token("ann@example.com")));
    shop.ask(&ann, CHECKOUT, order(&shop.price("price_credits").await, "four")).await;
    let customers = shop.stripe.objects("customer");
    assert_eq!((customers.len(), &customers[0]["email"]), (1, &json!("ann@example.com")));
    let user = ann.data("{ viewer { user { email } } }", json!({})).await;
    assert_eq!(user["viewer"]["user"]["email"], "ann@example.com");
    shop.deliver().await;
}

async fn a_refused_purchase_leaves_no_customer(shop: &Shop) {
    let ann = shop.test.user("ann");
    ann.data("{ viewer { role } }", json!({})).await;
    let with = |mut input: Value, more: Value| {
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let code = json!({"promoCode": "NO"});
    let basic = shop.price("price_basic").await;
    for (document, input, expected) in [
        (CHECKOUT, with(order(&basic, "1"), code.clone()), "PROMO_CODE_NOT_FOUND"),
        (CREATE, with(new(shop, "price_basic", "2").await, code), "PROMO_CODE_NOT_FOUND"),
        (PURCHASE, new(shop, "price_credits", "3").await, "NO_PAYMENT_METHOD"),
        (CHECKOUT, order(&shop.price("price_seats").await, "4"), "PRICE_NOT_FOUND"),
        (CHECKOUT, with(order(&basic, "5"), json!({"quantity": 0})), "QUANTITY_INVALID"),
    ] {
        assert_eq!(codes(&shop.ask(&ann, document, input).await), [expected]);
        assert_eq!(shop.count("customer"), 0, "{expected}");
    }
    let promo = "mutation($input: CreatePromoCodeInput!) { createPromoCode(input: $input) { userErrors { code } } }";
    let account = ann.data("{ viewer { account { id } } }", json!({})).await;
    let input = json!({"couponId": crate::support::global_id("Coupon", uuid::Uuid::nil()), "code": "ANN",
        "accountId": account["viewer"]["account"]["id"], "idempotencyKey": "6"});
    assert_eq!(codes(&shop.ask(&shop.test.admin(), promo, input).await), ["COUPON_NOT_FOUND"]);
    assert_eq!(shop.count("customer"), 0);
}

async fn a_refused_checkout_leaves_the_open_one(shop: &Shop) {
    let ann = shop.test.user("ann");
    let basic = shop.price("price_basic").await;
    let begun = shop.ask(&ann, CHECKOUT, order(&basic, "one")).await;
    let session = begun["checkout"]["sessionExternalId"].as_str().unwrap().to_owned();
    let mut refused = order(&basic, "two");
    refused["promoCode"] = json!("NO");
    assert_eq!(codes(&shop.ask(&ann, CHECKOUT, refused).await), ["PROMO_CODE_NOT_FOUND"]);
    assert_eq!(shop.stripe.object(&session).unwrap()["status"], "open");
    // A plan that came by another way.
    let customer = shop.stripe.objects("customer")[0]["id"].clone();
    buy(shop, "bob", "price_basic", "bob").await;
    let mut given = shop.stripe.objects("subscription").pop().unwrap();
    given["id"] = json!("sub_given");
    given["items"]["data"][0]["id"] = json!("si_given");
    given["customer"] = customer;
    given["metadata"] = json!({});
    given["latest_invoice"] = Value::Null;
    shop.stripe.put(given);
    shop.deliver().await;
    assert_eq!(codes(&shop.ask(&ann, CHECKOUT, order(&basic, "three")).await), ["ALREADY_SUBSCRIBED"]);
    assert_eq!(shop.stripe.object(&session).unwrap()["status"], "open");
}

async fn a_key_has_its_answer_whatever_became_of_its_input(shop: &Shop) {
    let admin = shop.test.admin();
    let coupon = "mutation($input: CreateCouponInput!) { createCoupon(input: $input) { coupon { code }
        userErrors { code } } }";
    let ends = shop.test.app.now() + TimeDelta::days(2);
    let input = json!({"code": "SOON", "name": "Soon", "percentBasisPoints": 1000, "duration": "FOREVER",
        "redeemBy": ends, "idempotencyKey": "one"});
    let made = shop.ask(&admin, coupon, input.clone()).await;
    assert_eq!(codes(&made), [""; 0]);
    let gift = "mutation($input: BuyGiftInput!) { buyGift(input: $input) { gift { id } userErrors { code } } }";
    let url = "https://app.example.com/";
    let present = json!({"priceId": shop.price("price_basic").await, "expiresAt": ends, "successUrl": url,
        "cancelUrl": url, "idempotencyKey": "two"});
    let bought = shop.ask(&shop.test.user("ann"), gift, present.clone()).await;
    assert_eq!(codes(&bought), [""; 0], "{bought}");
    shop.deliver().await;
    shop.advance(TimeDelta::days(3)).await;
    assert_eq!(shop.ask(&shop.test.admin(), coupon, input).await, made, "its end has passed meanwhile");
    assert_eq!(shop.ask(&shop.test.user("ann"), gift, present).await, bought);
    // A key of one input is refused for every other, also for one that is refused by itself.
    let redeem = "mutation($input: RedeemGiftInput!) { redeemGift(input: $input) { userErrors { code } } }";
    let publish = "mutation($input: PublishPlanToStripeInput!) { publishPlanToStripe(input: $input) {
        userErrors { code } } }";
    let no_version = crate::support::global_id("PlanVersion", uuid::Uuid::nil());
    for (caller, document, input) in [
        (shop.test.user("ann"), redeem, json!({"code": "no code", "idempotencyKey": "two"})),
        (shop.test.admin(), publish, json!({"planVersionId": no_version, "idempotencyKey": "one"})),
    ] {
        assert_eq!(caller.code(document, json!({"input": input})).await, "IDEMPOTENCY_KEY_REUSED", "{document}");
    }
}
