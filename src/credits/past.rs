//! Balances at instants of the past.

use super::balance_at::BalanceAt;
use super::ledger::is_due;
use super::settled::settle_at;
use super::store::past::{balances_of, buckets_at};
use crate::app::App;
use crate::auth::Viewer;
use crate::error::Result;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// An account, the code of a credit unit, and an instant.
type Key = (Uuid, String, DateTime<Utc>);

/// Returns the balances of accounts at instants of the past, as far as the caller may see them and they exist.
///
/// The entries tell a balance up to its last change, and its settlement in memory the time after that.
pub async fn balances_at(app: &App, viewer: &Viewer, keys: &[Key]) -> Result<HashMap<Key, BalanceAt>> {
    let mut groups: BTreeMap<(&str, DateTime<Utc>), Vec<Uuid>> = BTreeMap::new();
    for (account_id, unit, at) in keys {
        groups.entry((unit, *at)).or_default().push(*account_id);
    }
    let mut found = HashMap::with_capacity(keys.len());
    for ((unit, at), accounts) in groups {
        let rows = balances_of(app.db.read(), viewer, unit, &accounts).await?;
        let (present, past): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.updated_at.to_utc() <= at);
        let (due, present): (Vec<_>, Vec<_>) = present.into_iter().partition(|row| is_due(row, at));
        let settled = settle_at(app.db.read(), due, at).await?;
        for row in present.iter().chain(settled.values()) {
            found.insert((row.account_id, unit.to_owned(), at), BalanceAt::from(row));
        }
        for (account_id, balance) in buckets_at(app.db.read(), &past, at).await? {
            found.insert((account_id, unit.to_owned(), at), balance);
        }
    }
    Ok(found)
}
