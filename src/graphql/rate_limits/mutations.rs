//! Mutations of rate limits.

use super::payloads::{CreateRateLimitPayload, TakeRateLimitPayload, UpdateRateLimitPayload};
use super::rate_limit::RateLimit;
use crate::graphql::common::{ContextExt, Instant, local_id, split_refusal, text};
use crate::rate_limits::{self, NewRateLimit, NewTake, RateLimitChange};
use async_graphql::{Context, ID, InputObject, Object, Result};
use std::sync::Arc;

/// The mutation roots of rate limits.
#[derive(Default)]
pub struct RateLimitMutation;

#[Object]
impl RateLimitMutation {
    /// Creates a rule for `takeRateLimit`. Requires the scope `catalogue:write`.
    async fn create_rate_limit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new rule.")] input: CreateRateLimitInput,
    ) -> Result<Option<CreateRateLimitPayload>> {
        let new = NewRateLimit { code: input.code, max_count: input.max_count, window_seconds: input.window_seconds };
        let (row, user_errors) = split_refusal(rate_limits::create_rate_limit(ctx.app(), ctx.viewer(), new).await)?;
        Ok(Some(CreateRateLimitPayload { rate_limit: row.map(|row| RateLimit(Arc::new(row))), user_errors }))
    }

    /// Changes a rule from now on. Requires the scope `catalogue:write`.
    async fn update_rate_limit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The fields to change.")] input: UpdateRateLimitInput,
    ) -> Result<Option<UpdateRateLimitPayload>> {
        let id = local_id::<RateLimit>(&input.rate_limit_id)?;
        let change = RateLimitChange { max_count: input.max_count, window_seconds: input.window_seconds };
        let changed = rate_limits::update_rate_limit(ctx.app(), ctx.viewer(), id, change).await;
        let (row, user_errors) = split_refusal(changed)?;
        Ok(Some(UpdateRateLimitPayload { rate_limit: row.map(|row| RateLimit(Arc::new(row))), user_errors }))
    }

    /// Takes units of a rate limit, if the window of the identifier has that many left; otherwise none. Exact over all
    /// callers and servers. Requires the scope `credits:write`.
    async fn take_rate_limit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rule, the identifier and the number of units.")] input: TakeRateLimitInput,
    ) -> Result<Option<TakeRateLimitPayload>> {
        let new = NewTake {
            code: text("code", input.code)?,
            identifier: text("identifier", input.identifier)?,
            count: input.count,
        };
        let (taken, user_errors) = split_refusal(rate_limits::take(ctx.app(), ctx.viewer(), new).await)?;
        Ok(Some(TakeRateLimitPayload {
            allowed: taken.map(|taken| taken.allowed),
            remaining: taken.map(|taken| taken.remaining),
            resets_at: taken.map(|taken| Instant(taken.resets_at)),
            user_errors,
        }))
    }
}

/// A new rule.
#[derive(InputObject)]
pub struct CreateRateLimitInput {
    /// The stable name for machines: up to 64 lower case letters, digits, `-`, `_` and `.`. It never changes.
    code: String,
    /// Units that each identifier may take in a window: 0 to 1,000,000,000.
    max_count: i64,
    /// The length of the windows in seconds: 1 to 31,622,400.
    window_seconds: i64,
}

/// Changes to a rule. Fields left out stay as they are.
#[derive(InputObject)]
pub struct UpdateRateLimitInput {
    /// The rate limit to change.
    rate_limit_id: ID,
    /// Units that each identifier may take in a window: 0 to 1,000,000,000.
    max_count: Option<i64>,
    /// The length of the windows in seconds: 1 to 31,622,400. New windows begin with a new length.
    window_seconds: Option<i64>,
}

/// Units to take.
#[derive(InputObject)]
pub struct TakeRateLimitInput {
    /// The code of the rule.
    code: String,
    /// The one whose units they are, e.g. a user's id or an address: 1 to 255 bytes.
    identifier: String,
    /// The number of units: 1 to 1,000,000,000.
    #[graphql(default = 1)]
    count: i64,
}
