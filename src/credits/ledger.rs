//! The credits of many accounts in one transaction: read under their locks, changed in memory, written at once.

use super::store::replaced::{note_used, replaced};
use super::store::schedules::schedules;
use super::store::wallets::{self, Key};
use super::wallet::{Cause, Moment, RowState, Tracked, Wallet};
use crate::changes::{self, Change};
use crate::db::Txn;
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use entity::{balances, credit_grants, credit_holds, ledger_entries, ledger_txns};
use sea_orm::ConnectionTrait;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// The credits of accounts in a transaction, settled to its instant.
pub struct Ledger<'t> {
    txn: &'t Txn,
    wallets: BTreeMap<Key, Wallet>,
}

/// A cause to spend credits.
#[derive(Debug, Clone)]
pub struct Spend {
    /// The account.
    pub account_id: Uuid,
    /// The credit unit.
    pub credit_unit_id: Uuid,
    /// Amount in the smallest step of the unit; more than zero.
    pub amount: i64,
    /// The actor, in the form of the audit log.
    pub actor: String,
    /// A reason for people to read.
    pub reason: Option<String>,
    /// The kind and the id of the object in the host application that it is about.
    pub reference: Option<(String, String)>,
}

/// Grants and holds that operations name, beside those with credits left.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) grants: BTreeSet<Uuid>,
    pub(super) holds: BTreeSet<Uuid>,
    /// Grants that end since the plan of their subscription has changed, with the instant of the change.
    pub(super) replaced: HashMap<Uuid, DateTime<Utc>>,
}

impl<'t> Ledger<'t> {
    /// Reads the credits of these accounts and units, and locks all balances of the accounts until the commit.
    pub async fn load(txn: &'t Txn, keys: impl IntoIterator<Item = (Uuid, Uuid)>) -> Result<Ledger<'t>> {
        Ledger::load_with(txn, keys, Named::default()).await
    }

    /// Reads the credits of an account in these units whose plan may have changed: grants of earlier plans end.
    pub(super) async fn load_for_plans(txn: &'t Txn, account_id: Uuid, units: Vec<Uuid>) -> Result<Ledger<'t>> {
        let replaced = replaced(txn, &[account_id], txn.now()).await?;
        let named = Named { replaced, ..Named::default() };
        Ledger::load_with(txn, units.into_iter().map(|unit_id| (account_id, unit_id)), named).await
    }

    pub(super) async fn load_with(
        txn: &'t Txn,
        keys: impl IntoIterator<Item = Key>,
        named: Named,
    ) -> Result<Ledger<'t>> {
        let keys: BTreeSet<Key> = keys.into_iter().collect();
        let accounts: Vec<Uuid> =
            keys.iter().map(|(account_id, _)| *account_id).collect::<BTreeSet<_>>().into_iter().collect();
        let mut ledger = Ledger { txn, wallets: BTreeMap::new() };
        if accounts.is_empty() {
            return Ok(ledger);
        }
        let known = wallets::lock_balances(txn, &accounts).await?;
        let known = known.into_iter().filter(|row| keys.contains(&(row.account_id, row.credit_unit_id)));
        let mut balances: BTreeMap<Key, Tracked<balances::Model>> =
            known.map(|row| ((row.account_id, row.credit_unit_id), Tracked::stored(row))).collect();
        for (account_id, unit_id) in keys {
            let new_id = || txn.new_id();
            let empty = || Wallet::empty(account_id, unit_id, Moment { now: txn.now(), new_id: &new_id });
            balances.entry((account_id, unit_id)).or_insert_with(|| Tracked::new(empty()));
        }
        let mut holds = Vec::new();
        if !named.holds.is_empty() {
            holds = wallets::holds_by_id(txn, &named.holds.iter().copied().collect::<Vec<_>>()).await?;
        }
        let mut grants = named.grants;
        grants.extend(named.replaced.keys());
        ledger.wallets = read(txn, balances, txn.now(), (holds, grants)).await?;
        if !named.replaced.is_empty() {
            ledger.wallets.values_mut().for_each(|wallet| wallet.end_replaced(&named.replaced));
        }
        ledger.settle()?;
        Ok(ledger)
    }

    fn settle(&mut self) -> Result<()> {
        let (now, txn) = (self.txn.now(), self.txn);
        let new_id = || txn.new_id();
        let at = Moment { now, new_id: &new_id };
        for wallet in self.wallets.values_mut().filter(|wallet| is_due(&wallet.balance.row, now)) {
            while !wallet.settle(at)? {}
        }
        Ok(())
    }

    /// Returns the credits that an account can spend.
    pub fn available(&self, account_id: Uuid, credit_unit_id: Uuid) -> i64 {
        self.wallets.get(&(account_id, credit_unit_id)).map_or(0, |wallet| wallet.balance.row.available)
    }

    /// Spends credits and returns the id of the transaction; refused, without a change, if they do not suffice.
    pub fn spend(&mut self, spend: Spend) -> Result<Uuid> {
        let Spend { account_id, credit_unit_id, amount, actor, reason, reference } = spend;
        let cause = Cause { actor, reason, reference, reverses_id: None };
        self.change((account_id, credit_unit_id), |wallet, at| wallet.spend(amount, cause, at))
    }

    /// Changes a wallet.
    pub(super) fn change<T>(
        &mut self,
        key: Key,
        change: impl FnOnce(&mut Wallet, Moment<'_>) -> Result<T>,
    ) -> Result<T> {
        let txn = self.txn;
        let new_id = || txn.new_id();
        let wallet = self.wallets.get_mut(&key);
        let wallet = wallet.ok_or_else(|| Error::internal(anyhow::anyhow!("A wallet was not read.")))?;
        change(wallet, Moment { now: txn.now(), new_id: &new_id })
    }

    /// Returns a grant that was read.
    pub(super) fn grant(&self, key: Key, id: Uuid) -> Option<&credit_grants::Model> {
        let grants = &self.wallets.get(&key)?.grants;
        grants.iter().map(|grant| &grant.row).find(|grant| grant.id == id)
    }

    /// Returns a wallet.
    pub(super) fn wallet(&self, key: Key) -> Option<&Wallet> {
        self.wallets.get(&key)
    }

    /// Writes all changes, each table in one statement.
    pub async fn write(self) -> Result<()> {
        let txn = self.txn;
        let mut rows = Changes::default();
        for wallet in self.wallets.into_values() {
            rows.add(wallet);
        }
        changes::record_all(txn, &rows.changed).await?;
        wallets::insert_balances(txn, rows.balances.0).await?;
        wallets::insert_grants(txn, rows.grants.0).await?;
        wallets::insert_postings(txn, rows.entries, rows.txns).await?;
        wallets::update_balances(txn, rows.balances.1).await?;
        wallets::update_grants(txn, rows.grants.1).await?;
        wallets::insert_holds(txn, rows.holds.0).await?;
        wallets::update_holds(txn, rows.holds.1).await
    }
}

/// Rows that are new, and rows that changed.
type Split<T> = (Vec<T>, Vec<T>);

/// The rows to write.
#[derive(Default)]
struct Changes {
    balances: Split<balances::Model>,
    grants: Split<credit_grants::Model>,
    holds: Split<credit_holds::Model>,
    entries: Vec<ledger_entries::Model>,
    txns: Vec<ledger_txns::Model>,
    /// The balances that changed.
    changed: Vec<Change>,
}

impl Changes {
    fn add(&mut self, wallet: Wallet) {
        // An account that holds nothing and never did needs no balance.
        let is_empty = wallet.balance.state == RowState::New && wallet.balance.row.entry_count == 0;
        if is_empty && wallet.balance.row.next_due_at.is_none() {
            return;
        }
        if !wallet.entries.is_empty() {
            self.changed.push(Change::BalanceChanged(wallet.balance.row.id, wallet.balance.row.account_id));
        }
        split(wallet.balance, &mut self.balances);
        wallet.grants.into_iter().for_each(|grant| split(grant, &mut self.grants));
        wallet.holds.into_iter().for_each(|hold| split(hold, &mut self.holds));
        self.entries.extend(wallet.entries);
        self.txns.extend(wallet.txns);
    }
}

fn split<T>(tracked: Tracked<T>, (new, changed): &mut Split<T>) {
    match tracked.state {
        RowState::New => new.push(tracked.row),
        RowState::Changed => changed.push(tracked.row),
        RowState::Stored => {}
    }
}

/// Returns true if time has changed a balance since it was written.
pub fn is_due(balance: &balances::Model, now: DateTime<Utc>) -> bool {
    balance.next_due_at.is_some_and(|due| due.to_utc() <= now)
}

/// Reads the wallets of these balances: their grants, and for those that are due, their holds and allowances.
pub(super) async fn read(
    db: &impl ConnectionTrait,
    balances: BTreeMap<Key, Tracked<balances::Model>>,
    now: DateTime<Utc>,
    (named_holds, mut named_grants): (Vec<credit_holds::Model>, BTreeSet<Uuid>),
) -> Result<BTreeMap<Key, Wallet>> {
    let accounts_of = |due: bool| -> Vec<Uuid> {
        let rows = balances.values().map(|balance| &balance.row).filter(|row| !due || is_due(row, now));
        rows.map(|row| row.account_id).collect::<BTreeSet<_>>().into_iter().collect()
    };
    let (accounts, due) = (accounts_of(false), accounts_of(true));
    let mut grants = wallets::spendable(db, &accounts).await?;
    let mut holds = if due.is_empty() { Vec::new() } else { wallets::overdue_holds(db, &due, now).await? };
    let known: HashSet<Uuid> = holds.iter().map(|hold| hold.id).collect();
    holds.extend(named_holds.into_iter().filter(|hold| !known.contains(&hold.id)));
    // Credits may come back to grants that have none left.
    named_grants.extend(holds.iter().flat_map(grants_of));
    let known: HashSet<Uuid> = grants.iter().map(|grant| grant.id).collect();
    let missing: Vec<Uuid> = named_grants.into_iter().filter(|id| !known.contains(id)).collect();
    if !missing.is_empty() {
        grants.extend(wallets::grants_by_id(db, &missing).await?);
    }
    let mut next_holds = if due.is_empty() { HashMap::new() } else { wallets::next_holds(db, &due, now).await? };
    let mut plans = if due.is_empty() { HashMap::new() } else { schedules(db, &due).await? };
    note_used(db, &mut plans).await?;
    let mut grants = by_key(grants, |grant| (grant.account_id, grant.credit_unit_id));
    let mut holds = by_key(holds, |hold| (hold.account_id, hold.credit_unit_id));
    let mut found = BTreeMap::new();
    for (key, balance) in balances {
        let mut wallet = Wallet::new(balance, grants.remove(&key).unwrap_or_default());
        wallet.holds = holds.remove(&key).unwrap_or_default().into_iter().map(Tracked::stored).collect();
        wallet.next_hold = next_holds.remove(&key);
        wallet.schedules = plans.remove(&key).unwrap_or_default();
        if let Some(noticed) = wallet.balance.row.next_due_at {
            wallet.schedules.iter_mut().for_each(|schedule| schedule.noticed = noticed.to_utc());
        }
        found.insert(key, wallet);
    }
    Ok(found)
}

fn by_key<T>(rows: Vec<T>, key: impl Fn(&T) -> Key) -> HashMap<Key, Vec<T>> {
    let mut found: HashMap<Key, Vec<T>> = HashMap::new();
    for row in rows {
        found.entry(key(&row)).or_default().push(row);
    }
    found
}

/// Returns the grants that a hold has credits of.
fn grants_of(hold: &credit_holds::Model) -> Vec<Uuid> {
    let parts = hold.parts.as_array().map_or(&[][..], Vec::as_slice);
    parts.iter().filter_map(|part| part["grant"].as_str()?.parse().ok()).collect()
}
