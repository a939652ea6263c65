//! The movements of random histories, compared with a model that looks at every customer at the end of every day.

use super::movements::{Line, Movement, State, Worth, movements};
use super::values::{ChurnCause, DiscountPolicy, MovementKind};
use crate::subscriptions::SubscriptionStatus;
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const CURRENCIES: [&str; 2] = ["EUR", "JPY"];
const LAST_DAY: u64 = 40;

fn first_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 2, 10).unwrap()
}

/// An instant of the first days, often exactly at midnight.
fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    let midnight = first_day().and_hms_opt(0, 0, 0).unwrap().and_utc();
    let hour = prop_oneof![Just(0_i64), Just(0), 0..24_i64];
    let micro = prop_oneof![Just(0_i64), Just(-1), Just(1)];
    (0..35_i64, hour, micro).prop_map(move |(day, hour, micro)| {
        midnight + TimeDelta::days(day) + TimeDelta::hours(hour) + TimeDelta::microseconds(micro.max(-hour))
    })
}

fn worth() -> impl Strategy<Value = Worth> {
    let amount = prop_oneof![4 => (0..4_i64).prop_map(|n| Some(n * 49_000)), 1 => Just(None)];
    (amount, 0..3_i64).prop_map(|(forever_only, half)| Worth {
        forever_only,
        all_active: forever_only.map(|amount| amount * half / 2),
    })
}

fn state() -> impl Strategy<Value = State> {
    use SubscriptionStatus::{Active, Canceled, PastDue, Paused, Trialing, Unpaid};
    let status = prop::sample::select(vec![Active, Active, Active, PastDue, Trialing, Unpaid, Canceled, Paused]);
    let changes = prop::collection::vec((instant(), worth()), 0..3);
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.9));
    let currency = prop_oneof![9 => (0..2_usize).prop_map(Some), 1 => Just(None)];
    (instant(), status, flags, currency, worth(), changes).prop_map(
        |(effective_at, status, (paused, is_own), currency, worth, mut changes)| {
            changes.retain(|(at, _)| *at > effective_at);
            changes.sort_by_key(|(at, _)| *at);
            changes.dedup_by_key(|(at, _)| *at);
            State {
                version_id: Uuid::nil(),
                inbox_event_id: None,
                effective_at,
                is_own,
                status,
                paused,
                currency: currency.map(|index| CURRENCIES[index].to_owned()),
                worth,
                changes,
            }
        },
    )
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    let line = (prop::collection::vec(state(), 0..7), prop::option::weighted(0.9, instant()));
    prop::collection::vec(line, 1..4).prop_map(|lines| {
        let mut number = 0_u128;
        let mut id = move || {
            number += 1;
            Uuid::from_u128(number)
        };
        let line = |(mut states, first_paid_at): (Vec<State>, _)| {
            states.sort_by_key(|state| state.effective_at);
            states.iter_mut().for_each(|state| state.version_id = id());
            Line { subscription_id: id(), first_paid_at, states }
        };
        lines.into_iter().map(line).collect()
    })
}

/// The state of a subscription in force just before `end`, and its worth in minor units if it counts then.
fn at_end(line: &Line, end: DateTime<Utc>, policy: DiscountPolicy) -> Option<(&State, i64)> {
    let state = line.states.iter().rfind(|state| state.effective_at < end)?;
    let worth = state.changes.iter().rfind(|(at, _)| *at < end).map_or(state.worth, |(_, worth)| *worth);
    let amount = match policy {
        DiscountPolicy::ForeverOnly => worth.forever_only,
        DiscountPolicy::AllActive => worth.all_active,
    };
    let is_paid = line.first_paid_at.is_some_and(|paid| paid < end);
    let recurs = matches!(state.status.as_str(), "active" | "past_due") && !state.paused && state.is_own;
    Some((state, amount.filter(|_| is_paid && recurs && state.currency.is_some()).unwrap_or(0)))
}

type Modelled = (NaiveDate, DiscountPolicy, String, MovementKind, i64, i64, NaiveDate);

/// The movements by their definition: each day's end compared with that of the day before.
fn model(lines: &[Line]) -> BTreeSet<Modelled> {
    let mut found = BTreeSet::new();
    for (policy, currency) in DiscountPolicy::ALL.iter().flat_map(|policy| CURRENCIES.map(|code| (*policy, code))) {
        let (mut before, mut cohort) = (0, None);
        for number in 0..=LAST_DAY {
            let day = first_day() + Days::new(number);
            let end = (day + Days::new(1)).and_hms_opt(0, 0, 0).unwrap().and_utc();
            let of_line =
                |line| at_end(line, end, policy).filter(|(state, _)| state.currency.as_deref() == Some(currency));
            let after: i64 = lines.iter().filter_map(of_line).map(|(_, amount)| amount).sum();
            let kind = match () {
                () if before == after => None,
                () if before == 0 && cohort.is_none() => Some(MovementKind::New),
                () if before == 0 => Some(MovementKind::Reactivation),
                () if after == 0 => Some(MovementKind::Churn),
                () if after > before => Some(MovementKind::Expansion),
                () => Some(MovementKind::Contraction),
            };
            if let Some(kind) = kind {
                let month = NaiveDate::parse_from_str(&day.format("%Y-%m-01").to_string(), "%Y-%m-%d").unwrap();
                let cohort = *cohort.get_or_insert(month);
                found.insert((day, policy, currency.to_owned(), kind, before, after, cohort));
            }
            before = after;
        }
    }
    found
}

fn modelled(movement: &Movement) -> Modelled {
    let Movement { day, discounts, kind, arr_before_minor, arr_after_minor, cohort_on, .. } = *movement;
    (day, discounts, movement.currency.clone(), kind, arr_before_minor, arr_after_minor, cohort_on)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn movements_are_the_differences_of_day_ends(lines in lines()) {
        let found = movements(&lines).unwrap();
        let expected = model(&lines);
        prop_assert_eq!(found.len(), expected.len());
        prop_assert_eq!(found.iter().map(modelled).collect::<BTreeSet<_>>(), expected);
        // They do not depend on the order of the subscriptions.
        let mut reversed = lines.clone();
        reversed.reverse();
        prop_assert_eq!(&movements(&reversed).unwrap(), &found);
        // They add up, for each currency and policy, to the last day's end.
        let mut sums: BTreeMap<_, i64> = BTreeMap::new();
        for movement in &found {
            let sum = sums.entry((movement.discounts, &movement.currency)).or_default();
            prop_assert_eq!(*sum, movement.arr_before_minor);
            *sum += movement.arr_after_minor - movement.arr_before_minor;
        }
    }

    #[test]
    fn a_movement_names_the_version_that_caused_it(lines in lines()) {
        for movement in movements(&lines).unwrap() {
            let line = lines.iter().find(|line| line.subscription_id == movement.subscription_id).unwrap();
            let state = line.states.iter().find(|state| state.version_id == movement.version_id).unwrap();
            // The version was in force on that day, and its subscription changed then.
            let end = (movement.day + Days::new(1)).and_hms_opt(0, 0, 0).unwrap().and_utc();
            prop_assert!(state.effective_at < end);
            let is_changed = state.effective_at.date_naive() == movement.day
                || state.changes.iter().any(|(at, _)| at.date_naive() == movement.day)
                || line.first_paid_at.is_some_and(|at| at.date_naive() == movement.day);
            prop_assert!(is_changed);
            prop_assert_eq!(movement.cause.is_some(), movement.kind == MovementKind::Churn);
            let expected = match () {
                () if state.paused || state.status == SubscriptionStatus::Paused => ChurnCause::Paused,
                () if state.status == SubscriptionStatus::Unpaid => ChurnCause::PaymentFailed,
                () => continue,
            };
            prop_assert!(movement.cause.is_none_or(|cause| cause == expected));
        }
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn version(number: u128, effective_at: &str, status: SubscriptionStatus, arr: i64) -> State {
    State {
        version_id: Uuid::from_u128(number),
        inbox_event_id: Some(Uuid::from_u128(number + 1_000)),
        effective_at: at(effective_at),
        is_own: true,
        status,
        paused: false,
        currency: Some("EUR".to_owned()),
        worth: Worth { forever_only: Some(arr), all_active: Some(arr) },
        changes: Vec::new(),
    }
}

/// The kinds, days, amounts and causes by the default policy.
fn told(lines: &[Line]) -> Vec<String> {
    let movements = movements(lines).unwrap();
    let shown = movements.iter().filter(|movement| movement.discounts == DiscountPolicy::ForeverOnly);
    let cause = |movement: &Movement| movement.cause.map(|cause| format!(" {cause}")).unwrap_or_default();
    let line = |m: &Movement| {
        format!(
            "{} {} {} to {} v{}{}",
            m.day,
            m.kind,
            m.arr_before_minor,
            m.arr_after_minor,
            m.version_id.as_u128(),
            cause(m)
        )
    };
    shown.map(line).collect()
}

#[test]
fn the_kinds_and_causes_follow_the_definitions() {
    use SubscriptionStatus::{Active, Canceled, PastDue, Trialing, Unpaid};
    let paid = Some(at("2024-01-15T10:00:00Z"));
    let line = |number, first_paid_at, states| Line { subscription_id: Uuid::from_u128(number), first_paid_at, states };
    // A trial, then payments, more, less, no payment for a while, the end, and a return at midnight.
    let states = vec![
        version(1, "2024-01-01T00:00:00Z", Trialing, 1200),
        version(2, "2024-01-15T09:00:00Z", Active, 1200),
        version(3, "2024-02-29T12:00:00Z", Active, 2400),
        version(4, "2024-03-01T12:00:00Z", Active, 600),
        version(5, "2024-03-05T12:00:00Z", PastDue, 600),
        version(6, "2024-03-09T12:00:00Z", Unpaid, 600),
        version(7, "2024-03-12T00:00:00Z", Active, 600),
        version(8, "2024-03-20T00:00:00Z", Active, 0),
        version(9, "2024-03-21T00:00:00Z", Active, 600),
        version(10, "2024-03-31T23:59:59.999999Z", Canceled, 600),
    ];
    let expected = [
        "2024-01-15 new 0 to 1200 v2",
        "2024-02-29 expansion 1200 to 2400 v3",
        "2024-03-01 contraction 2400 to 600 v4",
        "2024-03-09 churn 600 to 0 v6 payment_failed",
        "2024-03-12 reactivation 0 to 600 v7",
        "2024-03-20 churn 600 to 0 v8 downgrade_to_free",
        "2024-03-21 reactivation 0 to 600 v9",
        "2024-03-31 churn 600 to 0 v10 voluntary",
    ];
    assert_eq!(told(&[line(1, paid, states)]), expected);
    // A failed trial conversion is nothing.
    let failed = vec![
        version(1, "2024-01-01T00:00:00Z", Trialing, 1200),
        version(2, "2024-01-15T09:00:00Z", PastDue, 1200),
        version(3, "2024-01-20T09:00:00Z", Unpaid, 1200),
    ];
    assert_eq!(told(&[line(1, None, failed)]), Vec::<String>::new());
    // A change of plan by ending one subscription and beginning another is one expansion; a purchase that ends on its
    // day is nothing; the loss of one of two subscriptions is a contraction.
    let first =
        vec![version(1, "2024-01-15T10:00:00Z", Active, 1200), version(2, "2024-02-01T08:00:00Z", Canceled, 1200)];
    let second =
        vec![version(3, "2024-02-01T09:00:00Z", Active, 1500), version(4, "2024-04-01T00:00:00Z", Canceled, 1500)];
    let third =
        vec![version(5, "2024-03-01T01:00:00Z", Active, 700), version(6, "2024-03-01T23:00:00Z", Canceled, 700)];
    let fourth = vec![version(7, "2024-03-02T00:00:00Z", Active, 100)];
    let both = [line(1, paid, first), line(2, paid, second), line(3, paid, third), line(4, paid, fourth)];
    let expected = [
        "2024-01-15 new 0 to 1200 v1",
        "2024-02-01 expansion 1200 to 1500 v3",
        "2024-03-02 expansion 1500 to 1600 v7",
        "2024-04-01 contraction 1600 to 100 v4",
    ];
    assert_eq!(told(&both), expected);
}
