//! The errors of operations that were stopped.

use std::time::Duration;

use async_graphql::parser::types::OperationType;

use super::{
    cost::budget::Overrun,
    errors::{RequestError, code},
    reply::too_long,
};

/// The advice about a mutation that was stopped.
const REPEAT: &str = "It may have taken effect: send it again with the same idempotency key to get its result.";

/// Creates the error for an operation that took longer than `limit`.
pub(super) fn timed_out(limit: Duration, operation: OperationType) -> RequestError {
    let advice = match operation {
        OperationType::Mutation => REPEAT,
        _ => "Request less at once, or try again.",
    };
    let seconds = limit.as_secs();
    RequestError::new(code::TIMEOUT, format!("The operation took longer than {seconds} s. {advice}"))
}

/// Creates the error for an operation that used more than it may.
pub(super) fn over_budget(overrun: Overrun, operation: OperationType) -> RequestError {
    let advice = match operation {
        OperationType::Mutation => REPEAT,
        _ => "Lower `first` and `last`, or select fewer lists below lists.",
    };
    match overrun {
        Overrun::Rows { used, limit } => {
            let message = format!("The operation was stopped after {used} objects; the limit is {limit}. {advice}");
            RequestError::new(code::COST_LIMIT_EXCEEDED, message).with("cost", used).with("limit", limit)
        }
        Overrun::Bytes { limit } => too_long(limit, advice),
    }
}

/// Creates the error for an operation that did not start, because too many others were running.
pub(super) fn busy() -> RequestError {
    let message = "Other expensive operations are running: try again, or request less at once.";
    RequestError::new(code::UNAVAILABLE, message)
}
