//! Live subscriptions of this feature.

use super::subscription::Subscription;
use crate::changes::Kind;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{StreamEvent, stream_event};
use async_graphql::{Context, ID, Result};

/// The subscription roots of this feature.
#[derive(Default)]
pub struct SubscriptionEvents;

#[async_graphql::Subscription]
impl SubscriptionEvents {
    /// Sends a subscription that the caller may see whenever it was started, changed, renewed or ended.
    async fn subscription_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of an account; every account that the caller may see by default.")] account_id: Option<
            ID,
        >,
    ) -> Result<StreamEvent<Subscription>> {
        stream_event::<_, Account>(ctx, Kind::SubscriptionChanged, account_id).await
    }
}
