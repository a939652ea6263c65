//! The execution of operations that share a transaction.

use super::ledger::{Ledger, Named};
use super::operation::{Moved, Operation, Unit, Verb};
use super::store::wallets::{self, Key};
use super::term::Term;
use super::values::{GrantSource, LedgerBucket, LedgerOperation};
use super::wallet::{Cause, HoldEnd, Moment};
use crate::audit::AuditEntry;
use crate::db::{Combined, Txn};
use crate::error::{Error, Result};
use crate::{accounts, plans};
use entity::{ledger_entries, ledger_txns};
use futures_util::future::BoxFuture;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

impl Combined for Operation {
    type Outcome = Moved;

    fn account(&self) -> Uuid {
        self.account_id
    }

    fn execute<'t>(txn: &'t Txn, operations: Vec<&'t Self>) -> BoxFuture<'t, Result<Vec<Result<Moved>>>> {
        Box::pin(async move {
            let facts = Facts::load(txn, &operations).await?;
            let keys = operations.iter().filter_map(|operation| facts.key(operation)).flatten();
            let mut ledger = Ledger::load_with(txn, keys.collect::<Vec<_>>(), facts.named(&operations)).await?;
            let mut results = Vec::with_capacity(operations.len());
            let mut audit = Vec::new();
            let mut reversed = facts.reversed.clone();
            for operation in operations {
                let result = facts.apply(&mut ledger, operation, &mut reversed);
                if let (Ok(Moved { grant_id: Some(id), .. }), Verb::Grant { .. }) = (&result, &operation.verb) {
                    audit.push((operation, *id));
                }
                results.push(result);
            }
            ledger.write().await?;
            let audit = audit.into_iter();
            txn.audit_all(
                audit.map(|(operation, id)| (operation.actor.as_str(), audit_entry(operation, id))).collect(),
            )
            .await?;
            Ok(results)
        })
    }
}

/// The rows that operations refer to.
struct Facts {
    units: HashMap<String, Uuid>,
    accounts: HashSet<Uuid>,
    /// Owners of the accounts of transfers.
    owners: HashMap<Uuid, Uuid>,
    txns: HashMap<Uuid, ledger_txns::Model>,
    /// Entries that added credits, by transaction.
    gains: HashMap<Uuid, Vec<ledger_entries::Model>>,
    /// Transactions that were reversed.
    reversed: HashSet<Uuid>,
}

impl Facts {
    async fn load(txn: &Txn, operations: &[&Operation]) -> Result<Facts> {
        let codes = operations.iter().filter_map(|operation| match &operation.unit {
            Unit::Code(code) => Some(code.as_str()),
            Unit::Id(_) => None,
        });
        let units = plans::unit_ids(txn, codes).await?;
        let mut named: Vec<Uuid> = Vec::new();
        let mut undone: Vec<Uuid> = Vec::new();
        for operation in operations {
            named.push(operation.account_id);
            match operation.verb {
                Verb::Transfer { to_account_id, .. } => named.push(to_account_id),
                Verb::Reverse { transaction_id } => undone.push(transaction_id),
                _ => {}
            }
        }
        named.sort_unstable();
        named.dedup();
        let owners = accounts::owners(txn, &named).await?;
        let (mut txns, mut gains, mut reversed) = (HashMap::new(), HashMap::<_, Vec<_>>::new(), HashSet::new());
        if !undone.is_empty() {
            txns.extend(wallets::txns_by_id(txn, &undone).await?.into_iter().map(|row| (row.id, row)));
            for gain in wallets::gains(txn, &undone).await? {
                gains.entry(gain.txn_id).or_default().push(gain);
            }
            reversed.extend(wallets::reversed(txn, &undone).await?);
        }
        Ok(Facts { units, accounts: owners.keys().copied().collect(), owners, txns, gains, reversed })
    }

    fn unit_id(&self, operation: &Operation) -> Option<Uuid> {
        match &operation.unit {
            Unit::Code(code) => self.units.get(code).copied(),
            Unit::Id(id) => Some(*id),
        }
    }

    /// Returns the wallets of an operation; `None` if its account or unit does not exist.
    fn key(&self, operation: &Operation) -> Option<Vec<Key>> {
        let unit_id = self.unit_id(operation)?;
        let other = match operation.verb {
            Verb::Transfer { to_account_id, .. } => Some(to_account_id),
            _ => None,
        };
        let named = [Some(operation.account_id), other].into_iter().flatten();
        Some(named.filter(|id| self.accounts.contains(id)).map(|id| (id, unit_id)).collect())
    }

    fn named(&self, operations: &[&Operation]) -> Named {
        let mut named = Named::default();
        for operation in operations {
            if let Verb::Capture { hold_id, .. } | Verb::Release { hold_id } = operation.verb {
                named.holds.insert(hold_id);
            }
        }
        named.grants.extend(self.gains.values().flatten().filter_map(|gain| gain.grant_id));
        named
    }

    fn apply(&self, ledger: &mut Ledger<'_>, operation: &Operation, reversed: &mut HashSet<Uuid>) -> Result<Moved> {
        let account_id = operation.account_id;
        if !self.accounts.contains(&account_id) {
            return Err(Error::refused("ACCOUNT_NOT_FOUND", &["accountId"], "Account not found."));
        }
        let unit_id = self.unit_id(operation);
        let unit_id = unit_id.ok_or(Error::refused("UNIT_NOT_FOUND", &["unit"], "Credit unit not found."))?;
        let key = (account_id, unit_id);
        let cause = Cause {
            actor: operation.actor.clone(),
            reason: operation.reason.clone(),
            reference: operation.reference.clone(),
            reverses_id: None,
        };
        let mut moved = Moved { transaction_id: None, grant_id: None, hold_id: None, available: 0, held: 0 };
        match operation.verb {
            Verb::Grant { amount, priority, starts_at, expires_at } => {
                let (id, txn_id) = ledger.change(key, |wallet, at| {
                    if expires_at.is_some_and(|end| end <= starts_at.unwrap_or(at.now).max(at.now)) {
                        let message = "`expiresAt` must be in the future.";
                        return Err(Error::refused("EXPIRY_INVALID", &["expiresAt"], message));
                    }
                    let term = Term {
                        source: GrantSource::Admin,
                        amount,
                        priority,
                        starts_at: starts_at.unwrap_or(at.now).max(at.now),
                        expires_at,
                        business_key: None,
                        payment_id: None,
                        allowance: None,
                        reason: cause.reason.clone(),
                    };
                    wallet.check_room(amount)?;
                    wallet.grant(term, cause, at)
                })?;
                (moved.grant_id, moved.transaction_id) = (Some(id), txn_id);
            }
            Verb::Spend { amount } => {
                moved.transaction_id = Some(ledger.change(key, |wallet, at| wallet.spend(amount, cause, at))?);
            }
            Verb::Hold { amount, expires_at } => {
                let (id, txn_id) = ledger.change(key, |wallet, at| {
                    if expires_at <= at.now {
                        let message = "`expiresAt` must be in the future.";
                        return Err(Error::refused("EXPIRY_INVALID", &["expiresAt"], message));
                    }
                    wallet.hold(amount, expires_at, cause, at)
                })?;
                (moved.hold_id, moved.transaction_id) = (Some(id), Some(txn_id));
            }
            Verb::Capture { hold_id, amount, keep_open } => {
                let capture = ledger.change(key, |wallet, at| wallet.capture(hold_id, (amount, keep_open), cause, at));
                (moved.hold_id, moved.transaction_id) = (Some(hold_id), Some(capture?));
            }
            Verb::Release { hold_id } => {
                let end = |at: Moment<'_>| (HoldEnd::Released, at.now);
                let released = ledger.change(key, |wallet, at| wallet.release(hold_id, end(at), cause, at));
                (moved.hold_id, moved.transaction_id) = (Some(hold_id), Some(released?));
            }
            Verb::Reverse { transaction_id } => {
                moved.transaction_id = Some(self.reverse(ledger, key, transaction_id, cause, reversed)?);
            }
            Verb::Transfer { to_account_id, amount } => {
                moved.transaction_id = Some(self.transfer(ledger, key, (to_account_id, amount), cause)?);
            }
        }
        let balance = ledger.wallet(key).map(|wallet| &wallet.balance.row);
        (moved.available, moved.held) = balance.map_or((0, 0), |balance| (balance.available, balance.held));
        Ok(moved)
    }

    /// Reverses a transaction that granted, spent or captured.
    fn reverse(
        &self,
        ledger: &mut Ledger<'_>,
        key: Key,
        id: Uuid,
        cause: Cause,
        reversed: &mut HashSet<Uuid>,
    ) -> Result<Uuid> {
        let refuse = |code, message| Err(Error::refused(code, &["transactionId"], message));
        let Some(txn) = self.txns.get(&id) else {
            return refuse("TRANSACTION_NOT_FOUND", "Ledger transaction not found.");
        };
        if reversed.contains(&id) {
            return refuse("ALREADY_REVERSED", "This transaction was reversed before.");
        }
        let gains = self.gains.get(&id).map_or(&[][..], Vec::as_slice);
        let of = |bucket: LedgerBucket| gains.iter().filter(move |gain| gain.bucket == bucket.as_str());
        let undone = match LedgerOperation::parse(&txn.kind)? {
            LedgerOperation::Spend | LedgerOperation::Capture => {
                let spent = of(LedgerBucket::Spent).filter_map(|gain| Some((gain.grant_id?, gain.amount)));
                let spent: Vec<_> = spent.collect();
                ledger.change(key, |wallet, at| wallet.reverse_spend(id, &spent, cause, at))
            }
            LedgerOperation::Grant => {
                let grant_id = of(LedgerBucket::Available).find_map(|gain| gain.grant_id).unwrap_or_default();
                ledger.change(key, |wallet, at| wallet.reverse_grant(id, grant_id, cause, at))
            }
            _ => refuse("NOT_REVERSIBLE", "Only grants, spending and captures can be reversed: release a hold."),
        }?;
        reversed.insert(id);
        Ok(undone)
    }

    /// Moves credits to another account of the same owner; they keep their expiry and priority.
    fn transfer(
        &self,
        ledger: &mut Ledger<'_>,
        key: Key,
        (to_account_id, amount): (Uuid, i64),
        cause: Cause,
    ) -> Result<Uuid> {
        let refuse = |code, message| Err(Error::refused(code, &["toAccountId"], message));
        if to_account_id == key.0 {
            return refuse("SAME_ACCOUNT", "Credits can be transferred to another account only.");
        }
        match (self.owners.get(&key.0), self.owners.get(&to_account_id)) {
            (Some(from), Some(to)) if from == to => {}
            (_, None) => return refuse("ACCOUNT_NOT_FOUND", "Account not found."),
            _ => return refuse("OWNER_DIFFERS", "Both accounts must have the same owner."),
        }
        ledger.change((to_account_id, key.1), |wallet, _| wallet.check_room(amount))?;
        let (txn_id, parts) = ledger.change(key, |wallet, at| wallet.transfer_out(amount, cause.clone(), at))?;
        ledger.change((to_account_id, key.1), |wallet, at| wallet.transfer_in(txn_id, parts, cause, at))?;
        Ok(txn_id)
    }
}

/// Returns the audit entry of a grant.
fn audit_entry(operation: &Operation, id: Uuid) -> AuditEntry {
    let Verb::Grant { amount, priority, expires_at, starts_at } = &operation.verb else {
        return AuditEntry::new("credits.grant", "CreditGrant", id);
    };
    let unit = match &operation.unit {
        Unit::Code(code) => code.clone(),
        Unit::Id(id) => id.to_string(),
    };
    let after = json!({"account_id": operation.account_id, "unit": unit, "amount": amount, "reason": operation.reason,
        "starts_at": starts_at, "expires_at": expires_at, "priority": priority});
    AuditEntry::new("credits.grant", "CreditGrant", id).account(operation.account_id).after(after)
}
