//! Lists of subscriptions.

use super::subscription::{Subscription, SubscriptionStatus};
use crate::graphql::common::{
    Connection, ContextExt, CurrentSubscription, DateTimeRange, Under, Wholes, Word, listed, local_id, optional_text,
    page_args, texts, to_one,
};
use crate::order_input;
use crate::plans::PlanOfVersion;
use crate::subscriptions::{self as feature, Holder};
use async_graphql::{Context, ID, InputObject, Object, Result};
use uuid::Uuid;

/// Returns the subscription that gives a holder their plan at present. Reads its plan in the same statement.
pub(crate) async fn current(ctx: &Context<'_>, of: Holder, holder: Uuid) -> Result<Option<Subscription>> {
    let Some((subscription, plan)) = ctx.loaders().load::<CurrentSubscription>((of, holder)).await? else {
        return Ok(None);
    };
    if let Some(parent) = subscription.product_version_id {
        let key = Under { parent, of: (), list: PlanOfVersion, page: () };
        ctx.loaders().put::<Wholes<PlanOfVersion>>(key, [plan].into());
    }
    Ok(Some(Subscription(subscription)))
}

/// Conditions that subscriptions must meet to be listed.
#[derive(InputObject, Default)]
pub struct SubscriptionFilter {
    /// Has one of these statuses.
    status: Option<Vec<SubscriptionStatus>>,
    /// Is for a plan with one of these codes.
    plan: Option<Vec<String>>,
    /// Has this id at its provider.
    external_id: Option<String>,
    /// Created within this range.
    created_at: Option<DateTimeRange>,
}

order_input! {
    /// Order of a list of subscriptions.
    SubscriptionOrder by
    /// Fields that subscriptions can be ordered by.
    SubscriptionOrderField {
        /// By creation time.
        CreatedAt,
    }
}

impl SubscriptionFilter {
    pub(crate) fn list(
        filter: Option<Self>,
        order: Option<SubscriptionOrder>,
    ) -> crate::error::Result<feature::Subscriptions> {
        let filter = filter.unwrap_or_default();
        Ok(feature::Subscriptions {
            statuses: Word::words(filter.status),
            plans: texts("plan", filter.plan)?,
            external_id: optional_text("externalId", filter.external_id)?,
            created: DateTimeRange::between(filter.created_at),
            descending: SubscriptionOrder::descending(order, true),
        })
    }
}

/// Query fields for subscriptions.
#[derive(Default)]
pub struct SubscriptionQuery;

#[Object]
impl SubscriptionQuery {
    /// Returns a subscription by its id; null if it does not exist or the caller may not see it.
    async fn subscription(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the subscription.")] id: ID,
    ) -> Result<Option<Subscription>> {
        ctx.viewer().require_signed_in()?;
        to_one(ctx, Some(local_id::<Subscription>(&id)?)).await
    }

    /// Lists the subscriptions that the caller may see: admins see all, others those of their accounts.
    async fn subscriptions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Lists only the subscriptions that match.")] filter: Option<SubscriptionFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<SubscriptionOrder>,
    ) -> Result<Connection<Subscription>> {
        listed(ctx, SubscriptionFilter::list(filter, order_by)?, page_args(first, after, last, before)).await
    }
}
