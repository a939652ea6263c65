//! Postings: double entries, and the transactions that seal them.

use super::books::{Books, Wallet};
use super::posting::{Cause, Move};
use crate::calendar::At;
use ::entity::{balances, ledger_entries, ledger_txns};
use uuid::Uuid;

impl Books<'_, '_> {
    /// Returns the wallet of a unit, a new one at first.
    pub(super) fn wallet(&mut self, unit: Uuid, at: At) -> &mut Wallet {
        let customer = &mut self.customer;
        self.wallets.entry(unit).or_insert_with(|| Wallet {
            row: balances::Model {
                id: customer.books.id(at),
                account_id: customer.account_id,
                credit_unit_id: unit,
                entry_count: 0,
                updated_at: at,
                owed: 0,
                next_due_at: None,
                available: 0,
                held: 0,
                spent: 0,
                expired: 0,
                issued: 0,
                revoked: 0,
            },
            grants: Vec::new(),
            holds: Vec::new(),
            recorded_at: at,
        })
    }

    /// Writes a transaction that takes effect at `effective_at`, or at the last change of the balance if that was later.
    /// Returns its id.
    pub(super) fn post(
        &mut self,
        unit: Uuid,
        (kind, effective_at, made_at): (&str, At, At),
        moves: &[Move],
        business_key: impl FnOnce(Uuid) -> String,
        cause: Cause,
    ) -> Uuid {
        let wallet = self.wallet(unit, effective_at);
        let effective_at = effective_at.max(wallet.row.updated_at);
        let recorded_at = made_at.max(wallet.recorded_at).max(effective_at);
        (wallet.row.updated_at, wallet.recorded_at) = (effective_at, recorded_at);
        let dice = &mut self.customer.books;
        let id = dice.id(recorded_at);
        let mut ids: Vec<Uuid> = (0..2 * moves.len()).map(|_| dice.id(recorded_at)).collect();
        ids.sort_by(|one, other| other.cmp(one));
        for part in moves {
            for (bucket, amount) in [(part.from, -part.amount), (part.to, part.amount)] {
                self.enter(
                    (unit, id),
                    (part.place, bucket, amount),
                    ids.pop().unwrap_or(id),
                    (effective_at, recorded_at),
                );
            }
        }
        let (ref_type, ref_id) = cause.reference.unzip();
        self.customer.rows.ledger_txns.push(ledger_txns::Model {
            id,
            account_id: self.customer.account_id,
            kind: kind.to_owned(),
            business_key: business_key(id),
            effective_at,
            recorded_at,
            actor: cause.actor,
            reason: cause.reason,
            ref_type,
            ref_id,
            reverses_id: cause.reverses_id,
        });
        id
    }

    fn enter(
        &mut self,
        (unit, txn_id): (Uuid, Uuid),
        (place, bucket, amount): (usize, &'static str, i64),
        id: Uuid,
        (effective_at, recorded_at): (At, At),
    ) {
        let row = &mut self.wallet(unit, effective_at).row;
        let balance = bucket_of(row, bucket);
        *balance += amount;
        let balance_after = *balance;
        row.entry_count += 1;
        let seq = row.entry_count;
        let grant = &mut self.customer.rows.credit_grants[place];
        if bucket == "available" {
            grant.remaining += amount;
        }
        let entry = ledger_entries::Model {
            id,
            txn_id,
            account_id: self.customer.account_id,
            credit_unit_id: unit,
            grant_id: Some(grant.id),
            bucket: bucket.to_owned(),
            amount,
            balance_after,
            seq,
            recorded_at,
            effective_at: Some(effective_at),
        };
        self.customer.rows.ledger_entries.push(entry);
    }
}

fn bucket_of<'r>(row: &'r mut balances::Model, bucket: &str) -> &'r mut i64 {
    match bucket {
        "available" => &mut row.available,
        "held" => &mut row.held,
        "spent" => &mut row.spent,
        "expired" => &mut row.expired,
        "issued" => &mut row.issued,
        "owed" => &mut row.owed,
        _ => &mut row.revoked,
    }
}
