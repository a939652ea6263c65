//! How subscriptions are found.

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

/// The subscription that gives a holder their plan at present. Its plan is read with it.
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

/// Which subscriptions to list.
#[derive(InputObject, Default)]
pub struct SubscriptionFilter {
    /// In one of these statuses.
    status: Option<Vec<SubscriptionStatus>>,
    /// To a plan with one of these codes.
    plan: Option<Vec<String>>,
    /// The one with this id at its provider.
    external_id: Option<String>,
    /// Made in this span.
    created_at: Option<DateTimeRange>,
}

order_input! {
    /// How to order subscriptions.
    SubscriptionOrder by
    /// What subscriptions can be ordered by.
    SubscriptionOrderField {
        /// When they were made.
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

/// What can be asked about subscriptions.
#[derive(Default)]
pub struct SubscriptionQuery;

#[Object]
impl SubscriptionQuery {
    /// A subscription by its id; null where there is none or the caller may not see it.
    async fn subscription(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The subscription's id.")] id: ID,
    ) -> Result<Option<Subscription>> {
        ctx.viewer().require_signed_in()?;
        to_one(ctx, Some(local_id::<Subscription>(&id)?)).await
    }

    /// The subscriptions that the caller may see: all of them for admins, else those of one's accounts.
    async fn subscriptions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Keeps the subscriptions that match.")] filter: Option<SubscriptionFilter>,
        #[graphql(desc = "The order; newest first where it is left out.")] order_by: Option<SubscriptionOrder>,
    ) -> Result<Connection<Subscription>> {
        listed(ctx, SubscriptionFilter::list(filter, order_by)?, page_args(first, after, last, before)).await
    }
}
