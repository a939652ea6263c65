//! Purchases in each form: how many, with and without a trial, as gifts; what is paid, and what it gives.

use crate::checkouts::CHECKOUT;
use crate::support::gifts::{BUY, last_session, redeem};
use crate::support::{Shop, both_engines};
use chrono::TimeDelta;
use sandbox::Card;
use serde_json::{Value, json};

both_engines!(
    a_checkout_sells_as_many_as_are_asked_for,
    a_saved_card_buys_as_many_as_are_asked_for,
    a_trial_is_taken_or_left,
    an_addon_is_sold_once_or_with_its_subscription,
    a_gift_is_bought_in_every_form,
    a_gift_expires_at_its_time,
);

/// Returns the holdings of a user: the plan with the quantity, the payments and the credits.
async fn holdings(shop: &Shop, name: &str) -> Value {
    let query = "{ viewer { plan { status plan { code } } account { creditBalances { available }
        subscriptions { nodes { items { purpose quantity price { amount { amount } } } } }
        payments(orderBy: {field: CREATED_AT, direction: ASC}) { nodes { stream amount { amount } } } } } }";
    shop.test.user(name).data(query, json!({})).await["viewer"].take()
}

/// Begins a checkout with this input and pays it.
async fn checkout(shop: &Shop, name: &str, price: &str, more: Value) -> Value {
    let mut input = json!({"priceId": shop.price(price).await, "successUrl": "https://a.example/",
        "idempotencyKey": format!("{name} buys {price}")});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let begun = shop.ask(&shop.test.user(name), CHECKOUT, input).await;
    assert_eq!(begun["userErrors"], json!([]), "{name} {price}");
    shop.stripe.pay(begun["checkout"]["sessionExternalId"].as_str().unwrap(), Card::Good).unwrap();
    shop.deliver().await;
    holdings(shop, name).await
}

fn paid(holdings: &Value) -> Vec<(&str, &str)> {
    let nodes = holdings["account"]["payments"]["nodes"].as_array().unwrap();
    nodes
        .iter()
        .map(|payment| (payment["stream"].as_str().unwrap(), payment["amount"]["amount"].as_str().unwrap()))
        .collect()
}

async fn a_checkout_sells_as_many_as_are_asked_for(shop: &Shop) {
    for (name, quantity, amount, credits) in
        [("one", 1, "1000", "100"), ("two", 2, "2000", "200"), ("many", 50, "50000", "5000")]
    {
        let has = checkout(shop, name, "price_credits", json!({"quantity": quantity})).await;
        assert_eq!(paid(&has), [("CREDITS", amount)], "{name}");
        assert_eq!(has["account"]["creditBalances"], json!([{"available": credits}]), "{name}");
    }
    let has = checkout(shop, "team", "price_basic", json!({"quantity": 5})).await;
    assert_eq!(paid(&has), [("SUBSCRIPTION", "4500")]);
    assert_eq!(has["plan"], json!({"status": "ACTIVE", "plan": {"code": "basic"}}));
    let items = json!([{"purpose": "PLAN", "quantity": 5, "price": {"amount": {"amount": "900"}}}]);
    assert_eq!(has["account"]["subscriptions"]["nodes"][0]["items"], items);
}

async fn a_saved_card_buys_as_many_as_are_asked_for(shop: &Shop) {
    checkout(shop, "ann", "price_basic", json!({})).await;
    let purchase = "mutation($input: PurchaseCreditsInput!) { purchaseCredits(input: $input) {
        payment { chargeStatus amount { amount } } userErrors { code } } }";
    let (mut credits, mut payments) = (0, vec![("SUBSCRIPTION".to_owned(), "900".to_owned())]);
    for quantity in [1, 3, 7] {
        let input = json!({"priceId": shop.price("price_credits").await, "quantity": quantity,
            "idempotencyKey": format!("{quantity} packs")});
        let bought = shop.ask(&shop.test.user("ann"), purchase, input.clone()).await;
        let amount = (quantity * 1_000).to_string();
        assert_eq!(bought["payment"], json!({"chargeStatus": "SUCCEEDED", "amount": {"amount": amount}}), "{bought}");
        assert_eq!(shop.ask(&shop.test.user("ann"), purchase, input).await, bought, "once more is the same purchase");
        shop.deliver().await;
        credits += quantity * 100;
        payments.push(("CREDITS".to_owned(), amount));
        let has = holdings(shop, "ann").await;
        assert_eq!(has["account"]["creditBalances"], json!([{"available": credits.to_string()}]));
        let shown: Vec<_> =
            paid(&has).iter().map(|(stream, amount)| ((*stream).to_owned(), (*amount).to_owned())).collect();
        assert_eq!(shown, payments);
    }
}

async fn a_trial_is_taken_or_left(shop: &Shop) {
    for (name, more, status) in [
        ("by default", json!({}), "TRIALING"),
        ("taken", json!({"withTrial": true}), "TRIALING"),
        ("left", json!({"withTrial": false}), "ACTIVE"),
    ] {
        let has = checkout(shop, name, "price_pro", more).await;
        assert_eq!(has["plan"], json!({"status": status, "plan": {"code": "pro"}}), "{name}");
        let amounts: Vec<_> = paid(&has).into_iter().filter(|(_, amount)| *amount != "0").collect();
        assert_eq!(amounts.len(), usize::from(status == "ACTIVE"), "{name}: {amounts:?}");
        let available = shop.test.user(name).data("{ viewer { trialAvailable } }", json!({})).await;
        assert_eq!(
            available["viewer"]["trialAvailable"],
            status == "ACTIVE",
            "{name}: a trial that was left is still there"
        );
    }
    // A price without a trial gives none, whatever is asked for.
    let has = checkout(shop, "no trial", "price_basic", json!({"withTrial": true})).await;
    assert_eq!(has["plan"]["status"], "ACTIVE");
}

async fn an_addon_is_sold_once_or_with_its_subscription(shop: &Shop) {
    let has = checkout(shop, "ann", "price_setup", json!({})).await;
    assert_eq!((paid(&has), &has["plan"]), (vec![("ADDON", "9900")], &Value::Null));
    checkout(shop, "ann", "price_basic", json!({})).await;
    let list = shop.test.user("ann").data("{ subscriptions { nodes { id } } }", json!({})).await;
    let add = "mutation($input: AddAddonInput!) { addAddon(input: $input) {
        subscription { items { purpose quantity } } userErrors { code } } }";
    let input = json!({"subscriptionId": list["subscriptions"]["nodes"][0]["id"], "quantity": 4,
        "priceId": shop.price("price_seats").await, "idempotencyKey": "seats"});
    let added = shop.ask(&shop.test.user("ann"), add, input).await;
    assert_eq!(added["userErrors"], json!([]), "{added}");
    let items = added["subscription"]["items"].as_array().unwrap();
    assert!(items.contains(&json!({"purpose": "ADDON", "quantity": 4})), "{added}");
    assert!(items.contains(&json!({"purpose": "PLAN", "quantity": 1})), "{added}");
    shop.deliver().await;
}

async fn a_gift_is_bought_in_every_form(shop: &Shop) {
    let query = "query($id: ID!) { gift(id: $id) { recipientEmail personalMessage expiresAt amount { amount currency }
        redemptionStatus purchasedPrice { interval } buyer { id } } }";
    let message = "ä".repeat(500);
    for (number, (price, more, amount)) in [
        ("price_basic", json!({}), "900"),
        ("price_pro", json!({"recipientEmail": "bob@example.com"}), "2900"),
        ("price_pro_year", json!({"message": message}), "29000"),
        ("price_basic", json!({"expiresAt": "2026-01-15T12:00:01Z"}), "900"),
        ("price_basic", json!({"recipientEmail": null, "message": null, "expiresAt": null}), "900"),
        ("price_basic", json!({"message": "", "recipientEmail": "a+b@sub.example.co.uk"}), "900"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut input = json!({"priceId": shop.price(price).await, "successUrl": "https://a.example/",
            "cancelUrl": "https://a.example/back", "idempotencyKey": format!("gift {number}")});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let bought = shop.ask(&shop.test.user("ann"), BUY, input).await;
        assert_eq!(bought["userErrors"], json!([]), "{more}");
        assert_eq!(bought["gift"]["amount"], json!({"amount": amount, "currency": "USD"}));
        let id = bought["gift"]["id"].clone();
        let shown = shop.test.user("ann").data(query, json!({"id": id})).await["gift"].take();
        for (field, column) in
            [("recipientEmail", "recipientEmail"), ("message", "personalMessage"), ("expiresAt", "expiresAt")]
        {
            assert_eq!(shown[column], more.get(field).cloned().unwrap_or_default(), "{more}: {field}");
        }
        let interval = if price == "price_pro_year" { "YEAR" } else { "MONTH" };
        assert_eq!(
            (&shown["redemptionStatus"], &shown["purchasedPrice"]["interval"]),
            (&json!("OPEN"), &json!(interval))
        );
        shop.stripe.pay(&last_session(shop), Card::Good).unwrap();
        shop.deliver().await;
        let shown = shop.test.user("ann").data(query, json!({"id": id})).await["gift"].take();
        assert_eq!(shown["redemptionStatus"], "PAID", "{more}");
    }
    let gifts = shop.test.user("ann").data("{ gifts(filter: {status: [PAID]}) { totalCount } }", json!({})).await;
    assert_eq!(gifts["gifts"]["totalCount"], 6);
    let has = holdings(shop, "ann").await;
    assert!(paid(&has).iter().all(|(stream, _)| *stream == "GIFT") && has["plan"].is_null(), "{has}");
}

async fn a_gift_expires_at_its_time(shop: &Shop) {
    let mut codes = Vec::new();
    for number in 0..2 {
        let input = json!({"priceId": shop.price("price_basic").await, "successUrl": "https://a.example/",
            "cancelUrl": "https://a.example/back", "expiresAt": "2026-02-01T00:00:00Z",
            "idempotencyKey": format!("gift {number}")});
        let bought = shop.ask(&shop.test.user("ann"), BUY, input).await;
        codes.push(bought["code"].as_str().unwrap().to_owned());
        shop.stripe.pay(&last_session(shop), Card::Good).unwrap();
        shop.deliver().await;
    }
    for name in ["bob", "cid"] {
        shop.test.user(name).data("{ viewer { role } }", json!({})).await;
    }
    let left = "2026-02-01T00:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap() - shop.test.app.now();
    shop.advance(left - TimeDelta::seconds(1)).await;
    let redeemed = redeem(shop, &shop.test.user("bob"), &codes[0]).await;
    assert_eq!(redeemed["userErrors"], json!([]), "a second before");
    shop.deliver().await;
    shop.advance(TimeDelta::seconds(1)).await;
    let refused = redeem(shop, &shop.test.user("cid"), &codes[1]).await;
    assert_eq!(refused["userErrors"][0]["code"], "GIFT_EXPIRED", "at the very time");
    let has = holdings(shop, "bob").await;
    assert_eq!(has["plan"], json!({"status": "ACTIVE", "plan": {"code": "basic"}}), "a plan that was redeemed goes on");
    assert_eq!(holdings(shop, "cid").await["plan"], Value::Null);
}
