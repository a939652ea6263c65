//! Operations on the ledger.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An operation on the credits of an account in one unit.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) account_id: Uuid,
    pub(super) unit: Unit,
    pub(super) verb: Verb,
    pub(super) actor: String,
    pub(super) reason: Option<String>,
    pub(super) reference: Option<(String, String)>,
}

/// A credit unit as an operation names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Unit {
    Code(String),
    Id(Uuid),
}

/// The change that an operation makes.
#[derive(Debug, Clone)]
pub(super) enum Verb {
    Grant { amount: i64, priority: i64, starts_at: Option<DateTime<Utc>>, expires_at: Option<DateTime<Utc>> },
    Spend { amount: i64 },
    Hold { amount: i64, expires_at: DateTime<Utc> },
    Capture { hold_id: Uuid, amount: Option<i64>, keep_open: bool },
    Release { hold_id: Uuid },
    Reverse { transaction_id: Uuid },
    Transfer { to_account_id: Uuid, amount: i64 },
}

/// The result of an operation, as stored under its idempotency key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Moved {
    /// The ledger transaction; `None` for a grant that begins later.
    pub transaction_id: Option<Uuid>,
    /// The grant that was made.
    pub grant_id: Option<Uuid>,
    /// The hold that was made, captured or released.
    pub hold_id: Option<Uuid>,
    /// Credits that the account can spend after the operation.
    pub available: i64,
    /// Credits of the account that are held after the operation.
    pub held: i64,
}
