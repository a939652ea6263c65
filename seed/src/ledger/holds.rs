//! Holds: credits that are reserved, and spent or released later.

use super::books::{Books, Step};
use super::posting::{Cause, Move};
use crate::calendar::At;
use crate::credit_events::HoldEnd;
use ::entity::credit_holds;
use serde_json::{Value, json};
use uuid::Uuid;

impl Books<'_, '_> {
    /// Holds credits that are there, and plans the end of the hold.
    pub(super) fn hold(&mut self, unit: Uuid, at: At, amount: i64, (expires_at, ends_at, end): (At, At, HoldEnd)) {
        if amount == 0 {
            return;
        }
        let parts = self.draw(unit, amount);
        let id = self.customer.books.id(at);
        let reference = Some(("job".to_owned(), self.customer.books.token("")));
        let cause = Cause { actor: "service:app".to_owned(), reference: reference.clone(), ..Cause::default() };
        let (ref_type, ref_id) = reference.unzip();
        let place = self.customer.rows.credit_holds.len();
        self.customer.rows.credit_holds.push(credit_holds::Model {
            id,
            account_id: self.customer.account_id,
            credit_unit_id: unit,
            amount,
            remaining: amount,
            parts: self.stored_parts(&parts),
            captured: 0,
            state: "open".to_owned(),
            created_at: at,
            expires_at,
            closed_at: None,
            created_by: cause.actor.clone(),
            reason: None,
            ref_type,
            ref_id,
        });
        let moves: Vec<Move> = parts.iter().map(|part| Move::of(*part, "available", "held")).collect();
        self.post(unit, ("hold", at, at), &moves, |_| format!("hold:{id}"), cause);
        self.wallet(unit, at).holds.push(place);
        self.held_parts.insert(place, parts);
        match end {
            HoldEnd::TimesOut => {}
            end => self.push(ends_at, 4, Step::EndHold(place, end)),
        }
        self.push(expires_at, 0, Step::HoldTimesOut(place));
    }

    fn stored_parts(&self, parts: &[(usize, i64)]) -> Value {
        let grants = &self.customer.rows.credit_grants;
        parts.iter().map(|(place, amount)| json!({"grant": grants[*place].id, "amount": amount})).collect()
    }

    /// Ends a hold before its time.
    pub(super) fn end_hold(&mut self, at: At, place: usize, end: HoldEnd) {
        let (unit, amount) =
            (self.customer.rows.credit_holds[place].credit_unit_id, self.customer.rows.credit_holds[place].amount);
        let cause = Cause { actor: "service:app".to_owned(), ..Cause::default() };
        let captured = match end {
            HoldEnd::Captured(percent) => (amount * percent / 100).max(1),
            HoldEnd::Released | HoldEnd::TimesOut => 0,
        };
        if captured > 0 {
            let parts = self.take_held(place, captured);
            let moves: Vec<Move> = parts.into_iter().map(|part| Move::of(part, "held", "spent")).collect();
            self.post(unit, ("capture", at, at), &moves, |id| format!("capture:{id}"), cause.clone());
        }
        if captured < amount {
            self.release(at, place, cause);
        }
        let hold = &mut self.customer.rows.credit_holds[place];
        hold.captured = captured;
        close(hold, if captured > 0 { "captured" } else { "released" }, at);
    }

    /// Releases a hold that is still open at its end.
    pub(super) fn time_out(&mut self, at: At, place: usize) {
        if self.customer.rows.credit_holds[place].state == "open" {
            self.release(at, place, Cause::time());
            close(&mut self.customer.rows.credit_holds[place], "expired", at);
        }
    }

    fn release(&mut self, at: At, place: usize, cause: Cause) {
        let unit = self.customer.rows.credit_holds[place].credit_unit_id;
        let parts = self.take_held(place, i64::MAX);
        let moves = self.returned(&parts, "held", at);
        self.post(unit, ("release", at, at), &moves, |id| format!("release:{id}"), cause);
    }

    /// Takes credits out of a hold, and returns them by grant.
    fn take_held(&mut self, place: usize, amount: i64) -> Vec<(usize, i64)> {
        let mut left = amount;
        let mut taken = Vec::new();
        let mut rest = Vec::new();
        for (grant, held) in self.held_parts.remove(&place).unwrap_or_default() {
            let part = left.min(held);
            left -= part;
            taken.extend((part > 0).then_some((grant, part)));
            rest.extend((held > part).then_some((grant, held - part)));
        }
        let parts = self.stored_parts(&rest);
        let hold = &mut self.customer.rows.credit_holds[place];
        hold.remaining -= taken.iter().map(|(_, part)| part).sum::<i64>();
        hold.parts = parts;
        self.held_parts.insert(place, rest);
        taken
    }
}

fn close(hold: &mut credit_holds::Model, state: &str, at: At) {
    state.clone_into(&mut hold.state);
    hold.closed_at = Some(at);
}
