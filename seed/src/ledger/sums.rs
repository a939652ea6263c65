//! The sums of usage: counters by window, and days by dimension.

use crate::calendar::{At, days, hours};
use crate::catalogue::Meter;
use crate::customer::Customer;
use ::entity::{usage_counters, usage_daily, usage_events};
use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveTime};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A window of a meter, with the limit that holds in it.
pub(crate) struct Slot {
    meter_id: Uuid,
    window: &'static str,
    start: At,
    end: Option<At>,
    limit: Option<i64>,
    blocks: bool,
}

/// The sum of a day.
struct Day {
    row: usage_daily::Model,
    seen: BTreeSet<String>,
}

/// The sums of an account.
#[derive(Default)]
pub(crate) struct Sums {
    counters: BTreeMap<(Uuid, &'static str, At), usage_counters::Model>,
    days: BTreeMap<(Uuid, NaiveDate, String), Day>,
    /// The credits that events cost which are corrected later, by grant.
    pub(super) paid: BTreeMap<usize, Vec<(usize, i64)>>,
}

impl Sums {
    /// Returns the windows of the account's plan that a use counts in.
    pub(super) fn slots(&self, customer: &Customer<'_>, code: &'static str, (at, recorded_at): (At, At)) -> Vec<Slot> {
        let Some(held) = customer.plan() else { return Vec::new() };
        let limits = held.plan.features.iter().filter(|feature| feature.0 == code);
        let slot = |feature: &crate::catalogue::Feature| {
            let window = feature.3?;
            let (start, end) = span(customer, window, at);
            let lifted = customer.lifted.iter().filter(|lifted| code == "ai_messages" && lifted.window == window);
            let mut lifted = lifted.filter(|lifted| lifted.from <= recorded_at && recorded_at < lifted.to);
            let limit = lifted.next().map(|lifted| lifted.limit).or(feature.2);
            let blocks = feature.4 == Some("block");
            Some(Slot { meter_id: customer.world.catalogue.meter(code).id, window, start, end, limit, blocks })
        };
        limits.filter_map(slot).collect()
    }

    /// Returns true if so many units fit into all windows that block.
    pub(super) fn fit(&self, slots: &[Slot], value: i64) -> bool {
        let used = |slot: &Slot| self.counters.get(&(slot.meter_id, slot.window, slot.start)).map_or(0, |row| row.used);
        slots.iter().filter(|slot| slot.blocks).all(|slot| slot.limit.is_none_or(|limit| used(slot) + value <= limit))
    }

    /// Adds units to the counters of these windows, which do not become negative.
    pub(super) fn count(&mut self, slots: &[Slot], value: i64, recorded_at: At) {
        for slot in slots {
            let key = (slot.meter_id, slot.window, slot.start);
            let row = self.counters.entry(key).or_insert_with(|| usage_counters::Model {
                id: Uuid::nil(),
                account_id: Uuid::nil(),
                meter_id: slot.meter_id,
                limit_window: slot.window.to_owned(),
                window_start: slot.start,
                resets_at: slot.end,
                used: 0,
                banked: 0,
                limit_at_use: None,
                updated_at: recorded_at,
            });
            row.used = (row.used + value).max(0);
            (row.limit_at_use, row.updated_at) = (slot.limit, recorded_at);
        }
    }

    fn day(&mut self, meter: Meter, event: &usage_events::Model, at: At) -> &mut Day {
        let day = event.occurred_at.date_naive();
        let group = meter.group_by.and_then(|path| event.dimensions.as_ref()?[path].as_str()).unwrap_or_default();
        let found = self.days.entry((meter.id, day, group.to_owned())).or_insert_with(|| Day {
            row: usage_daily::Model {
                id: Uuid::nil(),
                account_id: event.account_id,
                meter_id: meter.id,
                day,
                dimension_value: group.to_owned(),
                event_count: 0,
                value: 0,
                credits: 0,
                updated_at: at,
            },
            seen: BTreeSet::new(),
        });
        found.row.updated_at = at;
        found
    }

    /// Adds an event to its day.
    pub(super) fn add(&mut self, meter: Meter, event: &usage_events::Model) {
        let Day { row, seen } = self.day(meter, event, event.recorded_at);
        row.event_count += 1;
        row.credits += event.credits;
        match meter.aggregation {
            "max" => row.value = row.value.max(event.value),
            "unique" => row.value += i64::from(event.unique_value.as_ref().is_some_and(|it| seen.insert(it.clone()))),
            _ => row.value += event.value,
        }
    }

    /// Takes an event of a meter that sums out of its day.
    pub(super) fn subtract(&mut self, meter: Meter, event: &usage_events::Model, at: At) {
        let row = &mut self.day(meter, event, at).row;
        row.event_count -= 1;
        row.value -= event.value;
        row.credits -= event.credits;
    }

    /// Adds the rows.
    pub(crate) fn write(self, customer: &mut Customer<'_>) {
        for row in self.counters.into_values() {
            let (id, account_id) = (customer.books.id(row.updated_at), customer.account_id);
            customer.rows.usage_counters.push(usage_counters::Model { id, account_id, ..row });
        }
        for Day { row, .. } in self.days.into_values() {
            let id = customer.books.id(row.updated_at);
            customer.rows.usage_daily.push(usage_daily::Model { id, ..row });
        }
    }
}

/// Returns the window of a kind that holds an instant, in the time zone of the account.
fn span(customer: &Customer<'_>, window: &str, at: At) -> (At, Option<At>) {
    let ahead = hours(customer.offset_hours);
    let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc().fixed_offset() - ahead;
    match window {
        "day" => {
            let start = customer.start_of_day(at);
            (start, Some(start + days(1)))
        }
        "month" => {
            let day = (at + ahead).date_naive();
            let first = day.with_day(1).unwrap_or(day);
            (midnight(first), first.checked_add_months(Months::new(1)).map(midnight))
        }
        _ => (DateTime::UNIX_EPOCH.fixed_offset(), None),
    }
}
