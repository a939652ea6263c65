//! The caller's current plan.

use crate::graphql::common::{ContextExt, Instant, StoredEnum, all_children, to_one};
use crate::graphql::plans::parts::Price;
use crate::graphql::plans::plan::Plan;
use crate::graphql::subscriptions::parts::ScheduledChange;
use crate::graphql::subscriptions::status::SubscriptionStatus;
use crate::graphql::subscriptions::subscription::Subscription;
use crate::subscriptions::{Holder, ScheduledChangeKind, ScheduledChanges};
use async_graphql::{Context, Object, Result};

/// The plan of the subscription in the first field.
pub struct ViewerPlanStatus(pub(crate) Subscription);

/// The user's current plan, with the subscription behind it.
#[Object]
impl ViewerPlanStatus {
    /// The plan; null if the provider bills a price that is not known here.
    async fn plan(&self, ctx: &Context<'_>) -> Result<Option<Plan>> {
        self.0.plan(ctx).await
    }

    /// The status of the subscription.
    async fn status(&self) -> Result<SubscriptionStatus> {
        Ok(SubscriptionStatus::read(&self.0.0.status)?)
    }

    /// End of the trial, past or future; null if there was none.
    async fn trial_end(&self) -> Option<Instant> {
        self.0.0.trial_end.map(Instant::from)
    }

    /// End of the current billing period; null if there is none.
    async fn current_period_end(&self) -> Option<Instant> {
        self.0.0.current_period_end.map(Instant::from)
    }

    /// Time at which the subscription is scheduled to end; null if it renews.
    async fn cancel_at(&self) -> Option<Instant> {
        self.0.0.cancel_at.map(Instant::from)
    }

    /// The scheduled next plan; null if no change is scheduled, or if the next price is not known here.
    async fn scheduled_plan(&self, ctx: &Context<'_>) -> Result<Option<Plan>> {
        match self.next(ctx).await? {
            Some(change) => change.plan(ctx).await,
            None => Ok(None),
        }
    }

    /// The price of the scheduled next plan; null if no change is scheduled.
    async fn scheduled_price(&self, ctx: &Context<'_>) -> Result<Option<Price>> {
        match self.next(ctx).await? {
            Some(change) => to_one(ctx, change.0.price_id).await,
            None => Ok(None),
        }
    }

    /// Time at which the scheduled plan starts; null if no change is scheduled.
    async fn scheduled_at(&self, ctx: &Context<'_>) -> Result<Option<Instant>> {
        Ok(self.next(ctx).await?.map(|change| Instant::from(change.0.effective_at)))
    }

    /// The subscription that gives the plan.
    async fn subscription(&self) -> Subscription {
        Subscription(self.0.0.clone())
    }
}

impl ViewerPlanStatus {
    pub(crate) async fn of(ctx: &Context<'_>) -> Result<Option<ViewerPlanStatus>> {
        let Some(user_id) = ctx.viewer().user_id() else { return Ok(None) };
        Ok(Subscription::current(ctx, Holder::User, user_id).await?.map(ViewerPlanStatus))
    }

    /// Returns the next scheduled change of plan.
    async fn next(&self, ctx: &Context<'_>) -> Result<Option<ScheduledChange>> {
        let changes: Vec<ScheduledChange> = all_children(ctx, (), self.0.0.id, ScheduledChanges).await?;
        for change in changes {
            if ScheduledChangeKind::parse(&change.0.kind)? == ScheduledChangeKind::PlanChange {
                return Ok(Some(change));
            }
        }
        Ok(None)
    }
}
