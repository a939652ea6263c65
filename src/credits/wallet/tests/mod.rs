//! Random operations against a model that goes through time second by second.

mod model;

use super::{Cause, HoldEnd, Moment, Tracked, Wallet};
use crate::credits::term::Term;
use crate::credits::values::{GrantSource, HoldState};
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use model::{Lot, Model, Reserved};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

#[derive(Debug, Clone)]
enum Step {
    Grant { amount: i64, priority: i64, starts_in: i64, lasts: Option<i64> },
    Spend(i64),
    Hold { amount: i64, lasts: i64 },
    Capture { hold: usize, amount: Option<i64>, keep_open: bool },
    Release(usize),
    Reverse(usize),
    Revoke { grant: usize, amount: i64, owes: bool },
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..100i64, 0..3i64, prop_oneof![3 => Just(0i64), 1 => 1..20i64], prop::option::of(1..40i64))
            .prop_map(|(amount, priority, starts_in, lasts)| Step::Grant { amount, priority, starts_in, lasts }),
        4 => (1..80i64).prop_map(Step::Spend),
        3 => (1..60i64, 1..30i64).prop_map(|(amount, lasts)| Step::Hold { amount, lasts }),
        2 => (0..5usize, prop::option::of(1..40i64), any::<bool>())
            .prop_map(|(hold, amount, keep_open)| Step::Capture { hold, amount, keep_open }),
        1 => (0..5usize).prop_map(Step::Release),
        2 => (0..5usize).prop_map(Step::Reverse),
        1 => (0..5usize, 1..50i64, any::<bool>())
            .prop_map(|(grant, amount, owes)| Step::Revoke { grant, amount, owes }),
        4 => (1..25i64).prop_map(Step::Wait),
    ]
}

/// A wallet beside its model.
struct World {
    wallet: Wallet,
    model: Model,
    ids: AtomicU64,
    grants: Vec<Uuid>,
    holds: Vec<Uuid>,
    spends: Vec<Uuid>,
}

fn instant(second: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_800_000_000 + second, 0).unwrap()
}

fn cause() -> Cause {
    Cause { actor: "test".to_owned(), ..Cause::default() }
}

impl World {
    fn new() -> World {
        let at = Moment { now: instant(0), new_id: &Uuid::nil };
        let wallet = Wallet::new(Tracked::new(Wallet::empty(Uuid::nil(), Uuid::nil(), at)), Vec::new());
        let (grants, holds, spends) = Default::default();
        World { wallet, model: Model::default(), ids: AtomicU64::new(1), grants, holds, spends }
    }

    /// Settles the wallet and applies a change to it, as a transaction does.
    fn change<T>(&mut self, change: impl FnOnce(&mut Wallet, Moment<'_>) -> crate::error::Result<T>) -> Option<T> {
        let ids = &self.ids;
        let new_id = || Uuid::from_u128(u128::from(ids.fetch_add(1, Ordering::Relaxed)));
        let at = Moment { now: instant(self.model.now), new_id: &new_id };
        while !self.wallet.settle(at).unwrap() {}
        let before = self.wallet.entries.len();
        let outcome = change(&mut self.wallet, at);
        assert!(outcome.is_ok() || self.wallet.entries.len() == before, "a refusal changes nothing");
        outcome.ok()
    }

    fn play(&mut self, step: &Step) {
        match *step {
            Step::Grant { amount, priority, starts_in, lasts } => self.grant(amount, priority, starts_in, lasts),
            Step::Spend(amount) => {
                let id = self.change(|wallet, at| wallet.spend(amount, cause(), at));
                assert_eq!(id.is_some(), self.model.available() >= amount);
                if let Some(id) = id {
                    let parts = self.model.take(amount);
                    self.model.spends.push(Some(parts));
                    self.model.spent += amount;
                    self.spends.push(id);
                }
            }
            Step::Hold { amount, lasts } => {
                let ends = self.model.now + lasts;
                let held = self.change(|wallet, at| wallet.hold(amount, instant(ends), cause(), at));
                assert_eq!(held.is_some(), self.model.available() >= amount);
                if let Some((id, _)) = held {
                    let parts = self.model.take(amount);
                    self.model.holds.push(Reserved { parts, ends, open: true });
                    self.holds.push(id);
                }
            }
            Step::Capture { hold, amount, keep_open } => {
                let Some(id) = self.holds.get(hold).copied() else { return };
                let done = self.change(|wallet, at| wallet.capture(id, (amount, keep_open), cause(), at)).is_some();
                let left: i64 = self.model.holds[hold].parts.iter().map(|(_, amount)| amount).sum();
                let amount = amount.unwrap_or(left);
                assert_eq!(done, self.model.holds[hold].open && amount <= left);
                if done {
                    self.capture(hold, amount, keep_open);
                }
            }
            Step::Release(hold) => {
                let Some(id) = self.holds.get(hold).copied() else { return };
                let end = |at: Moment<'_>| (HoldEnd::Released, at.now);
                let done = self.change(|wallet, at| wallet.release(id, end(at), cause(), at)).is_some();
                assert_eq!(done, self.model.holds[hold].open);
                if done {
                    let parts = std::mem::take(&mut self.model.holds[hold].parts);
                    self.model.holds[hold].open = false;
                    self.model.give(parts);
                    self.model.repay();
                }
            }
            Step::Reverse(spend) => {
                let Some(parts) = self.model.spends.get_mut(spend).and_then(Option::take) else { return };
                let spent: Vec<_> = parts.iter().map(|(lot, amount)| (self.grants[*lot], *amount)).collect();
                let id = self.spends[spend];
                self.change(|wallet, at| wallet.reverse_spend(id, &spent, cause(), at)).unwrap();
                self.model.spent -= parts.iter().map(|(_, amount)| amount).sum::<i64>();
                self.model.give(parts);
                self.model.repay();
            }
            Step::Revoke { grant, amount, owes } => self.revoke(grant, amount, owes),
            Step::Wait(seconds) => (0..seconds).for_each(|_| self.model.tick()),
        }
    }

    fn grant(&mut self, amount: i64, priority: i64, starts_in: i64, lasts: Option<i64>) {
        let (starts, ends) = (self.model.now + starts_in, lasts.map(|lasts| self.model.now + starts_in + lasts));
        self.model.lots.push(Lot { left: amount, priority, starts, ends, claimed: 0 });
        if starts_in == 0 {
            self.model.repay();
        }
        let term = Term {
            source: GrantSource::Admin,
            amount,
            priority,
            starts_at: instant(starts),
            expires_at: ends.map(instant),
            business_key: None,
            payment_id: None,
            allowance: None,
            reason: None,
        };
        let (id, txn) = self.change(|wallet, at| wallet.grant(term, cause(), at)).unwrap();
        assert_eq!(txn.is_some(), starts_in == 0);
        self.grants.push(id);
    }

    fn capture(&mut self, hold: usize, amount: i64, keep_open: bool) {
        let mut left = amount;
        for (_, part) in &mut self.model.holds[hold].parts {
            let taken = left.min(*part);
            *part -= taken;
            left -= taken;
        }
        self.model.holds[hold].parts.retain(|(_, part)| *part > 0);
        self.model.spent += amount;
        if self.model.holds[hold].parts.is_empty() || !keep_open {
            let parts = std::mem::take(&mut self.model.holds[hold].parts);
            self.model.holds[hold].open = false;
            let is_over = parts.is_empty();
            self.model.give(parts);
            if !is_over {
                self.model.repay();
            }
        }
    }

    fn revoke(&mut self, grant: usize, amount: i64, owes: bool) {
        let Some(id) = self.grants.get(grant).copied() else { return };
        if !self.model.begun(&self.model.lots[grant]) {
            return;
        }
        let number = self.ids.load(Ordering::Relaxed);
        let key = format!("revoke:{number}");
        let taken = self.change(|wallet, at| Ok(wallet.revoke(id, (amount, owes), key, cause(), at))).unwrap();
        let lot = &mut self.model.lots[grant];
        let left = amount.min(lot.left);
        lot.left -= left;
        let short = amount - left;
        let owed = if owes { (short - lot.claimed).max(0) } else { 0 };
        lot.claimed = short - owed;
        self.model.owed += owed;
        self.model.revoked += left + owed;
        assert_eq!(taken, left + owed);
    }

    fn check(&mut self) {
        self.change(|_, _| Ok(()));
        let (row, model) = (&self.wallet.balance.row, &self.model);
        let buckets = (row.available, row.held, row.spent, row.expired, row.revoked, -row.owed);
        let expected = (model.available(), model.held(), model.spent, model.expired, model.revoked, model.owed);
        assert_eq!(buckets, expected);
        assert!(row.available >= 0 && row.held >= 0 && row.owed <= 0);
        assert_eq!(row.available + row.held + row.spent + row.expired + row.revoked + row.issued + row.owed, 0);
        let begun = self.wallet.grants.iter().filter(|grant| grant.row.started);
        assert_eq!(begun.map(|grant| grant.row.remaining).sum::<i64>(), row.available);
        let open = self.wallet.holds.iter().filter(|hold| hold.row.state == HoldState::Open.to_string());
        assert_eq!(open.map(|hold| hold.row.remaining).sum::<i64>(), row.held);
    }

    /// Checks the entries against the balance, and their order in time.
    fn check_books(&self) {
        let mut sums: HashMap<&str, i64> = HashMap::new();
        let mut by_txn: BTreeMap<Uuid, i64> = BTreeMap::new();
        let mut last = None;
        for (number, entry) in self.wallet.entries.iter().enumerate() {
            let sum = sums.entry(&entry.bucket).or_default();
            *sum += entry.amount;
            assert_eq!((*sum, entry.seq), (entry.balance_after, i64::try_from(number).unwrap() + 1));
            *by_txn.entry(entry.txn_id).or_default() += entry.amount;
            assert!(last <= entry.effective_at && entry.effective_at <= Some(entry.recorded_at));
            last = entry.effective_at;
        }
        assert!(by_txn.values().all(|sum| *sum == 0));
        assert_eq!(by_txn.len(), self.wallet.txns.len());
        let row = &self.wallet.balance.row;
        let of = |bucket: &str| sums.get(bucket).copied().unwrap_or(0);
        assert_eq!((of("available"), of("held"), of("spent")), (row.available, row.held, row.spent));
        assert_eq!((of("expired"), of("issued"), of("owed")), (row.expired, row.issued, row.owed));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn a_wallet_is_what_the_model_says(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new();
        for step in &steps {
            world.play(step);
            world.check();
        }
        world.check_books();
    }
}

#[test]
fn grants_of_one_instant_repay_in_the_order_of_spending() {
    let mut world = World::new();
    let grant = |amount, starts_in, lasts| Step::Grant { amount, priority: 0, starts_in, lasts };
    let owes = Step::Revoke { grant: 0, amount: 30, owes: true };
    for step in [grant(10, 0, None), grant(50, 9, None), grant(40, 9, Some(5)), owes, Step::Wait(9)] {
        world.play(&step);
        world.check();
    }
    let left: Vec<_> = world.wallet.grants.iter().map(|grant| grant.row.remaining).collect();
    assert_eq!(left, [20, 0, 50], "the grant that ends first repays");
    world.check_books();
}

#[test]
fn a_balance_that_nobody_asked_for_is_settled_as_if_somebody_had() {
    let step = |world: &mut World| {
        world.play(&Step::Grant { amount: 50, priority: 0, starts_in: 0, lasts: Some(10) });
        world.play(&Step::Hold { amount: 20, lasts: 5 });
        world.play(&Step::Grant { amount: 7, priority: 0, starts_in: 8, lasts: Some(30) });
    };
    let (mut lazy, mut busy) = (World::new(), World::new());
    step(&mut lazy);
    step(&mut busy);
    for _ in 0..20 {
        busy.play(&Step::Wait(1));
        busy.check();
    }
    lazy.play(&Step::Wait(20));
    lazy.check();
    let entries = |world: &World| -> Vec<_> {
        world.wallet.entries.iter().map(|entry| (entry.bucket.clone(), entry.amount, entry.effective_at)).collect()
    };
    assert_eq!(entries(&lazy), entries(&busy));
    assert_eq!(lazy.wallet.balance.row.expired, 50);
    assert_eq!(lazy.wallet.balance.row.next_due_at, Some((instant(38) + TimeDelta::zero()).fixed_offset()));
}
