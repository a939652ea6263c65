//! Grants: their start, their revocation and their end.

use super::post::{Cause, Move};
use super::state::{Moment, Tracked, Wallet};
use crate::credits::term::Term;
use crate::credits::values::{LedgerBucket, LedgerOperation};
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use entity::credit_grants;
use uuid::Uuid;

/// The most that an account is ever granted in one unit; far from the range of 64 bits.
const MAX_ISSUED: i64 = 4_000_000_000_000_000_000;

impl Wallet {
    /// Adds a grant, which begins at once if its time has come, and then repays what is owed. Returns its id, and that
    /// of the transaction.
    pub(in crate::credits) fn grant(
        &mut self,
        term: Term,
        cause: Cause,
        at: Moment<'_>,
    ) -> Result<(Uuid, Option<Uuid>)> {
        let starts_at = term.starts_at;
        let (id, txn_id) = self.add(term, cause, at);
        if txn_id.is_some() {
            self.repay(starts_at, at)?;
        }
        Ok((id, txn_id))
    }

    /// Adds a grant, which begins at once if its time has come. Returns its id, and that of the transaction.
    pub(super) fn add(&mut self, term: Term, cause: Cause, at: Moment<'_>) -> (Uuid, Option<Uuid>) {
        let starts_at = term.starts_at;
        let row = self.row_of(term, &cause, at);
        let (id, expires_at) = (row.id, row.expires_at.map(|at| at.to_utc()));
        self.insert_grant(Tracked::new(row));
        let txn_id = (starts_at <= at.now).then(|| self.start(id, cause, at));
        let instants = [(starts_at > at.now).then_some(starts_at), expires_at];
        instants.into_iter().flatten().for_each(|instant| self.note_due(instant));
        (id, txn_id)
    }

    /// Makes the credits of a grant available. Returns the id of the transaction.
    pub(super) fn start(&mut self, id: Uuid, cause: Cause, at: Moment<'_>) -> Uuid {
        let mut granted = 0;
        let mut starts_at = at.now;
        if let Some(grant) = self.grant_mut(id) {
            grant.change().started = true;
            (granted, starts_at) = (grant.row.remaining, grant.row.starts_at.to_utc());
        }
        let part =
            Move { grant_id: Some(id), from: LedgerBucket::Issued, to: LedgerBucket::Available, amount: granted };
        let kind = (LedgerOperation::Grant, starts_at);
        self.post(kind, &[part], |_| format!("grant:{id}"), cause, at)
    }

    /// Repays what is owed from what is available.
    pub(super) fn repay(&mut self, instant: DateTime<Utc>, at: Moment<'_>) -> Result<()> {
        let owed = (-self.balance.row.owed).min(self.balance.row.available);
        if owed > 0 {
            let moves = self.draw(owed, LedgerBucket::Owed)?;
            let cause = Cause { actor: SYSTEM.to_owned(), ..Cause::default() };
            self.post((LedgerOperation::Repay, instant), &moves, |id| format!("repay:{id}"), cause, at);
        }
        Ok(())
    }

    /// Returns the row of a grant that has not begun.
    pub(super) fn row_of(&self, term: Term, cause: &Cause, at: Moment<'_>) -> credit_grants::Model {
        let id = (at.new_id)();
        let business_key = term.business_key.unwrap_or_else(|| format!("{}:{id}", term.source));
        credit_grants::Model {
            id,
            account_id: self.balance.row.account_id,
            credit_unit_id: self.balance.row.credit_unit_id,
            source: term.source.to_string(),
            amount: term.amount,
            remaining: term.amount,
            priority: term.priority,
            starts_at: term.starts_at.fixed_offset(),
            expires_at: term.expires_at.map(|at| at.fixed_offset()),
            business_key,
            payment_id: term.payment_id,
            reason: term.reason,
            granted_by: cause.actor.clone(),
            created_at: at.now.fixed_offset(),
            started: false,
            allowance_id: term.allowance.map(|(allowance_id, _)| allowance_id),
            subscription_id: term.allowance.map(|(_, subscription_id)| subscription_id),
            unrecovered: 0,
        }
    }

    /// Fails if the account would hold more credits than a balance can count.
    pub(in crate::credits) fn check_room(&self, amount: i64) -> Result<()> {
        if -self.balance.row.issued <= MAX_ISSUED - amount {
            return Ok(());
        }
        let message = "The account was granted the most that a balance can count: 4,000,000,000,000,000,000 steps.";
        Err(Error::refused("AMOUNT_INVALID", &["amount"], message))
    }

    /// Moves `amount` of a grant to `expired`, at `instant`. `key` makes the business key from the id of the transaction.
    pub(super) fn expire(
        &mut self,
        id: Uuid,
        (instant, amount): (DateTime<Utc>, i64),
        key: impl FnOnce(Uuid) -> String,
        at: Moment<'_>,
    ) {
        let Some(grant) = self.grant_mut(id) else { return };
        grant.change().remaining -= amount;
        let part = Move { grant_id: Some(id), from: LedgerBucket::Available, to: LedgerBucket::Expired, amount };
        let cause = Cause { actor: SYSTEM.to_owned(), ..Cause::default() };
        self.post((LedgerOperation::Expire, instant), &[part], key, cause, at);
    }
}

/// The actor of postings that no request causes, in the form of the audit log.
pub(super) const SYSTEM: &str = "system:ledger";
