//! Buying through Stripe: in a checkout, with the application's own page, with a saved card.

use crate::support::{Shop, both_engines};
use futures_util::future::join_all;
use sandbox::{Card, Fault};
use serde_json::{Value, json};

both_engines! {
    a_checkout_that_is_paid_gives_the_plan,
    a_checkout_asked_for_twice_under_one_key_is_one,
    another_checkout_for_a_plan_ends_the_one_before,
    a_subscriber_changes_the_plan_and_buys_no_second,
    a_person_has_one_trial,
    a_trial_outlives_the_person_who_had_it,
    credits_are_bought_in_a_checkout_and_with_the_saved_card,
    first_purchases_of_a_new_credit_unit_at_the_same_moment_all_succeed,
    a_declined_card_is_told_with_its_reason,
    a_subscription_is_confirmed_by_the_own_page,
    nobody_buys_for_another,
    a_price_that_is_not_on_sale_cannot_be_bought,
    while_stripe_is_away_nothing_is_sold_and_the_same_key_goes_on,
    the_portal_is_the_customers_own,
    no_secret_of_a_payment_is_written_down,
}

pub(crate) const CHECKOUT: &str = "mutation Go($input: StartCheckoutInput!) { startCheckout(input: $input) {
    checkout { sessionExternalId url } userErrors { code message field } } }";
pub(crate) const CREATE: &str = "mutation Go($input: CreateSubscriptionInput!) { createSubscription(input: $input) {
    subscription { id status } clientSecret userErrors { code declineCode } } }";
pub(crate) const PURCHASE: &str = "mutation Go($input: PurchaseCreditsInput!) { purchaseCredits(input: $input) {
    payment { chargeStatus stream amount { amount currency } } clientSecret userErrors { code declineCode } } }";
const PORTAL: &str = "mutation Go($input: OpenBillingPortalInput!) { openBillingPortal(input: $input) {
    url userErrors { code } } }";
const PLAN: &str = "{ viewer { trialAvailable plan { status plan { code } trialEnd } } }";
const BALANCE: &str = "{ viewer { account { creditBalances { available } } } }";

/// Returns the input of a checkout.
pub(crate) fn order(price: &str, key: &str) -> Value {
    json!({"priceId": price, "successUrl": "https://app.example.com/done", "idempotencyKey": key})
}

/// Begins a checkout as `subject` and pays it with a card that works; the session's id.
pub(crate) async fn buy(shop: &Shop, subject: &str, price: &str, key: &str) -> String {
    let input = order(&shop.price(price).await, key);
    let begun = shop.ask(&shop.test.user(subject), CHECKOUT, input).await;
    assert_eq!(begun["userErrors"], json!([]), "{begun}");
    let session = begun["checkout"]["sessionExternalId"].as_str().unwrap().to_owned();
    shop.stripe.pay(&session, Card::Good).unwrap();
    shop.deliver().await;
    session
}

fn codes(payload: &Value) -> Vec<&str> {
    payload["userErrors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect()
}

async fn a_checkout_that_is_paid_gives_the_plan(shop: &Shop) {
    let ann = shop.test.user("ann");
    let begun = shop.ask(&ann, CHECKOUT, order(&shop.price("price_basic").await, "one")).await;
    let url = begun["checkout"]["url"].as_str().unwrap();
    assert!(url.contains("/pay/"), "{url}");
    let before = ann.data(PLAN, json!({})).await;
    assert_eq!(before, json!({"viewer": {"trialAvailable": true, "plan": null}}));
    shop.stripe.pay(begun["checkout"]["sessionExternalId"].as_str().unwrap(), Card::Good).unwrap();
    shop.deliver().await;
    let after = ann.data(PLAN, json!({})).await;
    assert_eq!(after["viewer"]["plan"], json!({"status": "ACTIVE", "plan": {"code": "basic"}, "trialEnd": null}));
    assert_eq!((shop.count("customer"), shop.count("subscription"), shop.count("charge")), (1, 1, 1));
}

async fn a_checkout_asked_for_twice_under_one_key_is_one(shop: &Shop) {
    let (ann, price) = (shop.test.user("ann"), shop.price("price_credits").await);
    let first = shop.ask(&ann, CHECKOUT, order(&price, "one")).await;
    assert_eq!(shop.ask(&ann, CHECKOUT, order(&price, "one")).await, first);
    assert_eq!(shop.count("checkout.session"), 1);
    let twice = "mutation Go($input: StartCheckoutInput!) { startCheckout(input: $input) { checkout { url } }
        startCheckout(input: $input) { checkout { url } } }";
    shop.ask(&ann, twice, order(&price, "two")).await;
    assert_eq!(shop.count("checkout.session"), 2, "a field that is written twice is one");
    let mut other = order(&price, "one");
    other["quantity"] = json!(2);
    assert_eq!(ann.code(CHECKOUT, json!({"input": other})).await, "IDEMPOTENCY_KEY_REUSED");
    let bob = shop.ask(&shop.test.user("bob"), CHECKOUT, order(&price, "one")).await;
    assert_ne!(bob["checkout"], first["checkout"], "another caller's key is another key");
    shop.deliver().await;
}

async fn another_checkout_for_a_plan_ends_the_one_before(shop: &Shop) {
    let ann = shop.test.user("ann");
    let (basic, pro) = (shop.price("price_basic").await, shop.price("price_pro").await);
    let first = shop.ask(&ann, CHECKOUT, order(&basic, "one")).await;
    let second = shop.ask(&ann, CHECKOUT, order(&pro, "two")).await;
    assert_eq!(codes(&second), [""; 0]);
    let session = first["checkout"]["sessionExternalId"].as_str().unwrap();
    assert_eq!(shop.stripe.object(session).unwrap()["status"], "expired");
    assert!(shop.stripe.pay(session, Card::Good).is_err());
    // A checkout that was paid meanwhile is found before its webhook arrives.
    shop.stripe.pay(second["checkout"]["sessionExternalId"].as_str().unwrap(), Card::Good).unwrap();
    let third = shop.ask(&ann, CHECKOUT, order(&basic, "three")).await;
    assert_eq!(codes(&third), ["ALREADY_SUBSCRIBED"]);
    assert_eq!(shop.count("subscription"), 1);
    shop.deliver().await;
}

async fn a_subscriber_changes_the_plan_and_buys_no_second(shop: &Shop) {
    buy(shop, "ann", "price_basic", "one").await;
    let ann = shop.test.user("ann");
    let pro = shop.price("price_pro").await;
    assert_eq!(codes(&shop.ask(&ann, CHECKOUT, order(&pro, "two")).await), ["ALREADY_SUBSCRIBED"]);
    let input = json!({"priceId": pro, "idempotencyKey": "three"});
    assert_eq!(codes(&shop.ask(&ann, CREATE, input).await), ["ALREADY_SUBSCRIBED"]);
    buy(shop, "ann", "price_credits", "four").await;
    assert_eq!(shop.count("customer"), 1, "all that one account buys is one customer's");
}

async fn a_person_has_one_trial(shop: &Shop) {
    buy(shop, "ann", "price_pro", "one").await;
    let ann = shop.test.user("ann");
    let viewer = ann.data(PLAN, json!({})).await;
    assert_eq!(viewer["viewer"]["plan"]["status"], "TRIALING");
    assert_eq!(viewer["viewer"]["trialAvailable"], false);
    assert!(viewer["viewer"]["plan"]["trialEnd"].is_string());
    let subscription = &shop.stripe.objects("subscription")[0];
    let cancel = "mutation Go($input: CancelSubscriptionInput!) { cancelSubscription(input: $input) {
        subscription { status } userErrors { code } } }";
    let id = ann.data("{ viewer { subscription { id externalId } } }", json!({})).await;
    assert_eq!(id["viewer"]["subscription"]["externalId"], subscription["id"]);
    let input = json!({"subscriptionId": id["viewer"]["subscription"]["id"], "timing": "NOW", "idempotencyKey": "two"});
    let ended = shop.ask(&ann, cancel, input).await;
    assert_eq!(ended, json!({"subscription": {"status": "CANCELED"}, "userErrors": []}));
    shop.deliver().await;
    buy(shop, "ann", "price_pro", "three").await;
    assert_eq!(ann.data(PLAN, json!({})).await["viewer"]["plan"]["status"], "ACTIVE");
}

async fn a_trial_outlives_the_person_who_had_it(shop: &Shop) {
    use entity::{user_identities, users};
    use sea_orm::{ActiveValue::Set, EntityTrait};
    buy(shop, "ann", "price_pro", "one").await;
    // As an erasure leaves a person: without a name or an address, and unknown to the identity provider.
    let db = shop.test.app.db.schema();
    let ann = users::Entity::find().all(db).await.unwrap().pop().unwrap();
    user_identities::Entity::delete_many().exec(db).await.unwrap();
    let erased = users::ActiveModel {
        id: Set(ann.id),
        email: Set(None),
        email_normalized: Set(None),
        name: Set(None),
        erased_at: Set(Some(shop.test.app.now().fixed_offset())),
        ..Default::default()
    };
    users::Entity::update(erased).exec(db).await.unwrap();
    // The callers whom the process remembers are forgotten with it.
    let shop_again = shop.another_node().await;
    let again = shop_again.user("ann").data(PLAN, json!({})).await;
    assert_eq!(again["viewer"], json!({"trialAvailable": false, "plan": null}));
    let bob = shop_again.user("bob").data(PLAN, json!({})).await;
    assert_eq!(bob["viewer"]["trialAvailable"], true);
}

async fn credits_are_bought_in_a_checkout_and_with_the_saved_card(shop: &Shop) {
    let ann = shop.test.user("ann");
    let price = shop.price("price_credits").await;
    let input = json!({"priceId": price, "quantity": 3, "idempotencyKey": "two"});
    assert_eq!(codes(&shop.ask(&ann, PURCHASE, input.clone()).await), ["NO_PAYMENT_METHOD"]);
    buy(shop, "ann", "price_credits", "one").await;
    assert_eq!(ann.data(BALANCE, json!({})).await["viewer"]["account"]["creditBalances"][0]["available"], "100");
    let customer = shop.stripe.objects("customer")[0]["id"].as_str().unwrap().to_owned();
    shop.stripe.set_card(&customer, Card::Good).unwrap();
    let paid = shop.ask(&ann, PURCHASE, input.clone()).await;
    let amount = json!({"amount": "3000", "currency": "USD"});
    let payment = json!({"chargeStatus": "SUCCEEDED", "stream": "CREDITS", "amount": amount});
    assert_eq!(paid, json!({"payment": payment, "clientSecret": null, "userErrors": []}));
    let balance = ann.data(BALANCE, json!({})).await;
    assert_eq!(balance["viewer"]["account"]["creditBalances"][0]["available"], "400", "at once, before any webhook");
    assert_eq!(shop.ask(&ann, PURCHASE, input).await, paid);
    shop.deliver().await;
    assert_eq!(ann.data(BALANCE, json!({})).await, balance);
    assert_eq!(shop.count("charge"), 2);
}

async fn first_purchases_of_a_new_credit_unit_at_the_same_moment_all_succeed(shop: &Shop) {
    let people: Vec<String> = (0..8).map(|number| format!("person {number}")).collect();
    for person in &people {
        shop.ask(&shop.test.user(person), PORTAL, json!({"returnUrl": "https://a.example/"})).await;
    }
    shop.deliver().await;
    for customer in shop.stripe.objects("customer") {
        shop.stripe.set_card(customer["id"].as_str().unwrap(), Card::Good).unwrap();
    }
    shop.deliver().await;
    let pack = shop.price("price_credits").await;
    let purchase = async |person: &String| {
        let user = shop.test.user(person);
        shop.ask(&user, PURCHASE, json!({"priceId": pack, "idempotencyKey": "k"})).await
    };
    for bought in join_all(people.iter().map(purchase)).await {
        assert_eq!(bought["payment"]["chargeStatus"], "SUCCEEDED", "{bought}");
    }
    shop.deliver().await;
}

async fn a_declined_card_is_told_with_its_reason(shop: &Shop) {
    let ann = shop.test.user("ann");
    buy(shop, "ann", "price_credits", "one").await;
    let customer = shop.stripe.objects("customer")[0]["id"].as_str().unwrap().to_owned();
    shop.stripe.set_card(&customer, Card::Declined).unwrap();
    let input = json!({"priceId": shop.price("price_credits").await, "idempotencyKey": "two"});
    let declined = shop.ask(&ann, PURCHASE, input.clone()).await;
    let error = json!({"code": "CARD_DECLINED", "declineCode": "generic_decline"});
    assert_eq!(declined, json!({"payment": null, "clientSecret": null, "userErrors": [error]}));
    assert_eq!(shop.ask(&ann, PURCHASE, input).await, declined, "the same key, the same answer");
    shop.stripe.set_card(&customer, Card::NeedsAuthentication).unwrap();
    let input = json!({"priceId": shop.price("price_credits").await, "idempotencyKey": "three"});
    let asked = shop.ask(&ann, PURCHASE, input.clone()).await;
    assert_eq!(asked["payment"]["chargeStatus"], "PENDING");
    assert!(asked["clientSecret"].is_string());
    assert_eq!(shop.ask(&ann, PURCHASE, input).await, asked);
    let intent = shop.stripe.objects("payment_intent").pop().unwrap()["id"].as_str().unwrap().to_owned();
    shop.stripe.authenticate(&intent, true).unwrap();
    shop.deliver().await;
    assert_eq!(ann.data(BALANCE, json!({})).await["viewer"]["account"]["creditBalances"][0]["available"], "200");
}

async fn a_subscription_is_confirmed_by_the_own_page(shop: &Shop) {
    let ann = shop.test.user("ann");
    let input = json!({"priceId": shop.price("price_basic").await, "idempotencyKey": "one"});
    let made = shop.ask(&ann, CREATE, input.clone()).await;
    assert_eq!(made["subscription"]["status"], "INCOMPLETE");
    assert!(made["clientSecret"].is_string(), "{made}");
    assert_eq!(shop.ask(&ann, CREATE, input.clone()).await, made);
    let intent = shop.stripe.objects("payment_intent")[0]["id"].as_str().unwrap().to_owned();
    shop.stripe.confirm(&intent, Card::Good).unwrap();
    shop.deliver().await;
    let again = shop.ask(&ann, CREATE, input).await;
    assert_eq!((&again["subscription"]["status"], &again["clientSecret"]), (&json!("ACTIVE"), &Value::Null));
    assert_eq!((shop.count("subscription"), shop.count("charge")), (1, 1));
}

async fn nobody_buys_for_another(shop: &Shop) {
    let account = shop.test.user("ann").data("{ viewer { account { id } } }", json!({})).await;
    let account = account["viewer"]["account"]["id"].clone();
    let bob = shop.test.user("bob");
    let mut input = order(&shop.price("price_basic").await, "one");
    input["accountId"] = account.clone();
    assert_eq!(codes(&shop.ask(&bob, CHECKOUT, input.clone()).await), ["ACCOUNT_NOT_FOUND"]);
    let portal = json!({"returnUrl": "https://app.example.com/", "accountId": account});
    assert_eq!(codes(&shop.ask(&bob, PORTAL, portal).await), ["ACCOUNT_NOT_FOUND"]);
    assert_eq!(shop.test.anonymous().code(CHECKOUT, json!({"input": input})).await, "UNAUTHENTICATED");
    assert_eq!(shop.count("customer"), 0);
    let done = shop.ask(&shop.test.admin(), CHECKOUT, input).await;
    assert_eq!(codes(&done), [""; 0], "who may change any account's billing may buy for it");
    shop.deliver().await;
}

async fn a_price_that_is_not_on_sale_cannot_be_bought(shop: &Shop) {
    let ann = shop.test.user("ann");
    let price = shop.price("price_basic").await;
    for (change, code) in [
        (json!({"quantity": 0}), "QUANTITY_INVALID"),
        (json!({"successUrl": "http://app.example.com/"}), "URL_INVALID"),
        (json!({"promoCode": "NOPE"}), "PROMO_CODE_NOT_FOUND"),
        (json!({"priceId": shop.price("price_seats").await}), "PRICE_NOT_FOUND"),
        (json!({"priceId": crate::support::global_id("Price", uuid::Uuid::nil())}), "PRICE_NOT_FOUND"),
    ] {
        let mut input = order(&price, code);
        input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(codes(&shop.ask(&ann, CHECKOUT, input).await), [code]);
    }
    let mut archived = shop.stripe.object("price_basic").unwrap();
    archived["active"] = json!(false);
    shop.stripe.put(archived);
    shop.deliver().await;
    assert_eq!(codes(&shop.ask(&ann, CHECKOUT, order(&price, "archived")).await), ["PRICE_NOT_FOUND"]);
    assert_eq!(shop.count("checkout.session"), 0);
}

async fn while_stripe_is_away_nothing_is_sold_and_the_same_key_goes_on(shop: &Shop) {
    let ann = shop.test.user("ann");
    let input = order(&shop.price("price_credits").await, "one");
    buy(shop, "ann", "price_credits", "zero").await;
    for _ in 0..3 {
        shop.stripe.fail_next(Fault::Answer { status: 503, should_retry: None, acted: false, saved: false });
    }
    let reply = ann.post(CHECKOUT, json!({"input": input})).await.json();
    let extensions = &reply["errors"][0]["extensions"];
    assert_eq!(*extensions, json!({"code": "PROVIDER_UNAVAILABLE", "retriedLater": false}), "{reply}");
    assert_eq!(shop.count("checkout.session"), 1);
    let node = shop.another_node().await;
    let begun = shop.ask(&node.user("ann"), CHECKOUT, input).await;
    assert_eq!(codes(&begun), [""; 0]);
    assert_eq!(shop.count("checkout.session"), 2);
    shop.deliver().await;
}

async fn the_portal_is_the_customers_own(shop: &Shop) {
    let ann = shop.test.user("ann");
    let opened = shop.ask(&ann, PORTAL, json!({"returnUrl": "https://app.example.com/account"})).await;
    assert!(opened["url"].as_str().unwrap().contains("/portal/"), "{opened}");
    let refused = shop.ask(&ann, PORTAL, json!({"returnUrl": "javascript:alert(1)"})).await;
    assert_eq!(codes(&refused), ["URL_INVALID"]);
    shop.deliver().await;
}

async fn no_secret_of_a_payment_is_written_down(shop: &Shop) {
    let ann = shop.test.user("ann");
    let input = json!({"priceId": shop.price("price_basic").await, "idempotencyKey": "one"});
    let made = shop.ask(&ann, CREATE, input).await;
    let secret = made["clientSecret"].as_str().unwrap().to_owned();
    let intent = shop.stripe.objects("payment_intent")[0]["id"].as_str().unwrap().to_owned();
    shop.stripe.confirm(&intent, Card::Good).unwrap();
    shop.deliver().await;
    let rows = crate::support::sql::everything(shop.test.app.db.read()).await;
    assert!(rows.contains(&intent), "all that is written down is looked through");
    assert!(!rows.contains(&secret) && !rows.contains("last4") && !rows.contains("payment_method_details"));
}
