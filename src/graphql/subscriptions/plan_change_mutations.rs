//! Mutations that change a subscription's plan, add-ons or discount at Stripe.

use super::parts::SubscriptionItem;
use super::plan_change_payloads::{
    AddAddonInput, AddAddonPayload, ApplyPromoCodeInput, ApplyPromoCodePayload, ChangePlanInput, ChangePlanPayload,
    PlanChangeTiming, RemoveAddonInput, RemoveAddonPayload, UndoScheduledChangeInput, UndoScheduledChangePayload,
};
use super::subscription::Subscription;
use crate::billing::{self, NewAddon, PlanChange, PromoCodeUse};
use crate::graphql::common::{ContextExt, local_id, split_refusal, text};
use crate::graphql::plans::parts::Price;
use async_graphql::{Context, Object, Result};
use std::sync::Arc;

/// Mutation fields for plan changes, add-ons and promotion codes.
#[derive(Default)]
pub struct PlanChangeMutation;

#[Object]
impl PlanChangeMutation {
    /// Changes the plan of a subscription: immediately with proration, or at period end, which creates a scheduled
    /// change that can be undone. Allowed for owners and admins of its account; with the scope `billing:write` for any
    /// account. `previewPlanChange` returns the cost. If Stripe is unavailable, an immediate change is not retried; a
    /// change at period end is kept and carried out later.
    async fn change_plan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The subscription, its new price and the timing.")] input: ChangePlanInput,
    ) -> Result<Option<ChangePlanPayload>> {
        let change = PlanChange {
            subscription_id: local_id::<Subscription>(&input.subscription_id)?,
            price_id: local_id::<Price>(&input.price_id)?,
            quantity: input.quantity,
            now: input.timing == PlanChangeTiming::Now,
            proration_at: input.proration_at.map(|at| at.0),
        };
        let done = billing::change_plan(ctx.app(), ctx.viewer(), change, &input.idempotency_key).await;
        let (row, user_errors) = split_refusal(done)?;
        Ok(Some(ChangePlanPayload { subscription: row.map(|row| Subscription(Arc::new(row))), user_errors }))
    }

    /// Cancels the plan change that is scheduled for a subscription. Allowed for owners and admins of its account; with
    /// the scope `billing:write` for any account. If Stripe is unavailable, the request is kept and carried out later.
    async fn undo_scheduled_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The subscription.")] input: UndoScheduledChangeInput,
    ) -> Result<Option<UndoScheduledChangePayload>> {
        let id = local_id::<Subscription>(&input.subscription_id)?;
        let done = billing::undo_scheduled_change(ctx.app(), ctx.viewer(), id, &input.idempotency_key).await;
        let (row, user_errors) = split_refusal(done)?;
        Ok(Some(UndoScheduledChangePayload { subscription: row.map(|row| Subscription(Arc::new(row))), user_errors }))
    }

    /// Adds an add-on to a subscription and charges for the rest of the period. Allowed for owners and admins of its
    /// account; with the scope `billing:write` for any account. If Stripe is unavailable, the request is not retried.
    async fn add_addon(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The subscription and the add-on.")] input: AddAddonInput,
    ) -> Result<Option<AddAddonPayload>> {
        let (subscription_id, price_id) =
            (local_id::<Subscription>(&input.subscription_id)?, local_id::<Price>(&input.price_id)?);
        let addon = NewAddon { subscription_id, price_id, quantity: input.quantity };
        let done = billing::add_addon(ctx.app(), ctx.viewer(), addon, &input.idempotency_key).await;
        let (row, user_errors) = split_refusal(done)?;
        Ok(Some(AddAddonPayload { subscription: row.map(|row| Subscription(Arc::new(row))), user_errors }))
    }

    /// Removes an add-on from a subscription; the unused part of its period is credited on the next invoice. Allowed
    /// for owners and admins of its account; with the scope `billing:write` for any account. If Stripe is unavailable,
    /// the request is kept and carried out later.
    async fn remove_addon(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The subscription.")] input: RemoveAddonInput,
    ) -> Result<Option<RemoveAddonPayload>> {
        let id = local_id::<SubscriptionItem>(&input.subscription_item_id)?;
        let done = billing::remove_addon(ctx.app(), ctx.viewer(), id, &input.idempotency_key).await;
        let (row, user_errors) = split_refusal(done)?;
        Ok(Some(RemoveAddonPayload { subscription: row.map(|row| Subscription(Arc::new(row))), user_errors }))
    }

    /// Applies a promotion code to a subscription, from its next invoice on. Allowed for owners and admins of its
    /// account; with the scope `billing:write` for any account. If Stripe is unavailable, the request is kept and
    /// carried out later.
    async fn apply_promo_code(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The subscription and the promotion code.")] input: ApplyPromoCodeInput,
    ) -> Result<Option<ApplyPromoCodePayload>> {
        let subscription_id = local_id::<Subscription>(&input.subscription_id)?;
        let new = PromoCodeUse { subscription_id, code: text("promoCode", input.promo_code)? };
        let done = billing::apply_promo_code(ctx.app(), ctx.viewer(), new, &input.idempotency_key).await;
        let (row, user_errors) = split_refusal(done)?;
        Ok(Some(ApplyPromoCodePayload { subscription: row.map(|row| Subscription(Arc::new(row))), user_errors }))
    }
}
