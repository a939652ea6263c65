//! Lives of made-up customers as raw facts: states of subscriptions with their items, coupons, payments and refunds.

use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

pub(super) const DAY: i64 = 86_400;
/// 2024-01-01.
pub(super) const BEGIN: i64 = 1_704_067_200;
/// 2026-01-15T12:00, the present of the tests.
pub(super) const NOW: i64 = 1_768_478_400;

/// The plans: the code, and the price of a period in minor units of the currency. The last one is free.
pub(super) const PLANS: [(&str, i64); 4] = [("basic", 990), ("pro", 2_900), ("team", 7_133), ("free", 0)];

/// A customer.
pub(super) struct Life {
    pub(super) number: usize,
    pub(super) contracts: Vec<Contract>,
}

/// A subscription.
#[derive(Debug, Clone)]
pub(super) struct Contract {
    pub(super) currency: &'static str,
    /// By time; of several states at one instant the last one counts.
    pub(super) states: Vec<State>,
    pub(super) payments: Vec<Payment>,
    pub(super) trial_start: Option<i64>,
}

#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) at: i64,
    pub(super) status: &'static str,
    pub(super) paused: bool,
    /// The number of the customer to whom the subscription belongs.
    pub(super) owner: usize,
    pub(super) item: Item,
    pub(super) coupon: Option<Coupon>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub(super) plan: usize,
    /// Unit of an interval, and how many of them a period has.
    pub(super) interval: (&'static str, i64),
    pub(super) quantity: i64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Coupon {
    pub(super) percent: i64,
    pub(super) forever: bool,
    pub(super) start: i64,
    pub(super) end: Option<i64>,
}

#[derive(Debug, Clone)]
pub(super) struct Payment {
    pub(super) at: i64,
    pub(super) amount: i64,
    pub(super) succeeded: bool,
    pub(super) fee: Option<i64>,
    /// The time and the amount of a refund.
    pub(super) refund: Option<(i64, i64)>,
}

const CURRENCIES: [&str; 3] = ["EUR", "USD", "JPY"];
const INTERVALS: [(&str, i64); 7] =
    [("month", 1), ("month", 1), ("month", 3), ("year", 1), ("week", 1), ("month", 5), ("day", 28)];

/// Makes lives. `merges` lets subscriptions pass to another customer.
pub(super) fn lives(count: usize, seed: u64, merges: bool) -> Vec<Life> {
    let mut story = Story { dice: ChaCha8Rng::seed_from_u64(seed), count, merges };
    (0..count).map(|number| story.life(number)).collect()
}

struct Story {
    dice: ChaCha8Rng,
    count: usize,
    merges: bool,
}

impl Story {
    fn life(&mut self, number: usize) -> Life {
        let mut contracts = Vec::new();
        let start = self.moment(BEGIN, NOW - 9 * DAY);
        contracts.push(self.contract(number, start));
        // Some come back, on the very day or later, and some have a second subscription, perhaps in another currency.
        let end = contracts[0].states.last().filter(|state| state.status == "canceled").map(|state| state.at);
        if let Some(end) = end.filter(|_| self.dice.random_bool(0.4)) {
            let again = if self.dice.random_bool(0.3) { end + 60 } else { end + self.dice.random_range(1..200) * DAY };
            if again < NOW - DAY {
                contracts.push(self.contract(number, again));
            }
        } else if self.dice.random_bool(0.15) {
            let more = self.moment(start, NOW - DAY);
            contracts.push(self.contract(number, more));
        }
        Life { number, contracts }
    }

    /// An instant, now and then the edge of a day, of a month, or of a leap day.
    fn moment(&mut self, from: i64, to: i64) -> i64 {
        let at = self.dice.random_range(from..to);
        let edges =
            [BEGIN + 59 * DAY, BEGIN + 60 * DAY - 1, BEGIN + 31 * DAY, BEGIN + 366 * DAY, BEGIN + 366 * DAY - 1];
        let edge = match self.dice.random_range(0..20) {
            0 => at - at.rem_euclid(DAY),
            1 => at - at.rem_euclid(DAY) + DAY - 1,
            2 => *edges.choose(&mut self.dice).unwrap(),
            _ => at,
        };
        if (from..to).contains(&edge) { edge } else { at }
    }

    fn contract(&mut self, owner: usize, start: i64) -> Contract {
        let item = Item {
            plan: *[0, 0, 1, 1, 2].choose(&mut self.dice).unwrap(),
            interval: *INTERVALS.choose(&mut self.dice).unwrap(),
            quantity: *[1, 1, 1, 2, 3, 7].choose(&mut self.dice).unwrap(),
        };
        let coupon = self.dice.random_bool(0.25).then(|| self.coupon(start));
        let state = State { at: start, status: "active", paused: false, owner, item, coupon };
        let currency = *CURRENCIES.choose(&mut self.dice).unwrap();
        let mut contract = Contract { currency, states: Vec::new(), payments: Vec::new(), trial_start: None };
        match self.dice.random_range(0..20) {
            0..6 => self.trial(&mut contract, state),
            6 => {
                contract.states.push(State { status: "incomplete", ..state.clone() });
                contract.states.push(State { at: start + DAY, status: "incomplete_expired", ..state });
            }
            7 => {
                // Paid days after it began.
                contract.states.push(State { status: "past_due", ..state.clone() });
                let paid = start + self.dice.random_range(1..5) * DAY;
                contract.states.push(State { at: paid, ..state });
                self.pay(&mut contract, paid);
                self.go_on(&mut contract);
            }
            _ => {
                contract.states.push(state);
                self.pay(&mut contract, start);
                self.go_on(&mut contract);
            }
        }
        contract.states.retain(|state| state.at < NOW);
        contract.payments.retain(|payment| payment.at < NOW);
        for payment in &mut contract.payments {
            payment.refund = payment.refund.filter(|(at, _)| *at < NOW);
        }
        contract
    }

    fn coupon(&mut self, start: i64) -> Coupon {
        let forever = self.dice.random_bool(0.5);
        let end = (!forever).then(|| start + self.dice.random_range(20..120) * DAY);
        Coupon { percent: self.dice.random_range(1..101), forever, start, end }
    }

    fn trial(&mut self, contract: &mut Contract, state: State) {
        contract.trial_start = Some(state.at);
        let end = state.at + 14 * DAY;
        contract.states.push(State { status: "trialing", ..state.clone() });
        if self.dice.random_bool(0.6) {
            contract.states.push(State { at: end, ..state });
            self.pay(contract, end);
            self.go_on(contract);
        } else if self.dice.random_bool(0.5) {
            contract.states.push(State { at: end, status: "past_due", ..state.clone() });
            let failed = Payment { at: end, amount: 990, succeeded: false, fee: None, refund: None };
            contract.payments.push(failed);
            if self.dice.random_bool(0.8) {
                contract.states.push(State { at: end + 20 * DAY, status: "unpaid", ..state });
            }
        } else {
            contract.states.push(State { at: end - DAY, status: "canceled", ..state });
        }
    }

    fn pay(&mut self, contract: &mut Contract, at: i64) {
        let amount = self.dice.random_range(100..20_000);
        let refund = self.dice.random_bool(0.06).then(|| {
            let at = at + self.dice.random_range(0..70 * DAY);
            (at, if self.dice.random_bool(0.5) { amount } else { self.dice.random_range(1..amount) })
        });
        let fee = self.dice.random_bool(0.5).then(|| self.dice.random_range(0..90));
        contract.payments.push(Payment { at, amount, succeeded: true, fee, refund });
    }

    /// Months of a customer who has paid: payments, and now and then a change.
    fn go_on(&mut self, contract: &mut Contract) {
        let mut at = contract.states.last().unwrap().at;
        loop {
            at = self.moment(at + 1, at + 70 * DAY);
            if at >= NOW {
                return;
            }
            let mut state = State { at, ..contract.states.last().unwrap().clone() };
            if state.status == "active" && self.dice.random_bool(0.7) {
                self.pay(contract, at);
            }
            match self.dice.random_range(0..18) {
                0..2 => state.item.quantity = self.dice.random_range(1..9),
                2..4 => state.item.plan = self.dice.random_range(0..PLANS.len()),
                4 => state.item.interval = *INTERVALS.choose(&mut self.dice).unwrap(),
                5 => state.paused = !state.paused,
                6 => state.status = if state.status == "active" { "past_due" } else { "active" },
                7 if state.status == "past_due" => state.status = "unpaid",
                8 => state.coupon = Some(self.coupon(at)),
                9 if self.merges => state.owner = self.dice.random_range(0..self.count),
                10 | 11 => {
                    contract.states.push(State { status: "canceled", ..state });
                    return;
                }
                _ => continue,
            }
            contract.states.push(state);
            // A second change on the same day.
            if self.dice.random_bool(0.1) {
                let mut state = contract.states.last().unwrap().clone();
                (state.at, state.item.quantity) = (at + 120, state.item.quantity + 1);
                at = state.at;
                contract.states.push(state);
            }
        }
    }
}
