//! Changes of what a subscription is to, carried out at Stripe.

use super::parts::SubscriptionItem;
use super::subscription::Subscription;
use crate::billing::{self, PlanChange};
use crate::graphql::common::{BigInt, ContextExt, Instant, local_id, settle, text};
use crate::graphql::plans::parts::Price;
use crate::user_error;
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;

/// What can be changed of a subscription.
#[derive(Default)]
pub struct PlanChangeMutation;

#[Object]
impl PlanChangeMutation {
    /// Changes the plan of a subscription: at once, with the difference paid or credited, or when what is paid for ends,
    /// which shows as a scheduled change that can be undone. For an owner or admin of its account, and with
    /// the scope `billing:write` for any. `previewPlanChange` tells what it
    /// costs. A change at once is not made later where Stripe does not answer; one at the end of the period is.
    async fn change_plan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, to what, and when.")] input: ChangePlanInput,
    ) -> Result<ChangePlanPayload> {
        let change = PlanChange {
            subscription_id: local_id::<Subscription>(&input.subscription_id)?,
            price_id: local_id::<Price>(&input.price_id)?,
            quantity: input.quantity.map(|quantity| quantity.0),
            now: input.timing == PlanChangeTiming::Now,
            proration_at: input.proration_at.map(|at| at.0),
        };
        let done = billing::change_plan(ctx.app(), ctx.viewer(), change, &input.idempotency_key).await;
        let (row, user_errors) = settle(done)?;
        Ok(ChangePlanPayload { subscription: row.map(|row| Subscription(Arc::new(row))), user_errors })
    }

    /// Gives up the change of plan that is scheduled for a subscription. For an owner or admin of its account, and with
    /// the scope `billing:write` for any. Kept and carried out
    /// later where Stripe does not answer.
    async fn undo_scheduled_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which.")] input: UndoScheduledChangeInput,
    ) -> Result<UndoScheduledChangePayload> {
        let id = local_id::<Subscription>(&input.subscription_id)?;
        let done = billing::undo_scheduled_change(ctx.app(), ctx.viewer(), id, &input.idempotency_key).await;
        let (row, user_errors) = settle(done)?;
        Ok(UndoScheduledChangePayload { subscription: row.map(|row| Subscription(Arc::new(row))), user_errors })
    }

    /// Adds an add-on to a subscription; the rest of the period is paid for now. For an owner or admin of its account, and with
    /// the scope `billing:write` for any. Not made later
    /// where Stripe does not answer.
    async fn add_addon(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "To which, and what.")] input: AddAddonInput,
    ) -> Result<AddAddonPayload> {
        let (subscription_id, price_id) =
            (local_id::<Subscription>(&input.subscription_id)?, local_id::<Price>(&input.price_id)?);
        let addon = (subscription_id, price_id, input.quantity.0);
        let done = billing::add_addon(ctx.app(), ctx.viewer(), addon, &input.idempotency_key).await;
        let (row, user_errors) = settle(done)?;
        Ok(AddAddonPayload { subscription: row.map(|row| Subscription(Arc::new(row))), user_errors })
    }

    /// Takes an add-on off a subscription; what is left of its period is credited on the next invoice. For an owner or admin of its account, and with
    /// the scope `billing:write` for any.
    /// Kept and carried out later where Stripe does not answer.
    async fn remove_addon(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: RemoveAddonInput,
    ) -> Result<RemoveAddonPayload> {
        let id = local_id::<SubscriptionItem>(&input.item_id)?;
        let done = billing::remove_addon(ctx.app(), ctx.viewer(), id, &input.idempotency_key).await;
        let (row, user_errors) = settle(done)?;
        Ok(RemoveAddonPayload { subscription: row.map(|row| Subscription(Arc::new(row))), user_errors })
    }

    /// Lowers what a subscription costs by a promotion code, from its next invoice on. For an owner or admin of its account, and with
    /// the scope `billing:write` for any. Kept and
    /// carried out later where Stripe does not answer.
    async fn apply_promo_code(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "To which, and which code.")] input: ApplyPromoCodeInput,
    ) -> Result<ApplyPromoCodePayload> {
        let id = local_id::<Subscription>(&input.subscription_id)?;
        let code = text("promoCode", input.promo_code)?;
        let done = billing::apply_promo_code(ctx.app(), ctx.viewer(), (id, code), &input.idempotency_key).await;
        let (row, user_errors) = settle(done)?;
        Ok(ApplyPromoCodePayload { subscription: row.map(|row| Subscription(Arc::new(row))), user_errors })
    }
}

/// When another plan begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum PlanChangeTiming {
    /// At once; the difference is paid or credited.
    Now,
    /// When what is paid for ends.
    PeriodEnd,
}

/// Another plan for a subscription.
#[derive(InputObject)]
pub struct ChangePlanInput {
    /// Which one.
    subscription_id: ID,
    /// The price of the plan that it is to be to.
    price_id: ID,
    /// How many; as many as now where it is left out.
    quantity: Option<BigInt>,
    /// When.
    #[graphql(default_with = "PlanChangeTiming::Now")]
    timing: PlanChangeTiming,
    /// As of when the difference is reckoned: what a preview told, so that it costs what was shown. The present where it
    /// is left out.
    proration_at: Option<Instant>,
    /// The same key and input again, within 30 days, give the first answer and nothing else. 1 to 255 bytes.
    idempotency_key: String,
}

/// A change that is not to be.
#[derive(InputObject)]
pub struct UndoScheduledChangeInput {
    /// Of which subscription.
    subscription_id: ID,
    /// The same key and input again, within 30 days, give the first answer and nothing else. 1 to 255 bytes.
    idempotency_key: String,
}

/// An add-on for a subscription.
#[derive(InputObject)]
pub struct AddAddonInput {
    /// To which one.
    subscription_id: ID,
    /// A price of the add-on that recurs.
    price_id: ID,
    /// How many: 1 to 1,000,000.
    #[graphql(default_with = "BigInt(1)")]
    quantity: BigInt,
    /// The same key and input again, within 30 days, give the first answer and nothing else. 1 to 255 bytes.
    idempotency_key: String,
}

/// An add-on that is not wanted any more.
#[derive(InputObject)]
pub struct RemoveAddonInput {
    /// The item of the subscription that bills for it.
    item_id: ID,
    /// The same key and input again, within 30 days, give the first answer and nothing else. 1 to 255 bytes.
    idempotency_key: String,
}

/// A discount for a subscription.
#[derive(InputObject)]
pub struct ApplyPromoCodeInput {
    /// For which one.
    subscription_id: ID,
    /// The code, as the customer types it.
    promo_code: String,
    /// The same key and input again, within 30 days, give the first answer and nothing else. 1 to 255 bytes.
    idempotency_key: String,
}

/// The subscription with another plan, or with one scheduled.
#[derive(SimpleObject)]
pub struct ChangePlanPayload {
    /// As it is now; null where there are user errors.
    subscription: Option<Subscription>,
    /// Why nothing was changed; empty where something was.
    user_errors: Vec<ChangePlanUserError>,
}

/// The subscription without the change.
#[derive(SimpleObject)]
pub struct UndoScheduledChangePayload {
    /// As it is now; null where there are user errors.
    subscription: Option<Subscription>,
    /// Why nothing was undone; empty where something was.
    user_errors: Vec<UndoScheduledChangeUserError>,
}

/// The subscription with the add-on.
#[derive(SimpleObject)]
pub struct AddAddonPayload {
    /// As it is now; null where there are user errors.
    subscription: Option<Subscription>,
    /// Why nothing was added; empty where something was.
    user_errors: Vec<AddAddonUserError>,
}

/// The subscription without the add-on.
#[derive(SimpleObject)]
pub struct RemoveAddonPayload {
    /// As it is now; null where there are user errors.
    subscription: Option<Subscription>,
    /// Why nothing was removed; empty where something was.
    user_errors: Vec<RemoveAddonUserError>,
}

/// The subscription with the discount.
#[derive(SimpleObject)]
pub struct ApplyPromoCodePayload {
    /// As it is now; null where there are user errors.
    subscription: Option<Subscription>,
    /// Why nothing was taken off; empty where something was.
    user_errors: Vec<ApplyPromoCodeUserError>,
}

user_error! {
    /// Why a plan was not changed.
    ChangePlanUserError declining with
    /// The rules that can refuse to change a plan.
    ChangePlanErrorCode {
        /// There is no such subscription of the caller's.
        SubscriptionNotFound = "SUBSCRIPTION_NOT_FOUND",
        /// Another provider bills for it.
        NotAtStripe = "NOT_AT_STRIPE",
        /// It is over.
        SubscriptionOver = "SUBSCRIPTION_OVER",
        /// Nothing of this kind is on sale at this price.
        PriceNotFound = "PRICE_NOT_FOUND",
        /// Stripe does not sell it yet; an admin must publish it there.
        PriceNotAtStripe = "PRICE_NOT_AT_STRIPE",
        /// The quantity is out of range.
        QuantityInvalid = "QUANTITY_INVALID",
        /// The subscription gives no plan.
        NoPlan = "NO_PLAN",
        /// The subscription is what it is to become.
        NothingToChange = "NOTHING_TO_CHANGE",
        /// The subscription is to end; it has to be resumed first.
        ToBeCanceled = "TO_BE_CANCELED",
        /// The card was declined; the error says why.
        CardDeclined = "CARD_DECLINED",
        /// The card's bank wants the customer to confirm.
        AuthenticationRequired = "AUTHENTICATION_REQUIRED",
        /// Stripe says no, for a reason that the message names.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// Why a change was not undone.
    UndoScheduledChangeUserError with
    /// The rules that can refuse to undo a change.
    UndoScheduledChangeErrorCode {
        /// There is no such subscription of the caller's.
        SubscriptionNotFound = "SUBSCRIPTION_NOT_FOUND",
        /// Another provider bills for it.
        NotAtStripe = "NOT_AT_STRIPE",
        /// It is over.
        SubscriptionOver = "SUBSCRIPTION_OVER",
        /// Nothing is planned for the subscription.
        NothingPlanned = "NOTHING_PLANNED",
        /// Stripe says no, for a reason that the message names.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// Why an add-on was not added.
    AddAddonUserError declining with
    /// The rules that can refuse to add an add-on.
    AddAddonErrorCode {
        /// There is no such subscription of the caller's.
        SubscriptionNotFound = "SUBSCRIPTION_NOT_FOUND",
        /// Another provider bills for it.
        NotAtStripe = "NOT_AT_STRIPE",
        /// It is over.
        SubscriptionOver = "SUBSCRIPTION_OVER",
        /// Nothing of this kind is on sale at this price.
        PriceNotFound = "PRICE_NOT_FOUND",
        /// Stripe does not sell it yet; an admin must publish it there.
        PriceNotAtStripe = "PRICE_NOT_AT_STRIPE",
        /// The quantity is out of range.
        QuantityInvalid = "QUANTITY_INVALID",
        /// The subscription has this add-on.
        AddonAlreadyThere = "ADDON_ALREADY_THERE",
        /// The card was declined; the error says why.
        CardDeclined = "CARD_DECLINED",
        /// The card's bank wants the customer to confirm.
        AuthenticationRequired = "AUTHENTICATION_REQUIRED",
        /// Stripe says no, for a reason that the message names.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// Why an add-on was not removed.
    RemoveAddonUserError with
    /// The rules that can refuse to remove an add-on.
    RemoveAddonErrorCode {
        /// There is no such add-on of the caller's.
        AddonNotFound = "ADDON_NOT_FOUND",
        /// Another provider bills for it.
        NotAtStripe = "NOT_AT_STRIPE",
        /// It is over.
        SubscriptionOver = "SUBSCRIPTION_OVER",
        /// Stripe says no, for a reason that the message names.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// Why a promotion code was not applied.
    ApplyPromoCodeUserError with
    /// The rules that can refuse to apply a promotion code.
    ApplyPromoCodeErrorCode {
        /// There is no such subscription of the caller's.
        SubscriptionNotFound = "SUBSCRIPTION_NOT_FOUND",
        /// Another provider bills for it.
        NotAtStripe = "NOT_AT_STRIPE",
        /// It is over.
        SubscriptionOver = "SUBSCRIPTION_OVER",
        /// The subscription has a discount.
        DiscountAlreadyApplied = "DISCOUNT_ALREADY_APPLIED",
        /// There is no such promotion code.
        PromoCodeNotFound = "PROMO_CODE_NOT_FOUND",
        /// The promotion code has ended.
        PromoCodeExpired = "PROMO_CODE_EXPIRED",
        /// The promotion code was used as often as it may be.
        PromoCodeUsedUp = "PROMO_CODE_USED_UP",
        /// The promotion code is for the first purchase.
        PromoCodeNotFirst = "PROMO_CODE_NOT_FIRST",
        /// The account has used the promotion code.
        PromoCodeAlreadyUsed = "PROMO_CODE_ALREADY_USED",
        /// Stripe does not take the promotion code for this.
        PromoCodeInvalid = "PROMO_CODE_INVALID",
        /// Stripe says no, for a reason that the message names.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}
