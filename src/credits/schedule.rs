//! The instants at which allowances of plans are due: pure functions of the subscription, the plan and the calendar.

use super::term::Term;
use super::values::GrantSource;
use crate::calendar::start_of_day;
use crate::plans::AllowanceCadence;
use chrono::{DateTime, Days, Months, NaiveDate, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

/// An allowance of a plan for one subscription.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    pub(super) allowance_id: Uuid,
    pub(super) subscription_id: Uuid,
    pub(super) cadence: AllowanceCadence,
    /// Amount of each grant, in the smallest step of the unit.
    pub(super) amount: i64,
    pub(super) priority: i64,
    /// Days after which a grant ends: those of a daily allowance are local days, and others have 24 hours.
    pub(super) expires_after_days: Option<u64>,
    /// The most that is kept of earlier grants; `None` for all of it.
    pub(super) rollover_cap: Option<i64>,
    /// True if a change of plan ends its grants.
    pub(super) is_replaced: bool,
    /// The instant from which the subscription has this version of the plan.
    pub(super) since: DateTime<Utc>,
    /// The instant from which allowances are granted to the account; earlier periods get nothing.
    pub(super) noticed: DateTime<Utc>,
    /// The billing period of the subscription.
    pub(super) period: (DateTime<Utc>, Option<DateTime<Utc>>),
    /// The instant from which nothing more is granted; `None` for never.
    pub(super) until: Option<DateTime<Utc>>,
    /// The time zone of the account, in which days begin.
    pub(super) zone: Tz,
    /// The start of the newest grant of this allowance to the subscription; if a change of plan ends its grants, of those
    /// since the last change.
    pub(super) granted: Option<DateTime<Utc>>,
    /// The newest local day that a grant of a daily allowance was for, in the time zone of then.
    pub(super) granted_day: Option<NaiveDate>,
    /// True if the subscription had this allowance before the last change of plan, which replaced it.
    pub(super) again: bool,
    /// Credits of replaced allowances that were used in the period in which this one begins.
    pub(super) used_before: i64,
}

/// A grant that is due.
#[derive(Debug, Clone)]
pub(super) struct Due {
    pub(super) at: DateTime<Utc>,
    pub(super) allowance_id: Uuid,
    pub(super) subscription_id: Uuid,
    pub(super) term: Term,
    /// The most that is kept of earlier grants; `None` for all of it.
    pub(super) keeps: Option<i64>,
}

impl Schedule {
    /// Returns the instant of the next grant; `None` if there is none.
    pub(super) fn next(&self) -> Option<DateTime<Utc>> {
        let next = match self.granted {
            // The first grant is that of the period in which the plan began, or in which it was noticed.
            None => self.since.max(self.start_of_period(self.since.max(self.noticed))),
            // Periods without the plan, such as while a payment was due, get nothing.
            Some(granted) => self.start_after(granted)?.max(self.start_of_period(self.noticed)),
        };
        let is_over = |end: DateTime<Utc>| next >= end;
        if self.until.is_some_and(is_over) { None } else { Some(next) }
    }

    /// Returns the grant that is due next, and moves on to the one after it.
    pub(super) fn take(&mut self) -> Option<Due> {
        let at = self.next()?;
        let used = if self.granted.is_none() { self.used_before } else { 0 };
        let business_key = Some(self.key(at));
        self.granted = Some(at);
        self.granted_day = Some(at.with_timezone(&self.zone).date_naive());
        let term = Term {
            source: GrantSource::Plan,
            amount: (self.amount - used).max(0),
            priority: self.priority,
            starts_at: at,
            expires_at: self.end(at),
            business_key,
            payment_id: None,
            allowance: Some((self.allowance_id, self.subscription_id)),
            reason: None,
        };
        let (allowance_id, subscription_id) = (self.allowance_id, self.subscription_id);
        Some(Due { at, allowance_id, subscription_id, term, keeps: self.rollover_cap })
    }

    /// Returns the instant at which a grant that begins at `at` ends; `None` for never.
    fn end(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let days = Days::new(self.expires_after_days?);
        match self.cadence {
            AllowanceCadence::Day => {
                let day = at.with_timezone(&self.zone).date_naive();
                Some(start_of_day(day.checked_add_days(days)?, self.zone))
            }
            _ => at.checked_add_days(days),
        }
    }

    /// Returns the key that identifies the grant of a period: the local day, or the instant. A plan that is subscribed to
    /// again within a period has another grant of it.
    fn key(&self, at: DateTime<Utc>) -> String {
        let mut period = match self.cadence {
            AllowanceCadence::Day => at.with_timezone(&self.zone).date_naive().to_string(),
            AllowanceCadence::Once => "once".to_owned(),
            AllowanceCadence::Billing | AllowanceCadence::Month => at.timestamp().to_string(),
        };
        if self.again && self.granted.is_none() {
            period = format!("{period}@{}", self.since.timestamp());
        }
        format!("allowance:{}:{}:{period}", self.subscription_id, self.allowance_id)
    }

    /// Returns the start of the period that `instant` is in.
    pub(super) fn start_of_period(&self, instant: DateTime<Utc>) -> DateTime<Utc> {
        match self.cadence {
            AllowanceCadence::Once => self.since,
            AllowanceCadence::Billing => self.period.0,
            AllowanceCadence::Month => self.months(|start| start <= instant).0,
            AllowanceCadence::Day => start_of_day(instant.with_timezone(&self.zone).date_naive(), self.zone),
        }
    }

    /// Returns the start of the first period that begins after `instant`.
    fn start_after(&self, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = match self.cadence {
            AllowanceCadence::Once => return None,
            // The next billing period is known when the provider tells of it.
            AllowanceCadence::Billing => self.period.0,
            AllowanceCadence::Month => {
                let next = self.months(|start| start <= instant).1;
                // Months count from the start of the present billing period, which is the first that follows an earlier
                // one, and end before its end.
                let is_over = self.period.1.is_some_and(|end| next >= end);
                if instant < self.period.0 || is_over { self.period.0 } else { next }
            }
            AllowanceCadence::Day => {
                // In another time zone the day that was granted may be ahead of the present one.
                let day = instant.with_timezone(&self.zone).date_naive();
                let day = self.granted_day.map_or(day, |granted| granted.max(day));
                start_of_day(day.checked_add_days(Days::new(1))?, self.zone)
            }
        };
        (next > instant).then_some(next)
    }

    /// Returns the last month of the billing period that `holds`, and the month after it: months count from the start of
    /// the period, and end with the month where it has fewer days.
    fn months(&self, holds: impl Fn(DateTime<Utc>) -> bool) -> (DateTime<Utc>, DateTime<Utc>) {
        let start = |number| self.period.0.checked_add_months(Months::new(number)).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let mut number = 0;
        while holds(start(number + 1)) {
            number += 1;
        }
        (start(number), start(number + 1))
    }
}
