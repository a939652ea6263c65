//! The terms of grants.

use super::values::GrantSource;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The terms of a new grant.
#[derive(Debug, Clone)]
pub(in crate::credits) struct Term {
    pub(in crate::credits) source: GrantSource,
    /// Amount in the smallest step of the unit; more than zero.
    pub(in crate::credits) amount: i64,
    pub(in crate::credits) priority: i64,
    pub(in crate::credits) starts_at: DateTime<Utc>,
    pub(in crate::credits) expires_at: Option<DateTime<Utc>>,
    /// The key that identifies the grant; `None` for its id.
    pub(in crate::credits) business_key: Option<String>,
    pub(in crate::credits) payment_id: Option<Uuid>,
    /// The allowance of a plan, and the subscription to it.
    pub(in crate::credits) allowance: Option<(Uuid, Uuid)>,
    pub(in crate::credits) reason: Option<String>,
}
