//! The plan that the caller has, told whole.

use crate::graphql::common::{ContextExt, Instant, Word, all_under, to_one};
use crate::graphql::plans::parts::Price;
use crate::graphql::plans::plan::Plan;
use crate::graphql::subscriptions::parts::ScheduledChange;
use crate::graphql::subscriptions::status::SubscriptionStatus;
use crate::graphql::subscriptions::subscription::Subscription;
use crate::subscriptions::{Holder, ScheduledChanges};
use async_graphql::{Context, Object, Result};

/// The subscription behind it.
pub struct ViewerPlanStatus(pub(crate) Subscription);

/// The plan that a user has at present.
#[Object]
impl ViewerPlanStatus {
    /// The plan.
    async fn plan(&self, ctx: &Context<'_>) -> Result<Option<Plan>> {
        self.0.plan(ctx).await
    }

    /// Where the subscription to it stands.
    async fn status(&self) -> Result<SubscriptionStatus> {
        Ok(SubscriptionStatus::read(&self.0.0.status)?)
    }

    /// When the trial ends or ended; null where there was none.
    async fn trial_end(&self) -> Option<Instant> {
        self.0.0.trial_end.map(Instant::from)
    }

    /// When the current billing period ends; null where there is none.
    async fn current_period_end(&self) -> Option<Instant> {
        self.0.0.current_period_end.map(Instant::from)
    }

    /// When the subscription ends, where it is to end; null where it goes on.
    async fn cancel_at(&self) -> Option<Instant> {
        self.0.0.cancel_at.map(Instant::from)
    }

    /// The plan that comes next; null where none is scheduled, or where its price is not known here.
    async fn scheduled_plan(&self, ctx: &Context<'_>) -> Result<Option<Plan>> {
        match self.next(ctx).await? {
            Some(change) => change.plan(ctx).await,
            None => Ok(None),
        }
    }

    /// What the plan that comes next costs; null where none is scheduled.
    async fn scheduled_price(&self, ctx: &Context<'_>) -> Result<Option<Price>> {
        match self.next(ctx).await? {
            Some(change) => to_one(ctx, change.0.price_id).await,
            None => Ok(None),
        }
    }

    /// When the plan that comes next begins; null where none is scheduled.
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

    /// The change of plan that comes next.
    async fn next(&self, ctx: &Context<'_>) -> Result<Option<ScheduledChange>> {
        let changes: Vec<ScheduledChange> = all_under(ctx, (), self.0.0.id, ScheduledChanges).await?;
        Ok(changes.into_iter().find(|change| change.0.kind == "plan_change"))
    }
}
