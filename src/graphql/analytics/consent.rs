//! Decisions of users and visitors on being tracked.

use crate::analytics;
use crate::graphql::accounts::user::User;
use crate::graphql::common::{ContextExt, Instant, StoredEnum, local_id, part, split_refusal, to_one};
use crate::{stored_enum, user_error};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use entity::consent_decisions;

stored_enum! {
    /// A decision on being tracked.
    ConsentDecision: crate::analytics::ConsentDecision {
        /// Events may be recorded.
        Granted,
        /// No events may be recorded.
        Refused,
    }
}

pub struct ConsentRecord(consent_decisions::Model);

/// A decision of a user or visitor on being tracked. It is never changed or deleted.
#[Object]
impl ConsentRecord {
    /// The decision.
    async fn decision(&self) -> Result<ConsentDecision> {
        Ok(ConsentDecision::read(&self.0.decision)?)
    }

    /// Time of the decision.
    async fn decided_at(&self) -> Instant {
        self.0.decided_at.into()
    }

    /// The user who decided; null for a visitor, and for a caller who may not see the user.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        to_one(ctx, self.0.user_id).await
    }

    /// The anonymous id of the visitor who decided; null for a user.
    async fn anonymous_id(&self) -> Option<&str> {
        self.0.anonymous_id.as_deref()
    }

    /// The actor who recorded it, in the form of the audit log; a page as `publishable_key:<uuid>`.
    async fn recorded_by(&self) -> &str {
        &self.0.recorded_by
    }
}

/// Decisions on being tracked.
#[derive(Default)]
pub struct ConsentFigures;

#[Object]
impl ConsentFigures {
    /// The decisions that count for a user or visitor, newest first, up to 1,000: the first one is in force. Of a user and all
    /// visitors who are the user. Exactly one of the arguments is required.
    async fn consent_decisions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user.")] user_id: Option<ID>,
        #[graphql(desc = "The anonymous id of the visitor.")] anonymous_id: Option<String>,
    ) -> Result<Vec<ConsentRecord>> {
        let user_id = user_id.as_ref().map(local_id::<User>).transpose()?;
        let rows = analytics::consent_decisions(ctx.app(), ctx.viewer(), user_id, anonymous_id).await?;
        Ok(rows.into_iter().map(ConsentRecord).collect())
    }
}

/// The mutation root of consent.
#[derive(Default)]
pub struct ConsentMutation;

#[Object]
impl ConsentMutation {
    /// Records the decision of a user or visitor on being tracked. The newest decision counts: the user's own, and those of all
    /// visitors who are the user. Users record their own, pages with a publishable key those of visitors; those of anybody
    /// require the scope `events:write`. Recording the newest decision again changes nothing.
    async fn record_consent(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The decision.")] input: RecordConsentInput,
    ) -> Result<Option<RecordConsentPayload>> {
        let user_id = input.user_id.as_ref().map(local_id::<User>).transpose();
        let recorded = match part(user_id, "USER_NOT_FOUND", &["userId"]) {
            Ok(user_id) => {
                let (visitor, decision) = (input.anonymous_id.as_deref(), input.decision.stored());
                analytics::record_consent(ctx.app(), ctx.viewer(), user_id, visitor, decision).await
            }
            Err(error) => Err(error),
        };
        let (decided_at, user_errors) = split_refusal(recorded)?;
        Ok(Some(RecordConsentPayload { decided_at: decided_at.map(Instant), user_errors }))
    }
}

/// The decision of a user or visitor on being tracked.
#[derive(InputObject)]
pub struct RecordConsentInput {
    /// The user; the caller by default.
    user_id: Option<ID>,
    /// The anonymous id of the visitor.
    anonymous_id: Option<String>,
    /// The decision.
    decision: ConsentDecision,
}

/// The recorded decision.
#[derive(SimpleObject)]
pub struct RecordConsentPayload {
    /// Time of the decision; null if there are user errors.
    decided_at: Option<Instant>,
    /// The rules that refused it; empty on success.
    user_errors: Vec<RecordConsentUserError>,
}

user_error! {
    /// A rule that refused to record a decision.
    RecordConsentUserError with
    /// The rules that can refuse `recordConsent`.
    RecordConsentErrorCode {
        /// The id of the visitor is empty or too long.
        AnonymousIdInvalid = "ANONYMOUS_ID_INVALID",
        /// The decision is of no person or of two, or a user names a visitor, or a page with a publishable key anything but one.
        PersonInvalid = "PERSON_INVALID",
        /// The user does not exist, or is not the caller.
        UserNotFound = "USER_NOT_FOUND",
    }
}
