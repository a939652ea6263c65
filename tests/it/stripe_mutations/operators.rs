//! Requests of operators that are refused: coupons, publishing and refunds.

use super::cast::{Cast, unknown};
use super::refusals::{Refusal, with};
use crate::checkouts::buy;
use crate::support::{local_id, sql};
use serde_json::json;

pub(super) async fn coupons(cast: &Cast<'_>) -> Vec<Refusal> {
    let coupon = json!({"code": "ten", "name": "Ten", "percentBasisPoints": 1000, "duration": "FOREVER"});
    let (half, _) = cast.promotion("TAKEN").await;
    let (ended, _) = cast.promotion("ENDED").await;
    sql::execute(cast.shop.test.app.db.schema(), "UPDATE coupons SET active = FALSE WHERE code = 'ENDED'").await;
    let promo = json!({"couponId": half, "code": "NEW"});
    let far = "2036-01-01T00:00:00Z";
    let mut cases: Vec<Refusal> = Vec::new();
    for (code, more) in [
        ("CODE_INVALID", json!({"code": ""})),
        ("CODE_INVALID", json!({"code": "not a code"})),
        ("CODE_TAKEN", json!({"code": "TAKEN"})),
        ("NAME_INVALID", json!({"name": " "})),
        ("NAME_INVALID", json!({"name": "x".repeat(41)})),
        ("DISCOUNT_INVALID", json!({"percentBasisPoints": 0})),
        ("DISCOUNT_INVALID", json!({"percentBasisPoints": 10_001})),
        ("DISCOUNT_INVALID", json!({"percentBasisPoints": null})),
        ("DISCOUNT_INVALID", json!({"amountOff": {"amount": 100, "currency": "USD"}})),
        ("DISCOUNT_INVALID", json!({"percentBasisPoints": null, "amountOff": {"amount": 0, "currency": "USD"}})),
        ("DURATION_INVALID", json!({"duration": "REPEATING"})),
        ("DURATION_INVALID", json!({"duration": "REPEATING", "durationMonths": 0})),
        ("DURATION_INVALID", json!({"durationMonths": 3})),
        ("CAP_INVALID", json!({"maxRedemptions": 0})),
        ("EXPIRY_INVALID", json!({"redeemBy": "2020-01-01T00:00:00Z"})),
        ("EXPIRY_INVALID", json!({"redeemBy": far})),
        ("PLAN_NOT_FOUND", json!({"plans": ["no-such-plan"]})),
    ] {
        cases.push(("createCoupon", code, "admin", with(&coupon, more)));
    }
    for (code, more) in [
        ("COUPON_NOT_FOUND", json!({"couponId": unknown("Coupon")})),
        ("COUPON_ENDED", json!({"couponId": ended})),
        ("ACCOUNT_NOT_FOUND", json!({"accountId": unknown("Account")})),
        ("CODE_INVALID", json!({"code": ""})),
        ("CODE_INVALID", json!({"code": "x".repeat(65)})),
        ("CODE_TAKEN", json!({"code": "TAKEN"})),
        ("CODE_TAKEN", json!({"code": "taken"})),
        ("CAP_INVALID", json!({"maxRedemptions": -1})),
        ("EXPIRY_INVALID", json!({"expiresAt": "2020-01-01T00:00:00Z"})),
        ("EXPIRY_INVALID", json!({"expiresAt": far})),
    ] {
        cases.push(("createPromoCode", code, "admin", with(&promo, more)));
    }
    cases.push(("deactivatePromoCode", "NOT_FOUND", "admin", json!({"promoCodeId": unknown("PromoCode")})));
    cases
}

pub(super) async fn publishing(cast: &Cast<'_>) -> Vec<Refusal> {
    let gift = cast.published("present", "GIFT", "ONE_TIME").await;
    let pack = cast.published("pack", "CREDIT_PACK", "ONE_TIME").await;
    let draft = "SELECT id FROM product_versions WHERE status = 'draft' ORDER BY id DESC";
    let admin = cast.shop.test.admin();
    let version = "mutation($id: ID!) { createPlanVersion(input: {planId: $id, prices: []}) { planVersion { id } } }";
    let plan = cast.id("Plan", "SELECT id FROM products WHERE code = 'basic'").await;
    admin.data(version, json!({"id": plan})).await;
    let draft = cast.id("PlanVersion", draft).await;
    vec![
        ("publishPlanToStripe", "NOT_FOUND", "admin", json!({"planVersionId": unknown("PlanVersion")})),
        ("publishPlanToStripe", "NOT_ON_SALE", "admin", json!({"planVersionId": draft})),
        ("publishPlanToStripe", "KIND_NOT_SOLD", "admin", json!({"planVersionId": gift})),
        ("publishPlanToStripe", "CREDITS_INVALID", "admin", json!({"planVersionId": pack})),
    ]
}

pub(super) async fn refunds(cast: &Cast<'_>) -> Vec<Refusal> {
    for subject in ["rea", "rob", "rio", "ria"] {
        buy(cast.shop, subject, "price_credits", subject).await;
    }
    let open = cast.refund("rea").await;
    let paid = cast.payment("rea").await;
    let denied = cast.refund("rob").await;
    cast.done("denyRefund", "admin", json!({"refundId": denied, "idempotencyKey": "0"})).await;
    let at_paddle = cast.refund("rio").await;
    let (rio, ria) = (cast.payment("rio").await, cast.payment("ria").await);
    cast.at_paddle("payments", &rio).await;
    cast.at_paddle("refunds", &at_paddle).await;
    let all = json!({"paymentId": cast.payment("rob").await, "idempotencyKey": "1"});
    cast.done("requestRefund", "rob", all.clone()).await;
    let failed = "UPDATE payments SET status = 'failed', paid_at = NULL WHERE id = $1";
    let (_, id) = local_id(ria.as_str().unwrap());
    sql::rows(cast.shop.test.app.db.schema(), failed, [id.into()]).await;
    let rob = cast.payment("rob").await;
    let long = "x".repeat(501);
    vec![
        ("requestRefund", "PAYMENT_NOT_FOUND", "rea", json!({"paymentId": unknown("Payment")})),
        ("requestRefund", "PAYMENT_NOT_FOUND", "rob", json!({"paymentId": paid})),
        ("requestRefund", "NOT_AT_STRIPE", "rio", json!({"paymentId": rio})),
        ("requestRefund", "PAYMENT_NOT_SUCCEEDED", "ria", json!({"paymentId": ria})),
        ("requestRefund", "NOTHING_LEFT", "rob", json!({"paymentId": rob})),
        ("requestRefund", "AMOUNT_INVALID", "rea", json!({"paymentId": paid, "amount": 0})),
        ("requestRefund", "AMOUNT_INVALID", "rea", json!({"paymentId": paid, "amount": -1})),
        ("requestRefund", "AMOUNT_TOO_LARGE", "rea", json!({"paymentId": paid, "amount": 901})),
        ("requestRefund", "REASON_INVALID", "rea", json!({"paymentId": paid, "reason": long})),
        ("approveRefund", "REFUND_NOT_FOUND", "admin", json!({"refundId": unknown("Refund")})),
        ("approveRefund", "NOT_AT_STRIPE", "admin", json!({"refundId": at_paddle})),
        ("approveRefund", "REFUND_DECIDED", "admin", json!({"refundId": denied})),
        ("approveRefund", "AMOUNT_INVALID", "admin", json!({"refundId": open, "amount": 0})),
        ("approveRefund", "AMOUNT_TOO_LARGE", "admin", json!({"refundId": open, "amount": 1_000_000})),
        ("denyRefund", "REFUND_NOT_FOUND", "admin", json!({"refundId": unknown("Refund")})),
        ("denyRefund", "NOT_AT_STRIPE", "admin", json!({"refundId": at_paddle})),
        ("denyRefund", "REFUND_DECIDED", "admin", json!({"refundId": denied})),
        ("denyRefund", "REASON_INVALID", "admin", json!({"refundId": open, "reason": long})),
    ]
}
