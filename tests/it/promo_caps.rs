//! Promotion codes under a crowd.

use crate::checkouts::{CREATE, buy};
use crate::support::{Shop, both_engines};
use serde_json::{Value, json};

both_engines! {
    a_code_for_ten_is_redeemed_by_ten_of_sixty_four,
    a_code_for_each_account_once_is_redeemed_once_by_sixty_four_requests,
}

const APPLY: &str = "mutation Go($input: ApplyPromoCodeInput!) { applyPromoCode(input: $input) {
    subscription { id } userErrors { code } } }";
const CROWD: usize = 64;

/// Puts a coupon of half the price and a code for it into Stripe.
async fn code(shop: &Shop, most: Option<i64>) {
    shop.stripe.put(json!({"id": "half", "object": "coupon", "percent_off": 50.0, "duration": "forever",
        "name": "Half", "valid": true, "times_redeemed": 0, "metadata": {}, "currency": null, "amount_off": null}));
    shop.stripe.put(json!({"id": "promo_half", "object": "promotion_code", "code": "HALF", "active": true,
        "coupon": "half", "times_redeemed": 0, "max_redemptions": most, "metadata": {}, "customer": null,
        "restrictions": {"first_time_transaction": false, "minimum_amount": null}}));
    shop.deliver().await;
}

async fn a_code_for_ten_is_redeemed_by_ten_of_sixty_four(shop: &Shop) {
    code(shop, Some(10)).await;
    let price = shop.price("price_basic").await;
    let asked = (0..CROWD).map(|who| {
        let input = json!({"priceId": price, "promoCode": "half", "idempotencyKey": "one"});
        async move { shop.ask(&shop.test.user(&format!("user-{who}")), CREATE, input).await }
    });
    let answers: Vec<Value> = futures_util::future::join_all(asked).await;
    let made = answers.iter().filter(|answer| answer["userErrors"] == json!([])).count();
    assert_eq!(made, 10, "{answers:#?}");
    let refusals = ["PROMO_CODE_INVALID", "PROMO_CODE_USED_UP", "PROMO_CODE_EXPIRED"];
    let refused = answers.iter().filter_map(|answer| answer["userErrors"][0]["code"].as_str());
    assert_eq!(refused.filter(|code| refusals.contains(code)).count(), CROWD - 10);
    assert_eq!(shop.stripe.object("promo_half").unwrap()["times_redeemed"], 10);
    assert_eq!(shop.count("subscription"), 10);
    shop.deliver().await;
}

async fn a_code_for_each_account_once_is_redeemed_once_by_sixty_four_requests(shop: &Shop) {
    code(shop, None).await;
    buy(shop, "ann", "price_basic", "buy").await;
    let ann = shop.test.user("ann");
    let id = ann.data("{ viewer { subscription { id } } }", json!({})).await["viewer"]["subscription"]["id"].take();
    let other = shop.another_node().await;
    let asked = (0..CROWD).map(|key| {
        let input = json!({"subscriptionId": id, "promoCode": "half", "idempotencyKey": key.to_string()});
        let node = if key % 2 == 0 { &shop.test } else { &other };
        async move { shop.ask(&node.user("ann"), APPLY, input).await }
    });
    let answers: Vec<Value> = futures_util::future::join_all(asked).await;
    let made = answers.iter().filter(|answer| answer["userErrors"] == json!([])).count();
    assert_eq!(made, 1, "{answers:#?}");
    assert_eq!(shop.stripe.object("promo_half").unwrap()["times_redeemed"], 1);
    assert_eq!(at_stripe(shop)["discounts"].as_array().unwrap().len(), 1);
    shop.deliver().await;
}

fn at_stripe(shop: &Shop) -> Value {
    shop.stripe.objects("subscription").pop().unwrap()
}
