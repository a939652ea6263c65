//! Counters: the use of a meter in a window, loaded for many accounts at once, changed in memory and written back.

use super::slot::{Group, Slot};
use super::store;
use crate::changes::{self, Change};
use crate::db::{Txn, insert_new, overtaken, update_all};
use crate::error::{Error, Result};
use crate::plans::LimitWindow;
use chrono::{DateTime, Utc};
use entity::usage_counters::{ActiveModel, Entity, Model};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::ConnectionTrait;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// The use in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Units used.
    pub used: i64,
    /// Unused units of earlier windows that count in this one.
    pub banked: i64,
}

impl Count {
    /// Returns the units left under a limit, never negative; `None` for unlimited.
    pub fn remaining(&self, limit: Option<i64>) -> Option<i64> {
        let available = limit?.saturating_add(self.banked);
        Some(available.saturating_sub(self.used).max(0))
    }
}

struct Counter {
    row: Model,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Stored,
    Changed,
    New,
}

/// The counters of many accounts, by the starts of their windows.
#[derive(Default)]
pub struct Counters(HashMap<Group, BTreeMap<DateTime<Utc>, Counter>>);

impl Counters {
    /// Reads the counters of these slots, or those of the windows before them.
    pub async fn read(db: &impl ConnectionTrait, slots: &[Slot]) -> Result<Counters> {
        Counters::of(store::counters::latest(db, slots, false).await?)
    }

    /// Reads the counters of these slots and locks them until the commit, in the order of their ids.
    pub async fn load(txn: &Txn, slots: &[Slot]) -> Result<Counters> {
        Counters::of(store::counters::latest(txn, slots, true).await?)
    }

    fn of(rows: Vec<Model>) -> Result<Counters> {
        let mut counters = Counters::default();
        for row in rows {
            let group = (row.account_id, row.meter_id, LimitWindow::parse(&row.limit_window)?);
            let start = row.window_start.to_utc();
            counters.0.entry(group).or_default().insert(start, Counter { row, state: State::Stored });
        }
        Ok(counters)
    }

    /// Returns the use in a slot.
    pub fn count(&self, slot: &Slot) -> Count {
        let found = self.0.get(&slot.group()).and_then(|rows| rows.range(..=slot.window.start).next_back());
        match found {
            Some((start, counter)) if *start == slot.window.start => {
                Count { used: counter.row.used, banked: counter.row.banked }
            }
            found => Count { used: 0, banked: banked(slot, found.map(|(_, counter)| &counter.row)) },
        }
    }

    /// Adds units to all of these slots, or to none: a refusal if a counter would leave the range of 64 bits.
    pub fn add(&mut self, slots: &[Slot], amount: i64) -> Result<()> {
        self.check(slots, amount)?;
        self.change(slots, |used| used.saturating_add(amount));
        Ok(())
    }

    /// Checks that units can be added to all of these slots.
    pub fn check(&self, slots: &[Slot], amount: i64) -> Result<()> {
        if slots.iter().any(|slot| self.count(slot).used.checked_add(amount).is_none()) {
            let message = "`amount` would take a counter beyond 9,223,372,036,854,775,807 units.";
            return Err(Error::refused("AMOUNT_INVALID", &["amount"], message));
        }
        Ok(())
    }

    /// Takes units from all of these slots. No counter becomes negative.
    pub fn remove(&mut self, slots: &[Slot], amount: i64) {
        self.change(slots, |used| used.saturating_sub(amount));
    }

    /// Raises all of these slots to a value that is greater than theirs.
    pub fn raise(&mut self, slots: &[Slot], value: i64) {
        self.change(slots, |used| used.max(value));
    }

    fn change(&mut self, slots: &[Slot], used: impl Fn(i64) -> i64) {
        for slot in slots {
            let count = self.count(slot);
            let rows = self.0.entry(slot.group()).or_default();
            let counter =
                rows.entry(slot.window.start).or_insert_with(|| Counter { row: row(slot), state: State::New });
            let row = &mut counter.row;
            (row.used, row.banked) = (used(row.used).max(0), count.banked);
            (row.limit_at_use, row.resets_at) = (slot.limit.limit, slot.window.end.map(|end| end.fixed_offset()));
            if counter.state == State::Stored {
                counter.state = State::Changed;
            }
        }
    }

    /// Writes the counters that changed. An error that ends with a repetition of the transaction if another one was first
    /// to count in a window.
    pub async fn write(self, txn: &Txn) -> Result<()> {
        let now = txn.now().fixed_offset();
        let (mut new, mut changed) = (Vec::new(), Vec::new());
        let mut accounts = BTreeSet::new();
        for Counter { row, state } in self.0.into_values().flat_map(BTreeMap::into_values) {
            if state != State::Stored {
                accounts.insert(row.account_id);
            }
            match state {
                State::Stored => {}
                State::New => new.push(Model { id: txn.new_id(), updated_at: now, ..row }),
                State::Changed => changed.push(ActiveModel {
                    id: Set(row.id),
                    account_id: NotSet,
                    meter_id: NotSet,
                    limit_window: NotSet,
                    window_start: NotSet,
                    resets_at: Set(row.resets_at),
                    used: Set(row.used),
                    banked: NotSet,
                    limit_at_use: Set(row.limit_at_use),
                    updated_at: Set(now),
                }),
            }
        }
        changes::record_all(txn, &accounts.into_iter().map(Change::EntitlementsChanged).collect::<Vec<_>>()).await?;
        update_all::<Entity>(txn, changed).await?;
        // In one order everywhere, so that two transactions never wait for each other.
        let place = |row: &Model| (row.account_id, row.meter_id, row.window_start);
        new.sort_by(|one, other| place(one).cmp(&place(other)).then_with(|| one.limit_window.cmp(&other.limit_window)));
        let count = u64::try_from(new.len()).unwrap_or(u64::MAX);
        match insert_new::<Entity>(txn, new.into_iter().map(inserted).collect()).await? {
            inserted if inserted == count => Ok(()),
            _ => Err(overtaken()),
        }
    }
}

fn row(slot: &Slot) -> Model {
    let start = slot.window.start.fixed_offset();
    Model {
        id: Uuid::nil(),
        account_id: slot.account_id,
        meter_id: slot.meter_id,
        limit_window: slot.limit.window.to_string(),
        window_start: start,
        resets_at: None,
        used: 0,
        banked: 0,
        limit_at_use: None,
        updated_at: start,
    }
}

fn inserted(row: Model) -> ActiveModel {
    ActiveModel {
        id: Set(row.id),
        account_id: Set(row.account_id),
        meter_id: Set(row.meter_id),
        limit_window: Set(row.limit_window),
        window_start: Set(row.window_start),
        resets_at: Set(row.resets_at),
        used: Set(row.used),
        banked: Set(row.banked),
        limit_at_use: Set(row.limit_at_use),
        updated_at: Set(row.updated_at),
    }
}

/// Returns the unused units that count in a slot's window, from the last window with a use before it, or from all
/// windows since the limit is in force.
fn banked(slot: &Slot, last: Option<&Model>) -> i64 {
    let (Some(limit), Some(cap)) = (slot.limit.limit, slot.limit.rollover_cap) else { return 0 };
    let (calendar, kind) = (&slot.calendar, slot.limit.window);
    match (last, calendar.since) {
        (Some(row), _) => {
            let passed = calendar.distance(kind, row.window_start.to_utc(), slot.window.start);
            // Of a window without a limit nothing is left over that has a number.
            let then = row.limit_at_use.unwrap_or(limit);
            let unused = Count { used: row.used, banked: row.banked }.remaining(Some(then)).unwrap_or_default();
            banked_of(unused, then.min(limit), cap, passed)
        }
        (None, Some(since)) => {
            let first = calendar.window(kind, since).start;
            banked_of(0, limit, cap, calendar.distance(kind, first, slot.window.start).saturating_add(1))
        }
        (None, None) => 0,
    }
}

/// Returns the units that are banked `passed` windows after one that leaves `unused` units, if none is used in between:
/// each window hands on what it has left, at most `cap`.
pub fn banked_of(unused: i64, limit: i64, cap: i64, passed: i64) -> i64 {
    if passed < 1 {
        return 0;
    }
    let idle = limit.saturating_mul(passed - 1);
    unused.min(cap).saturating_add(idle).clamp(0, cap)
}
