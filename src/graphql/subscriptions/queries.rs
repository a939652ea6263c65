//! Subscriptions by id, and the list of them.

use super::list::{SubscriptionFilter, SubscriptionOrder};
use super::subscription::Subscription;
use crate::graphql::common::{Connection, ContextExt, local_id, page, page_args, to_one};
use async_graphql::{Context, ID, Object, Result};

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
        page(ctx, SubscriptionFilter::list(filter, order_by)?, page_args(first, after, last, before)).await
    }
}
