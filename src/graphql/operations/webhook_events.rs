//! Events of payment providers.

use crate::graphql::common::{
    Connection, ContextExt, DateTimeRange, Instant, Json, Row, StoredEnum, global_id, optional_text, page, page_args,
};
use crate::graphql::payments::payment::Provider;
use crate::inbox::{self, Backlog, Events};
use crate::{order_input, stored_enum};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use entity::inbox_events;

pub struct WebhookEvent(pub(crate) Row<inbox_events::Entity>);

stored_enum! {
    /// The state of an event.
    WebhookEventState: crate::inbox::EventState {
        /// Waiting to be applied.
        Received,
        /// Applied.
        Applied,
        /// Not relevant here.
        Ignored,
        /// Failed; it is tried again.
        Failed,
        /// Failed; it waits for an operator.
        Parked,
    }
}

stored_enum! {
    /// The way in which an event was learned of.
    WebhookEventSource: crate::inbox::EventSource {
        /// Sent by the provider as a webhook.
        Webhook,
        /// Found in the provider's list of events.
        Listed,
        /// An object fetched from the provider.
        Fetched,
        /// The provider's answer to one of our requests.
        Answered,
    }
}

/// An event of a payment provider. Visible with the scope `billing:read`.
#[Object]
impl WebhookEvent {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<WebhookEvent>(self.0.id)
    }

    /// The payment provider.
    async fn provider(&self) -> Result<Provider> {
        Ok(Provider::read(&self.0.provider)?)
    }

    /// The event's id at the provider.
    async fn external_id(&self) -> &str {
        &self.0.external_id
    }

    /// The type of event, in the provider's terms, e.g. `invoice.paid`.
    async fn event_type(&self) -> &str {
        &self.0.kind
    }

    /// The version of the provider's API that the payload follows; null if it names none.
    async fn api_version(&self) -> Option<&str> {
        self.0.api_version.as_deref()
    }

    /// The provider's id of the object that the event is about; null if there is none.
    async fn object_id(&self) -> Option<&str> {
        self.0.object_id.as_deref()
    }

    /// The way in which the event was learned of.
    async fn learned_by(&self) -> Result<WebhookEventSource> {
        Ok(WebhookEventSource::read(&self.0.source)?)
    }

    /// Time at which it happened, by the provider's clock.
    async fn occurred_at(&self) -> Instant {
        self.0.occurred_at.into()
    }

    /// Time of receipt.
    async fn received_at(&self) -> Instant {
        self.0.received_at.into()
    }

    /// The payload as received.
    async fn payload(&self) -> Json {
        Json(self.0.payload.clone())
    }

    /// The state of the event.
    async fn state(&self) -> Result<WebhookEventState> {
        Ok(WebhookEventState::read(&self.0.state)?)
    }

    /// The missing fact that the event waits for, e.g. `user:user_17`; null if nothing is missing.
    async fn waits_for(&self) -> Option<&str> {
        self.0.waits_for.as_deref()
    }

    /// A note for operators about an applied event; null if there is none.
    async fn note(&self) -> Option<&str> {
        self.0.note.as_deref()
    }

    /// The number of attempts to apply it.
    async fn attempts(&self) -> i64 {
        self.0.attempts
    }

    /// Time of the next attempt; null if none is planned.
    async fn next_attempt_at(&self) -> Option<Instant> {
        self.0.next_attempt_at.map(Instant::from)
    }

    /// The last failure; null if there was none.
    async fn error(&self) -> Option<&str> {
        self.0.error.as_deref()
    }

    /// Time at which it was applied; null if it was not.
    async fn applied_at(&self) -> Option<Instant> {
        self.0.applied_at.map(Instant::from)
    }
}

/// Conditions on events; an event must meet all that are given.
#[derive(InputObject, Default)]
pub struct WebhookEventFilter {
    /// Events in one of these states.
    state: Option<Vec<WebhookEventState>>,
    /// Events of this type, e.g. `invoice.paid`.
    event_type: Option<String>,
    /// Events of this provider.
    provider: Option<Provider>,
    /// The event with this id at its provider.
    external_id: Option<String>,
    /// Events about the object with this id at its provider.
    object_id: Option<String>,
    /// True for events that wait for a missing fact, false for the others.
    waiting: Option<bool>,
    /// Events received in this span.
    received_at: Option<DateTimeRange>,
}

impl WebhookEventFilter {
    /// Returns the list of events that match.
    pub(crate) fn list(self, descending: bool) -> Result<Events> {
        Ok(Events {
            states: StoredEnum::stored_list(self.state),
            kind: optional_text("eventType", self.event_type)?,
            provider: self.provider.map(|provider| provider.stored().as_str()),
            external_id: optional_text("externalId", self.external_id)?,
            object_id: optional_text("objectId", self.object_id)?,
            waiting: self.waiting,
            received: DateTimeRange::between(self.received_at),
            descending,
        })
    }
}

order_input! {
    /// The order of a list of events.
    WebhookEventOrder by
    /// The fields that events can be ordered by.
    WebhookEventOrderField {
        /// Time of receipt.
        ReceivedAt,
    }
}

/// Counts of webhook events that are not applied yet. Applied and ignored events are not counted.
#[derive(SimpleObject)]
pub struct InboxStatus {
    /// Events that were not tried yet.
    received: i64,
    /// Events that failed and are tried again.
    failed: i64,
    /// Events that wait for an operator.
    parked: i64,
    /// Events that wait for a missing fact, in any state.
    waiting: i64,
    /// Time of receipt of the oldest event that is received or failed; null if there is none.
    oldest_unapplied_at: Option<Instant>,
}

impl From<Backlog> for InboxStatus {
    fn from(backlog: Backlog) -> Self {
        InboxStatus {
            received: backlog.received,
            failed: backlog.failed,
            parked: backlog.parked,
            waiting: backlog.waiting,
            oldest_unapplied_at: backlog.oldest_received_at.map(Instant::from),
        }
    }
}

/// The query roots of webhook events.
#[derive(Default)]
pub struct InboxQuery;

#[Object]
impl InboxQuery {
    /// Counts of `webhookEvents` that are not applied yet. Requires the scope `billing:read`.
    async fn inbox(&self, ctx: &Context<'_>) -> Result<InboxStatus> {
        Ok(inbox::backlog(ctx.app(), ctx.viewer()).await?.into())
    }

    /// Events of the payment providers. Requires the scope `billing:read`.
    async fn webhook_events(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the events.")] filter: Option<WebhookEventFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<WebhookEventOrder>,
    ) -> Result<Connection<WebhookEvent>> {
        let list = filter.unwrap_or_default().list(WebhookEventOrder::descending(order_by, true))?;
        page(ctx, list, page_args(first, after, last, before)).await
    }
}
