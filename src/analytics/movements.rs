//! The movements of one customer, as a pure function of the states of their subscriptions.

use super::values::{ChurnCause, DiscountPolicy, MovementKind, month_of};
use crate::error::Result;
use crate::money;
use crate::subscriptions::SubscriptionStatus;
use chrono::{DateTime, NaiveDate, Utc};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A subscription that belongs, or belonged, to a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) subscription_id: Uuid,
    /// The time at which more than zero was first paid for it.
    pub(super) first_paid_at: Option<DateTime<Utc>>,
    /// Its states by effective time; of those with one effective time the last counts.
    pub(super) states: Vec<State>,
}

/// A version of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) version_id: Uuid,
    pub(super) inbox_event_id: Option<Uuid>,
    pub(super) effective_at: DateTime<Utc>,
    /// True if it belongs to the customer, false to another one.
    pub(super) is_own: bool,
    pub(super) status: SubscriptionStatus,
    pub(super) paused: bool,
    pub(super) currency: Option<String>,
    pub(super) worth: Worth,
    /// Later values while it lasts, because discounts begin or end, by time.
    pub(super) changes: Vec<(DateTime<Utc>, Worth)>,
}

/// Annual value in minor units; `None` if it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Worth {
    pub(super) forever_only: Option<i64>,
    pub(super) all_active: Option<i64>,
}

impl Worth {
    fn by(self, policy: DiscountPolicy) -> Option<i64> {
        match policy {
            DiscountPolicy::ForeverOnly => self.forever_only,
            DiscountPolicy::AllActive => self.all_active,
        }
    }
}

/// A change of a customer's annual recurring revenue in one currency from the end of a day to the end of the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Movement {
    pub(super) currency: String,
    pub(super) discounts: DiscountPolicy,
    pub(super) day: NaiveDate,
    pub(super) kind: MovementKind,
    /// The cause of a churn; `None` for other kinds.
    pub(super) cause: Option<ChurnCause>,
    pub(super) arr_before_minor: i64,
    pub(super) arr_after_minor: i64,
    /// The first day of the month of the customer's first movement in this currency.
    pub(super) cohort_on: NaiveDate,
    /// The subscription whose change was the last one in the direction of the movement, and its state after it.
    pub(super) subscription_id: Uuid,
    pub(super) version_id: Uuid,
    pub(super) inbox_event_id: Option<Uuid>,
}

/// A change of one subscription's contribution.
struct Step<'l> {
    at: DateTime<Utc>,
    subscription_id: Uuid,
    /// The state in force from then on.
    state: &'l State,
    worth: Worth,
    before: Contribution<'l>,
    after: Contribution<'l>,
}

/// The currency and the annual value of a subscription that counts; `None` for one that does not.
type Contribution<'l> = Option<(&'l str, Worth)>;

/// The customer's total in one currency by one policy.
#[derive(Default)]
struct Total {
    arr_minor: i64,
    /// The total at the end of the day before.
    at_last_day_end: i64,
    cohort_on: Option<NaiveDate>,
}

/// Returns the movements of a customer, by day (metrics v1, section 2): at most one for each currency, policy and day.
pub(super) fn movements(lines: &[Line]) -> Result<Vec<Movement>> {
    let mut steps: Vec<Step<'_>> = lines.iter().flat_map(steps_of).collect();
    steps.sort_by_key(|step| (step.at, step.subscription_id));
    let mut totals: BTreeMap<(DiscountPolicy, &str), Total> = BTreeMap::new();
    let mut found = Vec::new();
    for of_day in steps.chunk_by(|one, other| one.at.date_naive() == other.at.date_naive()) {
        let day = of_day[0].at.date_naive();
        let mut touched: BTreeMap<(DiscountPolicy, &str), Vec<(i64, &Step<'_>)>> = BTreeMap::new();
        for step in of_day {
            let currencies: BTreeSet<&str> =
                step.before.iter().chain(&step.after).map(|(currency, _)| *currency).collect();
            for key in currencies.iter().flat_map(|currency| DiscountPolicy::ALL.map(|policy| (policy, *currency))) {
                let change = money::add(value(step.after, key), -value(step.before, key))?;
                if change != 0 {
                    let total = totals.entry(key).or_default();
                    total.arr_minor = money::add(total.arr_minor, change)?;
                    touched.entry(key).or_default().push((change, step));
                }
            }
        }
        for (key, changes) in touched {
            found.extend(totals.get_mut(&key).and_then(|total| movement(day, key, total, &changes)));
        }
    }
    Ok(found)
}

fn value(contribution: Contribution<'_>, (policy, currency): (DiscountPolicy, &str)) -> i64 {
    let value = contribution.filter(|(own, _)| *own == currency).and_then(|(_, worth)| worth.by(policy));
    value.unwrap_or_default()
}

/// Returns the movement of a day, and makes its end the base of the next one.
fn movement(
    day: NaiveDate,
    (discounts, currency): (DiscountPolicy, &str),
    total: &mut Total,
    changes: &[(i64, &Step<'_>)],
) -> Option<Movement> {
    let before = std::mem::replace(&mut total.at_last_day_end, total.arr_minor);
    let after = total.arr_minor;
    let kind = match (before, after) {
        _ if before == after => return None,
        (0, _) if total.cohort_on.is_none() => MovementKind::New,
        (0, _) => MovementKind::Reactivation,
        (_, 0) => MovementKind::Churn,
        _ if after > before => MovementKind::Expansion,
        _ => MovementKind::Contraction,
    };
    // The changes of the day add up to the movement, so that one of them has its direction.
    let (_, step) = changes.iter().rev().find(|(change, _)| (*change > 0) == (after > before))?;
    Some(Movement {
        currency: currency.to_owned(),
        discounts,
        day,
        kind,
        cause: (kind == MovementKind::Churn).then(|| cause(step, discounts)),
        arr_before_minor: before,
        arr_after_minor: after,
        cohort_on: *total.cohort_on.get_or_insert_with(|| month_of(day)),
        subscription_id: step.subscription_id,
        version_id: step.state.version_id,
        inbox_event_id: step.state.inbox_event_id,
    })
}

fn cause(step: &Step<'_>, policy: DiscountPolicy) -> ChurnCause {
    let status = step.state.status;
    match status {
        _ if step.state.paused || status == SubscriptionStatus::Paused => ChurnCause::Paused,
        SubscriptionStatus::Unpaid => ChurnCause::PaymentFailed,
        SubscriptionStatus::Active | SubscriptionStatus::PastDue if step.worth.by(policy) == Some(0) => {
            ChurnCause::DowngradeToFree
        }
        _ => ChurnCause::Voluntary,
    }
}

/// Returns the changes of a subscription's contribution, by time.
fn steps_of(line: &Line) -> Vec<Step<'_>> {
    let starts = line.states.iter().map(|state| state.effective_at);
    let changes = line.states.iter().flat_map(|state| state.changes.iter().map(|(at, _)| *at));
    let instants: BTreeSet<DateTime<Utc>> = starts.chain(changes).chain(line.first_paid_at).collect();
    let mut steps = Vec::new();
    let (mut next, mut before) = (0, None);
    for at in instants {
        while line.states.get(next).is_some_and(|state| state.effective_at <= at) {
            next += 1;
        }
        let Some(state) = next.checked_sub(1).and_then(|index| line.states.get(index)) else { continue };
        let later = state.changes.iter().rev().find(|(begins, _)| *begins <= at);
        let worth = later.map_or(state.worth, |(_, worth)| *worth);
        let recurs = matches!(state.status, SubscriptionStatus::Active | SubscriptionStatus::PastDue) && !state.paused;
        let is_counted = state.is_own && recurs && line.first_paid_at.is_some_and(|paid| paid <= at);
        let after = state.currency.as_deref().filter(|_| is_counted).map(|currency| (currency, worth));
        if before != after {
            steps.push(Step { at, subscription_id: line.subscription_id, state, worth, before, after });
        }
        before = after;
    }
    steps
}
