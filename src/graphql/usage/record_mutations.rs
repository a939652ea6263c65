//! Mutations that record usage and take it back.

use super::event::UsageEvent;
use crate::error::Error;
use crate::graphql::accounts::account::Account;
use crate::graphql::accounts::user::User;
use crate::graphql::common::{
    BigInt, ContextExt, Instant, Json, local_id, optional_text, part, split_refusal, text, to_one,
};
use crate::graphql::licences::device::Device;
use crate::usage::{self, NewCorrection, NewEvent, Recorded};
use crate::user_error;
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;
use uuid::Uuid;

/// The mutation roots of usage. All of them need the scope `credits:write`.
#[derive(Default)]
pub struct UsageMutation;

#[Object]
impl UsageMutation {
    /// Records usage: up to 1,000 events, each for itself. An event is recorded once for its account, meter and dedupe
    /// key, so that the request can be repeated. Where a rate card prices the usage, its credits are spent with it.
    /// Requires the scope `credits:write`.
    async fn record_usage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The events.")] input: RecordUsageInput,
    ) -> Result<Option<RecordUsagePayload>> {
        let events = input.events.into_iter().map(UsageEventInput::event).collect();
        let recorded = usage::record(ctx.app(), ctx.viewer(), events).await;
        let (outcomes, user_errors) = split_refusal(recorded)?;
        let results = outcomes.map(|outcomes| outcomes.into_iter().map(RecordUsageResult::of).collect());
        Ok(Some(RecordUsagePayload { results: results.transpose()?, user_errors }))
    }

    /// Takes back a usage event that was wrong: a negative event at the time of the usage, once for each event. Its
    /// credits are returned. Requires the scope `credits:write`.
    async fn correct_usage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The event to take back.")] input: CorrectUsageInput,
    ) -> Result<Option<CorrectUsagePayload>> {
        let new = NewCorrection {
            event_id: local_id::<UsageEvent>(&input.usage_event_id)?,
            reason: optional_text("reason", input.reason)?,
        };
        let corrected = usage::correct(ctx.app(), ctx.viewer(), new, &input.idempotency_key).await;
        let (event, user_errors) = split_refusal(corrected)?;
        Ok(Some(CorrectUsagePayload { correction: event.map(|row| UsageEvent(Arc::new(row))), user_errors }))
    }
}

/// Usage to record.
#[derive(InputObject)]
pub struct RecordUsageInput {
    /// The events: up to 1,000.
    events: Vec<UsageEventInput>,
}

/// A usage event to record.
#[derive(InputObject)]
pub struct UsageEventInput {
    /// The account that used something.
    account_id: ID,
    /// The code of the meter.
    meter: String,
    /// The quantity: 0 to 1,000,000,000,000,000. Omitted where the meter counts events or reads its value from the
    /// dimensions.
    value: Option<BigInt>,
    /// Properties of the usage, such as the model: a JSON object of at most 4,096 bytes.
    dimensions: Option<Json>,
    /// Identifies the usage: within one account and meter, another event with the same key is a duplicate and changes
    /// nothing, whenever it comes. 1 to 255 bytes.
    dedupe_key: String,
    /// Time of the usage: at most 400 days ago and 5 minutes ahead; now by default.
    occurred_at: Option<Instant>,
    /// The user who used it.
    user_id: Option<ID>,
    /// The device that it was used on, of the same account.
    device_id: Option<ID>,
    /// The kind of object in the host application that it is about.
    ref_type: Option<String>,
    /// The id of that object in the host application.
    ref_id: Option<String>,
    /// True if the host application has verified the usage.
    #[graphql(default = false)]
    verified: bool,
    /// The host application's proof of the usage: up to 4,096 bytes.
    proof: Option<String>,
    /// The hash of the content that was made or used: up to 255 bytes.
    content_hash: Option<String>,
}

impl UsageEventInput {
    /// Returns the event, or the refusal of a malformed field.
    fn event(self) -> crate::error::Result<NewEvent> {
        let user_id = self.user_id.as_ref().map(local_id::<User>).transpose();
        let device_id = self.device_id.as_ref().map(local_id::<Device>).transpose();
        Ok(NewEvent {
            account_id: part(local_id::<Account>(&self.account_id), "ACCOUNT_NOT_FOUND", &["accountId"])?,
            meter: part(text("meter", self.meter), "METER_NOT_FOUND", &["meter"])?,
            value: self.value.map(|value| value.0),
            dimensions: self.dimensions.map(|json| json.0).filter(|json| !json.is_null()),
            dedupe_key: self.dedupe_key,
            occurred_at: self.occurred_at.map(|at| at.0),
            user_id: part(user_id, "USER_NOT_FOUND", &["userId"])?,
            device_id: part(device_id, "DEVICE_NOT_FOUND", &["deviceId"])?,
            ref_type: self.ref_type,
            ref_id: self.ref_id,
            verified: self.verified,
            proof: self.proof,
            content_hash: self.content_hash,
        })
    }
}

/// The outcomes of recording usage.
#[derive(SimpleObject)]
pub struct RecordUsagePayload {
    /// The outcome of each event, in their order; null if there are user errors.
    results: Option<Vec<RecordUsageResult>>,
    /// The rules that refused the whole request; empty on success.
    user_errors: Vec<RecordUsageUserError>,
}

/// The outcome of recording one event. Values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum RecordUsageOutcome {
    /// The event was recorded.
    Recorded,
    /// It was recorded before under its dedupe key, and nothing changed.
    Duplicate,
    /// A rule refused it, and nothing changed. The same event can be recorded later.
    Refused,
}

/// The outcome of recording one event.
pub struct RecordUsageResult {
    outcome: RecordUsageOutcome,
    event_id: Option<Uuid>,
    refusals: Vec<RecordUsageUserError>,
}

/// The outcome of recording one event, with the event or the rule that refused it.
#[Object]
impl RecordUsageResult {
    /// The outcome.
    async fn outcome(&self) -> RecordUsageOutcome {
        self.outcome
    }

    /// The event, for a duplicate the one that was recorded first; null if it was refused.
    async fn event(&self, ctx: &Context<'_>) -> Result<Option<UsageEvent>> {
        to_one(ctx, self.event_id).await
    }

    /// The rules that refused the event, whose `field` is a path within it; empty unless it was refused.
    async fn user_errors(&self) -> &[RecordUsageUserError] {
        &self.refusals
    }
}

impl RecordUsageResult {
    fn of(outcome: Result<Recorded, Error>) -> Result<RecordUsageResult> {
        let (recorded, refusals) = split_refusal(outcome)?;
        let outcome = match recorded {
            Some(Recorded { duplicate: false, .. }) => RecordUsageOutcome::Recorded,
            Some(Recorded { duplicate: true, .. }) => RecordUsageOutcome::Duplicate,
            None => RecordUsageOutcome::Refused,
        };
        Ok(RecordUsageResult { outcome, event_id: recorded.map(|recorded| recorded.event_id), refusals })
    }
}

user_error! {
    /// A rule that refused to record usage.
    RecordUsageUserError with
    /// The rules that can refuse `recordUsage`, or one of its events.
    RecordUsageErrorCode {
        /// There are more than 1,000 events.
        TooManyEvents = "TOO_MANY_EVENTS",
        /// The account does not exist.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// The meter does not exist.
        MeterNotFound = "METER_NOT_FOUND",
        /// The user does not exist.
        UserNotFound = "USER_NOT_FOUND",
        /// The account has no such device.
        DeviceNotFound = "DEVICE_NOT_FOUND",
        /// The value is out of range or missing, or the meter takes none.
        ValueInvalid = "VALUE_INVALID",
        /// The dimensions are no object, too long, or lack what the meter or a rate card reads.
        DimensionsInvalid = "DIMENSIONS_INVALID",
        /// The dedupe key is empty, too long or reserved.
        DedupeKeyInvalid = "DEDUPE_KEY_INVALID",
        /// The time is too far in the future or in the past.
        OccurredAtInvalid = "OCCURRED_AT_INVALID",
        /// The reference is incomplete, empty or too long.
        ReferenceInvalid = "REFERENCE_INVALID",
        /// The proof is empty or too long.
        ProofInvalid = "PROOF_INVALID",
        /// The hash of the content is empty or too long.
        ContentHashInvalid = "CONTENT_HASH_INVALID",
        /// The account has fewer credits than the event costs.
        InsufficientCredits = "INSUFFICIENT_CREDITS",
        /// The event would cost too many credits.
        CostTooLarge = "COST_TOO_LARGE",
        /// The sum of the day would leave the range of 64 bits.
        SumTooLarge = "SUM_TOO_LARGE",
    }
}

/// A usage event to take back.
#[derive(InputObject)]
pub struct CorrectUsageInput {
    /// The usage event.
    usage_event_id: ID,
    /// An explanation for the audit log: up to 500 characters.
    reason: Option<String>,
    /// Identifies this request: within 30 days, the same key and input return the first result and correct nothing
    /// again. 1 to 255 bytes.
    idempotency_key: String,
}

/// The correction of a usage event.
#[derive(SimpleObject)]
pub struct CorrectUsagePayload {
    /// The negative event; null if there are user errors.
    correction: Option<UsageEvent>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<CorrectUsageUserError>,
}

user_error! {
    /// A rule that refused to correct usage.
    CorrectUsageUserError with
    /// The rules that can refuse `correctUsage`.
    CorrectUsageErrorCode {
        /// The event does not exist.
        NotFound = "NOT_FOUND",
        /// The event was corrected before.
        AlreadyCorrected = "ALREADY_CORRECTED",
        /// The event is a correction itself.
        IsCorrection = "IS_CORRECTION",
        /// The reason is too long.
        ReasonInvalid = "REASON_INVALID",
    }
}
