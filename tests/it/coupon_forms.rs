//! Coupons in every form, at the limits of each field: shown as they were written, made at Stripe, and used in a checkout.

use crate::checkouts::CHECKOUT;
use crate::support::{Schema, Shop, both_engines, sql};
use sandbox::Card;
use serde_json::{Value, json};

both_engines!(
    a_coupon_is_made_in_every_form,
    a_promotion_code_is_made_in_every_form,
    values_just_beyond_a_limit_are_refused,
    a_discount_lowers_what_is_paid,
    a_code_is_used_as_often_as_it_may_be,
    a_code_of_one_account_is_for_no_other,
);

const COUPON: &str = "mutation($input: CreateCouponInput!) { createCoupon(input: $input) {
    coupon { id code name percentBasisPoints amountOff { amount currency } duration durationMonths maxRedemptions
        redeemBy active originProvider originExternalId timesRedeemed promoCodes { id } }
    userErrors { code field message } } }";
const CODE: &str = "mutation($input: CreatePromoCodeInput!) { createPromoCode(input: $input) {
    promoCode { id code maxRedemptions firstPurchaseOnly expiresAt active timesRedeemed originProvider
        coupon { id } } userErrors { code field message } } }";

fn with(base: &Value, changes: Value) -> Value {
    let mut base = base.clone();
    base.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    base
}

/// Creates a coupon with this code, which must be accepted.
async fn coupon(shop: &Shop, code: &str, form: Value) -> Value {
    let base = json!({"code": code, "name": "Off", "duration": "ONCE", "idempotencyKey": format!("coupon {code}")});
    let mut made = shop.ask(&shop.test.admin(), COUPON, with(&base, form)).await;
    assert_eq!(made["userErrors"], json!([]), "{code}");
    shop.deliver().await;
    made["coupon"].take()
}

/// Creates a promotion code of a coupon, which must be accepted.
async fn promo_code(shop: &Shop, coupon: &Value, code: &str, form: Value) -> Value {
    let base = json!({"couponId": coupon["id"], "code": code, "idempotencyKey": format!("code {code}")});
    let mut made = shop.ask(&shop.test.admin(), CODE, with(&base, form)).await;
    assert_eq!(made["userErrors"], json!([]), "{code}");
    shop.deliver().await;
    made["promoCode"].take()
}

async fn a_coupon_is_made_in_every_form(shop: &Shop) {
    let long = "x".repeat(64);
    let forms = [
        ("a", json!({"percentBasisPoints": 1}), json!({"percent_off": 0.01})),
        ("B-b_9", json!({"percentBasisPoints": 10_000}), json!({"percent_off": 100.0})),
        ("third", json!({"percentBasisPoints": 3_333}), json!({"percent_off": 33.33})),
        (&*long, json!({"percentBasisPoints": 2_500, "name": "ä".repeat(40)}), json!({"name": "ä".repeat(40)})),
        (
            "least",
            json!({"amountOff": {"amount": "1", "currency": "USD"}}),
            json!({"amount_off": 1, "currency": "usd"}),
        ),
        (
            "most",
            json!({"amountOff": {"amount": "99999999", "currency": "JPY"}}),
            json!({"amount_off": 99_999_999, "currency": "jpy"}),
        ),
        (
            "month",
            json!({"percentBasisPoints": 500, "duration": "REPEATING", "durationMonths": 1}),
            json!({"duration": "repeating", "duration_in_months": 1}),
        ),
        (
            "decade",
            json!({"percentBasisPoints": 500, "duration": "REPEATING", "durationMonths": 120}),
            json!({"duration": "repeating", "duration_in_months": 120}),
        ),
        ("ever", json!({"percentBasisPoints": 500, "duration": "FOREVER"}), json!({"duration": "forever"})),
        ("one", json!({"percentBasisPoints": 500, "maxRedemptions": 1}), json!({"max_redemptions": 1})),
        (
            "many",
            json!({"percentBasisPoints": 500, "maxRedemptions": 1_000_000_000}),
            json!({"max_redemptions": 1_000_000_000}),
        ),
        (
            "soon",
            json!({"percentBasisPoints": 500, "redeemBy": "2026-01-15T12:00:01Z"}),
            json!({"redeem_by": 1_768_478_401}),
        ),
        (
            "own",
            json!({"percentBasisPoints": 500, "oncePerAccount": true}),
            json!({"metadata": {"tollgate_once_per_account": "true"}}),
        ),
    ];
    for (code, form, there) in &forms {
        let shown = coupon(shop, code, form.clone()).await;
        assert_eq!((&shown["code"], &shown["originExternalId"]), (&json!(code), &json!(code)));
        assert_eq!((&shown["originProvider"], &shown["timesRedeemed"]), (&json!("STRIPE"), &json!(0)));
        assert_eq!((&shown["active"], &shown["promoCodes"]), (&json!(true), &json!([])));
        for (field, value) in form.as_object().unwrap().iter().filter(|(field, _)| *field != "oncePerAccount") {
            assert_eq!(shown[field], *value, "{code}.{field}");
        }
        let object = shop.stripe.object(code).unwrap();
        for (field, value) in there.as_object().unwrap() {
            let is_same = object[field] == *value || object[field].as_f64() == value.as_f64() && value.is_number();
            assert!(is_same, "{code}.{field} is {} at Stripe, not {value}", object[field]);
        }
        // The mirror shows what the answer showed.
        let query = "query($id: ID!) { coupon(id: $id) { id code name percentBasisPoints duration durationMonths } }";
        let read = shop.test.admin().data(query, json!({"id": shown["id"]})).await["coupon"].take();
        for field in ["id", "code", "name", "percentBasisPoints", "duration", "durationMonths"] {
            assert_eq!(read[field], shown[field], "{code}.{field}");
        }
    }
    let durations: Vec<_> = Schema::of(&shop.test).await.values("CouponDuration");
    assert_eq!(durations, ["ONCE", "REPEATING", "FOREVER"], "each duration has a form above");
    assert_eq!(shop.count("coupon"), forms.len());
}

async fn a_promotion_code_is_made_in_every_form(shop: &Shop) {
    let coupon = coupon(shop, "base", json!({"percentBasisPoints": 500, "duration": "FOREVER"})).await;
    let long = "Y".repeat(64);
    for (code, form) in [
        ("A", json!({})),
        (&*long, json!({"maxRedemptions": 1})),
        ("Spring_26-x", json!({"maxRedemptions": 1_000_000_000, "firstPurchaseOnly": true})),
        ("SOON", json!({"expiresAt": "2026-01-15T12:00:01Z"})),
        ("LATE", json!({"expiresAt": "2031-01-01T00:00:00Z"})),
        ("NULLS", json!({"maxRedemptions": null, "expiresAt": null, "accountId": null, "firstPurchaseOnly": false})),
    ] {
        let shown = promo_code(shop, &coupon, code, form.clone()).await;
        assert_eq!((&shown["code"], &shown["coupon"]["id"]), (&json!(code), &coupon["id"]));
        for field in ["maxRedemptions", "expiresAt"] {
            assert_eq!(shown[field], form.get(field).cloned().unwrap_or_default(), "{code}.{field}");
        }
        assert_eq!(shown["firstPurchaseOnly"], form.get("firstPurchaseOnly").cloned().unwrap_or(json!(false)));
        assert_eq!(
            (&shown["active"], &shown["timesRedeemed"], &shown["originProvider"]),
            (&json!(true), &json!(0), &json!("STRIPE"))
        );
    }
    let query = "query($id: ID!) { coupon(id: $id) { promoCodes { code } } }";
    let codes = shop.test.admin().data(query, json!({"id": coupon["id"]})).await["coupon"]["promoCodes"].take();
    let codes: Vec<_> = codes.as_array().unwrap().iter().map(|code| code["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["A", &*long, "Spring_26-x", "SOON", "LATE", "NULLS"], "in the order of their creation");
}

async fn values_just_beyond_a_limit_are_refused(shop: &Shop) {
    let base = json!({"code": "x", "name": "X", "percentBasisPoints": 1, "duration": "ONCE", "idempotencyKey": "k"});
    let no_percent = json!({"percentBasisPoints": null});
    for (form, code) in [
        (json!({"percentBasisPoints": 10_001}), "DISCOUNT_INVALID"),
        (json!({"percentBasisPoints": -1}), "DISCOUNT_INVALID"),
        (with(&no_percent, json!({"amountOff": {"amount": "100000000", "currency": "USD"}})), "DISCOUNT_INVALID"),
        (with(&no_percent, json!({"amountOff": {"amount": "-1", "currency": "USD"}})), "DISCOUNT_INVALID"),
        (json!({"duration": "REPEATING", "durationMonths": 121}), "DURATION_INVALID"),
        (json!({"duration": "FOREVER", "durationMonths": 12}), "DURATION_INVALID"),
        (json!({"maxRedemptions": 1_000_000_001}), "CAP_INVALID"),
        (json!({"maxRedemptions": -1}), "CAP_INVALID"),
        (json!({"redeemBy": "2026-01-15T12:00:00Z"}), "EXPIRY_INVALID"),
        (json!({"redeemBy": "2031-02-01T00:00:00Z"}), "EXPIRY_INVALID"),
        (json!({"code": "x".repeat(65)}), "CODE_INVALID"),
        (json!({"code": "ä"}), "CODE_INVALID"),
        (json!({"code": "a b"}), "CODE_INVALID"),
        (json!({"name": "ä".repeat(41)}), "NAME_INVALID"),
        (json!({"plans": ["basic", "no-such-plan"]}), "PLAN_NOT_FOUND"),
    ] {
        let refused = shop.ask(&shop.test.admin(), COUPON, with(&base, form.clone())).await;
        assert_eq!((&refused["userErrors"][0]["code"], &refused["coupon"]), (&json!(code), &Value::Null), "{form}");
    }
    assert_eq!(shop.count("coupon"), 0);
    assert_eq!(sql::number(shop.test.app.db.read(), "SELECT COUNT(*) FROM idempotency_keys WHERE key = 'k'").await, 0);
}

/// Begins a checkout with a promotion code and pays it. The user errors, and the amount of the newest payment.
async fn checkout(shop: &Shop, name: &str, price: &str, code: &str) -> (Value, Value) {
    let key = format!("{name} {price} {code}");
    let input = json!({"priceId": shop.price(price).await, "promoCode": code, "withTrial": false,
        "successUrl": "https://a.example/", "idempotencyKey": key});
    let begun = shop.ask(&shop.test.user(name), CHECKOUT, input).await;
    if let Some(session) = begun["checkout"]["sessionExternalId"].as_str() {
        shop.stripe.pay(session, Card::Good).unwrap();
        shop.deliver().await;
    }
    let paid = "{ viewer { account { payments(first: 1) { nodes { amount { amount } } } } } }";
    let paid = shop.test.user(name).data(paid, json!({})).await;
    (begun["userErrors"].clone(), paid["viewer"]["account"]["payments"]["nodes"][0]["amount"]["amount"].clone())
}

async fn a_discount_lowers_what_is_paid(shop: &Shop) {
    for (code, form, price, paid) in [
        ("QUARTER", json!({"percentBasisPoints": 2_500}), "price_basic", "675"),
        ("TEN", json!({"percentBasisPoints": 1_000, "duration": "FOREVER"}), "price_pro", "2610"),
        ("FIVE", json!({"amountOff": {"amount": "500", "currency": "USD"}}), "price_basic", "400"),
        ("TENTH", json!({"percentBasisPoints": 1_000}), "price_credits", "900"),
    ] {
        let coupon = coupon(shop, code, form).await;
        promo_code(shop, &coupon, code, json!({})).await;
        let name = format!("buyer of {code}");
        let (errors, amount) = checkout(shop, &name, price, code).await;
        assert_eq!((errors, amount), (json!([]), json!(paid)), "{code} of {price}");
        let query = "query($id: ID!) { coupon(id: $id) { timesRedeemed promoCodes { timesRedeemed } } }";
        let used = shop.test.admin().data(query, json!({"id": coupon["id"]})).await["coupon"].take();
        assert_eq!(used, json!({"timesRedeemed": 1, "promoCodes": [{"timesRedeemed": 1}]}), "{code}");
    }
}

async fn a_code_is_used_as_often_as_it_may_be(shop: &Shop) {
    let coupon = coupon(shop, "CAPPED", json!({"percentBasisPoints": 1_000})).await;
    promo_code(shop, &coupon, "TWICE", json!({"maxRedemptions": 2})).await;
    for name in ["ann", "bob"] {
        assert_eq!(checkout(shop, name, "price_credits", "twice").await, (json!([]), json!("900")), "{name}");
    }
    let (errors, amount) = checkout(shop, "cid", "price_credits", "TWICE").await;
    assert_eq!((&errors[0]["code"], amount), (&json!("PROMO_CODE_USED_UP"), Value::Null));
    // Another code of the coupon goes on.
    promo_code(shop, &coupon, "ALWAYS", json!({})).await;
    assert_eq!(checkout(shop, "cid", "price_credits", "ALWAYS").await, (json!([]), json!("900")));
    let query = "query($id: ID!) { coupon(id: $id) { timesRedeemed promoCodes { code timesRedeemed active } } }";
    let used = shop.test.admin().data(query, json!({"id": coupon["id"]})).await["coupon"].take();
    assert_eq!((&used["timesRedeemed"], &used["promoCodes"][0]["timesRedeemed"]), (&json!(3), &json!(2)), "{used}");
}

async fn a_code_of_one_account_is_for_no_other(shop: &Shop) {
    let account = |name: &str| {
        let client = shop.test.user(name);
        async move { client.data("{ viewer { account { id } } }", json!({})).await["viewer"]["account"]["id"].clone() }
    };
    let (ann, _) = (account("ann").await, account("bob").await);
    let coupon = coupon(shop, "PERSONAL", json!({"percentBasisPoints": 5_000})).await;
    promo_code(shop, &coupon, "ANN", json!({"accountId": ann})).await;
    let (errors, amount) = checkout(shop, "bob", "price_credits", "ANN").await;
    assert_eq!((&errors[0]["code"], amount), (&json!("PROMO_CODE_NOT_FOUND"), Value::Null), "{errors}");
    assert_eq!(checkout(shop, "ann", "price_credits", "ann").await, (json!([]), json!("500")));
}
