//! Transfers: credits leave one wallet and are granted in another, with their terms.

use super::post::{Cause, Move};
use super::state::{Moment, Tracked, Wallet};
use crate::credits::term::Term;
use crate::credits::values::{GrantSource, LedgerBucket, LedgerOperation};
use crate::error::Result;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Credits of one grant that are transferred.
#[derive(Debug, Clone, Copy)]
pub(in crate::credits) struct Transferred {
    amount: i64,
    priority: i64,
    expires_at: Option<DateTime<Utc>>,
}

impl Wallet {
    /// Takes credits out of the wallet. Returns the id of the transaction, and the credits with their terms.
    pub(in crate::credits) fn transfer_out(
        &mut self,
        amount: i64,
        cause: Cause,
        at: Moment<'_>,
    ) -> Result<(Uuid, Vec<Transferred>)> {
        self.check_available(amount)?;
        let moves = self.draw(amount, LedgerBucket::Issued)?;
        let terms = |part: &Move| {
            let grant = self.grants.iter().find(|grant| Some(grant.row.id) == part.grant_id)?;
            let expires_at = grant.row.expires_at.map(|at| at.to_utc());
            Some(Transferred { amount: part.amount, priority: grant.row.priority, expires_at })
        };
        let parts = moves.iter().filter_map(terms).collect();
        let kind = (LedgerOperation::Transfer, at.now);
        Ok((self.post(kind, &moves, |id| format!("transfer:{id}:out"), cause, at), parts))
    }

    /// Adds credits that the transaction `from` took out of another wallet.
    pub(in crate::credits) fn transfer_in(
        &mut self,
        from: Uuid,
        parts: Vec<Transferred>,
        cause: Cause,
        at: Moment<'_>,
    ) -> Result<()> {
        let mut moves = Vec::with_capacity(parts.len());
        for (number, part) in parts.into_iter().enumerate() {
            let term = Term {
                source: GrantSource::Transfer,
                amount: part.amount,
                priority: part.priority,
                starts_at: at.now,
                expires_at: part.expires_at,
                business_key: Some(format!("transfer:{from}:{number}")),
                payment_id: None,
                allowance: None,
                reason: cause.reason.clone(),
            };
            let row = self.row_of(term, &cause, at);
            let (from, to) = (LedgerBucket::Issued, LedgerBucket::Available);
            moves.push(Move { grant_id: Some(row.id), from, to, amount: row.amount });
            row.expires_at.into_iter().for_each(|instant| self.note_due(instant.to_utc()));
            self.insert_grant(Tracked::new(entity::credit_grants::Model { started: true, ..row }));
        }
        let kind = (LedgerOperation::Transfer, at.now);
        self.post(kind, &moves, |_| format!("transfer:{from}:in"), cause, at);
        self.repay(at.now, at)
    }
}
