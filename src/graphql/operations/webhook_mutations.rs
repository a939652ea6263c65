//! What an operator can do about the mirror: apply events again, and compare it with Stripe.

use super::webhook_events::WebhookEventFilter;
use crate::graphql::common::{ContextExt, Instant, Json, local_id, settle};
use crate::inbox::{self as feature, Comparison, Drift, Reconciled, Replay};
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

/// How many pages of a hundred objects one request asks Stripe for.
const MAX_PAGES: usize = 50;

/// What can be done about events and the mirror.
#[derive(Default)]
pub struct InboxMutation;

#[Object]
impl InboxMutation {
    /// Has one event applied again, by the background work; an applied one changes nothing unless our records differ
    /// from it. Needs the scopes `operations:write` and `billing:read`.
    async fn replay_webhook_event(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which event.")] input: ReplayWebhookEventInput,
    ) -> Result<Option<ReplayWebhookEventPayload>> {
        let id = local_id::<super::webhook_events::WebhookEvent>(&input.webhook_event_id)?;
        let (replay, user_errors) = settle(feature::replay_event(ctx.app(), ctx.viewer(), id, input.dry_run).await)?;
        Ok(Some(ReplayWebhookEventPayload { replay: replay.map(WebhookReplayResult::from), user_errors }))
    }

    /// Has the events applied again that match, the oldest first and at most 1,000 in one request. Needs the scopes
    /// `operations:write` and `billing:read`.
    async fn replay_webhook_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which events.")] input: ReplayWebhookEventsInput,
    ) -> Result<Option<ReplayWebhookEventsPayload>> {
        let list = input.filter.unwrap_or_default().list(false)?;
        let (replay, user_errors) = settle(feature::replay_events(ctx.app(), ctx.viewer(), list, input.dry_run).await)?;
        Ok(Some(ReplayWebhookEventsPayload { replay: replay.map(WebhookReplayResult::from), user_errors }))
    }

    /// Compares what is held with what Stripe has, and makes up for what never arrived. Goes through up to 5,000 events
    /// and objects; the command `tollgate reconcile` goes through all. Needs the scopes `operations:write` and
    /// `billing:read`.
    async fn reconcile(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "From when on.")] input: ReconcileInput,
    ) -> Result<Option<ReconcilePayload>> {
        let comparison = Comparison { since: input.since.0, dry_run: input.dry_run, max_pages: MAX_PAGES };
        let outcome = feature::reconcile(ctx.app(), ctx.viewer(), comparison, |_| ()).await;
        let (found, user_errors) = settle(outcome)?;
        Ok(Some(ReconcilePayload { reconciliation: found.map(ReconciliationSummary::from), user_errors }))
    }

    /// Asks Stripe for an account's customers, and for the newest hundred of their subscriptions, invoices and payments
    /// each, and applies what differs. Needs the scopes `operations:write` and `billing:read`.
    async fn resync_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which account.")] input: ResyncAccountInput,
    ) -> Result<Option<ResyncAccountPayload>> {
        let id = local_id::<crate::graphql::accounts::account::Account>(&input.account_id)?;
        let (found, user_errors) = settle(feature::resync_account(ctx.app(), ctx.viewer(), id).await)?;
        Ok(Some(ResyncAccountPayload { reconciliation: found.map(ReconciliationSummary::from), user_errors }))
    }
}

/// A mirrored row that is not as it should be.
#[derive(SimpleObject)]
pub struct MirrorDifferenceSummary {
    /// The table.
    table: String,
    /// The row's id at the provider, or what else tells it apart there.
    external_id: String,
    /// The columns that differ, as they were; null for a row that was missing.
    before: Option<Json>,
    /// The same columns as they should be; null for a row that should not be there.
    after: Option<Json>,
}

fn differences(drift: Drift) -> Vec<MirrorDifferenceSummary> {
    let json = |columns: Option<serde_json::Map<_, _>>| columns.map(|columns| Json(columns.into()));
    let shown = drift.differences.into_iter().map(|one| MirrorDifferenceSummary {
        table: one.table,
        external_id: one.external_id,
        before: json(one.before),
        after: json(one.after),
    });
    shown.collect()
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Events that are applied again.
#[derive(SimpleObject)]
pub struct WebhookReplayResult {
    /// How many events are applied again.
    event_count: i32,
    /// Whether there are more that match; ask again for them.
    has_more: bool,
    /// What would change, at most 1,000 rows of it; empty unless it is a dry run.
    differences: Vec<MirrorDifferenceSummary>,
    /// The objects that could not be applied in a dry run, each with the reason.
    failures: Vec<String>,
}

impl From<Replay> for WebhookReplayResult {
    fn from(mut replay: Replay) -> Self {
        WebhookReplayResult {
            event_count: count(replay.events),
            has_more: replay.more,
            failures: std::mem::take(&mut replay.drift.failures),
            differences: differences(replay.drift),
        }
    }
}

/// What a comparison with Stripe found. What differed is mended, unless it is a dry run.
#[derive(SimpleObject)]
pub struct ReconciliationSummary {
    /// How many events Stripe listed.
    events_listed: i32,
    /// How many of them had not arrived.
    events_missed: i32,
    /// How many objects were compared.
    objects_compared: i32,
    /// How many objects Stripe shows in another way than they are held.
    objects_differing: i32,
    /// Whether all was gone through.
    complete: bool,
    /// Which of our rows differed, at most 1,000 of them.
    differences: Vec<MirrorDifferenceSummary>,
    /// The objects that could not be applied, each with the reason.
    failures: Vec<String>,
}

impl From<Reconciled> for ReconciliationSummary {
    fn from(mut found: Reconciled) -> Self {
        ReconciliationSummary {
            events_listed: count(found.listed),
            events_missed: count(found.missed),
            objects_compared: count(found.compared),
            objects_differing: count(found.differing),
            complete: found.complete,
            failures: std::mem::take(&mut found.drift.failures),
            differences: differences(found.drift),
        }
    }
}

/// Which event to apply again.
#[derive(InputObject)]
pub struct ReplayWebhookEventInput {
    /// The event's id.
    webhook_event_id: ID,
    /// Only say what would change.
    #[graphql(default)]
    dry_run: bool,
}

/// The event that is applied again.
#[derive(SimpleObject)]
pub struct ReplayWebhookEventPayload {
    /// What comes of it; null if there are user errors.
    replay: Option<WebhookReplayResult>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<ReplayWebhookEventUserError>,
}

user_error! {
    /// Why an event is not applied again.
    ReplayWebhookEventUserError with
    /// The rules that can refuse to apply an event again.
    ReplayWebhookEventErrorCode {
        /// There is no such event, or it is an ignored one.
        NotFound = "NOT_FOUND",
    }
}

/// Which events to apply again.
#[derive(InputObject)]
pub struct ReplayWebhookEventsInput {
    /// Those that match; where it names no state, those that failed or are parked.
    filter: Option<WebhookEventFilter>,
    /// Only say what would change.
    #[graphql(default)]
    dry_run: bool,
}

/// The events that are applied again.
#[derive(SimpleObject)]
pub struct ReplayWebhookEventsPayload {
    /// What comes of it; null if there are user errors.
    replay: Option<WebhookReplayResult>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<ReplayWebhookEventsUserError>,
}

user_error! {
    /// Why events are not applied again.
    ReplayWebhookEventsUserError with
    /// The rules that can refuse to apply events again.
    ReplayWebhookEventsErrorCode {
        /// Ignored events cannot be applied.
        StateInvalid = "STATE_INVALID",
    }
}

/// What to compare with Stripe.
#[derive(InputObject)]
pub struct ReconcileInput {
    /// From when on events, invoices and payments are compared; the other objects all are. Stripe lists events of the
    /// last 30 days.
    since: Instant,
    /// Only say what differs.
    #[graphql(default)]
    dry_run: bool,
}

/// What was compared with Stripe.
#[derive(SimpleObject)]
pub struct ReconcilePayload {
    /// What was found; null if there are user errors.
    reconciliation: Option<ReconciliationSummary>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<ReconcileUserError>,
}

user_error! {
    /// Why nothing was compared.
    ReconcileUserError with
    /// The rules that can refuse a comparison.
    ReconcileErrorCode {
        /// No key of Stripe's API is configured.
        NotConfigured = "NOT_CONFIGURED",
        /// The time lies in the future.
        SinceInvalid = "SINCE_INVALID",
    }
}

/// Which account to ask Stripe about.
#[derive(InputObject)]
pub struct ResyncAccountInput {
    /// The account's id.
    account_id: ID,
}

/// The account that Stripe was asked about.
#[derive(SimpleObject)]
pub struct ResyncAccountPayload {
    /// What was found; null if there are user errors.
    reconciliation: Option<ReconciliationSummary>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<ResyncAccountUserError>,
}

user_error! {
    /// Why Stripe was not asked about an account.
    ResyncAccountUserError with
    /// The rules that can refuse to ask about an account.
    ResyncAccountErrorCode {
        /// There is no such account.
        NotFound = "NOT_FOUND",
        /// No key of Stripe's API is configured.
        NotConfigured = "NOT_CONFIGURED",
    }
}
