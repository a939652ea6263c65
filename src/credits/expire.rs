//! Expiring credits that were not spent in time.

use super::posting::Posting;
use super::store;
use super::values::{LedgerBucket, LedgerOperation};
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::db::Txn;
use crate::error::Result;
use chrono::{DateTime, Utc};
use entity::credit_grants;

/// Grants expired in one transaction: few enough that nobody waits long for a locked balance.
const BATCH_SIZE: u64 = 100;

/// Expires the rest of every grant whose time is over, and returns the number of grants.
///
/// Safe to repeat and to run twice at a time: the rest of a grant is read under the lock of its balance, and nothing is
/// left the second time.
pub async fn expire(app: &App, viewer: &Viewer) -> Result<usize> {
    viewer.require(Permission::CreditsWrite)?;
    let (now, actor) = (app.now(), viewer.actor());
    let mut expired = 0;
    loop {
        let due = store::due(app.db.read(), now, BATCH_SIZE).await?;
        if due.is_empty() {
            return Ok(expired);
        }
        let batch = Batch { due, actor: actor.to_owned() };
        expired += app.db.write(move |txn| Box::pin(batch.run(txn))).await?;
    }
}

/// Grants that were due when they were read.
struct Batch {
    due: Vec<credit_grants::Model>,
    actor: String,
}

impl Batch {
    async fn run(self, txn: &Txn) -> Result<usize> {
        let accounts = self.due.iter().map(|grant| grant.account_id);
        store::lock_balances(txn, accounts).await?;
        // Read under the lock, when nobody else can change them.
        let ids = self.due.iter().map(|grant| grant.id);
        let mut left = store::remaining(txn, ids).await?;
        let mut expired = 0;
        for grant in self.due {
            let amount = left.remove(&grant.id).unwrap_or(0);
            if amount > 0 {
                store::set_remaining(txn, grant.id, 0).await?;
                posting(grant, amount, txn.now(), &self.actor).post(txn).await?;
                expired += 1;
            }
        }
        Ok(expired)
    }
}

fn posting(grant: credit_grants::Model, amount: i64, now: DateTime<Utc>, actor: &str) -> Posting {
    Posting {
        account_id: grant.account_id,
        credit_unit_id: grant.credit_unit_id,
        grant_id: Some(grant.id),
        kind: LedgerOperation::Expire,
        from: LedgerBucket::Available,
        to: LedgerBucket::Expired,
        amount,
        business_key: format!("expire:{}", grant.id),
        effective_at: grant.expires_at.map_or(now, |at| at.to_utc()),
        actor: actor.to_owned(),
        reason: None,
    }
}
