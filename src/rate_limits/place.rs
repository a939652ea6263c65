//! The windows of rate limits.

use chrono::{DateTime, TimeDelta, Utc};
use entity::rate_limit_rules;
use uuid::Uuid;

/// A window of an identifier under a rule. Of one rule and identifier they sort by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) rule_id: Uuid,
    pub(super) identifier: String,
    pub(super) start: DateTime<Utc>,
}

impl Place {
    pub(super) fn of(rule: &rate_limit_rules::Model, identifier: &str, now: DateTime<Utc>) -> Place {
        let length = rule.window_seconds.saturating_mul(1_000_000).max(1);
        let start = now - TimeDelta::microseconds(now.timestamp_micros().rem_euclid(length));
        Place { rule_id: rule.id, identifier: identifier.to_owned(), start }
    }
}
