//! What a subscription bills for, and what is to become of it.

use crate::graphql::common::{BigInt, Instant, Row, Word, all_under, global_id, to_one};
use crate::graphql::plans::parts::Price;
use crate::graphql::plans::plan::{Plan, PlanVersion};
use crate::graphql::plans::provider_price::ProviderPrice;
use crate::plans::{PlanOfVersion, ProviderPrices, ProviderPricesOf};
use crate::words;
use async_graphql::{Context, ID, Object, Result};
use entity::{scheduled_changes, subscription_items};

pub struct SubscriptionItem(pub(crate) Row<subscription_items::Entity>);

words! {
    /// What kind of thing a subscription bills for.
    SubscriptionItemPurpose {
        /// The plan itself.
        Plan = "plan",
        /// Something beside the plan.
        Addon = "addon",
        /// Usage, counted and billed afterwards.
        Metered = "metered",
    }
}

/// One thing that a subscription bills for.
#[Object]
impl SubscriptionItem {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<SubscriptionItem>(self.0.id)
    }

    /// Its price; null where it is not known here.
    async fn price(&self, ctx: &Context<'_>) -> Result<Option<Price>> {
        to_one(ctx, self.0.price_id).await
    }

    /// Its id at the provider; null where nobody bills for it. Not called `externalId`, since it can be null.
    async fn item_external_id(&self) -> Option<&str> {
        self.0.external_id.as_deref()
    }

    /// The id of its price at the provider; null where nobody bills for it.
    async fn price_external_id(&self) -> Option<&str> {
        self.0.price_external_id.as_deref()
    }

    /// What is known here of that price; null where nothing is, so that it grants nothing.
    async fn provider_price(&self, ctx: &Context<'_>) -> Result<Option<ProviderPrice>> {
        if self.0.price_external_id.is_none() {
            return Ok(None);
        }
        Ok(all_under(ctx, ProviderPricesOf::SubscriptionItem, self.0.id, ProviderPrices).await?.pop())
    }

    /// What kind of thing it is.
    async fn purpose(&self) -> Result<SubscriptionItemPurpose> {
        Ok(SubscriptionItemPurpose::read(&self.0.kind)?)
    }

    /// How many; null for what is metered.
    async fn quantity(&self) -> Option<BigInt> {
        self.0.quantity.map(BigInt)
    }

    /// When its current billing period began; null where there is none.
    async fn current_period_start(&self) -> Option<Instant> {
        self.0.current_period_start.map(Instant::from)
    }

    /// When its current billing period ends; null where there is none.
    async fn current_period_end(&self) -> Option<Instant> {
        self.0.current_period_end.map(Instant::from)
    }
}

pub struct ScheduledChange(pub(crate) Row<scheduled_changes::Entity>);

words! {
    /// What is to become of a subscription.
    ScheduledChangeKind {
        /// Another plan, price or quantity.
        PlanChange = "plan_change",
        /// It ends.
        Cancel = "cancel",
        /// It stops for a while.
        Pause = "pause",
        /// It goes on after a pause.
        Resume = "resume",
    }
}

/// Something that is to become of a subscription at a known time. It is gone once it happened or was called off.
#[Object]
impl ScheduledChange {
    /// The global id. What is scheduled anew has a new one.
    pub(crate) async fn id(&self) -> ID {
        global_id::<ScheduledChange>(self.0.id)
    }

    /// What is to become of it.
    async fn change_kind(&self) -> Result<ScheduledChangeKind> {
        Ok(ScheduledChangeKind::read(&self.0.kind)?)
    }

    /// When.
    async fn effective_at(&self) -> Instant {
        self.0.effective_at.into()
    }

    /// The plan that it will be to; null where the plan does not change, or is not known here.
    pub(crate) async fn plan(&self, ctx: &Context<'_>) -> Result<Option<Plan>> {
        let Some(version_id) = self.0.product_version_id else { return Ok(None) };
        Ok(all_under(ctx, (), version_id, PlanOfVersion).await?.pop())
    }

    /// The version of that plan; null where the plan does not change, or is not known here.
    async fn plan_version(&self, ctx: &Context<'_>) -> Result<Option<PlanVersion>> {
        to_one(ctx, self.0.product_version_id).await
    }

    /// Its new price; null where it does not change, or is not known here.
    async fn price(&self, ctx: &Context<'_>) -> Result<Option<Price>> {
        to_one(ctx, self.0.price_id).await
    }

    /// The id of the new price at the provider; null where it does not change.
    async fn price_external_id(&self) -> Option<&str> {
        self.0.price_external_id.as_deref()
    }

    /// How many of it; null where nothing is said of it.
    async fn quantity(&self) -> Option<BigInt> {
        self.0.quantity.map(BigInt)
    }
}
