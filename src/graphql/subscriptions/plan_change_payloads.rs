//! Inputs, payloads and user errors of plan changes, add-ons and promotion codes.

use super::subscription::Subscription;
use crate::graphql::common::Instant;
use crate::user_error;
use async_graphql::{Enum, ID, InputObject, SimpleObject};

/// Time at which a plan change takes effect. Values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum PlanChangeTiming {
    /// Immediately; the difference is charged or credited.
    Now,
    /// At the end of the paid period.
    PeriodEnd,
}

/// Input of `changePlan`.
#[derive(InputObject)]
pub struct ChangePlanInput {
    /// The id of the subscription.
    pub(super) subscription_id: ID,
    /// The id of the new plan's price.
    pub(super) price_id: ID,
    /// The quantity; null keeps the current one. 1 to 1,000,000.
    pub(super) quantity: Option<i64>,
    /// The time at which the change takes effect.
    #[graphql(default_with = "PlanChangeTiming::Now")]
    pub(super) timing: PlanChangeTiming,
    /// The instant from which proration is computed: pass the `prorationAt` of a preview to be charged what it showed.
    /// Now by default.
    pub(super) proration_at: Option<Instant>,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    pub(super) idempotency_key: String,
}

/// Input of `undoScheduledChange`.
#[derive(InputObject)]
pub struct UndoScheduledChangeInput {
    /// The id of the subscription.
    pub(super) subscription_id: ID,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    pub(super) idempotency_key: String,
}

/// Input of `addAddon`.
#[derive(InputObject)]
pub struct AddAddonInput {
    /// The id of the subscription.
    pub(super) subscription_id: ID,
    /// The id of a recurring price of the add-on.
    pub(super) price_id: ID,
    /// The quantity, 1 to 1,000,000.
    #[graphql(default = 1)]
    pub(super) quantity: i64,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    pub(super) idempotency_key: String,
}

/// Input of `removeAddon`.
#[derive(InputObject)]
pub struct RemoveAddonInput {
    /// The id of the subscription item that bills for the add-on.
    pub(super) subscription_item_id: ID,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    pub(super) idempotency_key: String,
}

/// Input of `applyPromoCode`.
#[derive(InputObject)]
pub struct ApplyPromoCodeInput {
    /// The id of the subscription.
    pub(super) subscription_id: ID,
    /// The promotion code as the customer types it; case does not matter.
    pub(super) promo_code: String,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    pub(super) idempotency_key: String,
}

/// Payload of `changePlan`.
#[derive(SimpleObject)]
pub struct ChangePlanPayload {
    /// The subscription after the change; null if there are user errors.
    pub(super) subscription: Option<Subscription>,
    /// Reasons for refusing the request; empty on success.
    pub(super) user_errors: Vec<ChangePlanUserError>,
}

/// Payload of `undoScheduledChange`.
#[derive(SimpleObject)]
pub struct UndoScheduledChangePayload {
    /// The subscription after the change; null if there are user errors.
    pub(super) subscription: Option<Subscription>,
    /// Reasons for refusing the request; empty on success.
    pub(super) user_errors: Vec<UndoScheduledChangeUserError>,
}

/// Payload of `addAddon`.
#[derive(SimpleObject)]
pub struct AddAddonPayload {
    /// The subscription after the change; null if there are user errors.
    pub(super) subscription: Option<Subscription>,
    /// Reasons for refusing the request; empty on success.
    pub(super) user_errors: Vec<AddAddonUserError>,
}

/// Payload of `removeAddon`.
#[derive(SimpleObject)]
pub struct RemoveAddonPayload {
    /// The subscription after the change; null if there are user errors.
    pub(super) subscription: Option<Subscription>,
    /// Reasons for refusing the request; empty on success.
    pub(super) user_errors: Vec<RemoveAddonUserError>,
}

/// Payload of `applyPromoCode`.
#[derive(SimpleObject)]
pub struct ApplyPromoCodePayload {
    /// The subscription after the change; null if there are user errors.
    pub(super) subscription: Option<Subscription>,
    /// Reasons for refusing the request; empty on success.
    pub(super) user_errors: Vec<ApplyPromoCodeUserError>,
}

user_error! {
    /// A reason for refusing `changePlan`.
    ChangePlanUserError declining with
    /// Rules that can refuse `changePlan`.
    ChangePlanErrorCode {
        /// The subscription does not exist, or the caller may not see it.
        SubscriptionNotFound = "SUBSCRIPTION_NOT_FOUND",
        /// The subscription is billed by another provider than Stripe.
        NotAtStripe = "NOT_AT_STRIPE",
        /// The subscription has ended.
        SubscriptionOver = "SUBSCRIPTION_OVER",
        /// The price does not exist, is not on sale, or is not of the kind that this mutation takes.
        PriceNotFound = "PRICE_NOT_FOUND",
        /// The price is not published at Stripe; an admin can publish it with `publishPlanToStripe`.
        PriceNotAtStripe = "PRICE_NOT_AT_STRIPE",
        /// The quantity is not between 1 and 1,000,000.
        QuantityInvalid = "QUANTITY_INVALID",
        /// The subscription has no plan.
        NoPlan = "NO_PLAN",
        /// The subscription already has this plan, price and quantity.
        NothingToChange = "NOTHING_TO_CHANGE",
        /// The subscription is set to cancel; resume it first.
        ToBeCanceled = "TO_BE_CANCELED",
        /// A promotion code is being applied, which the scheduled change would lose; try again when it is applied.
        ChangeUnderWay = "CHANGE_UNDER_WAY",
        /// The card was declined; `declineCode` gives the bank's reason.
        CardDeclined = "CARD_DECLINED",
        /// The card's bank requires the customer to authenticate.
        AuthenticationRequired = "AUTHENTICATION_REQUIRED",
        /// Stripe refused; the message gives its reason.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// A reason for refusing `undoScheduledChange`.
    UndoScheduledChangeUserError with
    /// Rules that can refuse `undoScheduledChange`.
    UndoScheduledChangeErrorCode {
        /// The subscription does not exist, or the caller may not see it.
        SubscriptionNotFound = "SUBSCRIPTION_NOT_FOUND",
        /// The subscription is billed by another provider than Stripe.
        NotAtStripe = "NOT_AT_STRIPE",
        /// The subscription has ended.
        SubscriptionOver = "SUBSCRIPTION_OVER",
        /// No plan change is scheduled for the subscription.
        NothingPlanned = "NOTHING_PLANNED",
        /// Stripe refused; the message gives its reason.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// A reason for refusing `addAddon`.
    AddAddonUserError declining with
    /// Rules that can refuse `addAddon`.
    AddAddonErrorCode {
        /// The subscription does not exist, or the caller may not see it.
        SubscriptionNotFound = "SUBSCRIPTION_NOT_FOUND",
        /// The subscription is billed by another provider than Stripe.
        NotAtStripe = "NOT_AT_STRIPE",
        /// The subscription has ended.
        SubscriptionOver = "SUBSCRIPTION_OVER",
        /// The price does not exist, is not on sale, or is not of the kind that this mutation takes.
        PriceNotFound = "PRICE_NOT_FOUND",
        /// The price is not published at Stripe; an admin can publish it with `publishPlanToStripe`.
        PriceNotAtStripe = "PRICE_NOT_AT_STRIPE",
        /// The quantity is not between 1 and 1,000,000.
        QuantityInvalid = "QUANTITY_INVALID",
        /// The subscription already has this add-on.
        AddonAlreadyThere = "ADDON_ALREADY_THERE",
        /// The card was declined; `declineCode` gives the bank's reason.
        CardDeclined = "CARD_DECLINED",
        /// The card's bank requires the customer to authenticate.
        AuthenticationRequired = "AUTHENTICATION_REQUIRED",
        /// Stripe refused; the message gives its reason.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// A reason for refusing `removeAddon`.
    RemoveAddonUserError with
    /// Rules that can refuse `removeAddon`.
    RemoveAddonErrorCode {
        /// The add-on does not exist, or the caller may not see it.
        AddonNotFound = "ADDON_NOT_FOUND",
        /// The subscription is billed by another provider than Stripe.
        NotAtStripe = "NOT_AT_STRIPE",
        /// The subscription has ended.
        SubscriptionOver = "SUBSCRIPTION_OVER",
        /// Stripe refused; the message gives its reason.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// A reason for refusing `applyPromoCode`.
    ApplyPromoCodeUserError with
    /// Rules that can refuse `applyPromoCode`.
    ApplyPromoCodeErrorCode {
        /// The subscription does not exist, or the caller may not see it.
        SubscriptionNotFound = "SUBSCRIPTION_NOT_FOUND",
        /// The subscription is billed by another provider than Stripe.
        NotAtStripe = "NOT_AT_STRIPE",
        /// The subscription has ended.
        SubscriptionOver = "SUBSCRIPTION_OVER",
        /// The subscription already has a discount.
        DiscountAlreadyApplied = "DISCOUNT_ALREADY_APPLIED",
        /// A change of plan is scheduled or about to be; apply the code before it, or after it is made or undone.
        ChangeUnderWay = "CHANGE_UNDER_WAY",
        /// The promotion code does not exist.
        PromoCodeNotFound = "PROMO_CODE_NOT_FOUND",
        /// The promotion code has expired.
        PromoCodeExpired = "PROMO_CODE_EXPIRED",
        /// The promotion code has reached its maximum number of redemptions.
        PromoCodeUsedUp = "PROMO_CODE_USED_UP",
        /// The promotion code is for first-time customers only.
        PromoCodeNotFirst = "PROMO_CODE_NOT_FIRST",
        /// The account has already used the promotion code.
        PromoCodeAlreadyUsed = "PROMO_CODE_ALREADY_USED",
        /// Stripe does not accept the promotion code for this purchase.
        PromoCodeInvalid = "PROMO_CODE_INVALID",
        /// Stripe refused; the message gives its reason.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}
