//! What the payment providers sent.

use crate::graphql::common::{
    Connection, ContextExt, DateTimeRange, Instant, Json, Row, Word, global_id, listed, optional_text, page_args,
};
use crate::graphql::payments::payment::Provider;
use crate::inbox::{self, Backlog, Events};
use crate::{order_input, words};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use entity::inbox_events;

pub struct WebhookEvent(pub(crate) Row<inbox_events::Entity>);

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

words! {
    /// How an event was learned of.
    WebhookEventSource {
        /// The provider sent it.
        Webhook = "webhook",
        /// It stood in the provider's list of events.
        Listed = "listed",
        /// It holds an object that was fetched from the provider.
        Fetched = "fetched",
        /// It holds the provider's answer to a request of ours.
        Answered = "answered",
    }
}

/// Something that a payment provider told us.
#[Object]
impl WebhookEvent {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
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

    /// How it was learned of.
    async fn learned_by(&self) -> Result<WebhookEventSource> {
        Ok(WebhookEventSource::read(&self.0.source)?)
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

    /// What has to be known before it can be applied, e.g. `user:user_17`; null where nothing is missing.
    async fn waits_for(&self) -> Option<&str> {
        self.0.waits_for.as_deref()
    }

    /// What an admin should know about it although it was applied; null where there is nothing to say.
    async fn note(&self) -> Option<&str> {
        self.0.note.as_deref()
    }

    /// How often it was tried.
    async fn attempts(&self) -> i64 {
        self.0.attempts
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
    /// From this provider alone.
    provider: Option<Provider>,
    /// The one with this id at its provider.
    external_id: Option<String>,
    /// About the object with this id at its provider.
    object_id: Option<String>,
    /// Whether they wait for something that is not known yet.
    waiting: Option<bool>,
    /// Received in this span.
    received_at: Option<DateTimeRange>,
}

impl WebhookEventFilter {
    /// The events that match.
    pub(crate) fn list(self, descending: bool) -> Result<Events> {
        Ok(Events {
            states: Word::words(self.state).into_iter().filter_map(|state| state.parse().ok()).collect(),
            kind: optional_text("eventType", self.event_type)?,
            provider: self.provider.map(Word::word),
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
        /// When they arrived.
        ReceivedAt,
    }
}

/// What of the events is still to be dealt with. What was applied or ignored is not counted.
#[derive(SimpleObject)]
pub struct InboxStatus {
    /// How many have not been tried yet.
    received: i64,
    /// How many were tried in vain, and are tried again.
    failed: i64,
    /// How many wait for an admin.
    parked: i64,
    /// How many wait for something that is not known yet, whatever their state.
    waiting: i64,
    /// When the oldest of those arrived that are received or failed; null where there are none.
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

/// What can be asked about events.
#[derive(Default)]
pub struct InboxQuery;

#[Object]
impl InboxQuery {
    /// What of `webhookEvents` is still to be dealt with. Needs the scope `billing:read`.
    async fn inbox(&self, ctx: &Context<'_>) -> Result<InboxStatus> {
        Ok(inbox::backlog(ctx.app(), ctx.viewer()).await?.into())
    }

    /// What the payment providers sent. Needs the scope `billing:read`.
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
        listed(ctx, list, page_args(first, after, last, before)).await
    }
}
