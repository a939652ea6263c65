//! Reversals: the opposite of a transaction.

use super::post::{Cause, Move};
use super::state::{Moment, Wallet};
use crate::credits::values::{LedgerBucket, LedgerOperation};
use crate::error::{Error, Result};
use uuid::Uuid;

impl Wallet {
    /// Reverses a transaction that spent credits, by its moves: they return to their grants, or expire at once where the
    /// grant has expired. Returns the id of the new transaction.
    pub(in crate::credits) fn reverse_spend(
        &mut self,
        txn_id: Uuid,
        spent: &[(Uuid, i64)],
        cause: Cause,
        at: Moment<'_>,
    ) -> Result<Uuid> {
        let back = spent.iter().map(|(grant, amount)| Move {
            grant_id: Some(*grant),
            from: LedgerBucket::Spent,
            to: LedgerBucket::Available,
            amount: *amount,
        });
        let moves = self.returned(back.collect(), at.now);
        let reversal = self.post_reversal(txn_id, &moves, cause, at);
        self.repay(at.now, at)?;
        Ok(reversal)
    }

    /// Reverses a grant: takes all of it back. Refused if credits of it were used, since they cannot come back from
    /// here.
    pub(in crate::credits) fn reverse_grant(
        &mut self,
        txn_id: Uuid,
        grant_id: Uuid,
        cause: Cause,
        at: Moment<'_>,
    ) -> Result<Uuid> {
        let grant = self.grant_mut(grant_id).filter(|grant| grant.row.remaining == grant.row.amount);
        let Some(grant) = grant else {
            let message = "Credits of this grant were used or have expired: reverse the spending first.";
            return Err(Error::refused("CREDITS_SPENT", &["transactionId"], message));
        };
        let amount = grant.row.amount;
        grant.change().remaining = 0;
        let (from, to) = (LedgerBucket::Available, LedgerBucket::Revoked);
        let moves = [Move { grant_id: Some(grant_id), from, to, amount }];
        Ok(self.post_reversal(txn_id, &moves, cause, at))
    }

    fn post_reversal(&mut self, txn_id: Uuid, moves: &[Move], cause: Cause, at: Moment<'_>) -> Uuid {
        let cause = Cause { reverses_id: Some(txn_id), ..cause };
        self.post((LedgerOperation::Reverse, at.now), moves, |_| format!("reverse:{txn_id}"), cause, at)
    }

    /// Takes credits back that were paid for with money that was returned: those that are left of the grant at once, and
    /// those that were spent or are held when they come back to it. With `owes` the latter are a debt instead, unless they
    /// were forgiven before. Returns the number of credits taken or owed.
    pub(in crate::credits) fn revoke(
        &mut self,
        grant_id: Uuid,
        (amount, owes): (i64, bool),
        key: String,
        cause: Cause,
        at: Moment<'_>,
    ) -> i64 {
        let Some(grant) = self.grant_mut(grant_id) else { return 0 };
        let taken = amount.min(grant.row.remaining);
        if taken > 0 {
            grant.change().remaining -= taken;
        }
        let short = amount - taken;
        let owed = if owes { (short - grant.row.unrecovered).max(0) } else { 0 };
        let unrecovered = short - owed;
        if grant.row.unrecovered != unrecovered {
            grant.change().unrecovered = unrecovered;
        }
        let part = |from, amount| Move { grant_id: Some(grant_id), from, to: LedgerBucket::Revoked, amount };
        let mut moves = vec![part(LedgerBucket::Available, taken), part(LedgerBucket::Owed, owed)];
        moves.retain(|part| part.amount > 0);
        if !moves.is_empty() {
            self.post((LedgerOperation::Revoke, at.now), &moves, |_| key, cause, at);
        }
        taken + owed
    }

    /// Gives credits back that were revoked: debts first, then to the grant, or to `expired` if it has expired.
    pub(in crate::credits) fn restore(
        &mut self,
        grant_id: Uuid,
        amount: i64,
        key: String,
        cause: Cause,
        at: Moment<'_>,
    ) {
        if let Some(grant) = self.grant_mut(grant_id).filter(|grant| grant.row.unrecovered > 0) {
            grant.change().unrecovered = 0;
        }
        let forgiven = amount.min(-self.balance.row.owed);
        let part = |to, amount| Move { grant_id: Some(grant_id), from: LedgerBucket::Revoked, to, amount };
        let back = vec![part(LedgerBucket::Available, amount - forgiven)];
        let mut moves = self.returned(back, at.now);
        moves.push(part(LedgerBucket::Owed, forgiven));
        moves.retain(|part| part.amount > 0);
        self.post((LedgerOperation::Revoke, at.now), &moves, |_| key, cause, at);
    }
}
