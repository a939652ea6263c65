//! What the payment providers sent.

use super::inputs::{DateTimeRange, optional_text};
use super::loaders::Row;
use super::node::global_id;
use super::page::{Connection, listed, page_args};
use super::payments::Provider;
use super::scalars::{BigInt, Instant, Json, Word};
use crate::inbox::Events;
use crate::{order_input, words};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::inbox_events;

pub struct WebhookEvent(pub(super) Row<inbox_events::Entity>);

words! {
    /// Where an event stands.
    WebhookEventState {
        /// Waits to be applied.
        Received = "received",
        /// Applied.
        Applied = "applied",
        /// Of no concern here.
        Ignored = "ignored",
        /// Could not be applied, and is tried again.
        Failed = "failed",
        /// Could not be applied, and waits for an admin.
        Parked = "parked",
    }
}

/// Something that a payment provider told us.
#[Object]
impl WebhookEvent {
    /// The global id.
    pub(super) async fn id(&self) -> ID {
        global_id::<WebhookEvent>(self.0.id)
    }

    /// Who sent it.
    async fn provider(&self) -> Result<Provider> {
        Ok(Provider::read(&self.0.provider)?)
    }

    /// Its id at the provider.
    async fn external_id(&self) -> &str {
        &self.0.external_id
    }

    /// What it is about, in the provider's words, e.g. `invoice.paid`.
    async fn event_type(&self) -> &str {
        &self.0.kind
    }

    /// The version of the provider's API that it is written in; null where it names none.
    async fn api_version(&self) -> Option<&str> {
        self.0.api_version.as_deref()
    }

    /// The provider's id of the object that it is about; null where it is about none.
    async fn object_id(&self) -> Option<&str> {
        self.0.object_id.as_deref()
    }

    /// When it happened, by the provider's clock.
    async fn occurred_at(&self) -> Instant {
        self.0.occurred_at.into()
    }

    /// When it arrived here.
    async fn received_at(&self) -> Instant {
        self.0.received_at.into()
    }

    /// What was sent.
    async fn payload(&self) -> Json {
        Json(self.0.payload.clone())
    }

    /// Where it stands.
    async fn state(&self) -> Result<WebhookEventState> {
        Ok(WebhookEventState::read(&self.0.state)?)
    }

    /// How often it was tried.
    async fn attempts(&self) -> BigInt {
        BigInt(self.0.attempts)
    }

    /// When it is tried next; null where it is not.
    async fn next_attempt_at(&self) -> Option<Instant> {
        self.0.next_attempt_at.map(Instant::from)
    }

    /// What went wrong last; null where nothing did.
    async fn error(&self) -> Option<&str> {
        self.0.error.as_deref()
    }

    /// When it was applied; null where it was not.
    async fn applied_at(&self) -> Option<Instant> {
        self.0.applied_at.map(Instant::from)
    }
}

/// Which events to list.
#[derive(InputObject, Default)]
pub struct WebhookEventFilter {
    /// In one of these states.
    state: Option<Vec<WebhookEventState>>,
    /// Of this type alone, e.g. `invoice.paid`.
    event_type: Option<String>,
    /// Received in this span.
    received_at: Option<DateTimeRange>,
}

order_input! {
    /// How to order events.
    WebhookEventOrder by
    /// What events can be ordered by.
    WebhookEventOrderField {
        /// When they arrived.
        ReceivedAt,
    }
}

/// What can be asked about events.
#[derive(Default)]
pub struct InboxQuery;

#[Object]
impl InboxQuery {
    /// What the payment providers sent. Needs the scope `billing:read`.
    async fn webhook_events(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Keeps the events that match.")] filter: Option<WebhookEventFilter>,
        #[graphql(desc = "The order; newest first where it is left out.")] order_by: Option<WebhookEventOrder>,
    ) -> Result<Connection<WebhookEvent>> {
        let filter = filter.unwrap_or_default();
        let list = Events {
            states: Word::words(filter.state),
            kind: optional_text("eventType", filter.event_type)?,
            received: DateTimeRange::between(filter.received_at),
            descending: WebhookEventOrder::descending(order_by, true),
        };
        listed(ctx, list, page_args(first, after, last, before)).await
    }
}
