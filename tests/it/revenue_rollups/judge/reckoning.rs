//! The figures of lives, from their raw facts alone, in exact fractions.

use super::super::model::{Book, Movement};
use super::lives::{Contract, Coupon, DAY, Item, Life, NOW, PLANS, State};
use chrono::{DateTime, NaiveDate};
use num_rational::Ratio;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

type Amount = Ratio<i128>;

pub(super) fn account(number: usize) -> Uuid {
    Uuid::from_u128(0xacc0_0000_0000 + u128::try_from(number).unwrap())
}

pub(super) fn day_of(at: i64) -> NaiveDate {
    DateTime::from_timestamp(at, 0).unwrap().date_naive()
}

/// The annual value of an item, less the coupons that count.
fn worth(item: Item, coupon: Option<Coupon>) -> i64 {
    let periods = match item.interval {
        ("year", count) => Amount::new(1, count.into()),
        ("month", count) => Amount::new(12, count.into()),
        ("week", count) => Amount::new(52, count.into()),
        (_, count) => Amount::new(365, count.into()),
    };
    let left = Amount::new(100 - coupon.map_or(0, |coupon| i128::from(coupon.percent)), 100);
    let exact = periods * i128::from(PLANS[item.plan].1 * item.quantity) * left;
    // Half to even.
    let (floor, rest) = (exact.floor().to_integer(), exact.fract() * 2);
    let up = match rest.cmp(&Amount::from_integer(1)) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => floor % 2,
        std::cmp::Ordering::Greater => 1,
    };
    i64::try_from(floor + up).unwrap()
}

impl State {
    /// The annual value at an instant of the state: with coupons for ever alone, and with all in force.
    pub(super) fn arr(&self, at: i64) -> [i64; 2] {
        let now = self.coupon.filter(|coupon| coupon.start <= at && coupon.end.is_none_or(|end| at < end));
        [worth(self.item, now.filter(|coupon| coupon.forever)), worth(self.item, now)]
    }
}

impl Contract {
    pub(super) fn first_paid(&self) -> Option<i64> {
        self.payments.iter().filter(|payment| payment.succeeded && payment.amount > 0).map(|payment| payment.at).min()
    }

    /// The state in force at an instant.
    pub(super) fn state(&self, at: i64) -> Option<&State> {
        self.states.iter().rfind(|state| state.at <= at)
    }

    /// The owner and the annual value at an instant; `None` if it does not count.
    fn counted(&self, at: i64, every_discount: bool) -> Option<(usize, i64)> {
        let state = self.state(at)?;
        let counts = matches!(state.status, "active" | "past_due") && !state.paused;
        let counts = counts && self.first_paid().is_some_and(|paid| paid <= at);
        let arr = state.arr(at)[usize::from(every_discount)];
        (counts && arr > 0).then_some((state.owner, arr))
    }

    /// The days on which anything can change.
    fn days(&self) -> impl Iterator<Item = i64> {
        let ends =
            self.states.iter().filter_map(|state| state.coupon).flat_map(|coupon| [Some(coupon.start), coupon.end]);
        let states = self.states.iter().map(|state| state.at);
        states.chain(ends.flatten()).chain(self.first_paid()).map(|at| at.div_euclid(DAY))
    }
}

/// Annual revenue, subscriptions and customers of each currency at an instant.
pub(super) fn recurring(lives: &[Life], at: i64, every_discount: bool) -> BTreeMap<String, (i64, i64, i64)> {
    let mut found: BTreeMap<String, (i64, i64, BTreeSet<usize>)> = BTreeMap::new();
    for contract in lives.iter().flat_map(|life| &life.contracts) {
        if let Some((owner, arr)) = contract.counted(at, every_discount) {
            let sum = found.entry(contract.currency.to_owned()).or_default();
            (sum.0, sum.1) = (sum.0 + arr, sum.1 + 1);
            sum.2.insert(owner);
        }
    }
    let count = |owners: BTreeSet<usize>| i64::try_from(owners.len()).unwrap();
    found.into_iter().map(|(currency, (arr, contracts, owners))| (currency, (arr, contracts, count(owners)))).collect()
}

/// The movements of every customer: each day on which anything can change, its end compared with the end of the day before.
pub(super) fn book(lives: &[Life], every_discount: bool) -> Book {
    let mut of_customers: BTreeMap<(usize, &str), Vec<&Contract>> = BTreeMap::new();
    for contract in lives.iter().flat_map(|life| &life.contracts) {
        let owners: BTreeSet<usize> = contract.states.iter().map(|state| state.owner).collect();
        for owner in owners {
            of_customers.entry((owner, contract.currency)).or_default().push(contract);
        }
    }
    let mut book = Book::new();
    for ((owner, currency), contracts) in of_customers {
        let days: BTreeSet<i64> = contracts.iter().flat_map(|contract| contract.days()).collect();
        let at_end = |day: i64| -> i64 {
            let last = (day + 1) * DAY - 1;
            let counted = contracts.iter().filter_map(|contract| contract.counted(last, every_discount));
            counted.filter(|(own, _)| *own == owner).map(|(_, arr)| arr).sum()
        };
        let (mut movements, mut ever) = (Vec::new(), false);
        for day in days.into_iter().filter(|day| *day <= NOW / DAY) {
            let (before, after) = (at_end(day - 1), at_end(day));
            let kind = match (before, after) {
                _ if before == after => continue,
                (0, _) if !ever => "new",
                (0, _) => "reactivation",
                (_, 0) => "churn",
                _ if after > before => "expansion",
                _ => "contraction",
            };
            ever = true;
            movements.push(Movement { day: day_of(day * DAY), kind, before, after });
        }
        if !movements.is_empty() {
            book.insert((account(owner), currency.to_owned()), movements);
        }
    }
    book
}

/// Gross, payments, fees, unknown fees, refunded, and refunds.
pub(super) type Cash = [i64; 6];

/// Cash by month, currency and plan.
pub(super) fn cash(lives: &[Life]) -> BTreeMap<(NaiveDate, String, usize), Cash> {
    let mut found: BTreeMap<(NaiveDate, String, usize), Cash> = BTreeMap::new();
    for contract in lives.iter().flat_map(|life| &life.contracts) {
        for payment in contract.payments.iter().filter(|payment| payment.succeeded) {
            let state = contract.state(payment.at).unwrap_or(&contract.states[0]);
            let mut count = |at: i64, more: Cash| {
                let key = (super::super::month(day_of(at)), contract.currency.to_owned(), state.item.plan);
                found.entry(key).or_default().iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            };
            let fee = payment.fee;
            count(payment.at, [payment.amount, 1, fee.unwrap_or(0), i64::from(fee.is_none()), 0, 0]);
            if let Some((at, amount)) = payment.refund {
                count(at, [0, 0, 0, 0, amount, 1]);
            }
        }
    }
    found
}
