//! The events of credits, before the ledger posts them.

use super::calendar::At;
use uuid::Uuid;

/// A grant of credits.
pub(super) struct Grant {
    pub(super) id: Uuid,
    pub(super) at: At,
    pub(super) unit: Uuid,
    pub(super) source: &'static str,
    pub(super) amount: i64,
    pub(super) priority: i64,
    pub(super) expires_at: Option<At>,
    pub(super) business_key: String,
    pub(super) payment_id: Option<Uuid>,
    pub(super) reason: Option<&'static str>,
    pub(super) granted_by: String,
    /// The subscription that grants them.
    pub(super) subscription_id: Option<Uuid>,
}

/// An event of credits.
pub(super) enum Event {
    Grant(Grant),
    Spend { at: At, unit: Uuid, amount: i64, subject: &'static str },
    Revoke { at: At, payment_id: Uuid, refund: usize, share: (i64, i64) },
}
