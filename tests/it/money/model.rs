//! Random lives of payments against an independent model: whatever order and number the events have, and whether Stripe
//! is asked, the sums are those that the model computes.

use super::story::{
    Told, charge, customer, dispute, flows, intent, refund, stripe, tell_from, time, unchanged_by_a_rebuild,
};
use crate::support::{TestApp, both_engines};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tollgate::providers::Provider;

both_engines!(sums_of_random_lives_are_those_of_the_model);

/// The number of lives, each of which is told three times.
const LIVES: usize = 16;
const AT: i64 = 1_767_225_605;

/// The currencies of the lives, with what Stripe's amounts are divided by.
const CURRENCIES: [(&str, i64); 4] = [("usd", 1), ("jpy", 1), ("isk", 100), ("kwd", 1)];

/// A refund or dispute of the model, as Stripe has it.
#[derive(Clone)]
struct Part {
    amount: i64,
    status: &'static str,
    created: i64,
}

/// A payment as Stripe has it, in Stripe's units.
struct Life {
    dice: ChaCha8Rng,
    currency: &'static str,
    divisor: i64,
    asked: i64,
    manual: bool,
    captured: i64,
    captured_at: Option<i64>,
    voided: bool,
    refunds: BTreeMap<String, Part>,
    disputes: BTreeMap<String, Part>,
    now: i64,
    events: Vec<(Provider, Value)>,
}

impl Life {
    fn begin(seed: u64) -> Life {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let (currency, divisor) = CURRENCIES[dice.random_range(0..CURRENCIES.len())];
        let asked = dice.random_range(10..=90) * 1_000;
        let manual = dice.random_bool(0.5);
        let mut life = Life {
            dice,
            currency,
            divisor,
            asked,
            manual,
            captured: 0,
            captured_at: None,
            voided: false,
            refunds: BTreeMap::new(),
            disputes: BTreeMap::new(),
            now: AT,
            events: vec![customer()],
        };
        if manual {
            life.show("charge.succeeded");
            life.intend("payment_intent.amount_capturable_updated");
        } else {
            life.capture(asked);
        }
        for _ in 0..life.dice.random_range(2..9) {
            life.now += life.dice.random_range(1..200_000);
            life.step();
        }
        life
    }

    /// Something that may happen now.
    fn step(&mut self) {
        if self.voided {
            return;
        }
        if self.captured == 0 {
            match self.dice.random_range(0..4) {
                0 => self.void(),
                1 => self.capture(self.asked),
                2 => self.capture(self.asked / 2000 * 1000),
                _ => {}
            }
            return;
        }
        match self.dice.random_range(0..7) {
            0..=2 => self.refund(),
            3..=4 => self.end_refund(),
            5 => self.dispute(),
            _ => self.end_dispute(),
        }
    }

    fn capture(&mut self, amount: i64) {
        if amount == 0 {
            return;
        }
        (self.captured, self.captured_at) = (amount, Some(self.now));
        self.show(if self.manual { "charge.captured" } else { "charge.succeeded" });
        self.intend("payment_intent.succeeded");
    }

    fn void(&mut self) {
        self.voided = true;
        self.show("charge.refunded");
        self.intend("payment_intent.canceled");
    }

    fn refund(&mut self) {
        let rest = self.captured - self.refunded();
        let amount = self.dice.random_range(0..=rest / 1_000) * 1_000;
        if amount == 0 {
            return;
        }
        let status = if self.dice.random_bool(0.5) { "succeeded" } else { "pending" };
        let id = format!("re_{}", self.refunds.len());
        self.refunds.insert(id.clone(), Part { amount, status, created: self.now });
        self.tell_refund(&id, "refund.created");
        self.show("charge.refunded");
    }

    /// A refund succeeds, or fails, possibly after it succeeded.
    fn end_refund(&mut self) {
        let open = |part: &Part| matches!(part.status, "pending" | "succeeded");
        let ids: Vec<_> = self.refunds.iter().filter(|(_, part)| open(part)).map(|(id, _)| id.clone()).collect();
        if ids.is_empty() {
            return;
        }
        let id = ids[self.dice.random_range(0..ids.len())].clone();
        let part = self.refunds.get_mut(&id).unwrap();
        let fails = part.status == "succeeded" || self.dice.random_bool(0.5);
        part.status = match (fails, self.dice.random_bool(0.2)) {
            (false, _) => "succeeded",
            (true, false) => "failed",
            (true, true) => "canceled",
        };
        self.tell_refund(&id, if fails { "refund.failed" } else { "refund.updated" });
        // Stripe does not always tell that its own figure has changed.
        if self.dice.random_bool(0.5) {
            self.show("charge.updated");
        }
    }

    fn dispute(&mut self) {
        let amount = self.dice.random_range(1..=self.captured / 1_000) * 1_000;
        let id = format!("du_{}", self.disputes.len());
        let status = if self.dice.random_bool(0.7) { "needs_response" } else { "warning_needs_response" };
        self.disputes.insert(id.clone(), Part { amount, status, created: self.now });
        self.tell_dispute(&id, "charge.dispute.created");
    }

    fn end_dispute(&mut self) {
        let open = |part: &Part| part.status.ends_with("needs_response");
        let Some(id) = self.disputes.iter().find(|(_, part)| open(part)).map(|(id, _)| id.clone()) else { return };
        let won = self.dice.random_bool(0.5);
        let part = self.disputes.get_mut(&id).unwrap();
        part.status = match (part.status, won) {
            ("warning_needs_response", _) => "warning_closed",
            (_, true) => "won",
            (_, false) => "lost",
        };
        self.tell_dispute(&id, "charge.dispute.closed");
    }

    /// The refunds that did not fail: what Stripe's charge shows.
    fn refunded(&self) -> i64 {
        let live = self.refunds.values().filter(|part| matches!(part.status, "pending" | "succeeded"));
        live.map(|part| part.amount).sum()
    }

    fn lost(&self) -> i64 {
        self.disputes.values().filter(|part| part.status == "lost").map(|part| part.amount).sum()
    }

    fn show(&mut self, kind: &str) {
        let refunded = if self.voided { self.asked } else { self.refunded() };
        let with = json!({"captured": self.captured > 0, "amount_captured": self.captured, "amount_refunded": refunded,
            "refunded": refunded > 0 && refunded >= self.captured, "disputed": !self.disputes.is_empty()});
        let shown = charge("pi_1", AT, (self.asked, self.currency), with);
        self.events.push(stripe(self.now, kind, shown));
    }

    fn intend(&mut self, kind: &str) {
        let status = match (self.captured, self.voided) {
            (0, false) => "requires_capture",
            (0, true) => "canceled",
            _ => "succeeded",
        };
        let method = if self.manual { "manual" } else { "automatic" };
        let with = json!({"status": status, "amount_received": self.captured, "capture_method": method});
        let shown = intent("pi_1", AT, (self.asked, self.currency), with);
        self.events.push(stripe(self.now, kind, shown));
    }

    fn tell_refund(&mut self, id: &str, kind: &str) {
        let part = self.refunds[id].clone();
        let shown = refund(id, "pi_1", part.created, (part.amount, self.currency), part.status);
        self.events.push(stripe(self.now, kind, shown));
    }

    fn tell_dispute(&mut self, id: &str, kind: &str) {
        let part = self.disputes[id].clone();
        let shown = dispute(id, "pi_1", part.created, (part.amount, self.currency), part.status);
        self.events.push(stripe(self.now, kind, shown));
    }

    /// Checks the answers of the API at the end of the life.
    fn check(&self, told: &Told, seed: u64) {
        let minor = |amount: i64| amount / self.divisor;
        let payment = told.payment("pi_1");
        let amount = if self.captured > 0 { self.captured } else { self.asked };
        let expected = [amount, self.captured, self.refunded()].map(minor);
        assert_eq!(flows(payment), expected, "life {seed}: {payment}");
        let returned = minor((self.refunded() + self.lost()).min(self.captured)).to_string();
        assert_eq!(payment["returned"]["amount"], Value::from(returned), "life {seed}: {payment}");
        let status = match (self.captured, self.voided) {
            (0, false) => "PENDING",
            (0, true) => "CANCELED",
            _ => "SUCCEEDED",
        };
        assert_eq!(payment["chargeStatus"], status, "life {seed}");
        assert_eq!(payment["paidAt"], self.captured_at.map_or(Value::Null, time), "life {seed}");
        let currency = self.captured_at.map(|_| self.currency.to_uppercase());
        assert_eq!(told.account["currency"].as_str(), currency.as_deref(), "life {seed}");
        let parts = |list: &Value| -> i64 {
            list.as_array().unwrap().iter().map(|part| super::story::minor(&part["amount"]).unwrap()).sum()
        };
        let all = |parts: &BTreeMap<String, Part>| minor(parts.values().map(|part| part.amount).sum());
        assert_eq!(parts(&payment["refunds"]["nodes"]), all(&self.refunds), "life {seed}");
        assert_eq!(parts(&payment["disputes"]), all(&self.disputes), "life {seed}");
    }
}

const REVENUE: &str = "{ analytics { revenue(from: \"2026-01-01\", to: \"2027-01-01\", period: MONTH) {
    gross { amount currency } refunded { amount } } } }";

async fn sums_of_random_lives_are_those_of_the_model(test: &TestApp) {
    // Gross and refunded by currency, of all runs.
    let mut cash: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for number in 0..LIVES {
        let seed = u64::try_from(number).unwrap();
        let life = Life::begin(seed);
        tell_from(test, number * 10, &life.events, |told| life.check(told, seed)).await;
        if life.captured > 0 {
            let paid = cash.entry(life.currency.to_uppercase()).or_default();
            paid.0 += 3 * life.captured / life.divisor;
            let processed = life.refunds.values().filter(|part| part.status == "succeeded");
            paid.1 += 3 * processed.map(|part| part.amount / life.divisor).sum::<i64>();
        }
    }
    let data = test.admin().data(REVENUE, json!({})).await;
    let mut told: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for row in data["analytics"]["revenue"].as_array().unwrap() {
        let sum = told.entry(row["gross"]["currency"].as_str().unwrap().to_owned()).or_default();
        sum.0 += super::story::minor(&row["gross"]).unwrap();
        sum.1 += super::story::minor(&row["refunded"]).unwrap();
    }
    assert_eq!(told, cash);
    assert!(cash.len() > 2 && cash.values().any(|sums| sums.1 > 0), "the lives are varied: {cash:?}");
    unchanged_by_a_rebuild(test).await;
}
