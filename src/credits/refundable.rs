//! The rule for refunds of purchased credits that were spent.

use super::purchase::credits_kept;
use super::store;
use crate::db::Txn;
use crate::error::{Error, Result};
use uuid::Uuid;

/// Refuses a refund that would take back credits which were spent: `returned` of the paid `amount` will have been returned
/// after it.
pub async fn refuse_spent(txn: &Txn, payment_id: Uuid, amount: i64, returned: i64) -> Result<()> {
    for grant in store::grants_of_payment(txn, payment_id).await? {
        let revoked: i64 = store::revocations(txn, grant.id).await?.iter().sum();
        let missing = grant.amount - credits_kept(grant.amount, amount, returned) - revoked;
        if missing > grant.remaining {
            let used = missing - grant.remaining;
            let message = format!("{used} of the credits to be taken back were spent or are held: refund less.");
            return Err(Error::refused("CREDITS_SPENT", &["amount"], message));
        }
    }
    Ok(())
}
