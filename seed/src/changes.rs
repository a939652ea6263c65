//! Changes within a period: plan changes, add-ons, pauses, cancellations.

use super::calendar::{At, hours};
use super::catalogue::Interval;
use super::lifecycle::Run;
use super::provider_terms::{Attempt, Reason};

/// The plans of each family, from the smallest to the largest.
const LADDERS: [&[&str]; 2] = [&["starter", "pro", "business"], &["chat_starter", "chat_daily", "chat_power"]];

#[derive(Clone, Copy)]
enum Happening {
    Nothing,
    Upgrade,
    Downgrade,
    ToFree,
    Addon,
    Annual,
    Pause,
    Leave,
    LeaveAndReturn,
    LeaveAtOnce,
}

/// The probability of each change in a month, per mille.
const HAPPENINGS: [(i64, Happening); 10] = [
    (858, Happening::Nothing),
    (24, Happening::Upgrade),
    (11, Happening::Downgrade),
    (3, Happening::ToFree),
    (14, Happening::Addon),
    (8, Happening::Annual),
    (9, Happening::Pause),
    (51, Happening::Leave),
    (13, Happening::LeaveAndReturn),
    (9, Happening::LeaveAtOnce),
];

impl Run<'_, '_> {
    /// Makes at most one change in the period from `start` to `end`.
    pub(super) fn change_perhaps(&mut self, start: At, end: At) {
        if self.order.calm || self.sub.amount_minor() == 0 {
            return;
        }
        // No earlier than the last change, such as a payment after a week of attempts.
        let (start, end) = (start.max(self.sub.last) + hours(1), end - hours(1));
        if start >= end {
            return;
        }
        let tries = if self.interval == Interval::Year { 8 } else { 1 };
        for _ in 0..tries {
            let happening = self.customer.dice.weighted(&HAPPENINGS);
            let at = self.customer.dice.instant(start, end);
            if !self.customer.has_reached(at) {
                continue;
            }
            match happening {
                Happening::Nothing => continue,
                Happening::Upgrade => self.upgrade(at),
                Happening::Downgrade => self.downgrade(at),
                Happening::ToFree => self.downgrade_to_free(at),
                Happening::Addon => self.addon(at),
                Happening::Annual => self.switch_to_annual(at),
                Happening::Pause => self.pause(at),
                Happening::Leave => self.cancel_at_end(at),
                Happening::LeaveAndReturn => self.undo_cancel(at, end),
                Happening::LeaveAtOnce => {
                    self.end(at);
                }
            }
            return;
        }
    }

    /// Returns the next larger or smaller plan of the family.
    fn neighbour(&self, up: bool) -> Option<&'static str> {
        let ladder = LADDERS.iter().find(|ladder| ladder.contains(&self.sub.plan.code))?;
        let place = ladder.iter().position(|code| *code == self.sub.plan.code)?;
        let next = if up { place.checked_add(1)? } else { place.checked_sub(1)? };
        ladder.get(next).copied()
    }

    /// Returns the share of `amount` for the rest of the period after `at`.
    fn prorate(&self, at: At, amount: i64) -> i64 {
        let (start, end) = self.sub.period();
        let whole = (end - start).num_seconds().max(1);
        amount * (end - at).num_seconds() / whole
    }

    /// Upgrades at once, and pays the difference for the rest of the period.
    fn upgrade(&mut self, at: At) {
        let Some(code) = self.neighbour(true) else { return self.addon(at) };
        let plan = self.customer.world.catalogue.version(code, at);
        let before = self.sub.amount_minor();
        self.sub.change_plan(plan, plan.price(self.customer.currency, self.interval));
        self.record(at, "updated");
        let difference = self.prorate(at, self.sub.amount_minor()) - self.prorate(at, before);
        if difference > 0 {
            let description = format!("Change to {code} for the rest of the period");
            self.bill(at, ("subscription", Reason::Change), description, difference, Attempt::Succeeds);
        }
        self.customer.withdraw(self.sub.row.id, at);
        self.allow();
    }

    /// Downgrades at the end of the period.
    fn downgrade(&mut self, at: At) {
        let Some(code) = self.neighbour(false) else { return self.cancel_at_end(at) };
        let plan = self.customer.world.catalogue.version(code, at);
        self.next_plan = Some((plan, plan.price(self.customer.currency, self.interval)));
    }

    /// Downgrades to the free plan at the end of the period.
    fn downgrade_to_free(&mut self, at: At) {
        if self.interval == Interval::Month && self.sub.items.len() == 1 {
            let plan = self.customer.world.catalogue.version("free", at);
            self.next_plan = Some((plan, plan.price(self.customer.currency, Interval::Month)));
        }
    }

    fn addon(&mut self, at: At) {
        let code = if self.sub.plan.code == "business" { "extra_seat" } else { "priority_support" };
        let price = self.customer.world.catalogue.version(code, at).price(self.customer.currency, self.interval);
        self.sub.add(self.customer, at, code, price, 1);
        self.record(at, "updated");
        let amount = self.prorate(at, price.amount_minor);
        if amount > 0 {
            self.bill(
                at,
                ("addon", Reason::Change),
                format!("Add-on ({code}) for the rest of the period"),
                amount,
                Attempt::Succeeds,
            );
        }
    }

    /// Begins an annual period at once, with a credit for the rest of the month.
    fn switch_to_annual(&mut self, at: At) {
        if self.interval == Interval::Year {
            return;
        }
        let unused = self.prorate(at, self.sub.amount_minor());
        self.sub.change_interval(&self.customer.world.catalogue, Interval::Year);
        self.restart(at, Interval::Year);
        self.record(at, "updated");
        let subtotal = self.sub.amount_minor() - unused;
        self.bill(
            at,
            ("subscription", Reason::Change),
            "Change to annual billing".to_owned(),
            subtotal,
            Attempt::Succeeds,
        );
        self.customer.withdraw(self.sub.row.id, at);
        self.allow();
    }

    /// Pauses the subscription. At Stripe its status stays active, at Paddle it becomes paused.
    fn pause(&mut self, at: At) {
        if self.sub.row.provider == "paddle" {
            self.status("paused");
        }
        self.sub.row.paused_at = Some(at);
        self.customer.withdraw(self.sub.row.id, at);
        self.record(at, if self.sub.row.provider == "paddle" { "paused" } else { "updated" });
    }

    pub(super) fn resume(&mut self, at: At) {
        self.status("active");
        self.sub.row.paused_at = None;
        self.record(at, if self.sub.row.provider == "paddle" { "resumed" } else { "updated" });
    }

    fn undo_cancel(&mut self, at: At, end: At) {
        self.cancel_at_end(at);
        let second_thought = self.customer.dice.instant(at, end);
        if self.customer.has_reached(second_thought) {
            (self.sub.row.cancel_at, self.sub.row.canceled_at) = (None, None);
            self.sub.row.cancel_at_period_end = false;
            self.leaves = false;
            self.record(second_thought, "updated");
        }
    }
}
