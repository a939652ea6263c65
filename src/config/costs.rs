//! The settings of the cost of operations.

use std::num::NonZeroU32;

use super::read::Reader;

/// Limits on the cost of GraphQL operations, in objects.
#[derive(Debug, Clone)]
pub struct CostConfig {
    /// For callers without credentials.
    pub anonymous: CostLimits,
    /// For users.
    pub user: CostLimits,
    /// For services, API keys and admins.
    pub service: CostLimits,
    /// Maximum cost of the operations that run on this node at the same time.
    pub running: u32,
    /// Maximum length of a reply, in bytes.
    pub reply_bytes: u64,
    /// Adds the cost to the extensions of replies.
    pub report: bool,
}

/// Limits on the cost of the operations of one caller.
#[derive(Debug, Clone, Copy)]
pub struct CostLimits {
    /// The most that one request may cost.
    pub request: u32,
    /// The most that a caller's requests may cost in a minute; `None` for no limit. One request is always possible.
    pub per_minute: Option<NonZeroU32>,
}

/// Reads the limits on costs.
pub(super) fn costs(reader: &mut Reader) -> CostConfig {
    CostConfig {
        anonymous: limits(reader, "limit_cost_anonymous", "cost_per_minute_anonymous"),
        user: limits(reader, "limit_cost_user", "cost_per_minute_user"),
        service: limits(reader, "limit_cost_service", "cost_per_minute_service"),
        running: reader.number("limit_cost_running", 1_000..=10_000_000),
        reply_bytes: reader.number("limit_reply_bytes", 65_536..=1_073_741_824),
        report: reader.one_of("report_cost", &[("true", true), ("false", false)]).unwrap_or(true),
    }
}

fn limits(reader: &mut Reader, request: &'static str, per_minute: &'static str) -> CostLimits {
    CostLimits {
        request: reader.number(request, 10..=10_000_000),
        per_minute: NonZeroU32::new(reader.number(per_minute, 0..=1_000_000_000)),
    }
}
