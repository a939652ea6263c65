//! Errors of the host application, by group and by day.

use super::rates::decimal;
use crate::analytics::RATE_PLACES;
use crate::analytics::errors::{self, ErrorDay, ErrorGroups, GroupErrors};
use crate::graphql::accounts::user::User;
use crate::graphql::common::{
    Connection, ContextExt, Date, Instant, Json, Row, StoredEnum, child_page, global_id, page, page_args,
    to_exactly_one, to_one,
};
use crate::stored_enum;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use entity::{error_events, error_groups};

stored_enum! {
    /// The severity of an error, in ascending order.
    ErrorSeverity: errors::ErrorSeverity {
        /// Nothing went wrong for anybody.
        Info,
        /// Something may go wrong.
        Warning,
        /// Something failed.
        Error,
        /// Something failed that needs somebody at once.
        Critical,
    }
}

pub struct ErrorGroup(pub(crate) Row<error_groups::Entity>);

/// Errors of the host application that have one cause: with one type and one message, apart from numbers, ids and quoted
/// text, or with one fingerprint of the host application's own. Requires the scope `analytics:read`.
#[Object]
impl ErrorGroup {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<ErrorGroup>(self.0.id)
    }

    /// The type of the errors, such as the name of an exception.
    async fn error_type(&self) -> &str {
        &self.0.error_type
    }

    /// The message of the first error, with `#` for words that have a digit, and `""` for quoted text.
    async fn message(&self) -> &str {
        &self.0.message
    }

    /// The highest severity of its errors.
    async fn error_severity(&self) -> Result<ErrorSeverity> {
        Ok(ErrorSeverity::read(&self.0.severity)?)
    }

    /// The number of its errors.
    async fn error_count(&self) -> i64 {
        self.0.error_count
    }

    /// Time of its first error.
    async fn first_seen_at(&self) -> Instant {
        self.0.first_seen_at.into()
    }

    /// Time of its last error.
    async fn last_seen_at(&self) -> Instant {
        self.0.last_seen_at.into()
    }

    /// Time at which it was resolved last; null if it never was. The group is open if an error was later.
    async fn resolved_at(&self) -> Option<Instant> {
        self.0.resolved_at.map(Instant::from)
    }

    /// True if it was resolved and no error was later.
    async fn is_resolved(&self) -> bool {
        errors::is_resolved(&self.0)
    }

    /// Its errors, newest first.
    async fn errors(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Connection<LoggedError>> {
        child_page(ctx, (), self.0.id, GroupErrors, page_args(first, after, last, before)).await
    }
}

pub struct LoggedError(pub(crate) Row<error_events::Entity>);

/// An error of the host application. Requires the scope `analytics:read`.
#[Object]
impl LoggedError {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<LoggedError>(self.0.id)
    }

    /// The errors that have its cause.
    async fn error_group(&self, ctx: &Context<'_>) -> Result<ErrorGroup> {
        to_exactly_one(ctx, self.0.error_group_id).await
    }

    /// The severity.
    async fn error_severity(&self) -> Result<ErrorSeverity> {
        Ok(ErrorSeverity::read(&self.0.severity)?)
    }

    /// The message.
    async fn message(&self) -> &str {
        &self.0.message
    }

    /// The calls that led to it; null if they were not given.
    async fn stack(&self) -> Option<&str> {
        self.0.stack.as_deref()
    }

    /// The version of the host application; null if it was not given.
    async fn release(&self) -> Option<&str> {
        self.0.release.as_deref()
    }

    /// The address of the page on which it happened; null if it was not given.
    async fn page(&self) -> Option<&str> {
        self.0.page.as_deref()
    }

    /// The user to whom it happened; null if it happened to none, or for a caller who may not see the user.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        to_one(ctx, self.0.user_id).await
    }

    /// Properties that the host application gave the error; null if it gave none.
    async fn properties(&self) -> Option<Json> {
        self.0.properties.clone().map(Json)
    }

    /// Time of the error.
    async fn occurred_at(&self) -> Instant {
        self.0.occurred_at.into()
    }
}

/// Conditions on groups of errors; a group must meet all that are given.
#[derive(InputObject, Default)]
pub struct ErrorGroupFilter {
    /// Resolved groups, or with `false` open ones.
    resolved: Option<bool>,
    /// Groups of this severity.
    error_severity: Option<ErrorSeverity>,
}

/// The query root of errors.
#[derive(Default)]
pub struct ErrorQuery;

#[Object]
impl ErrorQuery {
    /// Groups of errors of the host application, last seen first. Requires the scope `analytics:read`.
    async fn error_groups(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the groups.")] filter: Option<ErrorGroupFilter>,
    ) -> Result<Connection<ErrorGroup>> {
        let filter = filter.unwrap_or_default();
        let list =
            ErrorGroups { is_resolved: filter.resolved, severity: filter.error_severity.map(StoredEnum::stored) };
        page(ctx, list, page_args(first, after, last, before)).await
    }
}

/// The errors of one day.
#[derive(SimpleObject)]
pub struct ErrorsOfDay {
    /// The day, in UTC.
    day: Date,
    /// The number of errors.
    error_count: i64,
    /// The number of errors with the severity `CRITICAL`.
    critical_count: i64,
    /// The number of users to whom an error happened; null if they, or the other active users, are few.
    affected_user_count: Option<i64>,
    /// The number of users with an event or an error; null if they are few.
    active_user_count: Option<i64>,
    /// Affected per active users, as a decimal number in a string; null without active ones, or where a number in it is.
    affected_rate: Option<String>,
}

/// Errors, over all users.
#[derive(Default)]
pub struct ErrorFigures;

#[Object]
impl ErrorFigures {
    /// The errors of each day of a range, oldest first. Days without errors have no row.
    async fn error_rates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day of the range, in UTC.")] from: Date,
        #[graphql(desc = "The day after the range, in UTC; at most 3,700 days after `from`.")] to: Date,
    ) -> Result<Vec<ErrorsOfDay>> {
        let days = errors::error_rates(ctx.app(), ctx.viewer(), from.0, to.0).await?;
        Ok(days.into_iter().map(ErrorsOfDay::from).collect())
    }
}

impl From<ErrorDay> for ErrorsOfDay {
    fn from(day: ErrorDay) -> Self {
        ErrorsOfDay {
            day: Date(day.day),
            error_count: day.errors,
            critical_count: day.critical,
            affected_user_count: day.affected_users,
            active_user_count: day.active_users,
            affected_rate: decimal(day.affected_rate, RATE_PLACES),
        }
    }
}
