//! The plans that an account has at the end of the history.

use super::calendar::{At, days, months_after};
use super::catalogue::Allowance;
use super::customer::Customer;
use super::held::Held;
use super::lifecycle::Run;

/// The days before now in which daily allowances are granted: the company has had them since then.
const DAILY_HISTORY_DAYS: i64 = 7;

impl Run<'_, '_> {
    /// Notes the plan if the subscription goes on.
    pub(super) fn hold(&mut self) {
        let row = &self.sub.row;
        let status = row.status.as_str();
        if !["trialing", "active", "past_due", "paused"].contains(&status) {
            return;
        }
        let held = Held {
            subscription_id: row.id,
            plan: self.sub.plan,
            since: self.sub.since.1,
            created_at: row.created_at,
            period: self.sub.period(),
            until: row.cancel_at,
            gives: ["trialing", "active"].contains(&status) && row.paused_at.is_none(),
            paused: status == "paused",
        };
        self.customer.held.push(held);
    }
}

impl<'w> Customer<'w> {
    /// Returns the plan that counts, of those that the account has.
    pub(super) fn plan(&self) -> Option<Held<'w>> {
        let place = |held: &&Held<'_>| (!held.paused, held.plan.rank, held.created_at, held.subscription_id);
        self.held.iter().max_by_key(place).copied()
    }

    /// Returns the first instant of the day that holds `at`, in the time zone of the account.
    pub(super) fn start_of_day(&self, at: At) -> At {
        let ahead = super::calendar::hours(self.offset_hours);
        (at + ahead).date_naive().and_time(chrono::NaiveTime::MIN).and_utc().fixed_offset() - ahead
    }

    /// Returns the instants of an allowance in a period, from the beginning of the plan on. Days before the one at which
    /// the subscription was last heard of get nothing.
    pub(super) fn instants(&self, allowance: &Allowance, (from, to): (At, At), since: At, known_at: At) -> Vec<At> {
        let first = from.max(since);
        match allowance.cadence {
            "once" => vec![since],
            "billing" => vec![first],
            "month" => {
                let later = (1..).map(|step| months_after(from, step)).skip_while(|at| *at <= first);
                std::iter::once(first).chain(later.take_while(|at| *at < to)).collect()
            }
            _ => {
                let oldest = self.world.calendar.now - days(DAILY_HISTORY_DAYS);
                let from = since.max(self.start_of_day(from.max(known_at).max(oldest)));
                let mornings = (1..).map(|day| self.start_of_day(from) + days(day));
                std::iter::once(from).chain(mornings).take_while(|at| *at < to).collect()
            }
        }
    }

    /// Returns the instant of the next grant of an allowance after the one at `granted`.
    pub(super) fn next_grant(&self, held: &Held<'_>, allowance: &Allowance, granted: Option<At>) -> Option<At> {
        let next = match (granted, allowance.cadence) {
            (Some(_), "once") => None,
            (Some(granted), "day") => Some(self.start_of_day(granted) + days(1)),
            _ => {
                let instants = self.instants(allowance, held.period, held.since, held.since);
                instants.into_iter().find(|at| granted.is_none_or(|granted| *at > granted))
            }
        };
        next.filter(|at| held.gives && held.until.is_none_or(|until| *at < until))
    }
}
