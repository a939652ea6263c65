//! Grants: their beginning, their end, and what money that was returned takes back.

use super::books::{Books, Step};
use super::posting::{Cause, Move};
use crate::calendar::At;
use crate::credit_events::{Allowed, Grant};
use ::entity::credit_grants;
use uuid::Uuid;

impl Books<'_, '_> {
    /// Makes a grant, and repays what is owed. An allowance first ends what is too much of earlier ones.
    pub(super) fn open(&mut self, grant: Grant) {
        let (unit, at, made_at) = (grant.unit, grant.at, grant.made_at);
        let mut amount = grant.amount;
        if let Some(allowed) = grant.allowed {
            let key = (allowed.subscription_id, allowed.allowance_id);
            let is_first = self.granted.insert(key, at).is_none();
            if is_first && !allowed.is_daily {
                amount -= self.used_before(unit, &allowed);
            }
            self.roll_over(unit, (at, made_at), &allowed, is_first);
        }
        if amount > 0 {
            self.begin(grant, amount);
            self.repay(unit, at, made_at);
        }
    }

    fn begin(&mut self, grant: Grant, amount: i64) {
        let (id, unit, place) = (grant.id, grant.unit, self.customer.rows.credit_grants.len());
        let reason = grant.reason.map(str::to_owned);
        let cause = Cause { actor: grant.granted_by.clone(), reason: reason.clone(), ..Cause::default() };
        let row = credit_grants::Model {
            id,
            account_id: self.customer.account_id,
            credit_unit_id: unit,
            source: grant.source.to_owned(),
            amount,
            remaining: 0,
            priority: grant.priority,
            starts_at: grant.at,
            expires_at: grant.expires_at,
            business_key: grant.business_key,
            payment_id: grant.payment_id,
            reason,
            granted_by: grant.granted_by,
            created_at: grant.made_at,
            started: true,
            allowance_id: grant.allowed.map(|allowed| allowed.allowance_id),
            subscription_id: grant.allowed.map(|allowed| allowed.subscription_id),
            unrecovered: 0,
        };
        self.customer.rows.credit_grants.push(row);
        self.versions.insert(place, grant.allowed);
        self.wallet(unit, grant.at).grants.push(place);
        let parts = [Move::of((place, amount), "issued", "available")];
        self.post(unit, ("grant", grant.at, grant.made_at), &parts, |_| format!("grant:{id}"), cause);
        if let Some(expires_at) = grant.expires_at {
            self.push(expires_at, 1, Step::Expire(place));
        }
    }

    /// Returns the grants of a subscription that have credits left, the oldest first.
    fn of_subscription(&self, unit: Uuid, subscription_id: Uuid) -> Vec<(usize, Allowed)> {
        let places = self.wallets.get(&unit).map_or(&[][..], |wallet| wallet.grants.as_slice());
        let allowed = |place: &usize| self.versions.get(place).copied().flatten().map(|allowed| (*place, allowed));
        let mut found: Vec<_> = places.iter().filter_map(allowed).collect();
        found.retain(|(_, allowed)| allowed.subscription_id == subscription_id);
        let grants = &self.customer.rows.credit_grants;
        found.sort_by_key(|(place, _)| (grants[*place].starts_at, grants[*place].id));
        found
    }

    /// Returns the credits of an earlier plan that were used in the present billing period.
    fn used_before(&self, unit: Uuid, new: &Allowed) -> i64 {
        let earlier = self.of_subscription(unit, new.subscription_id).into_iter();
        let earlier = earlier.filter(|(_, old)| old.version_id != new.version_id && !old.is_daily);
        let grants = earlier.map(|(place, _)| &self.customer.rows.credit_grants[place]);
        grants.filter(|row| row.starts_at >= new.period_start).map(|row| row.amount - row.remaining).sum()
    }

    /// Ends what is left of earlier grants of an allowance beyond its cap, and all that is left of an earlier plan's.
    fn roll_over(&mut self, unit: Uuid, times: (At, At), new: &Allowed, is_first: bool) {
        let left = |books: &Self, place: usize| books.customer.rows.credit_grants[place].remaining;
        let found = self.of_subscription(unit, new.subscription_id);
        let own: Vec<usize> =
            found.iter().filter(|(_, old)| old.allowance_id == new.allowance_id).map(|(place, _)| *place).collect();
        let kept = new.rollover_cap.unwrap_or(i64::MAX);
        let mut excess = own.iter().map(|place| left(self, *place)).sum::<i64>().saturating_sub(kept).max(0);
        for place in own {
            let part = excess.min(left(self, place));
            if part > 0 {
                excess -= part;
                let id = self.customer.rows.credit_grants[place].id;
                self.lapse(place, times, part, |txn_id| format!("rollover:{id}:{txn_id}"));
            }
        }
        for (place, _) in found.into_iter().filter(|(_, old)| is_first && old.version_id != new.version_id) {
            let part = left(self, place);
            if part > 0 {
                let id = self.customer.rows.credit_grants[place].id;
                self.lapse(place, times, part, |txn_id| format!("replace:{id}:{txn_id}"));
            }
        }
    }

    /// Moves credits of a grant to `expired`.
    pub(super) fn lapse(
        &mut self,
        place: usize,
        (at, made_at): (At, At),
        amount: i64,
        key: impl FnOnce(Uuid) -> String,
    ) {
        let unit = self.customer.rows.credit_grants[place].credit_unit_id;
        let parts = [Move::of((place, amount), "available", "expired")];
        self.post(unit, ("expire", at, made_at), &parts, key, Cause::time());
    }

    /// Repays what is owed from what is available.
    fn repay(&mut self, unit: Uuid, at: At, made_at: At) {
        let row = &self.wallet(unit, at).row;
        let owed = (-row.owed).min(row.available);
        if owed > 0 {
            let parts = self.draw(unit, owed);
            let moves: Vec<Move> = parts.into_iter().map(|part| Move::of(part, "available", "owed")).collect();
            self.post(unit, ("repay", at, made_at), &moves, |id| format!("repay:{id}"), Cause::time());
        }
    }

    /// Revokes the refunded share of the credits of a payment. Those that were spent are owed, or forgiven.
    pub(super) fn revoke(
        &mut self,
        at: At,
        payment_id: Uuid,
        refund: usize,
        ((part, whole), owes): ((i64, i64), bool),
    ) {
        let places = self.wallets.values().flat_map(|wallet| &wallet.grants).copied();
        let paid_by = |place: &usize| self.customer.rows.credit_grants[*place].payment_id == Some(payment_id);
        let Some(place) = places.into_iter().find(paid_by) else { return };
        let grant = &self.customer.rows.credit_grants[place];
        let (id, unit) = (grant.id, grant.credit_unit_id);
        // The credits that the customer keeps are rounded down.
        let missing = grant.amount - grant.amount * (whole - part) / whole;
        let taken = missing.min(grant.remaining);
        let owed = if owes { missing - taken } else { 0 };
        let all = [Move::of((place, taken), "available", "revoked"), Move::of((place, owed), "owed", "revoked")];
        let moves: Vec<Move> =
            all.into_iter().zip([taken, owed]).filter(|(_, amount)| *amount > 0).map(|it| it.0).collect();
        if moves.is_empty() {
            return;
        }
        self.customer.rows.refunds[refund].credits_taken_back = taken + owed;
        let cause = Cause { actor: "system:mirror".to_owned(), ..Cause::default() };
        self.post(unit, ("revoke", at, at), &moves, |_| format!("revoke:{id}:0"), cause);
    }
}
