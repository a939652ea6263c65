//! The changes of a balance that time alone brings.

use super::grants::SYSTEM;
use super::holds::HoldEnd;
use super::post::Cause;
use super::state::{Moment, Wallet};
use crate::credits::schedule::Due;
use crate::credits::values::HoldState;
use crate::error::Result;
use chrono::{DateTime, Utc};
use entity::credit_grants;
use uuid::Uuid;

/// The most changes in one transaction; a balance that nobody asked for in years is settled in several.
const MAX_CHANGES: usize = 1_000;

/// A change at an instant; of one instant they happen in this order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// A hold times out.
    HoldEnds(Uuid),
    /// A grant expires.
    GrantExpires(Uuid),
    /// A grant begins.
    GrantStarts(Uuid),
    /// The allowance of this number is due.
    Allowance(usize),
    /// A hold that is not in memory times out.
    Later,
}

impl Wallet {
    /// Applies all changes up to the present, each at its instant. Returns false if more are left.
    pub(in crate::credits) fn settle(&mut self, at: Moment<'_>) -> Result<bool> {
        // Debts are repaid when all changes of an instant are made, so that the order of spending holds among its grants.
        let mut added = None;
        for _ in 0..MAX_CHANGES {
            let next = self.next_change().filter(|(instant, _)| *instant <= at.now);
            if let Some(since) = added.take_if(|since| next.as_ref().is_none_or(|(instant, _)| instant > since)) {
                self.repay(since, at)?;
                continue;
            }
            let Some((instant, change)) = next else { break };
            if matches!(change, Change::HoldEnds(_) | Change::GrantStarts(_) | Change::Allowance(_)) {
                added = Some(instant);
            }
            self.apply(change, instant, at)?;
        }
        if let Some(since) = added {
            self.repay(since, at)?;
        }
        let next = self.next_change().map(|(instant, _)| instant.fixed_offset());
        if self.balance.row.next_due_at != next {
            self.balance.change().next_due_at = next;
        }
        Ok(next.is_none_or(|next| next.to_utc() > at.now))
    }

    /// Notes that the balance changes at `instant`, if that is sooner than any other change.
    pub(super) fn note_due(&mut self, instant: DateTime<Utc>) {
        let instant = instant.fixed_offset();
        if self.balance.row.next_due_at.is_none_or(|next| next > instant) {
            self.balance.change().next_due_at = Some(instant);
        }
    }

    fn next_change(&self) -> Option<(DateTime<Utc>, Change)> {
        let open = HoldState::Open.to_string();
        let holds = self.holds.iter().filter(|hold| hold.row.state == open);
        let holds = holds.map(|hold| (hold.row.expires_at.to_utc(), Change::HoldEnds(hold.row.id)));
        let grants = self.grants.iter().filter_map(|grant| match grant.row.started {
            true if grant.row.remaining > 0 => {
                Some((grant.row.expires_at?.to_utc(), Change::GrantExpires(grant.row.id)))
            }
            true => None,
            false => Some((grant.row.starts_at.to_utc(), Change::GrantStarts(grant.row.id))),
        });
        let allowances = self.schedules.iter().enumerate();
        let allowances =
            allowances.filter_map(|(number, schedule)| Some((schedule.next()?, Change::Allowance(number))));
        let later = self.next_hold.map(|instant| (instant, Change::Later));
        holds.chain(grants).chain(allowances).chain(later).min()
    }

    fn apply(&mut self, change: Change, instant: DateTime<Utc>, at: Moment<'_>) -> Result<()> {
        let system = || Cause { actor: SYSTEM.to_owned(), ..Cause::default() };
        match change {
            Change::HoldEnds(id) => {
                self.release(id, (HoldEnd::Expired, instant), system(), at)?;
            }
            Change::GrantExpires(id) => {
                let left = self.grant_mut(id).map_or(0, |grant| grant.row.remaining);
                self.expire(id, (instant, left), |_| format!("expire:{id}"), at);
            }
            Change::GrantStarts(id) => {
                self.start(id, system(), at);
            }
            Change::Later => self.next_hold = None,
            Change::Allowance(number) => {
                let due = self.schedules[number].take();
                self.allow(due, at);
            }
        }
        Ok(())
    }

    /// Grants an allowance, after the rest of earlier ones beyond the cap of what may be kept has expired.
    fn allow(&mut self, due: Option<Due>, at: Moment<'_>) {
        let Some(due) = due else { return };
        let is_earlier = |grant: &&credit_grants::Model| {
            grant.started
                && grant.remaining > 0
                && grant.subscription_id == Some(due.subscription_id)
                && grant.allowance_id == Some(due.allowance_id)
        };
        // The oldest first: the youngest are kept.
        let mut earlier: Vec<_> = self.grants.iter().map(|grant| &grant.row).filter(is_earlier).collect();
        earlier.sort_by_key(|grant| (grant.starts_at, grant.id));
        let earlier: Vec<(Uuid, i64)> = earlier.into_iter().map(|grant| (grant.id, grant.remaining)).collect();
        let kept = due.keeps.unwrap_or(i64::MAX);
        let mut excess = earlier.iter().map(|(_, left)| left).sum::<i64>().saturating_sub(kept).max(0);
        for (id, left) in earlier {
            let part = excess.min(left);
            if part > 0 {
                excess -= part;
                self.expire(id, (due.at, part), |txn_id| format!("rollover:{id}:{txn_id}"), at);
            }
        }
        if due.term.amount > 0 {
            let cause = Cause { actor: SYSTEM.to_owned(), ..Cause::default() };
            self.add(due.term, cause, at);
        }
    }
}
