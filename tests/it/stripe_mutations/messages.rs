//! The field at fault and the message of each refusal: the object, the rule and the remedy.

use serde_json::{Value, json};

/// A refusal of a mutation, or of every mutation, for `*`.
struct Told {
    mutation: &'static str,
    code: &'static str,
    /// The field of the input; empty where no single one is at fault.
    field: &'static str,
    /// `FIELD` stands for the field at fault.
    message: &'static str,
}

macro_rules! told {
    ($($mutation:literal $code:ident $field:literal $message:literal;)*) => {
        const TOLD: &[Told] = &[$(
            Told { mutation: $mutation, code: stringify!($code), field: $field, message: $message }
        ),*];
    };
}

told! {
    "removeAddon" ADDON_NOT_FOUND "subscriptionItemId" "Add-on not found.";
    "*" SUBSCRIPTION_NOT_FOUND "subscriptionId" "Subscription not found.";
    "requestRefund" NOT_AT_STRIPE "paymentId"
        "Only payments at Stripe are refunded here: ask the provider of this one.";
    "approveRefund" NOT_AT_STRIPE "refundId"
        "Only refunds at Stripe are decided here: the provider of this one decides by itself.";
    "denyRefund" NOT_AT_STRIPE "refundId"
        "Only refunds at Stripe are decided here: the provider of this one decides by itself.";
    "*" NOT_AT_STRIPE "subscriptionId" "Another provider bills for this subscription. Change it there.";
    "*" SUBSCRIPTION_OVER "subscriptionId" "The subscription is over and cannot be changed. Start a new one.";
    "*" NO_PLAN "subscriptionId" "The subscription has no plan that could be changed.";
    "*" NOTHING_TO_CHANGE "priceId" "The subscription already has this price in this quantity.";
    "*" TO_BE_CANCELED "subscriptionId" "The subscription is about to end. Resume it first with resumeSubscription.";
    "*" NOTHING_PLANNED "subscriptionId"
        "No change is scheduled for the subscription. Keep one that is about to end with resumeSubscription.";
    "*" NOTHING_TO_RESUME "subscriptionId" "The subscription is neither paused nor about to end.";
    "*" ALREADY_PAUSED "subscriptionId" "The subscription is already paused.";
    "pauseSubscription" UNTIL_INVALID "until" "`until` must be in the future.";
    "extendTrial" UNTIL_INVALID "until"
        "`until` must be later than the present end of the trial, and within 730 days.";
    "*" NOT_TRIALING "subscriptionId" "The subscription is not in a trial that could be extended.";
    "*" ADDON_ALREADY_THERE "priceId" "The subscription already has this add-on.";
    "changePlan" PRICE_NOT_FOUND "priceId" "`priceId` must be a recurring price.";
    "addAddon" PRICE_NOT_FOUND "priceId" "This add-on is paid once. Buy it with startCheckout.";
    "startCheckout" PRICE_NOT_FOUND "priceId"
        "A recurring add-on belongs to a subscription. Add it with addAddon.";
    "purchaseCredits" PRICE_NOT_FOUND "priceId"
        "`priceId` must be a price that is paid once, of a pack that says how many credits it holds.";
    "*" PRICE_NOT_FOUND "priceId"
        "Price not found: `priceId` must be a price on sale, of a product of the right kind.";
    "*" PRICE_NOT_GIFTABLE "priceId" "`priceId` must be a recurring price of a plan that is not free.";
    "*" QUANTITY_INVALID "quantity" "`quantity` must be between 1 and 1,000,000.";
    "*" URL_INVALID "FIELD" "`FIELD` must be an address of at most 2,000 bytes that begins with https://.";
    "*" ACCOUNT_NOT_FOUND "accountId" "Account not found.";
    "redeemGift" ALREADY_SUBSCRIBED "accountId"
        "The account already has a plan. Redeem the gift when that has ended.";
    "*" ALREADY_SUBSCRIBED "accountId" "The account already has a plan. Change it with changePlan.";
    "*" NO_PAYMENT_METHOD ""
        "No payment method on file: sell the pack in a checkout with startCheckout, which collects one.";
    "*" PROMO_CODE_NOT_FOUND "promoCode" "Promotion code not found.";
    "*" DISCOUNT_ALREADY_APPLIED "subscriptionId"
        "The subscription already has a discount. Apply the code when that has ended.";
    "*" EMAIL_INVALID "recipientEmail" "`recipientEmail` must be an e-mail address.";
    "*" MESSAGE_TOO_LONG "message" "`message` must have at most 500 characters.";
    "*" EXPIRES_AT_INVALID "expiresAt" "`expiresAt` must be in the future.";
    "redeemGift" GIFT_NOT_FOUND "code" "No gift has this code.";
    "replaceGiftCode" GIFT_NOT_FOUND "giftId" "Gift not found.";
    "*" GIFT_NOT_PAID "code" "The gift is not paid yet.";
    "*" GIFT_REDEEMED "code" "The gift was redeemed before.";
    "*" GIFT_OVER "giftId" "The code of a gift that is redeemed cannot be replaced.";
    "*" CODE_INVALID "code" "`code` must have 1 to 64 characters: letters A to Z, digits, '-' and '_'.";
    "createCoupon" CODE_TAKEN "code" "Another coupon has this code. Choose another code.";
    "createPromoCode" CODE_TAKEN "code" "Another active promotion code has these letters. Choose another code.";
    "*" NAME_INVALID "name" "`name` must have 1 to 40 characters.";
    "*" DISCOUNT_INVALID ""
        "A coupon takes off either 1 to 10,000 hundredths of a percent, or 1 to 99,999,999 minor units of a currency \
         in upper case.";
    "*" DURATION_INVALID "durationMonths"
        "`durationMonths` must be 1 to 120 for a repeating coupon, and absent for any other.";
    "*" CAP_INVALID "maxRedemptions" "`maxRedemptions` must be between 1 and 1,000,000,000.";
    "createCoupon" EXPIRY_INVALID "redeemBy" "`redeemBy` must be in the future, and within five years.";
    "createPromoCode" EXPIRY_INVALID "expiresAt" "`expiresAt` must be in the future, and within five years.";
    "*" PLAN_NOT_FOUND "plans" "Plan \"no-such-plan\" not found at Stripe. Publish it there with publishPlanToStripe.";
    "*" COUPON_NOT_FOUND "couponId" "Coupon not found: `couponId` must be a coupon at Stripe.";
    "*" COUPON_ENDED "couponId" "The coupon has ended or is used up. Create a new one with createCoupon.";
    "deactivatePromoCode" NOT_FOUND "promoCodeId" "Promotion code not found: `promoCodeId` must be a code at Stripe.";
    "publishPlanToStripe" NOT_FOUND "planVersionId" "Plan version not found.";
    "*" NOT_ON_SALE "planVersionId" "The version is not published. Publish a draft first with publishPlanVersion.";
    "*" KIND_NOT_SOLD "planVersionId"
        "Products of this kind are not sold at Stripe. Publish a plan, an add-on or a credit pack.";
    "*" CREDITS_INVALID "planVersionId"
        "A credit pack needs exactly one credit allowance of the cadence ONCE, which says how many credits one unit \
         holds.";
    "*" PAYMENT_NOT_FOUND "paymentId" "Payment not found.";
    "*" REFUND_NOT_FOUND "refundId" "Refund not found.";
    "*" REFUND_DECIDED "refundId" "The refund is already denied.";
    "*" PAYMENT_NOT_SUCCEEDED "paymentId" "The payment has not succeeded, so there is nothing to refund.";
    "*" NOTHING_LEFT "amount" "Nothing is left to refund.";
    "*" AMOUNT_TOO_LARGE "amount" "`amount` must be at most NUMBER.";
    "*" AMOUNT_INVALID "amount" "`amount` must be at least 1.";
    "*" REASON_INVALID "reason" "`reason` must have at most 500 characters.";
}

/// Returns the difference between a user error and the refusals that the table has for it; `None` if it is one of them.
pub(super) fn difference(mutation: &str, code: &str, error: &Value) -> Option<String> {
    let at_fault = error["field"][0].as_str().unwrap_or_default();
    let field = if at_fault.is_empty() { Value::Null } else { json!([at_fault]) };
    let message = without_numbers(code, error["message"].as_str().unwrap_or_default());
    let known = TOLD.iter().filter(|told| told.code == code && ["*", mutation].contains(&told.mutation));
    let is_known = known.clone().any(|told| {
        told.field.replace("FIELD", at_fault) == at_fault && told.message.replace("FIELD", at_fault) == message
    });
    let others: Vec<_> = known.map(|told| (told.field, told.message)).collect();
    (error["field"] != field || !is_known)
        .then(|| format!("{mutation} {code}: {} {message:?}, not one of {others:?}", error["field"]))
}

/// Replaces the amount in a message that has one.
fn without_numbers(code: &str, message: &str) -> String {
    if code != "AMOUNT_TOO_LARGE" {
        return message.to_owned();
    }
    let words = message.trim_end_matches('.').split(' ');
    let words: Vec<_> = words.map(|word| if word.parse::<i64>().is_ok() { "NUMBER" } else { word }).collect();
    format!("{}.", words.join(" "))
}
