//! Live subscriptions of this feature.

use super::webhook_events::WebhookEvent;
use crate::changes::Kind;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{StreamEvent, stream_event};
use async_graphql::{Context, Result, Subscription};

/// The subscription roots of this feature.
#[derive(Default)]
pub struct WebhookEvents;

#[Subscription]
impl WebhookEvents {
    /// Sends each event received from a payment provider. Requires the scope `billing:read`.
    async fn webhook_event_received(&self, ctx: &Context<'_>) -> Result<StreamEvent<WebhookEvent>> {
        stream_event::<_, Account>(ctx, Kind::WebhookEventReceived, None).await
    }
}
