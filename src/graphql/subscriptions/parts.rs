//! Items of a subscription, and changes scheduled for it.

use crate::graphql::common::{Instant, Row, StoredEnum, all_children, global_id, to_one};
use crate::graphql::plans::parts::Price;
use crate::graphql::plans::plan::{Plan, PlanVersion};
use crate::graphql::plans::provider_price::ProviderPrice;
use crate::plans::{PlanOfVersion, ProviderPrices, ProviderPricesOf};
use crate::stored_enum;
use async_graphql::{Context, ID, Object, Result};
use entity::{scheduled_changes, subscription_items};

pub struct SubscriptionItem(pub(crate) Row<subscription_items::Entity>);

stored_enum! {
    /// Kind of item that a subscription bills for.
    SubscriptionItemPurpose: crate::subscriptions::ItemKind {
        /// The plan itself.
        Plan,
        /// An add-on to the plan.
        Addon,
        /// Usage, measured and billed in arrears.
        Metered,
    }
}

/// An item that a subscription bills for.
#[Object]
impl SubscriptionItem {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<SubscriptionItem>(self.0.id)
    }

    /// The price; null if it is unknown here.
    async fn price(&self, ctx: &Context<'_>) -> Result<Option<Price>> {
        to_one(ctx, self.0.price_id).await
    }

    /// The id at the provider; null if no provider bills for it. Not called `externalId` because it is nullable.
    async fn item_external_id(&self) -> Option<&str> {
        self.0.external_id.as_deref()
    }

    /// The id of the price at the provider; null if no provider bills for it.
    async fn price_external_id(&self) -> Option<&str> {
        self.0.price_external_id.as_deref()
    }

    /// The record of that price here; null if it is unknown, in which case the item grants nothing.
    async fn provider_price(&self, ctx: &Context<'_>) -> Result<Option<ProviderPrice>> {
        if self.0.price_external_id.is_none() {
            return Ok(None);
        }
        Ok(all_children(ctx, ProviderPricesOf::SubscriptionItem, self.0.id, ProviderPrices).await?.pop())
    }

    /// The kind of item.
    async fn purpose(&self) -> Result<SubscriptionItemPurpose> {
        Ok(SubscriptionItemPurpose::read(&self.0.kind)?)
    }

    /// The quantity; null for metered items.
    async fn quantity(&self) -> Option<i64> {
        self.0.quantity
    }

    /// The start of the current billing period; null if there is none.
    async fn current_period_start(&self) -> Option<Instant> {
        self.0.current_period_start.map(Instant::from)
    }

    /// The end of the current billing period; null if there is none.
    async fn current_period_end(&self) -> Option<Instant> {
        self.0.current_period_end.map(Instant::from)
    }
}

pub struct ScheduledChange(pub(crate) Row<scheduled_changes::Entity>);

stored_enum! {
    /// Kind of change scheduled for a subscription.
    ScheduledChangeKind: crate::subscriptions::ScheduledChangeKind {
        /// A change of plan, price or quantity.
        PlanChange,
        /// A cancellation.
        Cancel,
        /// A pause.
        Pause,
        /// The end of a pause.
        Resume,
    }
}

/// A change that will happen to a subscription at a known time. It disappears once it has happened or was undone.
#[Object]
impl ScheduledChange {
    /// The global id. A change that is scheduled again gets a new one.
    pub(crate) async fn id(&self) -> ID {
        global_id::<ScheduledChange>(self.0.id)
    }

    /// The kind of change.
    async fn change_kind(&self) -> Result<ScheduledChangeKind> {
        Ok(ScheduledChangeKind::read(&self.0.kind)?)
    }

    /// The time at which the change takes effect.
    async fn effective_at(&self) -> Instant {
        self.0.effective_at.into()
    }

    /// The plan after the change; null if the plan stays the same or is unknown here.
    pub(crate) async fn plan(&self, ctx: &Context<'_>) -> Result<Option<Plan>> {
        let Some(version_id) = self.0.product_version_id else { return Ok(None) };
        Ok(all_children(ctx, (), version_id, PlanOfVersion).await?.pop())
    }

    /// The plan version after the change; null if the plan stays the same or is unknown here.
    async fn plan_version(&self, ctx: &Context<'_>) -> Result<Option<PlanVersion>> {
        to_one(ctx, self.0.product_version_id).await
    }

    /// The price after the change; null if it stays the same or is unknown here.
    async fn price(&self, ctx: &Context<'_>) -> Result<Option<Price>> {
        to_one(ctx, self.0.price_id).await
    }

    /// The id of the new price at the provider; null if it stays the same.
    async fn price_external_id(&self) -> Option<&str> {
        self.0.price_external_id.as_deref()
    }

    /// The quantity after the change; null if the schedule does not state one.
    async fn quantity(&self) -> Option<i64> {
        self.0.quantity
    }
}
