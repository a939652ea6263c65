//! Mutations that record events of users and visitors.

use crate::analytics::{self, NewEvent, Tracked};
use crate::error::Error;
use crate::graphql::accounts::user::User;
use crate::graphql::common::{ContextExt, Instant, Json, local_id, part, split_refusal, to_one};
use crate::user_error;
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

/// The mutation roots of events.
#[derive(Default)]
pub struct EventMutation;

#[Object]
impl EventMutation {
    /// Records events: up to 1,000, each for itself. An event is recorded once for its person and dedupe key, so that the
    /// request can be repeated. Users record their own events, and pages with a publishable key those of visitors, up to 100
    /// in a request; those of anybody require the scope `events:write`.
    async fn track_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The events.")] input: TrackEventsInput,
    ) -> Result<Option<TrackEventsPayload>> {
        let events = input.events.into_iter().map(TrackedEventInput::event).collect();
        let (outcomes, user_errors) = split_refusal(analytics::track(ctx.app(), ctx.viewer(), events).await)?;
        let results = outcomes.map(|outcomes| outcomes.into_iter().map(TrackEventsResult::of).collect());
        Ok(Some(TrackEventsPayload { results: results.transpose()?, user_errors }))
    }

    /// Records that a visitor is a user, for good: all the visitor's events are the user's, also the earlier ones. Users name
    /// themselves; anybody else requires the scope `events:write`. Can be repeated.
    async fn identify(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The visitor and the user.")] input: IdentifyInput,
    ) -> Result<Option<IdentifyPayload>> {
        let user_id = input.user_id.as_ref().map(local_id::<User>).transpose();
        let identified = match part(user_id, "USER_NOT_FOUND", &["userId"]) {
            Ok(user_id) => analytics::identify(ctx.app(), ctx.viewer(), input.anonymous_id, user_id).await,
            Err(error) => Err(error),
        };
        let (user_id, user_errors) = split_refusal(identified)?;
        Ok(Some(IdentifyPayload { user: to_one(ctx, user_id).await?, user_errors }))
    }
}

/// Events to record.
#[derive(InputObject)]
pub struct TrackEventsInput {
    /// The events: up to 1,000, with a publishable key up to 100.
    events: Vec<TrackedEventInput>,
}

/// An event to record. It is of the caller, of a user, or of a visitor who is not signed in.
#[derive(InputObject)]
pub struct TrackedEventInput {
    /// The name of what happened: 1 to 64 bytes.
    name: String,
    /// The user who did it; the caller by default.
    user_id: Option<ID>,
    /// The anonymous id of the visitor who did it, which the host application makes at random and keeps: 1 to 255 bytes.
    anonymous_id: Option<String>,
    /// Identifies the event: another event of the person with the same key is a duplicate and changes nothing, whenever it
    /// comes. 1 to 255 bytes.
    dedupe_key: String,
    /// Properties of the event: a JSON object of at most 4,096 bytes, with a publishable key 1,024.
    properties: Option<Json>,
    /// The address of the page that was viewed: 1 to 2,000 bytes.
    page: Option<String>,
    /// The address of the page that led to it: 1 to 2,000 bytes.
    referrer: Option<String>,
    /// Time of the event: at most 400 days ago, with a publishable key a day, and 5 minutes ahead; now by default.
    occurred_at: Option<Instant>,
}

impl TrackedEventInput {
    /// Returns the event, or the refusal of a malformed field.
    fn event(self) -> crate::error::Result<NewEvent> {
        let user_id = self.user_id.as_ref().map(local_id::<User>).transpose();
        Ok(NewEvent {
            name: self.name,
            user_id: part(user_id, "USER_NOT_FOUND", &["userId"])?,
            anonymous_id: self.anonymous_id,
            dedupe_key: self.dedupe_key,
            properties: self.properties.map(|json| json.0).filter(|json| !json.is_null()),
            page: self.page,
            referrer: self.referrer,
            occurred_at: self.occurred_at.map(|at| at.0),
        })
    }
}

/// The outcomes of recording events.
#[derive(SimpleObject)]
pub struct TrackEventsPayload {
    /// The outcome of each event, in their order; null if there are user errors.
    results: Option<Vec<TrackEventsResult>>,
    /// The rules that refused the whole request; empty on success.
    user_errors: Vec<TrackEventsUserError>,
}

/// The outcome of recording one event. Values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum TrackEventsOutcome {
    /// The event was recorded.
    Recorded,
    /// It was recorded before under its dedupe key, and nothing changed.
    Duplicate,
    /// A rule refused it, and nothing changed. The same event can be recorded later.
    Refused,
}

/// The outcome of recording one event, with the rule that refused it.
#[derive(SimpleObject)]
pub struct TrackEventsResult {
    /// The outcome.
    outcome: TrackEventsOutcome,
    /// The rules that refused the event, whose `field` is a path within it; empty unless it was refused.
    user_errors: Vec<TrackEventsUserError>,
}

impl TrackEventsResult {
    fn of(outcome: Result<Tracked, Error>) -> Result<TrackEventsResult> {
        let (tracked, user_errors) = split_refusal(outcome)?;
        let outcome = match tracked {
            Some(Tracked::Recorded) => TrackEventsOutcome::Recorded,
            Some(Tracked::Duplicate) => TrackEventsOutcome::Duplicate,
            None => TrackEventsOutcome::Refused,
        };
        Ok(TrackEventsResult { outcome, user_errors })
    }
}

user_error! {
    /// A rule that refused to record events.
    TrackEventsUserError with
    /// The rules that can refuse `trackEvents`, or one of its events.
    TrackEventsErrorCode {
        /// There are more than 1,000 events, or more than 100 with a publishable key.
        TooManyEvents = "TOO_MANY_EVENTS",
        /// The name is empty, too long, or has control characters or surrounding spaces.
        NameInvalid = "NAME_INVALID",
        /// The event is of no person or of two, or a user names a visitor, or a page with a publishable key anything but one.
        PersonInvalid = "PERSON_INVALID",
        /// The user does not exist, or is not the caller.
        UserNotFound = "USER_NOT_FOUND",
        /// The id of the visitor is empty or too long.
        AnonymousIdInvalid = "ANONYMOUS_ID_INVALID",
        /// The person refused to be tracked, or the browser did for them and they have not consented.
        ConsentRefused = "CONSENT_REFUSED",
        /// The person has not decided, and only those who consented may be tracked.
        ConsentMissing = "CONSENT_MISSING",
        /// The dedupe key is empty or too long.
        DedupeKeyInvalid = "DEDUPE_KEY_INVALID",
        /// The properties are no object or too long.
        PropertiesInvalid = "PROPERTIES_INVALID",
        /// The address of a page is empty or too long.
        PageInvalid = "PAGE_INVALID",
        /// The time is too far in the future or in the past.
        OccurredAtInvalid = "OCCURRED_AT_INVALID",
    }
}

/// A visitor and the user that the visitor turned out to be.
#[derive(InputObject)]
pub struct IdentifyInput {
    /// The anonymous id of the visitor.
    anonymous_id: String,
    /// The user; the caller by default.
    user_id: Option<ID>,
}

/// The user of a visitor.
#[derive(SimpleObject)]
pub struct IdentifyPayload {
    /// The user; null if there are user errors, or for a caller who may not see the user.
    user: Option<User>,
    /// The rules that refused it; empty on success.
    user_errors: Vec<IdentifyUserError>,
}

user_error! {
    /// A rule that refused to identify a visitor.
    IdentifyUserError with
    /// The rules that can refuse `identify`.
    IdentifyErrorCode {
        /// The id of the visitor is empty or too long.
        AnonymousIdInvalid = "ANONYMOUS_ID_INVALID",
        /// The visitor is another user.
        AnonymousIdTaken = "ANONYMOUS_ID_TAKEN",
        /// The user does not exist, or is not the caller.
        UserNotFound = "USER_NOT_FOUND",
    }
}
