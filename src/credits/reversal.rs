//! Reversing a transaction inside that of another feature.

use super::operation::{Operation, Unit, Verb};
use crate::db::{Combined, Txn};
use crate::error::{Error, Result};
use uuid::Uuid;

/// A reversal of spent credits.
#[derive(Debug, Clone)]
pub struct Reversal {
    /// The account.
    pub account_id: Uuid,
    /// The credit unit.
    pub credit_unit_id: Uuid,
    /// The ledger transaction that spent them.
    pub transaction_id: Uuid,
    /// The actor, in the form of the audit log.
    pub actor: String,
    /// A reason for people to read.
    pub reason: Option<String>,
}

/// Returns spent credits to their grants. Returns the id of the new ledger transaction; `None` if they were returned
/// before.
pub async fn reverse(txn: &Txn, reversal: Reversal) -> Result<Option<Uuid>> {
    let operation = Operation {
        account_id: reversal.account_id,
        unit: Unit::Id(reversal.credit_unit_id),
        verb: Verb::Reverse { transaction_id: reversal.transaction_id },
        actor: reversal.actor,
        reason: reversal.reason,
        reference: None,
    };
    match Operation::execute(txn, vec![&operation]).await?.pop() {
        Some(Ok(moved)) => Ok(moved.transaction_id),
        Some(Err(Error::Refused(refusal))) if refusal.code == "ALREADY_REVERSED" => Ok(None),
        Some(Err(error)) => Err(error),
        None => Err(Error::internal(anyhow::anyhow!("A reversal has no result."))),
    }
}
