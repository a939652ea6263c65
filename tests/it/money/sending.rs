//! Amounts as Stripe takes them: in krónur with two decimals, in dinars with a last digit of zero.

use crate::support::refunds::{APPROVE, REQUEST};
use crate::support::{Shop, both_engines};
use chrono::TimeDelta;
use sandbox::Card;
use serde_json::{Value, json};

both_engines!(a_pack_in_kronur_is_sold_and_refunded, amounts_that_stripe_does_not_take_are_refused);

const COUPON: &str = "mutation($input: CreateCouponInput!) { createCoupon(input: $input) {
    coupon { amountOff { amount currency } } userErrors { code } } }";
const START: &str = "mutation($input: StartCheckoutInput!) { startCheckout(input: $input) {
    checkout { sessionExternalId } userErrors { code } } }";

/// Puts a pack of 100 credits on sale, at Stripe too, and returns the id of its price.
async fn pack(shop: &Shop, amount: i64, currency: &str) -> Value {
    let admin = shop.test.admin();
    let unit =
        "mutation { createCreditUnit(input: {code: \"spark\", name: \"Spark\", decimals: 0}) { creditUnit { id } } }";
    admin.data(unit, json!({})).await;
    let create = "mutation($input: CreatePlanInput!) { createPlan(input: $input) { plan { id } } }";
    let plan = json!({"code": "sparks", "kind": "CREDIT_PACK", "name": "Sparks", "rank": 0});
    let plan = shop.ask(&admin, create, plan).await["plan"]["id"].take();
    let create = "mutation($input: CreatePlanVersionInput!) { createPlanVersion(input: $input) {
        planVersion { id prices { id } } userErrors { code } } }";
    let prices = json!([{"currency": currency, "unitAmount": amount, "interval": "ONE_TIME"}]);
    let allowances = json!([{"unit": "spark", "amount": 100, "cadence": "ONCE"}]);
    let version = json!({"planId": plan, "prices": prices, "creditAllowances": allowances});
    let version = shop.ask(&admin, create, version).await["planVersion"].take();
    let publish =
        "mutation($input: PublishPlanVersionInput!) { publishPlanVersion(input: $input) { userErrors { code } } }";
    shop.ask(&admin, publish, json!({"planVersionId": version["id"]})).await;
    for _ in 0..2 {
        shop.advance(TimeDelta::seconds(1)).await;
    }
    version["prices"][0]["id"].clone()
}

async fn a_pack_in_kronur_is_sold_and_refunded(shop: &Shop) {
    let price = pack(shop, 1_990, "ISK").await;
    let sold = shop.stripe.objects("price").into_iter().find(|price| price["currency"] == "isk").unwrap();
    assert_eq!(sold["unit_amount"], 199_000);
    let ann = shop.test.user("ann");
    let input = json!({"priceId": price, "successUrl": "https://a.example/", "idempotencyKey": "buy"});
    let begun = shop.ask(&ann, START, input).await;
    let session = begun["checkout"]["sessionExternalId"].as_str().unwrap_or_else(|| panic!("{begun}"));
    shop.stripe.pay(session, Card::Good).unwrap();
    shop.deliver().await;
    let mine = "{ viewer { account { currency payments(first: 1) { nodes { id amount { amount currency }
        received { amount } refunded { amount } } } } } }";
    let told = ann.data(mine, json!({})).await["viewer"]["account"].take();
    let payment = told["payments"]["nodes"][0].clone();
    assert_eq!(payment["amount"], json!({"amount": "1990", "currency": "ISK"}));
    assert_eq!((&payment["received"]["amount"], &told["currency"]), (&json!("1990"), &json!("ISK")));

    let input = json!({"paymentId": payment["id"], "amount": "500", "idempotencyKey": "ask"});
    let asked = shop.ask(&ann, REQUEST, input).await;
    let input = json!({"refundId": asked["refund"]["id"], "idempotencyKey": "approve"});
    let done = shop.ask(&shop.test.admin(), APPROVE, input).await;
    assert_eq!((&done["refund"]["amount"]["amount"], &done["userErrors"]), (&json!("500"), &json!([])));
    assert_eq!(shop.stripe.objects("refund")[0]["amount"], 50_000);
    shop.deliver().await;
    let told = ann.data(mine, json!({})).await["viewer"]["account"].take();
    assert_eq!(told["payments"]["nodes"][0]["refunded"]["amount"], "500");
}

async fn amounts_that_stripe_does_not_take_are_refused(shop: &Shop) {
    let admin = shop.test.admin();
    let coupon = |code: &str, amount: i64, currency: &str| {
        json!({"code": code, "name": code, "amountOff": {"amount": amount, "currency": currency}, "duration": "ONCE",
            "idempotencyKey": code})
    };
    for (code, amount, currency, sent) in
        [("krona", 500, "ISK", 50_000), ("dinar", 1_230, "KWD", 1_230), ("yen", 7, "JPY", 7), ("ariary", 500, "MGA", 5)]
    {
        let made = shop.ask(&admin, COUPON, coupon(code, amount, currency)).await;
        let own = json!({"amount": amount.to_string(), "currency": currency});
        assert_eq!(made, json!({"coupon": {"amountOff": own}, "userErrors": []}));
        assert_eq!(shop.stripe.object(code).unwrap()["amount_off"], sent, "{currency}");
    }
    for (code, amount, currency) in [("fils", 1_234, "KWD"), ("iraimbilanja", 20, "MGA")] {
        let input = json!({"input": coupon(code, amount, currency)});
        assert_eq!(admin.code(COUPON, input).await, "BAD_USER_INPUT", "{currency}");
        assert!(shop.stripe.object(code).is_none());
    }
    shop.deliver().await;
}
