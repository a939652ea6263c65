//! Rules of rate limits.

use crate::graphql::common::{Connection, Instant, Row, global_id, page, page_args};
use crate::rate_limits::RateLimits;
use async_graphql::{Context, ID, Object, Result};
use entity::rate_limit_rules;

pub struct RateLimit(pub(crate) Row<rate_limit_rules::Entity>);

/// A rule for `takeRateLimit`: the units that each identifier may take in a window. Visible to callers with the scope
/// `billing:read`, `catalogue:write` or `credits:write`.
#[Object]
impl RateLimit {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<RateLimit>(self.0.id)
    }

    /// The stable name for machines.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// Units that each identifier may take in a window.
    async fn max_count(&self) -> i64 {
        self.0.max_count
    }

    /// The length of the windows in seconds. They are aligned to 1970: those of a minute begin with the minutes of UTC.
    async fn window_seconds(&self) -> i64 {
        self.0.window_seconds
    }

    /// Time of creation.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// Time of the last change.
    async fn updated_at(&self) -> Instant {
        self.0.updated_at.into()
    }
}

/// The query root of rate limits.
#[derive(Default)]
pub struct RateLimitQuery;

#[Object]
impl RateLimitQuery {
    /// Rules of rate limits, newest first. Empty without one of the scopes `billing:read`, `catalogue:write` and
    /// `credits:write`.
    async fn rate_limits(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Connection<RateLimit>> {
        page(ctx, RateLimits, page_args(first, after, last, before)).await
    }
}
