//! Credits given out and used over all accounts in a range of time.

use super::settled::settle_wallets;
use super::store::flows::{self as store, Sum};
use super::values::{GrantSource, LedgerBucket, LedgerOperation};
use super::wallet::Wallet;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// Balances that are settled in memory at a time.
const BATCH: usize = 500;

/// Credits of one unit in the hands of all accounts, in its smallest step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Credits that could be spent.
    pub available: i64,
    /// Credits that were reserved.
    pub held: i64,
    /// Credits that accounts owed; more than zero if they did.
    pub owed: i64,
}

/// The flows of one unit, in its smallest step. `start` and all flows add up to `end`: given out are sold and granted
/// credits, used up are spent, expired and revoked ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flows {
    /// Just before the range.
    pub start: Standing,
    /// Credits of purchases that began.
    pub sold: i64,
    /// Credits of all other grants that began.
    pub granted: i64,
    /// Credits spent, less those that came back.
    pub spent: i64,
    /// Credits expired.
    pub expired: i64,
    /// Credits taken back, less those that were returned.
    pub revoked: i64,
    /// Just before the end of the range.
    pub end: Standing,
}

/// Returns the flows in `[from, to)` by unit, for units that were ever held. Balances that time has changed are settled in
/// memory, so that no figure depends on when a job ran.
pub async fn flows(
    app: &App,
    viewer: &Viewer,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<BTreeMap<Uuid, Flows>> {
    viewer.require(Permission::AnalyticsRead)?;
    let snapshot = app.db.snapshot().await?;
    let mut found: BTreeMap<Uuid, Flows> = BTreeMap::new();
    for total in store::totals(&snapshot).await? {
        let end = Standing { available: total.available, held: total.held, owed: -total.owed };
        found.insert(total.credit_unit_id, Flows { start: end, end, ..Flows::default() });
    }
    for sum in store::sums(&snapshot, from, to).await? {
        let flows = found.entry(sum.credit_unit_id).or_default();
        flows.start.add(&sum, -1)?;
        if sum.inside {
            flows.count(&sum)?;
        } else {
            flows.end.add(&sum, -1)?;
        }
    }
    let until = app.now().min(to - TimeDelta::microseconds(1));
    let due = store::due(&snapshot, until).await?;
    for batch in due.chunks(BATCH) {
        for wallet in settle_wallets(&snapshot, batch.to_vec(), until).await? {
            add_changes(&wallet, (from, to), &mut found)?;
        }
    }
    Ok(found)
}

/// Adds the entries that time has brought to a balance and that nobody has written yet.
fn add_changes(
    wallet: &Wallet,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    found: &mut BTreeMap<Uuid, Flows>,
) -> Result<()> {
    let (purchase, transfer) = (GrantSource::Purchase.to_string(), LedgerOperation::Transfer.to_string());
    let sold: HashMap<Uuid, bool> =
        wallet.grants.iter().map(|grant| (grant.row.id, grant.row.source == purchase)).collect();
    let transfers: Vec<Uuid> = wallet.txns.iter().filter(|txn| txn.kind == transfer).map(|txn| txn.id).collect();
    for entry in &wallet.entries {
        let Some(at) = entry.effective_at.map(|at| at.to_utc()).filter(|at| *at < to) else { continue };
        let is_sold = entry.grant_id.is_some_and(|id| sold.get(&id) == Some(&true));
        let sum = Sum {
            credit_unit_id: entry.credit_unit_id,
            bucket: entry.bucket.clone(),
            sold: is_sold && !transfers.contains(&entry.txn_id),
            inside: at >= from,
            amount: entry.amount,
        };
        let flows = found.entry(sum.credit_unit_id).or_default();
        flows.end.add(&sum, 1)?;
        if sum.inside {
            flows.count(&sum)?;
        } else {
            flows.start.add(&sum, 1)?;
        }
    }
    Ok(())
}

/// Adds to a sum of credits.
fn add(sum: &mut i64, more: i64) -> Result<()> {
    let too_large = || Error::internal(anyhow::anyhow!("A sum of credits exceeds 64 bits."));
    *sum = sum.checked_add(more).ok_or_else(too_large)?;
    Ok(())
}

impl Standing {
    fn add(&mut self, sum: &Sum, sign: i64) -> Result<()> {
        match LedgerBucket::parse(&sum.bucket)? {
            LedgerBucket::Available => add(&mut self.available, sign * sum.amount),
            LedgerBucket::Held => add(&mut self.held, sign * sum.amount),
            LedgerBucket::Owed => add(&mut self.owed, -sign * sum.amount),
            LedgerBucket::Issued | LedgerBucket::Spent | LedgerBucket::Expired | LedgerBucket::Revoked => Ok(()),
        }
    }

    /// Returns the credits that accounts hold, less those that they owe.
    pub fn outstanding(self) -> i64 {
        self.available.saturating_add(self.held).saturating_sub(self.owed)
    }
}

impl Flows {
    fn count(&mut self, sum: &Sum) -> Result<()> {
        match LedgerBucket::parse(&sum.bucket)? {
            LedgerBucket::Issued if sum.sold => add(&mut self.sold, -sum.amount),
            LedgerBucket::Issued => add(&mut self.granted, -sum.amount),
            LedgerBucket::Spent => add(&mut self.spent, sum.amount),
            LedgerBucket::Expired => add(&mut self.expired, sum.amount),
            LedgerBucket::Revoked => add(&mut self.revoked, sum.amount),
            LedgerBucket::Available | LedgerBucket::Held | LedgerBucket::Owed => Ok(()),
        }
    }
}
