//! Writing the changes of balances that time has brought.

use super::ledger::Ledger;
use super::store::wallets;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::Result;
use uuid::Uuid;

/// Balances settled in one transaction: few enough that nobody waits long for a locked balance.
const BATCH_SIZE: u64 = 100;

/// Writes the expiries, starts, time-outs of holds and allowances of every balance up to now, and returns the number of
/// balances.
///
/// Every use of a balance does the same for it, so that this changes no answer. Safe to repeat and to run twice at a
/// time.
pub async fn settle_all(app: &App, viewer: &Viewer) -> Result<usize> {
    viewer.require(Permission::CreditsWrite)?;
    let now = app.now();
    let mut count = 0;
    loop {
        let due = wallets::due_accounts(app.db.read(), now, BATCH_SIZE).await?;
        if due.is_empty() {
            return Ok(count);
        }
        count += due.len();
        let keys: Vec<(Uuid, Uuid)> = due.iter().map(|row| (row.account_id, row.credit_unit_id)).collect();
        let settle = app.db.write(move |txn| Box::pin(async move { Ledger::load(txn, keys).await?.write().await }));
        settle.await?;
    }
}
