//! The history of one subscription, period by period.

use super::calendar::{At, days, hours, months_after, seconds};
use super::catalogue::{Coupon, Interval, Version};
use super::customer::Customer;
use super::provider_terms::Attempt;
use super::subscription::Subscription;

/// An order of a customer, with the customer's habits.
#[derive(Clone, Copy)]
pub(super) struct Order {
    pub(super) code: &'static str,
    pub(super) interval: Interval,
    pub(super) at: At,
    pub(super) trial: bool,
    pub(super) extra_seats: i64,
    pub(super) coupon: Option<Coupon>,
    /// True if no payment fails and nothing changes.
    pub(super) calm: bool,
    /// True if the customer cancels at the end of the current period.
    pub(super) leaving: bool,
    /// The end of the subscription in any case.
    pub(super) until: Option<At>,
}

impl Order {
    /// Creates a plain order for a plan.
    pub(super) fn new(code: &'static str, interval: Interval, at: At) -> Self {
        let (trial, extra_seats, coupon) = (false, 0, None);
        Order { code, interval, at, trial, extra_seats, coupon, calm: false, leaving: false, until: None }
    }
}

/// The outcome of a trial.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TrialEnd {
    Stays,
    Leaves,
    Declined,
}

/// The time of a first payment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FirstPayment {
    AtOnce,
    Later,
    Never,
}

/// A running subscription.
pub(super) struct Run<'c, 'r> {
    pub(super) customer: &'c mut Customer<'r>,
    pub(super) sub: Subscription<'r>,
    pub(super) order: Order,
    pub(super) interval: Interval,
    anchor: At,
    step: i64,
    pub(super) leaves: bool,
    pub(super) next_plan: Option<(&'r Version, super::catalogue::Price)>,
    paused_periods: i64,
}

/// Simulates a subscription from its order to its end or to now. Returns the end, if it has ended.
pub(super) fn subscribe<'r>(customer: &mut Customer<'r>, order: Order) -> Option<At> {
    if !customer.has_reached(order.at) {
        return None;
    }
    let plan = customer.world.catalogue.version(order.code, order.at);
    let price = plan.price(customer.currency, order.interval);
    let provider = if price.amount_minor == 0 { "manual" } else { customer.provider };
    let mut sub = Subscription::new(customer, order.at, plan, price, provider);
    if order.extra_seats > 0 {
        let seat = customer.world.catalogue.version("extra_seat", order.at).price(customer.currency, order.interval);
        sub.add(customer, order.at, "extra_seat", seat, order.extra_seats);
    }
    if let Some(coupon) = order.coupon {
        sub.redeem(customer, order.at, coupon);
    }
    let (interval, anchor) = (order.interval, order.at);
    let mut run =
        Run { customer, sub, order, interval, anchor, step: 1, leaves: false, next_plan: None, paused_periods: 0 };
    let mut alive = if order.trial { run.trial() } else { run.start() };
    while alive {
        alive = run.period();
    }
    let ended_at = run.sub.row.ended_at;
    run.hold();
    let Run { customer, mut sub, next_plan, .. } = run;
    customer.schedule(&mut sub, next_plan);
    sub.write(customer);
    ended_at
}

impl Run<'_, '_> {
    /// Records a state change under the provider's name for it.
    pub(super) fn record(&mut self, at: At, change: &str) {
        let cause = match (self.sub.row.provider.as_str(), change) {
            ("stripe", change) => format!("customer.subscription.{change}"),
            ("paddle", "deleted") => "subscription.canceled".to_owned(),
            ("manual", change) => format!("manual.{change}"),
            (_, change) => format!("subscription.{change}"),
        };
        self.sub.record(self.customer, at, &cause);
    }

    pub(super) fn status(&mut self, status: &str) {
        status.clone_into(&mut self.sub.row.status);
    }

    /// Begins with a trial, after which most customers stay.
    fn trial(&mut self) -> bool {
        let start = self.order.at;
        let end = start + days(self.sub.plan.trial_days.unwrap_or(14));
        let row = &mut self.sub.row;
        (row.trial_start, row.trial_end, row.current_period_end) = (Some(start), Some(end), Some(end));
        self.status("trialing");
        self.record(start, "created");
        self.allow();
        let choices = [(58, TrialEnd::Stays), (30, TrialEnd::Leaves), (12, TrialEnd::Declined)];
        let outcome = self.customer.dice.weighted(&choices);
        if outcome == TrialEnd::Leaves && !self.order.calm {
            let at = self.customer.dice.instant(start + hours(2), end);
            if self.customer.has_reached(at) {
                self.cancel_at_end(at);
            }
        }
        if !self.customer.has_reached(end) {
            return false;
        }
        if self.sub.row.cancel_at.is_some() {
            return self.end(end);
        }
        (self.anchor, self.step) = (end, 1);
        self.set_period(end, months_after(end, self.interval.months()));
        if outcome == TrialEnd::Declined && !self.order.calm {
            return self.retry_renewal(end, true);
        }
        self.status("active");
        self.record(end, "updated");
        self.charge(end, Attempt::Succeeds);
        self.allow();
        true
    }

    /// Begins with a payment.
    fn start(&mut self) -> bool {
        let at = self.order.at;
        let choices = [(93, FirstPayment::AtOnce), (5, FirstPayment::Later), (2, FirstPayment::Never)];
        let payment = self.customer.dice.weighted(&choices);
        if self.order.calm || self.sub.amount_minor() == 0 || payment == FirstPayment::AtOnce {
            self.record(at, "created");
            self.charge(at, Attempt::Succeeds);
            self.allow();
            return true;
        }
        self.status("incomplete");
        self.record(at, "created");
        let invoice = self.charge(at + seconds(2), Attempt::Fails);
        let is_paid = payment == FirstPayment::Later;
        let later = if is_paid { at + seconds(self.customer.dice.between(30, 900)) } else { at + hours(23) };
        if !self.customer.has_reached(later) {
            return false;
        }
        self.status(if is_paid { "active" } else { "incomplete_expired" });
        if is_paid {
            self.record(later, "updated");
            self.retry(invoice, later, Attempt::Succeeds);
            self.allow();
            return true;
        }
        self.sub.row.ended_at = Some(later);
        self.record(later, "updated");
        self.void(invoice, "void");
        false
    }

    /// Simulates one period. Returns true if another one follows.
    fn period(&mut self) -> bool {
        let (start, end) = self.sub.period();
        if let Some(until) = self.order.until.filter(|until| *until < end && self.customer.has_reached(*until)) {
            return self.end(until);
        }
        if self.sub.row.status == "active" && self.sub.row.paused_at.is_none() {
            self.change_perhaps(start, end);
        }
        let (start, end) = self.sub.period();
        let last_visible = !self.customer.has_reached(end);
        if last_visible && self.order.leaving {
            let at = self.customer.dice.instant(start + hours(1), self.customer.world.calendar.horizon());
            if at > start && self.customer.has_reached(at) {
                self.cancel_at_end(at);
            }
        }
        if self.sub.row.ended_at.is_some() || last_visible {
            return false;
        }
        if self.leaves {
            return self.end(end);
        }
        self.renew(end)
    }

    fn renew(&mut self, at: At) -> bool {
        self.step += 1;
        self.set_period(at, months_after(self.anchor, self.step * self.interval.months()));
        if self.sub.row.paused_at.is_some() {
            self.paused_periods += 1;
            if self.customer.dice.chance(350) {
                return true;
            }
            if self.paused_periods > 2 {
                return self.end(at);
            }
            self.resume(at);
        }
        if let Some((plan, price)) = self.next_plan.take() {
            self.sub.change_plan(plan, price);
            self.record(at, "updated");
        }
        let attempt =
            if !self.order.calm && self.customer.dice.chance(45) { Attempt::Fails } else { Attempt::Succeeds };
        if attempt == Attempt::Fails && self.sub.amount_minor() > 0 {
            return self.retry_renewal(at, false);
        }
        self.charge(at, Attempt::Succeeds);
        self.allow();
        true
    }

    /// Simulates a declined renewal: three more attempts, then an unpaid and finally a canceled subscription.
    fn retry_renewal(&mut self, at: At, at_trial_end: bool) -> bool {
        self.status("past_due");
        self.record(at, "updated");
        let invoice = self.charge(at, Attempt::Fails);
        let recovers = if at_trial_end { 150 } else { 450 };
        for day in [3, 5, 7] {
            let again = at + days(day) + seconds(self.customer.dice.between(0, 9_000));
            if !self.customer.has_reached(again) {
                return false;
            }
            if self.customer.dice.chance(recovers) {
                self.retry(invoice, again, Attempt::Succeeds);
                self.status("active");
                self.record(again + seconds(3), "updated");
                self.allow();
                return true;
            }
            self.retry(invoice, again, Attempt::Fails);
        }
        let unpaid = at + days(8);
        if !self.customer.has_reached(unpaid) {
            return false;
        }
        self.status("unpaid");
        self.record(unpaid, "updated");
        self.void(invoice, "uncollectible");
        let last = at + days(self.customer.dice.between(14, 24));
        self.customer.has_reached(last) && self.end(last)
    }

    pub(super) fn cancel_at_end(&mut self, at: At) {
        let end = self.sub.period().1;
        (self.sub.row.cancel_at, self.sub.row.canceled_at) = (Some(end), Some(at));
        self.sub.row.cancel_at_period_end = self.sub.row.provider == "stripe";
        self.leaves = true;
        self.record(at, "updated");
    }

    /// Ends the subscription at `at`. Always returns false, since no period follows.
    pub(super) fn end(&mut self, at: At) -> bool {
        let row = &mut self.sub.row;
        row.canceled_at = row.canceled_at.or(Some(at));
        (row.ended_at, row.paused_at) = (Some(at), None);
        self.status("canceled");
        self.record(at, "deleted");
        self.customer.withdraw(self.sub.row.id, at);
        false
    }

    pub(super) fn set_period(&mut self, from: At, to: At) {
        (self.sub.row.current_period_start, self.sub.row.current_period_end) = (Some(from), Some(to));
    }

    /// Begins periods of another interval at `at`.
    pub(super) fn restart(&mut self, at: At, interval: Interval) {
        (self.anchor, self.step, self.interval) = (at, 1, interval);
        self.set_period(at, months_after(at, interval.months()));
    }
}
