//! Coupons and promotion codes, made at Stripe.

use super::coupon::{Coupon, CouponDuration, PromoCode};
use crate::billing::{self, NewCoupon, NewPromoCode};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{BigInt, ContextExt, Instant, Word, local_id, settle, text, texts};
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;

/// What can be done with coupons and their codes. All of it needs the scope `catalogue:write`, is made at Stripe, and is
/// kept and carried out later where Stripe does not answer.
#[derive(Default)]
pub struct CouponMutation;

#[Object]
impl CouponMutation {
    /// Makes a coupon at Stripe. Needs the scope `catalogue:write`. Kept and carried out later where Stripe does not
    /// answer.
    async fn create_coupon(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the coupon is to be.")] input: CreateCouponInput,
    ) -> Result<CreateCouponPayload> {
        let new = NewCoupon {
            code: text("code", input.code)?,
            name: text("name", input.name)?,
            percent_basis_points: input.percent_basis_points.map(|points| points.0),
            amount_off: input.amount_off.map(|off| (off.amount.0, off.currency)),
            duration: input.duration.word(),
            duration_months: input.duration_months.map(|months| months.0),
            max_redemptions: input.max_redemptions.map(|most| most.0),
            redeem_by: input.redeem_by.map(|end| end.0),
            once_per_account: input.once_per_account,
            plans: texts("plans", input.plans)?,
        };
        let made = billing::create_coupon(ctx.app(), ctx.viewer(), new, &input.idempotency_key).await;
        let (row, user_errors) = settle(made)?;
        Ok(CreateCouponPayload { coupon: row.map(|row| Coupon(Arc::new(row))), user_errors })
    }

    /// Makes a code at Stripe that customers type to get a coupon. Needs the scope `catalogue:write`, and
    /// `billing:write` too for one that is for an account alone. Kept and carried out later where Stripe does not answer.
    async fn create_promo_code(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the code is to be.")] input: CreatePromoCodeInput,
    ) -> Result<CreatePromoCodePayload> {
        let new = NewPromoCode {
            coupon_id: local_id::<Coupon>(&input.coupon_id)?,
            code: text("code", input.code)?,
            max_redemptions: input.max_redemptions.map(|most| most.0),
            expires_at: input.expires_at.map(|end| end.0),
            first_purchase_only: input.first_purchase_only,
            account_id: input.account_id.as_ref().map(local_id::<Account>).transpose()?,
        };
        let made = billing::create_promo_code(ctx.app(), ctx.viewer(), new, &input.idempotency_key).await;
        let (row, user_errors) = settle(made)?;
        Ok(CreatePromoCodePayload { promo_code: row.map(|row| PromoCode(Arc::new(row))), user_errors })
    }

    /// Ends a promotion code at Stripe; who has its discount keeps it. Needs the scope `catalogue:write`. Kept and
    /// carried out later where Stripe does not answer.
    async fn deactivate_promo_code(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which code.")] input: DeactivatePromoCodeInput,
    ) -> Result<DeactivatePromoCodePayload> {
        let id = local_id::<PromoCode>(&input.promo_code_id)?;
        let done = billing::deactivate_promo_code(ctx.app(), ctx.viewer(), id, &input.idempotency_key).await;
        let (row, user_errors) = settle(done)?;
        Ok(DeactivatePromoCodePayload { promo_code: row.map(|row| PromoCode(Arc::new(row))), user_errors })
    }
}

/// What a new coupon is to be. It takes off either a percentage or an amount.
#[derive(InputObject)]
pub struct CreateCouponInput {
    /// The stable name for machines, and its id at Stripe: 1 to 64 letters without marks, digits, `-` and `_`.
    code: String,
    /// The name for people, which stands on invoices: 1 to 40 characters.
    name: String,
    /// What it takes off, in hundredths of a percent: 2500 is a quarter.
    percent_basis_points: Option<BigInt>,
    /// What it takes off, as an amount.
    amount_off: Option<AmountOffInput>,
    /// How long it lasts.
    duration: CouponDuration,
    /// For how many months it lasts, 1 to 120; for REPEATING, and for no other.
    duration_months: Option<BigInt>,
    /// How often it can be used by all together; without limit where it is left out. Stripe counts.
    max_redemptions: Option<BigInt>,
    /// Until when it can be used, within five years; without end where it is left out.
    redeem_by: Option<Instant>,
    /// Whether each account can use it once alone. Tollgate sees to this; Stripe does not know it.
    #[graphql(default)]
    once_per_account: bool,
    /// The codes of the plans that it is for, which are on sale at Stripe; for all where it is left out.
    plans: Option<Vec<String>>,
    /// The same key and input again, within 30 days, give the first answer and nothing else. 1 to 255 bytes.
    idempotency_key: String,
}

/// An amount that a coupon takes off.
#[derive(InputObject)]
pub struct AmountOffInput {
    /// In minor units, 1 to 99,999,999.
    amount: BigInt,
    /// The currency by ISO 4217 in upper case, such as USD. A text here, so that a wrong one is a user error.
    currency: String,
}

/// What a new promotion code is to be.
#[derive(InputObject)]
pub struct CreatePromoCodeInput {
    /// The coupon that it gives.
    coupon_id: ID,
    /// What is typed: 1 to 64 letters without marks, digits, `-` and `_`; its case does not matter.
    code: String,
    /// How often it can be used by all together; without limit where it is left out. Stripe counts.
    max_redemptions: Option<BigInt>,
    /// Until when it can be used, within five years; without end where it is left out.
    expires_at: Option<Instant>,
    /// Whether it is for those alone who never paid before.
    #[graphql(default)]
    first_purchase_only: bool,
    /// The account that it is for alone; for everyone where it is left out.
    account_id: Option<ID>,
    /// The same key and input again, within 30 days, give the first answer and nothing else. 1 to 255 bytes.
    idempotency_key: String,
}

/// A promotion code that is to end.
#[derive(InputObject)]
pub struct DeactivatePromoCodeInput {
    /// Which one.
    promo_code_id: ID,
    /// The same key and input again, within 30 days, give the first answer and nothing else. 1 to 255 bytes.
    idempotency_key: String,
}

/// The coupon that was made.
#[derive(SimpleObject)]
pub struct CreateCouponPayload {
    /// The coupon; null where there are user errors.
    coupon: Option<Coupon>,
    /// Why it was not made; empty where it was.
    user_errors: Vec<CreateCouponUserError>,
}

/// The promotion code that was made.
#[derive(SimpleObject)]
pub struct CreatePromoCodePayload {
    /// The code; null where there are user errors.
    promo_code: Option<PromoCode>,
    /// Why it was not made; empty where it was.
    user_errors: Vec<CreatePromoCodeUserError>,
}

/// The promotion code that ended.
#[derive(SimpleObject)]
pub struct DeactivatePromoCodePayload {
    /// The code; null where there are user errors.
    promo_code: Option<PromoCode>,
    /// Why it did not end; empty where it did.
    user_errors: Vec<DeactivatePromoCodeUserError>,
}

user_error! {
    /// Why a coupon was not made.
    CreateCouponUserError with
    /// The rules that can refuse `createCoupon`.
    CreateCouponErrorCode {
        /// The code is not of the form that codes have.
        CodeInvalid = "CODE_INVALID",
        /// Another coupon has this code.
        CodeTaken = "CODE_TAKEN",
        /// The name is empty or too long.
        NameInvalid = "NAME_INVALID",
        /// It takes off nothing, too much, or both a percentage and an amount.
        DiscountInvalid = "DISCOUNT_INVALID",
        /// It repeats for no months or too many, or has months and does not repeat.
        DurationInvalid = "DURATION_INVALID",
        /// It can be used less than once, or too often.
        CapInvalid = "CAP_INVALID",
        /// Its end lies in the past, or too far ahead.
        ExpiryInvalid = "EXPIRY_INVALID",
        /// A plan that it is for is not on sale at Stripe.
        PlanNotFound = "PLAN_NOT_FOUND",
        /// Stripe says no, for a reason that the message names.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// Why a promotion code was not made.
    CreatePromoCodeUserError with
    /// The rules that can refuse `createPromoCode`.
    CreatePromoCodeErrorCode {
        /// There is no such coupon at Stripe.
        CouponNotFound = "COUPON_NOT_FOUND",
        /// The coupon can not be used any more.
        CouponEnded = "COUPON_ENDED",
        /// There is no such account.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// The code is not of the form that codes have.
        CodeInvalid = "CODE_INVALID",
        /// A code with these letters is in use.
        CodeTaken = "CODE_TAKEN",
        /// It can be used less than once, or too often.
        CapInvalid = "CAP_INVALID",
        /// Its end lies in the past, or too far ahead.
        ExpiryInvalid = "EXPIRY_INVALID",
        /// Stripe says no, for a reason that the message names.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// Why a promotion code did not end.
    DeactivatePromoCodeUserError with
    /// The rules that can refuse `deactivatePromoCode`.
    DeactivatePromoCodeErrorCode {
        /// There is no such promotion code at Stripe.
        NotFound = "NOT_FOUND",
        /// Stripe says no, for a reason that the message names.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}
