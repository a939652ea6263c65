//! Mutations that create coupons and promotion codes at Stripe.

use super::coupon::{Coupon, CouponDuration, PromoCode};
use crate::billing;
use crate::discounts::{AmountOff, NewCoupon, NewPromoCode};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{BigInt, ContextExt, Currency, Instant, StoredEnum, local_id, split_refusal, text, texts};
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;

/// Mutation fields for coupons and promotion codes.
#[derive(Default)]
pub struct CouponMutation;

#[Object]
impl CouponMutation {
    /// Creates a coupon at Stripe. Requires the scope `catalogue:write`. If Stripe is unavailable, the request is kept
    /// and carried out later.
    async fn create_coupon(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The coupon to create.")] input: CreateCouponInput,
    ) -> Result<Option<CreateCouponPayload>> {
        let new = NewCoupon {
            code: text("code", input.code)?,
            name: text("name", input.name)?,
            percent_basis_points: input.percent_basis_points,
            amount_off: input.amount_off.map(|off| AmountOff { minor: off.amount.0, currency: off.currency.0 }),
            duration: input.duration.stored(),
            duration_months: input.duration_months,
            max_redemptions: input.max_redemptions,
            redeem_by: input.redeem_by.map(|end| end.0),
            once_per_account: input.once_per_account,
            plans: texts("plans", input.plans)?,
        };
        let made = billing::create_coupon(ctx.app(), ctx.viewer(), new, &input.idempotency_key).await;
        let (row, user_errors) = split_refusal(made)?;
        Ok(Some(CreateCouponPayload { coupon: row.map(|row| Coupon(Arc::new(row))), user_errors }))
    }

    /// Creates a promotion code for a coupon at Stripe. Requires the scope `catalogue:write`, and `billing:write` as
    /// well for a code restricted to an account. If Stripe is unavailable, the request is kept and carried out later.
    async fn create_promo_code(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The promotion code to create.")] input: CreatePromoCodeInput,
    ) -> Result<Option<CreatePromoCodePayload>> {
        let new = NewPromoCode {
            coupon_id: local_id::<Coupon>(&input.coupon_id)?,
            code: text("code", input.code)?,
            max_redemptions: input.max_redemptions,
            expires_at: input.expires_at.map(|end| end.0),
            first_purchase_only: input.first_purchase_only,
            account_id: input.account_id.as_ref().map(local_id::<Account>).transpose()?,
        };
        let made = billing::create_promo_code(ctx.app(), ctx.viewer(), new, &input.idempotency_key).await;
        let (row, user_errors) = split_refusal(made)?;
        Ok(Some(CreatePromoCodePayload { promo_code: row.map(|row| PromoCode(Arc::new(row))), user_errors }))
    }

    /// Deactivates a promotion code at Stripe; discounts already redeemed stay in force. Requires the scope
    /// `catalogue:write`. If Stripe is unavailable, the request is kept and carried out later.
    async fn deactivate_promo_code(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The promotion code.")] input: DeactivatePromoCodeInput,
    ) -> Result<Option<DeactivatePromoCodePayload>> {
        let id = local_id::<PromoCode>(&input.promo_code_id)?;
        let done = billing::deactivate_promo_code(ctx.app(), ctx.viewer(), id, &input.idempotency_key).await;
        let (row, user_errors) = split_refusal(done)?;
        Ok(Some(DeactivatePromoCodePayload { promo_code: row.map(|row| PromoCode(Arc::new(row))), user_errors }))
    }
}

/// Input of `createCoupon`. Takes either a percentage or an amount.
#[derive(InputObject)]
pub struct CreateCouponInput {
    /// The stable name for programs, also its id at Stripe: 1 to 64 unaccented letters, digits, `-` and `_`.
    code: String,
    /// The name for people, printed on invoices: 1 to 40 characters.
    name: String,
    /// The percentage off, in hundredths of a percent: 2500 is 25 %.
    percent_basis_points: Option<i64>,
    /// The amount off.
    amount_off: Option<AmountOffInput>,
    /// The duration of the discount.
    duration: CouponDuration,
    /// The number of months, 1 to 120. Required for REPEATING, not allowed otherwise.
    duration_months: Option<i64>,
    /// The maximum number of redemptions over all customers, counted by Stripe; null for unlimited.
    max_redemptions: Option<i64>,
    /// The end of its validity, at most five years ahead; null for none.
    redeem_by: Option<Instant>,
    /// True to allow one redemption per account. Enforced by Tollgate; Stripe has no such rule.
    #[graphql(default)]
    once_per_account: bool,
    /// The codes of the plans it applies to, which must be published at Stripe; null for all.
    plans: Option<Vec<String>>,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    idempotency_key: String,
}

/// A fixed amount off.
#[derive(InputObject)]
pub struct AmountOffInput {
    /// In minor units, 1 to 99,999,999.
    amount: BigInt,
    /// The currency.
    currency: Currency,
}

/// Input of `createPromoCode`.
#[derive(InputObject)]
pub struct CreatePromoCodeInput {
    /// The id of the coupon.
    coupon_id: ID,
    /// The code to type: 1 to 64 unaccented letters, digits, `-` and `_`; case does not matter.
    code: String,
    /// The maximum number of redemptions over all customers, counted by Stripe; null for unlimited.
    max_redemptions: Option<i64>,
    /// The end of its validity, at most five years ahead; null for none.
    expires_at: Option<Instant>,
    /// True if only first-time customers can use it.
    #[graphql(default)]
    first_purchase_only: bool,
    /// The id of the only account that may use it; null for everyone.
    account_id: Option<ID>,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    idempotency_key: String,
}

/// Input of `deactivatePromoCode`.
#[derive(InputObject)]
pub struct DeactivatePromoCodeInput {
    /// The id of the promotion code.
    promo_code_id: ID,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    idempotency_key: String,
}

/// Payload of `createCoupon`.
#[derive(SimpleObject)]
pub struct CreateCouponPayload {
    /// The coupon; null if there are user errors.
    coupon: Option<Coupon>,
    /// Reasons for refusing the request; empty on success.
    user_errors: Vec<CreateCouponUserError>,
}

/// Payload of `createPromoCode`.
#[derive(SimpleObject)]
pub struct CreatePromoCodePayload {
    /// The promotion code; null if there are user errors.
    promo_code: Option<PromoCode>,
    /// Reasons for refusing the request; empty on success.
    user_errors: Vec<CreatePromoCodeUserError>,
}

/// Payload of `deactivatePromoCode`.
#[derive(SimpleObject)]
pub struct DeactivatePromoCodePayload {
    /// The promotion code; null if there are user errors.
    promo_code: Option<PromoCode>,
    /// Reasons for refusing the request; empty on success.
    user_errors: Vec<DeactivatePromoCodeUserError>,
}

user_error! {
    /// A reason for refusing `createCoupon`.
    CreateCouponUserError with
    /// Rules that can refuse `createCoupon`.
    CreateCouponErrorCode {
        /// The code has characters or a length that are not allowed.
        CodeInvalid = "CODE_INVALID",
        /// Another coupon has this code.
        CodeTaken = "CODE_TAKEN",
        /// The name is empty or longer than 40 characters.
        NameInvalid = "NAME_INVALID",
        /// It takes off nothing, too much, or both a percentage and an amount.
        DiscountInvalid = "DISCOUNT_INVALID",
        /// A REPEATING coupon has no months or more than 120, or another coupon has months.
        DurationInvalid = "DURATION_INVALID",
        /// The maximum number of redemptions is out of range.
        CapInvalid = "CAP_INVALID",
        /// The end of validity is not in the future, or more than five years ahead.
        ExpiryInvalid = "EXPIRY_INVALID",
        /// A plan is not published at Stripe.
        PlanNotFound = "PLAN_NOT_FOUND",
        /// Stripe refused; the message gives its reason.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// A reason for refusing `createPromoCode`.
    CreatePromoCodeUserError with
    /// Rules that can refuse `createPromoCode`.
    CreatePromoCodeErrorCode {
        /// The coupon does not exist at Stripe.
        CouponNotFound = "COUPON_NOT_FOUND",
        /// The coupon can no longer be redeemed.
        CouponEnded = "COUPON_ENDED",
        /// The account does not exist.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// The code has characters or a length that are not allowed.
        CodeInvalid = "CODE_INVALID",
        /// Another promotion code has this code.
        CodeTaken = "CODE_TAKEN",
        /// The maximum number of redemptions is out of range.
        CapInvalid = "CAP_INVALID",
        /// The end of validity is not in the future, or more than five years ahead.
        ExpiryInvalid = "EXPIRY_INVALID",
        /// Stripe refused; the message gives its reason.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// A reason for refusing `deactivatePromoCode`.
    DeactivatePromoCodeUserError with
    /// Rules that can refuse `deactivatePromoCode`.
    DeactivatePromoCodeErrorCode {
        /// The promotion code does not exist at Stripe.
        NotFound = "NOT_FOUND",
        /// Stripe refused; the message gives its reason.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}
