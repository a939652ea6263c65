//! The credit ledger: the credit events of an account in time order, each posted as the server would have posted it.

mod books;
mod grants;
mod holds;
mod post;
mod posting;
mod record;
mod sums;

use super::calendar::At;
use super::credit_events::Event;
use super::customer::Customer;
use books::{Books, Step};
use posting::{Cause, Move};
use std::collections::BTreeMap;
use sums::Sums;
use uuid::Uuid;

/// Posts the customer's credit events and records its usage, and makes grants, balances, holds and refunds consistent.
pub(super) fn settle(customer: &mut Customer<'_>) {
    let events = std::mem::take(&mut customer.credits);
    let mut books = Books {
        customer,
        sums: Sums::default(),
        wallets: BTreeMap::new(),
        queue: BTreeMap::new(),
        granted: BTreeMap::new(),
        versions: BTreeMap::new(),
        held_parts: BTreeMap::new(),
        count: 0,
    };
    for event in events {
        let (at, rank) = match &event {
            Event::Grant(grant) => (grant.made_at, 2),
            Event::Spend { at, .. } | Event::Hold { at, .. } => (*at, 4),
            Event::Use(planned) => (planned.recorded_at, 4),
            Event::Revoke { at, .. } => (*at, 5),
        };
        books.push(at, rank, Step::Event(event));
    }
    while let Some(((at, ..), step)) = books.queue.pop_first() {
        books.take(at, step);
    }
    books.close();
}

impl Books<'_, '_> {
    /// Adds a step, unless it lies in the future. Of one instant, those with a lower rank come first.
    fn push(&mut self, at: At, rank: u8, step: Step) {
        self.count += 1;
        if at <= self.customer.world.calendar.now {
            self.queue.insert((at, rank, self.count), step);
        }
    }

    /// Plans the correction of a usage event, given by its index.
    pub(super) fn correct_at(&mut self, at: At, event: usize) {
        self.push(at, 4, Step::CorrectUse(event));
    }

    fn take(&mut self, at: At, step: Step) {
        match step {
            Step::Event(Event::Grant(grant)) => self.open(grant),
            Step::Event(Event::Spend { unit, amount, subject, reversed_at, .. }) => {
                let amount = amount.min(self.available(unit));
                let reference = Some((subject.to_owned(), self.customer.books.token("")));
                if let Some((txn_id, parts)) = self.spend(unit, at, amount, ("service:app", reference))
                    && let Some(reversed_at) = reversed_at
                {
                    self.push(reversed_at, 4, Step::Reverse { unit, txn_id, parts });
                }
            }
            Step::Event(Event::Hold { unit, amount, expires_at, ends_at, end, .. }) => {
                self.hold(unit, at, amount.min(self.available(unit)), (expires_at, ends_at, end));
            }
            Step::Event(Event::Revoke { payment_id, refund, share, owes, .. }) => {
                self.revoke(at, payment_id, refund, (share, owes));
            }
            Step::Event(Event::Use(planned)) => self.record(planned),
            Step::CorrectUse(event) => self.correct(at, event),
            Step::HoldTimesOut(place) => self.time_out(at, place),
            Step::EndHold(place, end) => self.end_hold(at, place, end),
            Step::Expire(place) => {
                let remaining = self.customer.rows.credit_grants[place].remaining;
                if remaining > 0 {
                    let id = self.customer.rows.credit_grants[place].id;
                    self.lapse(place, (at, at), remaining, |_| format!("expire:{id}"));
                }
            }
            Step::Reverse { unit, txn_id, parts } => {
                self.reverse(unit, at, txn_id, &parts, "service:app");
            }
        }
    }

    pub(super) fn available(&self, unit: Uuid) -> i64 {
        self.wallets.get(&unit).map_or(0, |wallet| wallet.row.available)
    }

    /// Spends credits that are there. Returns the transaction, with the amounts by grant; `None` for an amount of zero.
    pub(super) fn spend(
        &mut self,
        unit: Uuid,
        at: At,
        amount: i64,
        (actor, reference): (&str, Option<(String, String)>),
    ) -> Option<(Uuid, Vec<(usize, i64)>)> {
        if amount == 0 || amount > self.available(unit) {
            return None;
        }
        let parts = self.draw(unit, amount);
        let moves: Vec<Move> = parts.iter().map(|part| Move::of(*part, "available", "spent")).collect();
        let cause = Cause { actor: actor.to_owned(), reference, ..Cause::default() };
        Some((self.post(unit, ("spend", at, at), &moves, |id| format!("spend:{id}"), cause), parts))
    }

    /// Returns spent credits to their grants; those of grants that have expired expire at once.
    pub(super) fn reverse(&mut self, unit: Uuid, at: At, txn_id: Uuid, parts: &[(usize, i64)], actor: &str) -> Uuid {
        let moves = self.returned(parts, "spent", at);
        let cause = Cause { actor: actor.to_owned(), reverses_id: Some(txn_id), ..Cause::default() };
        self.post(unit, ("reverse", at, at), &moves, |_| format!("reverse:{txn_id}"), cause)
    }

    /// Returns moves back to `available`, or to `expired` where the grant has expired.
    fn returned(&self, parts: &[(usize, i64)], from: &'static str, at: At) -> Vec<Move> {
        let back = |part: &(usize, i64)| {
            let expires_at = self.customer.rows.credit_grants[part.0].expires_at;
            let is_over = expires_at.is_some_and(|end| end <= at);
            Move::of(*part, from, if is_over { "expired" } else { "available" })
        };
        parts.iter().map(back).collect()
    }

    /// Returns the parts of the grants that are next, for an amount that is there.
    fn draw(&mut self, unit: Uuid, amount: i64) -> Vec<(usize, i64)> {
        let Some(wallet) = self.wallets.get_mut(&unit) else { return Vec::new() };
        let grants = &self.customer.rows.credit_grants;
        wallet.grants.sort_by_key(|place| {
            let grant = &grants[*place];
            (grant.expires_at.is_none(), grant.expires_at, grant.priority, grant.created_at, grant.id)
        });
        let mut left = amount;
        let mut parts = Vec::new();
        for &place in &wallet.grants {
            let part = left.min(grants[place].remaining);
            if part > 0 {
                parts.push((place, part));
                left -= part;
            }
        }
        parts
    }

    /// Adds the balances with the next instant at which each changes, and the sums of usage.
    fn close(mut self) {
        let mut allowances = Vec::new();
        for held in &self.customer.held {
            for (allowance_id, allowance) in &held.plan.allowances {
                let granted = self.granted.get(&(held.subscription_id, *allowance_id)).copied();
                let next = self.customer.next_grant(held, allowance, granted);
                allowances.extend(next.map(|at| (self.customer.world.catalogue.unit(allowance.unit), at)));
            }
        }
        for (unit, mut wallet) in std::mem::take(&mut self.wallets) {
            let grants = wallet.grants.iter().map(|place| &self.customer.rows.credit_grants[*place]);
            let expiries = grants.filter(|row| row.remaining > 0).filter_map(|row| row.expires_at);
            let holds = wallet.holds.iter().map(|place| &self.customer.rows.credit_holds[*place]);
            let ends = holds.filter(|row| row.state == "open").map(|row| row.expires_at);
            let granted = allowances.iter().filter(|(of, _)| *of == unit).map(|(_, at)| *at);
            wallet.row.next_due_at = expiries.chain(ends).chain(granted).min();
            self.customer.rows.balances.push(wallet.row);
        }
        self.sums.write(self.customer);
    }
}
