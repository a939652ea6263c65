//! Holds: credits that are reserved, and spent or released later.

use super::post::{Cause, Move};
use super::state::{Moment, Tracked, Wallet};
use crate::credits::values::{HoldState, LedgerBucket, LedgerOperation};
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use entity::credit_holds;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// The way in which a hold ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::credits) enum HoldEnd {
    /// The host has released it.
    Released,
    /// Its time is over.
    Expired,
}

/// Credits that a hold has from a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    grant: Uuid,
    amount: i64,
}

/// Returns the grants of the credits that are left of a hold, each with its part.
pub(in crate::credits) fn held_parts(hold: &credit_holds::Model) -> Result<Vec<(Uuid, i64)>> {
    let parts: Vec<Part> = serde_json::from_value(hold.parts.clone()).map_err(Error::internal)?;
    Ok(parts.into_iter().map(|part| (part.grant, part.amount)).collect())
}

impl Wallet {
    /// Holds credits until `expires_at`. Returns the ids of the hold and of the transaction.
    pub(in crate::credits) fn hold(
        &mut self,
        amount: i64,
        expires_at: DateTime<Utc>,
        cause: Cause,
        at: Moment<'_>,
    ) -> Result<(Uuid, Uuid)> {
        self.check_available(amount)?;
        let moves = self.draw(amount, LedgerBucket::Held)?;
        let parts: Vec<Part> =
            moves.iter().filter_map(|part| Some(Part { grant: part.grant_id?, amount: part.amount })).collect();
        let id = (at.new_id)();
        let (ref_type, ref_id) = cause.reference.clone().unzip();
        self.holds.push(Tracked::new(credit_holds::Model {
            id,
            account_id: self.balance.row.account_id,
            credit_unit_id: self.balance.row.credit_unit_id,
            amount,
            remaining: amount,
            parts: json!(parts),
            captured: 0,
            state: HoldState::Open.to_string(),
            created_at: at.now.fixed_offset(),
            expires_at: expires_at.fixed_offset(),
            closed_at: None,
            created_by: cause.actor.clone(),
            reason: cause.reason.clone(),
            ref_type,
            ref_id,
        }));
        let txn_id = self.post((LedgerOperation::Hold, at.now), &moves, |_| format!("hold:{id}"), cause, at);
        self.note_due(expires_at);
        Ok((id, txn_id))
    }

    /// Spends `amount` of a hold, all that is left of it by default, and releases the rest unless it stays open.
    /// Returns the id of the transaction that spends.
    pub(in crate::credits) fn capture(
        &mut self,
        id: Uuid,
        (amount, keep_open): (Option<i64>, bool),
        cause: Cause,
        at: Moment<'_>,
    ) -> Result<Uuid> {
        let place = self.open_hold(id)?;
        let remaining = self.holds[place].row.remaining;
        let amount = amount.unwrap_or(remaining);
        if amount > remaining {
            let message = format!("The hold has {remaining} credits left: capture at most these.");
            return Err(Error::refused("AMOUNT_TOO_LARGE", &["amount"], message));
        }
        let moves = self.take(place, amount, LedgerBucket::Spent)?;
        let txn_id =
            self.post((LedgerOperation::Capture, at.now), &moves, |id| format!("capture:{id}"), cause.clone(), at);
        self.holds[place].change().captured += amount;
        if self.holds[place].row.remaining == 0 {
            self.close(place, HoldState::Captured, at.now);
        } else if !keep_open {
            self.give_back(place, at.now, cause, at)?;
            self.close(place, HoldState::Captured, at.now);
            self.repay(at.now, at)?;
        }
        Ok(txn_id)
    }

    /// Releases all that is left of a hold at `instant`. Returns the id of the transaction.
    pub(in crate::credits) fn release(
        &mut self,
        id: Uuid,
        (end, instant): (HoldEnd, DateTime<Utc>),
        cause: Cause,
        at: Moment<'_>,
    ) -> Result<Uuid> {
        let place = self.open_hold(id)?;
        let txn_id = self.give_back(place, instant, cause, at)?;
        let state = if end == HoldEnd::Released { HoldState::Released } else { HoldState::Expired };
        self.close(place, state, instant);
        if end == HoldEnd::Released {
            self.repay(instant, at)?;
        }
        Ok(txn_id)
    }

    fn open_hold(&self, id: Uuid) -> Result<usize> {
        let place = self.holds.iter().position(|hold| hold.row.id == id);
        let place = place.ok_or_else(|| Error::refused("HOLD_NOT_FOUND", &["holdId"], "Hold not found."))?;
        let state = &self.holds[place].row.state;
        if *state == HoldState::Open.to_string() {
            return Ok(place);
        }
        let message = format!("The hold has ended: it is {state}. Hold the credits again.");
        Err(Error::refused("HOLD_ENDED", &["holdId"], message))
    }

    fn close(&mut self, place: usize, state: HoldState, instant: DateTime<Utc>) {
        let hold = self.holds[place].change();
        hold.state = state.to_string();
        hold.closed_at = Some(instant.fixed_offset());
    }

    /// Takes credits out of a hold, and returns their moves to the bucket `to`.
    fn take(&mut self, place: usize, amount: i64, to: LedgerBucket) -> Result<Vec<Move>> {
        let hold = self.holds[place].change();
        let mut parts: Vec<Part> = serde_json::from_value(hold.parts.take()).map_err(Error::internal)?;
        let mut left = amount;
        let mut moves = Vec::with_capacity(parts.len());
        for part in &mut parts {
            let taken = left.min(part.amount);
            if taken > 0 {
                part.amount -= taken;
                left -= taken;
                moves.push(Move { grant_id: Some(part.grant), from: LedgerBucket::Held, to, amount: taken });
            }
        }
        parts.retain(|part| part.amount > 0);
        hold.parts = json!(parts);
        hold.remaining -= amount;
        Ok(moves)
    }

    /// Returns all that is left of a hold to its grants; what comes from a grant that has expired expires.
    fn give_back(&mut self, place: usize, instant: DateTime<Utc>, cause: Cause, at: Moment<'_>) -> Result<Uuid> {
        let remaining = self.holds[place].row.remaining;
        let moves = self.take(place, remaining, LedgerBucket::Available)?;
        let moves = self.returned(moves, instant);
        Ok(self.post((LedgerOperation::Release, instant), &moves, |id| format!("release:{id}"), cause, at))
    }

    /// Adds credits that come back to `available` to their grants at `instant`. Those whose price was returned meanwhile go
    /// to `revoked`, and those of expired grants to `expired`.
    pub(super) fn returned(&mut self, moves: Vec<Move>, instant: DateTime<Utc>) -> Vec<Move> {
        let mut found = Vec::with_capacity(moves.len());
        for mut part in moves {
            if let Some(grant) = part.grant_id.and_then(|id| self.grant_mut(id)) {
                let recovered = part.amount.min(grant.row.unrecovered);
                if recovered > 0 {
                    grant.change().unrecovered -= recovered;
                    part.amount -= recovered;
                    found.push(Move { to: LedgerBucket::Revoked, amount: recovered, ..part });
                }
                match grant.row.expires_at.is_some_and(|expiry| expiry.to_utc() <= instant) {
                    true => part.to = LedgerBucket::Expired,
                    false if part.amount > 0 => grant.change().remaining += part.amount,
                    false => {}
                }
            }
            if part.amount > 0 {
                found.push(part);
            }
        }
        found
    }
}
