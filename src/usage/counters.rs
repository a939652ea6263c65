//! Counters: the use of a meter in a window, loaded for many accounts at once, changed in memory and written back.
//!
//! A stored counter has all events of its window: each use changes every counter whose window contains it, whatever
//! limits hold at the moment. A counter that is missing is computed from the events, so that it does not matter when a
//! limit, an override or a time zone began to hold. A writer stores it with its first use.

use super::banking::{banked, span_before};
use super::slot::{Count, Place, Slot};
use super::spans::{Span, Spans};
use super::store;
use super::windows::Window;
use crate::changes::{self, Change};
use crate::db::{Txn, insert_new, overtaken, update_all};
use crate::error::{Error, Result};
use crate::plans::LimitWindow;
use chrono::{DateTime, Utc};
use entity::usage_counters::{ActiveModel, Entity, Model};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::ConnectionTrait;
use std::collections::{BTreeSet, HashMap, HashSet};
use uuid::Uuid;

#[derive(Debug)]
struct Counter {
    row: Model,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Stored,
    Changed,
    /// Computed from the events, and written if it changes.
    Computed,
    New,
}

/// The counters of many accounts, by account and meter.
#[derive(Debug, Default)]
pub struct Counters(HashMap<(Uuid, Uuid), Vec<Counter>>);

impl Counters {
    /// Reads the counters of these slots.
    pub async fn read(db: &impl ConnectionTrait, slots: &[Slot]) -> Result<Counters> {
        let places: HashSet<Place> = slots.iter().map(Slot::place).collect();
        Counters::of(db, store::counters::find(db, slots, &places, false).await?, slots).await
    }

    /// Reads the counters of these slots, and all others whose windows contain one of `places`. Locks those that are
    /// stored until the commit, in the order of their ids.
    pub async fn load(txn: &Txn, slots: &[Slot], places: &HashSet<Place>) -> Result<Counters> {
        Counters::of(txn, store::counters::find(txn, slots, places, true).await?, slots).await
    }

    async fn of(db: &impl ConnectionTrait, rows: Vec<Model>, slots: &[Slot]) -> Result<Counters> {
        let mut counters = Counters::default();
        for row in rows {
            let counter = Counter { row, state: State::Stored };
            counters.0.entry((counter.row.account_id, counter.row.meter_id)).or_default().push(counter);
        }
        let mut missing: HashMap<Span, Vec<&Slot>> = HashMap::new();
        for slot in slots.iter().filter(|slot| counters.of_slot(slot).is_none_or(|row| end(row) != slot.window.end)) {
            missing.entry(slot.span()).or_default().push(slot);
        }
        let all = || missing.values().flatten().copied();
        let mut spans: Vec<Span> = missing.keys().copied().collect();
        spans.extend(all().filter_map(|slot| span_before(slot, counters.last_before(slot))));
        let spans = Spans::load(db, spans).await?;
        let computed: Vec<(&Slot, Model)> = all()
            .map(|slot| {
                let last = counters.last_before(slot);
                let used = span_before(slot, last).map_or(0, |span| spans.used(&span));
                (slot, row(slot, spans.used(&slot.span()), banked(slot, last, used)))
            })
            .collect();
        for (slot, row) in computed {
            match counters.of_slot_mut(slot) {
                // The window began the same, and ended elsewhere.
                Some(counter) => (counter.row.used, counter.row.resets_at) = (row.used, row.resets_at),
                None => counters.of_meter_mut(slot.place()).push(Counter { row, state: State::Computed }),
            }
        }
        Ok(counters)
    }

    /// Returns the use in a slot. A window that began in another time zone counts until it ends, so that a change of the
    /// zone does not renew a limit: of those, the one with the fewest units left.
    pub fn count(&self, slot: &Slot) -> Count {
        let follows_zone = matches!(slot.limit.window, LimitWindow::Day | LimitWindow::Month);
        let counts = |counter: &&Counter| {
            slot.is_start_of(&counter.row)
                || follows_zone
                    && counter.row.limit_window == slot.limit.window.as_str()
                    && contains(&counter.row, slot.at)
        };
        let of = |counter: &Counter| Count {
            used: counter.row.used,
            banked: counter.row.banked,
            resets_at: end(&counter.row),
        };
        let found = self.of_meter(slot.place()).iter().filter(counts).map(of);
        let tightest = found.max_by_key(|count| (count.used.saturating_sub(count.banked), count.resets_at));
        tightest.unwrap_or(Count { resets_at: slot.window.end, ..Count::default() })
    }

    /// Returns the windows of the counters that a use changes.
    pub(super) fn windows(&self, place: Place) -> Vec<Window> {
        self.of_meter(place).iter().filter(|counter| contains(&counter.row, place.at)).map(Counter::window).collect()
    }

    /// Checks that units can be added: a refusal if a counter would leave the range of 64 bits.
    pub fn check(&self, place: Place, amount: i64) -> Result<()> {
        let mut changed = self.of_meter(place).iter().filter(|counter| contains(&counter.row, place.at));
        if changed.any(|counter| counter.row.used.checked_add(amount).is_none()) {
            let message = "`amount` would take a counter beyond 9,223,372,036,854,775,807 units.";
            return Err(Error::refused("AMOUNT_INVALID", &["amount"], message));
        }
        Ok(())
    }

    /// Adds units to all counters whose windows contain a use, or to none: a refusal if one would leave the range of 64
    /// bits. The slots are those whose limits hold.
    pub fn add(&mut self, place: Place, slots: &[Slot], amount: i64) -> Result<()> {
        self.check(place, amount)?;
        self.change(place, slots, |_, used| used.saturating_add(amount));
        Ok(())
    }

    /// Sets the counters whose windows contain a use to what `used` returns for the window and the use so far; never to a
    /// negative number.
    pub(super) fn change(&mut self, place: Place, slots: &[Slot], mut used: impl FnMut(Window, i64) -> i64) {
        for counter in self.of_meter_mut(place).iter_mut().filter(|counter| contains(&counter.row, place.at)) {
            let before = counter.row.used;
            counter.row.used = used(counter.window(), before).max(0);
            if let Some(slot) = slots.iter().find(|slot| slot.is_start_of(&counter.row)) {
                counter.row.limit_at_use = slot.limit.limit;
            }
            counter.state = match counter.state {
                state if before == counter.row.used => state,
                State::Stored | State::Changed => State::Changed,
                State::Computed | State::New => State::New,
            };
        }
    }

    /// Writes the counters that changed. An error that ends with a repetition of the transaction if another one was first
    /// to count in a window.
    pub async fn write(self, txn: &Txn) -> Result<()> {
        let now = txn.now().fixed_offset();
        let (mut new, mut changed) = (Vec::new(), Vec::new());
        let mut accounts = BTreeSet::new();
        for Counter { row, state } in self.0.into_values().flatten() {
            if matches!(state, State::New | State::Changed) {
                accounts.insert(row.account_id);
            }
            match state {
                State::Stored | State::Computed => {}
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

    fn of_meter(&self, place: Place) -> &[Counter] {
        self.0.get(&(place.account_id, place.meter_id)).map(Vec::as_slice).unwrap_or_default()
    }

    fn of_meter_mut(&mut self, place: Place) -> &mut Vec<Counter> {
        self.0.entry((place.account_id, place.meter_id)).or_default()
    }

    fn of_slot(&self, slot: &Slot) -> Option<&Model> {
        self.of_meter(slot.place()).iter().map(|counter| &counter.row).find(|row| slot.is_start_of(row))
    }

    fn of_slot_mut(&mut self, slot: &Slot) -> Option<&mut Counter> {
        self.of_meter_mut(slot.place()).iter_mut().find(|counter| slot.is_start_of(&counter.row))
    }

    /// Returns the last stored counter of a window that began before a slot.
    fn last_before(&self, slot: &Slot) -> Option<&Model> {
        let kind = slot.limit.window.as_str();
        let stored = self.of_meter(slot.place()).iter().filter(|counter| counter.state == State::Stored);
        let before = stored.map(|counter| &counter.row).filter(|row| row.limit_window == kind);
        before.filter(|row| row.window_start.to_utc() < slot.window.start).max_by_key(|row| row.window_start)
    }
}

impl Counter {
    fn window(&self) -> Window {
        Window { start: self.row.window_start.to_utc(), end: end(&self.row) }
    }
}

fn end(row: &Model) -> Option<DateTime<Utc>> {
    row.resets_at.map(|end| end.to_utc())
}

fn contains(row: &Model, at: DateTime<Utc>) -> bool {
    row.window_start.to_utc() <= at && end(row).is_none_or(|end| at < end)
}

fn row(slot: &Slot, used: i64, banked: i64) -> Model {
    let start = slot.window.start.fixed_offset();
    Model {
        id: Uuid::nil(),
        account_id: slot.account_id,
        meter_id: slot.meter_id,
        limit_window: slot.limit.window.to_string(),
        window_start: start,
        resets_at: slot.window.end.map(|end| end.fixed_offset()),
        used,
        banked,
        limit_at_use: slot.limit.limit,
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
