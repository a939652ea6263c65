//! Credits that were bought, and taken back with the money.

use crate::db::Mirror;
use crate::error::Result;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Credits that were paid for at a payment provider, and what became of the money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedPurchase {
    /// What makes this the same purchase however often it is told, e.g. `stripe:cs_123`.
    pub business_key: String,
    /// The code of the credit unit.
    pub unit: String,
    /// How many, in the smallest step of the unit.
    pub credits: i64,
    /// What was paid, in the currency's smallest unit; zero for a pack that cost nothing.
    pub amount_minor: i64,
    /// How much of it the customer has back: refunds and lost disputes.
    pub returned_minor: i64,
    /// The payment here; `None` where nothing was to be paid.
    pub payment_id: Option<Uuid>,
    /// When it was paid.
    pub paid_at: DateTime<Utc>,
}

/// Grants what was bought, once, and keeps of it `floor(credits x (amount - returned) / amount)`: the rest is taken
/// back as far as it is not spent, and given back when the money comes again.
///
/// Whether anything changed.
pub async fn project_purchase(mirror: &mut Mirror<'_>, account_id: Uuid, purchase: &ObservedPurchase) -> Result<bool> {
    todo!("{account_id} {purchase:?} {:?}", mirror.differences())
}
