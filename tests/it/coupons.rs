//! Coupons and their codes: created at Stripe, mirrored here, and checked before they are used.

use crate::checkouts::buy;
use crate::support::{Shop, both_engines, global_id, local_id};
use chrono::TimeDelta;
use sandbox::Fault;
use serde_json::{Value, json};
use tollgate::auth::Permission;
use tollgate::discounts;
use tollgate::error::Error;

both_engines!(
    a_coupon_and_its_code_are_made_at_stripe,
    a_code_is_taken_once_also_at_the_same_moment,
    invalid_input_is_refused_with_its_field,
    while_stripe_is_away_a_coupon_is_kept_and_made_later,
    a_code_that_cannot_be_used_is_refused_with_the_reason,
    a_trial_is_extended_while_it_runs,
);

const COUPON: &str = "mutation($input: CreateCouponInput!) { createCoupon(input: $input) { coupon { id code name
    percentBasisPoints amountOff { amount currency } duration durationMonths maxRedemptions redeemBy active
    originExternalId } userErrors { code field } } }";
const CODE: &str = "mutation($input: CreatePromoCodeInput!) { createPromoCode(input: $input) { promoCode { id code
    maxRedemptions firstPurchaseOnly expiresAt active coupon { code } } userErrors { code field } } }";
const END: &str = "mutation($input: DeactivatePromoCodeInput!) { deactivatePromoCode(input: $input) {
    promoCode { active } userErrors { code } } }";
const EXTEND: &str = "mutation($input: ExtendTrialInput!) { extendTrial(input: $input) {
    subscription { status trialEnd currentPeriodEnd } userErrors { code field } } }";

fn quarter(code: &str) -> Value {
    json!({"code": code, "name": "A quarter off", "percentBasisPoints": 2550, "duration": "FOREVER",
        "idempotencyKey": code})
}

/// The input with these fields besides, or in place of its own.
fn with(mut input: Value, fields: Value) -> Value {
    input.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    input
}

async fn coupon(shop: &Shop, input: Value) -> Value {
    shop.ask(&shop.test.admin(), COUPON, input).await
}

async fn code(shop: &Shop, input: Value) -> Value {
    shop.ask(&shop.test.admin(), CODE, input).await
}

/// A coupon with a code of the same letters; their ids.
async fn both(shop: &Shop, letters: &str, of_coupon: Value, of_code: Value) -> (Value, Value) {
    let mut made = coupon(shop, with(quarter(letters), of_coupon)).await;
    let input = json!({"couponId": made["coupon"]["id"], "code": letters,
        "idempotencyKey": format!("code {letters}")});
    let mut named = code(shop, with(input, of_code)).await;
    assert_eq!((&made["userErrors"], &named["userErrors"]), (&json!([]), &json!([])));
    (made["coupon"]["id"].take(), named["promoCode"]["id"].take())
}

async fn a_coupon_and_its_code_are_made_at_stripe(shop: &Shop) {
    let writer = shop.test.service(&[Permission::CatalogueWrite]);
    let input = with(
        quarter("SPRING"),
        json!({"maxRedemptions": 5, "redeemBy": "2026-03-01T00:00:00Z",
        "plans": ["basic"]}),
    );
    let made = shop.ask(&writer, COUPON, input.clone()).await;
    let shown = json!({"id": made["coupon"]["id"], "code": "SPRING", "name": "A quarter off",
        "percentBasisPoints": 2550, "amountOff": null, "duration": "FOREVER", "durationMonths": null,
        "maxRedemptions": 5, "redeemBy": "2026-03-01T00:00:00Z", "active": true, "originExternalId": "SPRING"});
    assert_eq!(made, json!({"coupon": shown, "userErrors": []}));
    let there = shop.stripe.object("SPRING").unwrap();
    assert_eq!(there["percent_off"].to_string(), "25.5");
    assert_eq!(there["applies_to"], json!({"products": ["prod_basic"]}));
    assert_eq!(shop.ask(&writer, COUPON, input.clone()).await, made, "the same again");
    let other = with(input.clone(), json!({"name": "Another"}));
    assert_eq!(writer.code(COUPON, json!({"input": other})).await, "IDEMPOTENCY_KEY_REUSED");
    let amount = json!({"code": "ten", "name": "Ten", "amountOff": {"amount": 1_000, "currency": "EUR"},
        "duration": "REPEATING", "durationMonths": 3, "idempotencyKey": "ten"});
    let ten = shop.ask(&writer, COUPON, amount).await["coupon"].take();
    assert_eq!(ten["amountOff"], json!({"amount": "1000", "currency": "EUR"}));
    assert_eq!((&ten["duration"], &ten["durationMonths"]), (&json!("REPEATING"), &json!(3)));

    let input = json!({"couponId": made["coupon"]["id"], "code": "Spring-26", "maxRedemptions": 2,
        "firstPurchaseOnly": true, "expiresAt": "2026-02-01T00:00:00Z", "idempotencyKey": "code"});
    let named = shop.ask(&shop.test.admin(), CODE, input).await["promoCode"].take();
    let shown = json!({"id": named["id"], "code": "Spring-26", "maxRedemptions": 2, "firstPurchaseOnly": true,
        "expiresAt": "2026-02-01T00:00:00Z", "active": true, "coupon": {"code": "SPRING"}});
    assert_eq!(named, shown);
    let ended = json!({"promoCodeId": named["id"], "idempotencyKey": "end"});
    shop.advance(TimeDelta::seconds(1)).await;
    let end = shop.ask(&writer, END, ended.clone()).await;
    assert_eq!(end, json!({"promoCode": {"active": false}, "userErrors": []}));
    assert_eq!(shop.ask(&writer, END, ended.clone()).await, end);
    shop.deliver().await;

    let reader = shop.test.service(&[Permission::BillingRead, Permission::BillingWrite]);
    assert_eq!(reader.code(COUPON, json!({"input": quarter("no")})).await, "FORBIDDEN");
    assert_eq!(reader.code(END, json!({"input": ended})).await, "FORBIDDEN");
    // The account of a code needs the scope of billing.
    shop.test.user("ann").data("{ viewer { account { id } } }", json!({})).await;
    let ann = shop.test.user("ann").data("{ viewer { account { id } } }", json!({})).await;
    let only = json!({"couponId": ten["id"], "code": "ANN", "accountId": ann["viewer"]["account"]["id"],
        "idempotencyKey": "ann"});
    assert_eq!(writer.code(CODE, json!({"input": only})).await, "FORBIDDEN");
    assert_eq!(code(shop, only).await["userErrors"], json!([]));
    shop.deliver().await;
    let account = local_id(ann["viewer"]["account"]["id"].as_str().unwrap()).1;
    assert_eq!(refused(shop, account, "ann").await, None);
    let eve = shop.test.user("eve").data("{ viewer { account { id } } }", json!({})).await;
    let eve = local_id(eve["viewer"]["account"]["id"].as_str().unwrap()).1;
    assert_eq!(refused(shop, eve, "ann").await.as_deref(), Some("PROMO_CODE_NOT_FOUND"));
}

async fn a_code_is_taken_once_also_at_the_same_moment(shop: &Shop) {
    let other = shop.another_node().await;
    let again = with(quarter("BOTH"), json!({"idempotencyKey": "again"}));
    let (one, two) = tokio::join!(coupon(shop, quarter("BOTH")), async {
        other.admin().data(COUPON, json!({"input": again})).await["createCoupon"].take()
    });
    let codes: Vec<&Value> = [&one, &two].map(|made| &made["userErrors"][0]["code"]).to_vec();
    assert!(codes.contains(&&Value::Null) && codes.contains(&&json!("CODE_TAKEN")), "{codes:?}");
    shop.deliver().await;
    // Refused by Stripe or by us, again and again in the same words.
    for _ in 0..2 {
        let late = coupon(shop, with(quarter("BOTH"), json!({"idempotencyKey": "late"}))).await;
        assert_eq!(late["userErrors"][0]["code"], "CODE_TAKEN");
    }
    let id = if one["coupon"].is_null() { &two["coupon"]["id"] } else { &one["coupon"]["id"] };
    let named = |key: &str| json!({"couponId": id, "code": key, "idempotencyKey": key});
    assert_eq!(code(shop, named("ONCE")).await["userErrors"], json!([]));
    let taken = with(named("once"), json!({"idempotencyKey": "once"}));
    assert_eq!(code(shop, taken).await["userErrors"], json!([{"code": "CODE_TAKEN", "field": ["code"]}]));
    // One that only Stripe knows.
    shop.deliver().await;
    shop.stripe.put(json!({"id": "promo_hand", "object": "promotion_code", "code": "HAND", "coupon": "BOTH",
        "active": true, "created": 1_760_000_000, "times_redeemed": 0, "restrictions": {}}));
    for _ in 0..2 {
        assert_eq!(code(shop, named("HAND")).await["userErrors"][0]["code"], "CODE_TAKEN");
    }
    shop.deliver().await;
}

async fn invalid_input_is_refused_with_its_field(shop: &Shop) {
    for (fields, code, field) in [
        (json!({"code": "no space"}), "CODE_INVALID", json!(["code"])),
        (json!({"name": "x".repeat(41)}), "NAME_INVALID", json!(["name"])),
        (json!({"percentBasisPoints": 10_001}), "DISCOUNT_INVALID", Value::Null),
        (json!({"percentBasisPoints": null}), "DISCOUNT_INVALID", Value::Null),
        (json!({"amountOff": {"amount": 1, "currency": "USD"}}), "DISCOUNT_INVALID", Value::Null),
        (json!({"durationMonths": 3}), "DURATION_INVALID", json!(["durationMonths"])),
        (json!({"duration": "REPEATING"}), "DURATION_INVALID", json!(["durationMonths"])),
        (json!({"maxRedemptions": 0}), "CAP_INVALID", json!(["maxRedemptions"])),
        (json!({"redeemBy": "2026-01-15T12:00:00Z"}), "EXPIRY_INVALID", json!(["redeemBy"])),
        (json!({"plans": ["nothing"]}), "PLAN_NOT_FOUND", json!(["plans"])),
    ] {
        let refused = coupon(shop, with(quarter("good"), fields)).await;
        assert_eq!(refused, json!({"coupon": null, "userErrors": [{"code": code, "field": field}]}));
    }
    let (id, code_id) = both(shop, "GOOD", json!({}), json!({})).await;
    let nothing = global_id("Coupon", shop.test.app.new_id());
    let account = global_id("Account", shop.test.app.new_id());
    for (fields, reason, field) in [
        (json!({"couponId": nothing}), "COUPON_NOT_FOUND", json!(["couponId"])),
        (json!({"accountId": account}), "ACCOUNT_NOT_FOUND", json!(["accountId"])),
        (json!({"code": ""}), "CODE_INVALID", json!(["code"])),
        (json!({"maxRedemptions": -1}), "CAP_INVALID", json!(["maxRedemptions"])),
        (json!({"expiresAt": "2036-01-15T12:00:00Z"}), "EXPIRY_INVALID", json!(["expiresAt"])),
    ] {
        let input = json!({"couponId": id, "code": "MORE", "idempotencyKey": "one more"});
        let refused = code(shop, with(input, fields)).await;
        assert_eq!(refused, json!({"promoCode": null, "userErrors": [{"code": reason, "field": field}]}));
    }
    let gone = json!({"promoCodeId": global_id("PromoCode", shop.test.app.new_id()), "idempotencyKey": "gone"});
    assert_eq!(shop.ask(&shop.test.admin(), END, gone).await["userErrors"][0]["code"], "NOT_FOUND");
    shop.deliver().await;
    // A coupon that ended gives no more codes.
    let mut ended = shop.stripe.object("GOOD").unwrap();
    ended["valid"] = json!(false);
    shop.test.advance(TimeDelta::seconds(1));
    shop.stripe.put(ended);
    shop.deliver().await;
    let input = json!({"couponId": id, "code": "MORE", "idempotencyKey": "last"});
    assert_eq!(code(shop, input).await["userErrors"][0]["code"], "COUPON_ENDED");
    assert!(code_id.is_string());
}

async fn while_stripe_is_away_a_coupon_is_kept_and_made_later(shop: &Shop) {
    shop.stripe.fail_next(Fault::Answer { status: 500, should_retry: Some(false), acted: false, saved: false });
    let reply = shop.test.admin().post(COUPON, json!({"input": quarter("LATER")})).await.json();
    assert_eq!(reply["errors"][0]["extensions"]["code"], "PROVIDER_UNAVAILABLE");
    assert_eq!(reply["errors"][0]["extensions"]["retriedLater"], true);
    assert!(shop.stripe.object("LATER").is_none());
    // Its caller is gone; a worker makes it.
    shop.advance(TimeDelta::hours(1)).await;
    shop.deliver().await;
    assert!(shop.stripe.object("LATER").is_some());
    let made = coupon(shop, quarter("LATER")).await;
    assert_eq!(made["coupon"]["originExternalId"], "LATER", "the same request is answered with it");
    assert_eq!(shop.count("coupon"), 1);
}

/// Why an account may not use a code; `None` where it may.
async fn refused(shop: &Shop, account: uuid::Uuid, letters: &str) -> Option<String> {
    let letters = letters.to_owned();
    let db = &shop.test.app.db;
    let found = db.write(move |txn| Box::pin(async move { discounts::redeemable(txn, account, &letters).await }));
    match found.await {
        Ok(_) => None,
        Err(Error::Refused(refusal)) => Some(refusal.code.to_owned()),
        Err(error) => panic!("{error}"),
    }
}

async fn a_code_that_cannot_be_used_is_refused_with_the_reason(shop: &Shop) {
    let ann = shop.test.user("ann").data("{ viewer { account { id } } }", json!({})).await;
    let ann = local_id(ann["viewer"]["account"]["id"].as_str().unwrap()).1;
    both(shop, "FREE", json!({}), json!({})).await;
    both(shop, "FIRST", json!({}), json!({"firstPurchaseOnly": true})).await;
    both(shop, "SOON", json!({}), json!({"expiresAt": "2026-01-16T00:00:00Z"})).await;
    let (_, ended) = both(shop, "ENDED", json!({}), json!({})).await;
    both(shop, "CAP", json!({}), json!({"maxRedemptions": 1})).await;
    both(shop, "SINGLE", json!({"oncePerAccount": true}), json!({})).await;
    shop.deliver().await;
    for letters in ["FREE", " free ", "FIRST", "SOON", "ENDED", "CAP", "SINGLE"] {
        assert_eq!(refused(shop, ann, letters).await, None, "{letters}");
    }
    shop.advance(TimeDelta::days(1)).await;
    shop.ask(&shop.test.admin(), END, json!({"promoCodeId": ended, "idempotencyKey": "end"})).await;
    let mut used = shop.stripe.objects("promotion_code").into_iter().find(|code| code["code"] == "CAP").unwrap();
    used["times_redeemed"] = json!(1);
    used["active"] = json!(false);
    shop.stripe.put(used);
    buy(shop, "ann", "price_basic", "a").await;
    for (letters, reason) in [
        ("", "PROMO_CODE_NOT_FOUND"),
        ("NONE", "PROMO_CODE_NOT_FOUND"),
        ("SOON", "PROMO_CODE_EXPIRED"),
        ("ENDED", "PROMO_CODE_EXPIRED"),
        ("cap", "PROMO_CODE_USED_UP"),
        ("FIRST", "PROMO_CODE_NOT_FIRST"),
    ] {
        assert_eq!(refused(shop, ann, letters).await.as_deref(), Some(reason), "{letters}");
    }
    // Used once by this account, for whatever subscription.
    let subscription = shop.stripe.objects("subscription").remove(0);
    let single = shop.stripe.objects("promotion_code").into_iter().find(|code| code["code"] == "SINGLE").unwrap();
    shop.stripe.put(json!({"id": "di_1", "object": "discount", "coupon": "SINGLE", "promotion_code": single["id"],
        "customer": subscription["customer"], "subscription": subscription["id"], "end": null,
        "start": shop.test.app.now().timestamp()}));
    shop.deliver().await;
    assert_eq!(refused(shop, ann, "SINGLE").await.as_deref(), Some("PROMO_CODE_ALREADY_USED"));
    assert_eq!(refused(shop, ann, "FREE").await, None);
}

async fn a_trial_is_extended_while_it_runs(shop: &Shop) {
    buy(shop, "ann", "price_pro", "pro").await;
    buy(shop, "bob", "price_basic", "basic").await;
    let all = shop.test.admin().data("{ subscriptions { nodes { id status } } }", json!({})).await;
    let of = |status: &str| {
        let nodes = all["subscriptions"]["nodes"].as_array().unwrap();
        nodes.iter().find(|node| node["status"] == status).unwrap()["id"].clone()
    };
    let (tried, paid) = (of("TRIALING"), of("ACTIVE"));
    let to = |id: &Value, until: &str, key: &str| json!({"subscriptionId": id, "until": until, "idempotencyKey": key});
    let desk = shop.test.service(&[Permission::BillingWrite]);
    shop.advance(TimeDelta::seconds(1)).await;
    let longer = shop.ask(&desk, EXTEND, to(&tried, "2026-03-01T00:00:00Z", "a")).await;
    assert_eq!(longer["subscription"]["trialEnd"], "2026-03-01T00:00:00Z", "{longer}");
    assert_eq!(longer["subscription"]["status"], "TRIALING");
    shop.deliver().await;
    assert_eq!(shop.ask(&desk, EXTEND, to(&tried, "2026-03-01T00:00:00Z", "a")).await, longer, "the same again");
    let other = json!({"input": to(&tried, "2026-04-01T00:00:00Z", "a")});
    assert_eq!(desk.code(EXTEND, other).await, "IDEMPOTENCY_KEY_REUSED");
    for (id, until, code) in [
        (&tried, "2026-02-01T00:00:00Z", "UNTIL_INVALID"),
        (&tried, "2025-02-01T00:00:00Z", "UNTIL_INVALID"),
        (&tried, "2028-02-01T00:00:00Z", "UNTIL_INVALID"),
        (&paid, "2026-03-01T00:00:00Z", "NOT_TRIALING"),
        (&json!(global_id("Subscription", shop.test.app.new_id())), "2026-03-01T00:00:00Z", "SUBSCRIPTION_NOT_FOUND"),
    ] {
        let refused = shop.ask(&desk, EXTEND, to(id, until, &format!("{code}{until}"))).await;
        assert_eq!(refused["userErrors"][0]["code"], code);
    }
    let mine = json!({"input": to(&tried, "2026-05-01T00:00:00Z", "b")});
    assert_eq!(shop.test.user("ann").code(EXTEND, mine).await, "FORBIDDEN", "nobody gives themselves a trial");
    shop.deliver().await;
}
