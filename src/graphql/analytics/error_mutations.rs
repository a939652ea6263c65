//! Mutations of errors of the host application.

use super::error_group::{ErrorGroup, ErrorSeverity};
use crate::analytics::Tracked;
use crate::analytics::errors::{self, NewError};
use crate::error::Error;
use crate::graphql::accounts::user::User;
use crate::graphql::common::{ContextExt, Instant, Json, StoredEnum, local_id, part, split_refusal, to_one};
use crate::user_error;
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

/// The mutation roots of errors.
#[derive(Default)]
pub struct ErrorMutation;

#[Object]
impl ErrorMutation {
    /// Records errors of the host application: up to 100, each for itself. An error is recorded once for its user and dedupe
    /// key, so that the request can be repeated. Users record errors that happened to them; others require the scope
    /// `events:write`.
    async fn log_errors(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The errors.")] input: LogErrorsInput,
    ) -> Result<Option<LogErrorsPayload>> {
        let logged = input.errors.into_iter().map(LoggedErrorInput::error).collect();
        let (outcomes, user_errors) = split_refusal(errors::log_errors(ctx.app(), ctx.viewer(), logged).await)?;
        let results = outcomes.map(|outcomes| outcomes.into_iter().map(LogErrorsResult::of).collect());
        Ok(Some(LogErrorsPayload { results: results.transpose()?, user_errors }))
    }

    /// Notes that the cause of a group of errors is mended. An error of it that happens later opens the group again.
    /// Requires the scope `events:write`.
    async fn resolve_error_group(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The group to resolve.")] input: ResolveErrorGroupInput,
    ) -> Result<Option<ResolveErrorGroupPayload>> {
        let id = local_id::<ErrorGroup>(&input.error_group_id)?;
        let (row, user_errors) = split_refusal(errors::resolve_error_group(ctx.app(), ctx.viewer(), id).await)?;
        let error_group = to_one(ctx, row.map(|row| row.id)).await?;
        Ok(Some(ResolveErrorGroupPayload { error_group, user_errors }))
    }
}

/// Errors to record.
#[derive(InputObject)]
pub struct LogErrorsInput {
    /// The errors: up to 100.
    errors: Vec<LoggedErrorInput>,
}

/// An error of the host application, to be recorded. Keep passwords, tokens and personal data out of it.
#[derive(InputObject)]
pub struct LoggedErrorInput {
    /// The type, such as the name of an exception: 1 to 200 bytes.
    error_type: String,
    /// The message: 1 to 2,000 bytes.
    message: String,
    /// The severity.
    #[graphql(default_with = "ErrorSeverity::Error")]
    error_severity: ErrorSeverity,
    /// Puts errors into one group whatever their types and messages are: 1 to 255 bytes.
    fingerprint: Option<String>,
    /// The calls that led to it: 1 to 8,000 bytes.
    stack: Option<String>,
    /// The version of the host application: 1 to 100 bytes.
    release: Option<String>,
    /// The address of the page on which it happened: 1 to 2,000 bytes.
    page: Option<String>,
    /// The user to whom it happened; by default the caller, or nobody if the caller is no user.
    user_id: Option<ID>,
    /// Identifies the error: another error of the user with the same key is a duplicate and changes nothing, whenever it
    /// comes. 1 to 255 bytes.
    dedupe_key: String,
    /// Properties of the error: a JSON object of at most 4,096 bytes.
    properties: Option<Json>,
    /// Time of the error: at most 400 days ago and 5 minutes ahead; now by default.
    occurred_at: Option<Instant>,
}

impl LoggedErrorInput {
    /// Returns the error, or the refusal of a malformed field.
    fn error(self) -> crate::error::Result<NewError> {
        let user_id = self.user_id.as_ref().map(local_id::<User>).transpose();
        Ok(NewError {
            error_type: self.error_type,
            message: self.message,
            severity: self.error_severity.stored(),
            fingerprint: self.fingerprint,
            stack: self.stack,
            release: self.release,
            page: self.page,
            user_id: part(user_id, "USER_NOT_FOUND", &["userId"])?,
            dedupe_key: self.dedupe_key,
            properties: self.properties.map(|json| json.0).filter(|json| !json.is_null()),
            occurred_at: self.occurred_at.map(|at| at.0),
        })
    }
}

/// The outcomes of recording errors.
#[derive(SimpleObject)]
pub struct LogErrorsPayload {
    /// The outcome of each error, in their order; null if there are user errors.
    results: Option<Vec<LogErrorsResult>>,
    /// The rules that refused the whole request; empty on success.
    user_errors: Vec<LogErrorsUserError>,
}

/// The outcome of recording one error. Values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum LogErrorsOutcome {
    /// The error was recorded.
    Recorded,
    /// It was recorded before under its dedupe key, and nothing changed.
    Duplicate,
    /// A rule refused it, and nothing changed. The same error can be recorded later.
    Refused,
}

/// The outcome of recording one error, with the rule that refused it.
#[derive(SimpleObject)]
pub struct LogErrorsResult {
    /// The outcome.
    outcome: LogErrorsOutcome,
    /// The rules that refused the error, whose `field` is a path within it; empty unless it was refused.
    user_errors: Vec<LogErrorsUserError>,
}

impl LogErrorsResult {
    fn of(outcome: Result<Tracked, Error>) -> Result<LogErrorsResult> {
        let (logged, user_errors) = split_refusal(outcome)?;
        let outcome = match logged {
            Some(Tracked::Recorded) => LogErrorsOutcome::Recorded,
            Some(Tracked::Duplicate) => LogErrorsOutcome::Duplicate,
            None => LogErrorsOutcome::Refused,
        };
        Ok(LogErrorsResult { outcome, user_errors })
    }
}

user_error! {
    /// A rule that refused to record errors.
    LogErrorsUserError with
    /// The rules that can refuse `logErrors`, or one of its errors.
    LogErrorsErrorCode {
        /// There are more than 100 errors.
        TooManyErrors = "TOO_MANY_ERRORS",
        /// The type is empty or too long.
        ErrorTypeInvalid = "ERROR_TYPE_INVALID",
        /// The message is empty or too long.
        MessageInvalid = "MESSAGE_INVALID",
        /// The fingerprint is empty or too long.
        FingerprintInvalid = "FINGERPRINT_INVALID",
        /// The stack is empty or too long.
        StackInvalid = "STACK_INVALID",
        /// The release is empty or too long.
        ReleaseInvalid = "RELEASE_INVALID",
        /// The address of the page is empty or too long.
        PageInvalid = "PAGE_INVALID",
        /// The user does not exist, or is not the caller.
        UserNotFound = "USER_NOT_FOUND",
        /// The dedupe key is empty or too long.
        DedupeKeyInvalid = "DEDUPE_KEY_INVALID",
        /// The properties are no object or too long.
        PropertiesInvalid = "PROPERTIES_INVALID",
        /// The time is too far in the future or in the past.
        OccurredAtInvalid = "OCCURRED_AT_INVALID",
    }
}

/// A group of errors to resolve.
#[derive(InputObject)]
pub struct ResolveErrorGroupInput {
    /// The group.
    error_group_id: ID,
}

/// The resolved group of errors.
#[derive(SimpleObject)]
pub struct ResolveErrorGroupPayload {
    /// The group; null if there are user errors, or for a caller without the scope `analytics:read`.
    error_group: Option<ErrorGroup>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<ResolveErrorGroupUserError>,
}

user_error! {
    /// A rule that refused to resolve a group of errors.
    ResolveErrorGroupUserError with
    /// The rules that can refuse `resolveErrorGroup`.
    ResolveErrorGroupErrorCode {
        /// The group does not exist.
        NotFound = "NOT_FOUND",
        /// The group is resolved, and no error was later.
        AlreadyResolved = "ALREADY_RESOLVED",
    }
}
