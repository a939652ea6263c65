//! Mutations that repair the mirror: replays of events and comparisons with Stripe.

use super::webhook_events::WebhookEventFilter;
use crate::graphql::common::{ContextExt, Instant, Json, local_id, split_refusal};
use crate::inbox::{self, Comparison, Drift, Reconciled, Replay};
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

/// Pages of a hundred objects that one request may fetch from Stripe.
const MAX_PAGES: usize = 50;

/// The mutation roots of webhook events and the mirror.
#[derive(Default)]
pub struct InboxMutation;

#[Object]
impl InboxMutation {
    /// Applies one event again in the background. An applied event changes nothing unless our records differ from it.
    /// Requires the scopes `operations:write` and `billing:read`.
    async fn replay_webhook_event(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The event.")] input: ReplayWebhookEventInput,
    ) -> Result<Option<ReplayWebhookEventPayload>> {
        let id = local_id::<super::webhook_events::WebhookEvent>(&input.webhook_event_id)?;
        let (replay, user_errors) =
            split_refusal(inbox::replay_event(ctx.app(), ctx.viewer(), id, input.dry_run).await)?;
        Ok(Some(ReplayWebhookEventPayload { replay: replay.map(WebhookReplayResult::from), user_errors }))
    }

    /// Applies the events that match again, oldest first and at most 1,000 per request. Requires the scopes
    /// `operations:write` and `billing:read`.
    async fn replay_webhook_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The events.")] input: ReplayWebhookEventsInput,
    ) -> Result<Option<ReplayWebhookEventsPayload>> {
        let list = input.filter.unwrap_or_default().list(false)?;
        let (replay, user_errors) =
            split_refusal(inbox::replay_events(ctx.app(), ctx.viewer(), list, input.dry_run).await)?;
        Ok(Some(ReplayWebhookEventsPayload { replay: replay.map(WebhookReplayResult::from), user_errors }))
    }

    /// Compares our records with Stripe and applies what never arrived. Covers up to 5,000 events and objects; the
    /// command `tollgate reconcile` covers all. Requires the scopes `operations:write` and `billing:read`.
    async fn reconcile(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The span to compare.")] input: ReconcileInput,
    ) -> Result<Option<ReconcilePayload>> {
        let comparison = Comparison { since: input.since.0, dry_run: input.dry_run, max_pages: MAX_PAGES };
        let outcome = inbox::reconcile(ctx.app(), ctx.viewer(), comparison, |_| ()).await;
        let (found, user_errors) = split_refusal(outcome)?;
        Ok(Some(ReconcilePayload { reconciliation: found.map(ReconciliationSummary::from), user_errors }))
    }

    /// Fetches an account's customers from Stripe, with the newest hundred of their subscriptions, invoices and
    /// payments each, and applies the differences. Requires the scopes `operations:write` and `billing:read`.
    async fn resync_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account.")] input: ResyncAccountInput,
    ) -> Result<Option<ResyncAccountPayload>> {
        let id = local_id::<crate::graphql::accounts::account::Account>(&input.account_id)?;
        let (found, user_errors) = split_refusal(inbox::resync_account(ctx.app(), ctx.viewer(), id).await)?;
        Ok(Some(ResyncAccountPayload { reconciliation: found.map(ReconciliationSummary::from), user_errors }))
    }
}

/// A difference between our records and the provider.
#[derive(SimpleObject)]
pub struct MirrorDifferenceSummary {
    /// The table of the record.
    table: String,
    /// The record's id at the provider, or its other identity there.
    external_id: String,
    /// The differing columns of our record; null for a missing record.
    before: Option<Json>,
    /// The columns as they should be; null for a record that should not exist.
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

/// The result of applying events again.
#[derive(SimpleObject)]
pub struct WebhookReplayResult {
    /// The number of events that are applied again.
    event_count: i32,
    /// True if more events match; repeat the request for them.
    has_more: bool,
    /// The changes of a dry run, at most 1,000; empty otherwise.
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

/// The result of a comparison with Stripe. Differences are repaired unless it is a dry run.
#[derive(SimpleObject)]
pub struct ReconciliationSummary {
    /// The number of events that Stripe listed.
    events_listed: i32,
    /// The number of listed events that had not arrived.
    events_missed: i32,
    /// The number of objects compared.
    objects_compared: i32,
    /// The number of objects that differ from our records.
    objects_differing: i32,
    /// True if everything was compared.
    complete: bool,
    /// The differing records, at most 1,000.
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

/// An event to apply again.
#[derive(InputObject)]
pub struct ReplayWebhookEventInput {
    /// The event.
    webhook_event_id: ID,
    /// Reports the changes without making them.
    #[graphql(default)]
    dry_run: bool,
}

/// The event that is applied again.
#[derive(SimpleObject)]
pub struct ReplayWebhookEventPayload {
    /// The result; null if there are user errors.
    replay: Option<WebhookReplayResult>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<ReplayWebhookEventUserError>,
}

user_error! {
    /// A rule that refused to apply an event again.
    ReplayWebhookEventUserError with
    /// The rules that can refuse `replayWebhookEvent`.
    ReplayWebhookEventErrorCode {
        /// The event does not exist, or is ignored for the reason in its `note`.
        NotFound = "NOT_FOUND",
    }
}

/// Events to apply again.
#[derive(InputObject)]
pub struct ReplayWebhookEventsInput {
    /// Conditions on the events; without a state, failed and parked events.
    filter: Option<WebhookEventFilter>,
    /// Reports the changes without making them.
    #[graphql(default)]
    dry_run: bool,
}

/// The events that are applied again.
#[derive(SimpleObject)]
pub struct ReplayWebhookEventsPayload {
    /// The result; null if there are user errors.
    replay: Option<WebhookReplayResult>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<ReplayWebhookEventsUserError>,
}

user_error! {
    /// A rule that refused to apply events again.
    ReplayWebhookEventsUserError with
    /// The rules that can refuse `replayWebhookEvents`.
    ReplayWebhookEventsErrorCode {
        /// Only ignored events were named, and none of them can be applied: their types are still unknown, or they are
        /// ignored for another reason.
        StateInvalid = "STATE_INVALID",
    }
}

/// A comparison with Stripe.
#[derive(InputObject)]
pub struct ReconcileInput {
    /// The earliest time of the events, invoices and payments to compare; all other objects are compared. Stripe lists
    /// events of the last 30 days.
    since: Instant,
    /// Reports the differences without repairing them.
    #[graphql(default)]
    dry_run: bool,
}

/// The result of the comparison.
#[derive(SimpleObject)]
pub struct ReconcilePayload {
    /// The result; null if there are user errors.
    reconciliation: Option<ReconciliationSummary>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<ReconcileUserError>,
}

user_error! {
    /// A rule that refused a comparison.
    ReconcileUserError with
    /// The rules that can refuse `reconcile`.
    ReconcileErrorCode {
        /// No API key for Stripe is configured.
        NotConfigured = "NOT_CONFIGURED",
        /// The time is in the future.
        SinceInvalid = "SINCE_INVALID",
    }
}

/// An account to compare with Stripe.
#[derive(InputObject)]
pub struct ResyncAccountInput {
    /// The account.
    account_id: ID,
}

/// The result of comparing the account.
#[derive(SimpleObject)]
pub struct ResyncAccountPayload {
    /// The result; null if there are user errors.
    reconciliation: Option<ReconciliationSummary>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<ResyncAccountUserError>,
}

user_error! {
    /// A rule that refused to compare an account.
    ResyncAccountUserError with
    /// The rules that can refuse `resyncAccount`.
    ResyncAccountErrorCode {
        /// The account does not exist.
        NotFound = "NOT_FOUND",
        /// No API key for Stripe is configured.
        NotConfigured = "NOT_CONFIGURED",
    }
}
