//! Payloads of the mutations of rate limits.

use super::rate_limit::RateLimit;
use crate::graphql::common::Instant;
use crate::user_error;
use async_graphql::SimpleObject;

/// The created rule.
#[derive(SimpleObject)]
pub struct CreateRateLimitPayload {
    /// The rule; null if there are user errors.
    pub(super) rate_limit: Option<RateLimit>,
    /// The rules that refused the request; empty on success.
    pub(super) user_errors: Vec<CreateRateLimitUserError>,
}

user_error! {
    /// A rule that refused to create a rate limit.
    CreateRateLimitUserError with
    /// The rules that can refuse `createRateLimit`.
    CreateRateLimitErrorCode {
        /// The code is malformed.
        CodeInvalid = "CODE_INVALID",
        /// The code is taken.
        CodeTaken = "CODE_TAKEN",
        /// The number of units is out of range.
        CountInvalid = "COUNT_INVALID",
        /// The length of the windows is out of range.
        WindowInvalid = "WINDOW_INVALID",
    }
}

/// The changed rule.
#[derive(SimpleObject)]
pub struct UpdateRateLimitPayload {
    /// The rule; null if there are user errors.
    pub(super) rate_limit: Option<RateLimit>,
    /// The rules that refused the request; empty on success.
    pub(super) user_errors: Vec<UpdateRateLimitUserError>,
}

user_error! {
    /// A rule that refused to change a rate limit.
    UpdateRateLimitUserError with
    /// The rules that can refuse `updateRateLimit`.
    UpdateRateLimitErrorCode {
        /// The rate limit does not exist.
        NotFound = "NOT_FOUND",
        /// The number of units is out of range.
        CountInvalid = "COUNT_INVALID",
        /// The length of the windows is out of range.
        WindowInvalid = "WINDOW_INVALID",
    }
}

/// The outcome of a take.
#[derive(SimpleObject)]
pub struct TakeRateLimitPayload {
    /// True if the units were taken, false if the window has too few left; null if there are user errors.
    pub(super) allowed: Option<bool>,
    /// Units left in the window; null if there are user errors.
    pub(super) remaining: Option<i64>,
    /// The end of the window; null if there are user errors.
    pub(super) resets_at: Option<Instant>,
    /// The rules that refused the request; empty on success.
    pub(super) user_errors: Vec<TakeRateLimitUserError>,
}

user_error! {
    /// A rule that refused to take units of a rate limit.
    TakeRateLimitUserError with
    /// The rules that can refuse `takeRateLimit`.
    TakeRateLimitErrorCode {
        /// The rate limit does not exist.
        NotFound = "NOT_FOUND",
        /// The identifier is empty or too long.
        IdentifierInvalid = "IDENTIFIER_INVALID",
        /// The number of units is out of range.
        CountInvalid = "COUNT_INVALID",
    }
}
