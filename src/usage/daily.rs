//! Sums of usage by UTC day: written with the events, and equal to what can be computed from them at any time.

use super::event::group;
use super::store;
use super::values::MeterAggregation;
use super::windows::Window;
use crate::db::{Txn, insert_all, update_all};
use crate::error::{Error, Result};
use chrono::{NaiveDate, NaiveTime, TimeDelta};
use entity::{meters, usage_daily, usage_events};
use sea_orm::ActiveValue::{NotSet, Set};
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// The day of a meter of an account, and the value of the dimension by which the meter keeps days apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct DayKey {
    pub(super) account_id: Uuid,
    pub(super) meter_id: Uuid,
    pub(super) day: NaiveDate,
    pub(super) group: String,
}

/// The sum of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct DaySum {
    /// Events that were not corrected.
    pub(super) event_count: i64,
    /// The sum, count, maximum or number of their values, as the meter says.
    pub(super) value: i64,
    /// Credits that they cost, without those that were returned.
    pub(super) credits: i64,
}

/// A part of a day's sum that an event adds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addition {
    pub(super) aggregation: MeterAggregation,
    pub(super) value: i64,
    pub(super) credits: i64,
    /// False for a value of a unique meter that was counted on this day before.
    pub(super) is_new: bool,
}

impl DaySum {
    /// Returns the sum with an event more; an error if it would leave the range of 64 bits.
    pub(super) fn with(self, addition: Addition) -> Result<DaySum> {
        let Addition { aggregation, value, credits, is_new } = addition;
        let value = match aggregation {
            MeterAggregation::Sum | MeterAggregation::Count => self.value.checked_add(value),
            MeterAggregation::Max => Some(self.value.max(value)),
            MeterAggregation::Unique => self.value.checked_add(i64::from(is_new)),
        };
        let too_large = || {
            let message = "The sum of this day would exceed 9,223,372,036,854,775,807: use a coarser unit.";
            Error::refused("SUM_TOO_LARGE", &["value"], message)
        };
        Ok(DaySum {
            event_count: self.event_count + 1,
            value: value.ok_or_else(too_large)?,
            credits: self.credits.checked_add(credits).ok_or_else(too_large)?,
        })
    }
}

/// Returns the sums of a day from its events and their corrections, by group.
pub(super) fn recompute(
    aggregation: MeterAggregation,
    group_by: Option<&str>,
    events: &[usage_events::Model],
) -> HashMap<String, DaySum> {
    let corrected: HashSet<Uuid> = events.iter().filter_map(|event| event.corrects_id).collect();
    let mut sums: HashMap<String, DaySum> = HashMap::new();
    let mut seen = HashSet::new();
    for event in events {
        let group = group(event.dimensions.as_ref(), group_by).unwrap_or_default();
        let sum = sums.entry(group).or_default();
        if event.corrects_id.is_some() || corrected.contains(&event.id) {
            continue;
        }
        let is_new = event.unique_value.as_ref().is_some_and(|value| seen.insert(value.clone()));
        let addition = Addition { aggregation, value: event.value, credits: event.credits, is_new };
        // The events were added one by one before, so that their sum is in range.
        *sum = sum.with(addition).unwrap_or(*sum);
    }
    sums
}

/// Returns the span of a day.
pub(super) fn span(day: NaiveDate) -> Window {
    let start = day.and_time(NaiveTime::MIN).and_utc();
    Window { start, end: Some(start + TimeDelta::days(1)) }
}

/// The sums of some days, read under the locks of their accounts, changed in memory and written at once.
#[derive(Debug, Default)]
pub(super) struct Days {
    stored: HashMap<DayKey, (Uuid, DaySum)>,
    changed: BTreeMap<DayKey, DaySum>,
}

impl Days {
    /// Reads the sums of these days.
    pub(super) async fn load(txn: &Txn, keys: HashSet<DayKey>) -> Result<Days> {
        let keys = keys.into_iter().map(|key| usage_daily::ActiveModel {
            account_id: Set(key.account_id),
            meter_id: Set(key.meter_id),
            day: Set(key.day),
            dimension_value: Set(key.group),
            ..Default::default()
        });
        let rows = store::daily_sums(txn, keys.collect()).await?;
        let stored = rows.into_iter().map(|row| {
            let key =
                DayKey { account_id: row.account_id, meter_id: row.meter_id, day: row.day, group: row.dimension_value };
            (key, (row.id, DaySum { event_count: row.event_count, value: row.value, credits: row.credits }))
        });
        Ok(Days { stored: stored.collect(), changed: BTreeMap::new() })
    }

    /// Returns the sum of a day.
    pub(super) fn sum(&self, key: &DayKey) -> DaySum {
        self.changed.get(key).copied().or_else(|| self.stored.get(key).map(|(_, sum)| *sum)).unwrap_or_default()
    }

    /// Changes the sum of a day.
    pub(super) fn set(&mut self, key: DayKey, sum: DaySum) {
        self.changed.insert(key, sum);
    }

    /// Writes the sums that changed.
    pub(super) async fn write(self, txn: &Txn) -> Result<()> {
        let now = txn.now().fixed_offset();
        let (mut new, mut changed) = (Vec::new(), Vec::new());
        for (key, sum) in self.changed {
            let row = usage_daily::ActiveModel {
                event_count: Set(sum.event_count),
                value: Set(sum.value),
                credits: Set(sum.credits),
                updated_at: Set(now),
                id: NotSet,
                account_id: NotSet,
                meter_id: NotSet,
                day: NotSet,
                dimension_value: NotSet,
            };
            match self.stored.get(&key) {
                Some((id, _)) => changed.push(usage_daily::ActiveModel { id: Set(*id), ..row }),
                None => new.push(usage_daily::ActiveModel {
                    id: Set(txn.new_id()),
                    account_id: Set(key.account_id),
                    meter_id: Set(key.meter_id),
                    day: Set(key.day),
                    dimension_value: Set(key.group),
                    ..row
                }),
            }
        }
        insert_all::<usage_daily::Entity>(txn, new).await?;
        update_all::<usage_daily::Entity>(txn, changed).await
    }
}

/// Changes the sum of the day of an event that has just been corrected.
pub(super) async fn subtract(txn: &Txn, meter: &meters::Model, corrected: &usage_events::Model) -> Result<()> {
    let aggregation = MeterAggregation::parse(&meter.aggregation)?;
    let day = corrected.occurred_at.to_utc().date_naive();
    let group_by = meter.group_by.as_deref();
    let group = group(corrected.dimensions.as_ref(), group_by).unwrap_or_default();
    let key = DayKey { account_id: corrected.account_id, meter_id: meter.id, day, group };
    let mut days = Days::load(txn, HashSet::from([key.clone()])).await?;
    let sum = days.sum(&key);
    let sum = match aggregation {
        MeterAggregation::Sum | MeterAggregation::Count => DaySum {
            event_count: sum.event_count - 1,
            value: sum.value - corrected.value,
            credits: sum.credits - corrected.credits,
        },
        // The sum does not tell the rest: another event may have the same value.
        MeterAggregation::Max | MeterAggregation::Unique => {
            let events = store::events_within(txn, corrected.account_id, meter.id, span(day)).await?;
            recompute(aggregation, group_by, &events).remove(&key.group).unwrap_or_default()
        }
    };
    days.set(key, sum);
    days.write(txn).await
}
