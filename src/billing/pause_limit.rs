//! The limit on pauses that customers may ask for: payments are waived during a pause, and the plan stays.
//!
//! A payment is due at the beginning of a period, so a pause over that instant waives the whole period. Therefore a pause of
//! a customer ends shortly before a period does, and the pauses of a year have a maximum.

use super::subscription::path;
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::outbox::{self, CallState, Operation};
use crate::plans::{self, PriceInterval};
use chrono::{DateTime, Months, TimeDelta, Utc};
use entity::prices;
use entity::subscriptions::Model;
use uuid::Uuid;

/// The name of a pause among the calls.
pub(super) const PAUSE: Operation = Operation::Named("subscriptions.pause");
/// The name of the end of a pause among the calls.
pub(super) const RESUME: Operation = Operation::Named("subscriptions.resume");
/// The time within which all pauses of a subscription count.
const WINDOW: TimeDelta = TimeDelta::days(365);
/// The time between the end of a pause and the payment that it must not waive.
const MARGIN: TimeDelta = TimeDelta::hours(1);
/// The shortest pause worth asking for.
const MIN_PAUSE: TimeDelta = TimeDelta::days(1);

/// Returns the end of a pause that the customer `owner` asks for until `until`, as long as possible by default. All pauses
/// of a year last at most `max_days`.
pub(super) async fn end_of_pause(
    txn: &Txn,
    owner: Uuid,
    subscription: &Model,
    until: Option<DateTime<Utc>>,
    max_days: i64,
) -> Result<DateTime<Utc>> {
    let left = TimeDelta::days(max_days) - used(txn, owner, subscription).await?;
    if left < MIN_PAUSE {
        let message = format!("A subscription can be paused for {max_days} days in a year, which are used up.");
        return Err(Error::refused("PAUSE_LIMIT_REACHED", &["subscriptionId"], message));
    }
    let latest = txn.now() + left;
    let invalid = |rule: String| Err(Error::refused("UNTIL_INVALID", &["until"], rule));
    if until.is_some_and(|until| until > latest) {
        return invalid(format!("`until` must be within {} days from now.", left.num_days()));
    }
    let price = match subscription.price_id {
        Some(id) => plans::price(txn, id).await?,
        None => None,
    };
    let Some(end) = subscription.current_period_end.map(|end| end.to_utc()) else { return Ok(until.unwrap_or(latest)) };
    match until {
        Some(until) if until < end => Ok(until),
        Some(until) => match period_ends(end, price.as_ref()).find(|end| *end >= until) {
            Some(end) if end <= latest + MARGIN => Ok(end - MARGIN),
            _ => invalid(format!(
                "`until` must be before {}: a later pause would waive a whole period beyond the limit.",
                end.format("%Y-%m-%d")
            )),
        },
        None if latest < end => Ok(latest),
        None => {
            let last = period_ends(end, price.as_ref()).take_while(|end| *end <= latest + MARGIN).last();
            Ok((last.unwrap_or(latest) - MARGIN).max(txn.now() + MARGIN))
        }
    }
}

/// Returns the ends of the present period and of those after it; only of the present one for a price without periods.
fn period_ends(first: DateTime<Utc>, price: Option<&prices::Model>) -> impl Iterator<Item = DateTime<Utc>> {
    let interval = price.and_then(|price| PriceInterval::parse(&price.interval).ok());
    let count = price.map_or(1, |price| price.interval_count.max(1));
    (0_i64..).map_while(move |periods| {
        let steps = periods.checked_mul(count)?;
        let months = |each: u32| u32::try_from(steps).ok()?.checked_mul(each).map(Months::new);
        match interval {
            _ if periods == 0 => Some(first),
            Some(PriceInterval::Day) => first.checked_add_signed(TimeDelta::try_days(steps)?),
            Some(PriceInterval::Week) => first.checked_add_signed(TimeDelta::try_weeks(steps)?),
            Some(PriceInterval::Month) => first.checked_add_months(months(1)?),
            Some(PriceInterval::Year) => first.checked_add_months(months(12)?),
            Some(PriceInterval::OneTime) | None => None,
        }
    })
}

/// Returns the time for which a subscription was paused at a customer's request in the last year.
async fn used(txn: &Txn, owner: Uuid, subscription: &Model) -> Result<TimeDelta> {
    let (now, path) = (txn.now(), path(subscription));
    let calls = outbox::calls_of_person(txn, owner, &[PAUSE, RESUME], now - WINDOW).await?;
    let mut made = Vec::new();
    for call in calls {
        let is_made = matches!(CallState::of(&call)?, CallState::Done | CallState::Pending);
        if is_made && call.path.starts_with(&path) {
            made.push(call);
        }
    }
    let mut sum = TimeDelta::zero();
    for (at, pause) in made.iter().enumerate() {
        let resumes_at = pause.params["pause_collection"]["resumes_at"].as_i64();
        let Some(planned) = resumes_at.and_then(|at| DateTime::from_timestamp(at, 0)) else { continue };
        let resumed = made[at..].iter().find(|call| call.operation == RESUME.as_str());
        let end = resumed.map_or(planned, |resumed| planned.min(resumed.created_at.to_utc()));
        sum += (end - pause.created_at.to_utc()).max(TimeDelta::zero());
    }
    Ok(sum)
}
