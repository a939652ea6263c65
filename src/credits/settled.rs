//! Balances as time has changed them since they were written, in memory.

use super::ledger::{is_due, read};
use super::wallet::{Moment, Tracked, Wallet};
use crate::error::Result;
use chrono::{DateTime, Utc};
use entity::balances;
use sea_orm::ConnectionTrait;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// Returns balances as they are at `now`: those that time has changed since they were written are settled in memory.
pub async fn settled(
    db: &impl ConnectionTrait,
    rows: Vec<balances::Model>,
    now: DateTime<Utc>,
) -> Result<HashMap<Uuid, balances::Model>> {
    let (due, present): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| is_due(row, now));
    let mut found = settle_at(db, due, now).await?;
    found.extend(present.into_iter().map(|row| (row.id, row)));
    Ok(found)
}

/// Settles balances at an instant in memory, and returns them by id.
pub(super) async fn settle_at(
    db: &impl ConnectionTrait,
    due: Vec<balances::Model>,
    now: DateTime<Utc>,
) -> Result<HashMap<Uuid, balances::Model>> {
    let wallets = settle_wallets(db, due, now).await?.into_iter();
    Ok(wallets.map(|wallet| (wallet.balance.row.id, wallet.balance.row)).collect())
}

/// Settles balances at an instant in memory, and returns their wallets with what would be written.
pub(super) async fn settle_wallets(
    db: &impl ConnectionTrait,
    due: Vec<balances::Model>,
    now: DateTime<Utc>,
) -> Result<Vec<Wallet>> {
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let due = due.into_iter().map(|row| ((row.account_id, row.credit_unit_id), Tracked::stored(row))).collect();
    // Ids of rows that nobody writes, which differ among themselves.
    let count = AtomicU64::new(0);
    let new_id = || Uuid::from_u128(u128::from(count.fetch_add(1, Ordering::Relaxed)));
    let mut wallets: Vec<Wallet> = read(db, due, now, Default::default()).await?.into_values().collect();
    for wallet in &mut wallets {
        while !wallet.settle(Moment { now, new_id: &new_id })? {}
    }
    Ok(wallets)
}
