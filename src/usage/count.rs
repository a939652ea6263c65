//! Recorded events in the counters of the windows that contain them.

use super::counters::Counters;
use super::slot::{Place, Slot};
use super::spans::{Span, Spans};
use super::store::Seen;
use super::values::MeterAggregation;
use super::windows::Window;
use crate::db::Txn;
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use entity::{meters, usage_events};
use std::collections::HashSet;
use uuid::Uuid;

/// The use of a meter by an account.
#[derive(Debug, Clone)]
pub(super) struct Use {
    pub(super) account_id: Uuid,
    pub(super) meter_id: Uuid,
    pub(super) at: DateTime<Utc>,
    pub(super) aggregation: MeterAggregation,
    pub(super) value: i64,
    pub(super) unique_value: Option<String>,
}

impl Use {
    pub(super) fn place(&self) -> Place {
        Place { account_id: self.account_id, meter_id: self.meter_id, at: self.at }
    }

    /// Returns the value of a unique meter, to look it up in a span of time; `None` for other meters.
    pub(super) fn seen(&self, span: Window) -> Option<Seen> {
        let value = self.unique_value.clone()?;
        Some(Seen { account_id: self.account_id, meter_id: self.meter_id, span, value })
    }

    /// Checks that the counters can take this use.
    pub(super) fn check(&self, counters: &Counters) -> Result<()> {
        let adds = matches!(self.aggregation, MeterAggregation::Sum | MeterAggregation::Count);
        if adds && counters.check(self.place(), self.value).is_err() {
            let message = "A counter of this meter would exceed 9,223,372,036,854,775,807: use a coarser unit.";
            return Err(Error::refused("SUM_TOO_LARGE", &["value"], message));
        }
        Ok(())
    }

    /// Adds this use to the counters. A unique value counts in the windows in which it was not `seen`.
    pub(super) fn add(&self, counters: &mut Counters, slots: &[Slot], seen: &mut HashSet<Seen>) -> Result<()> {
        match self.aggregation {
            MeterAggregation::Sum | MeterAggregation::Count => return counters.add(self.place(), slots, self.value),
            MeterAggregation::Max => counters.change(self.place(), slots, |_, used| used.max(self.value)),
            MeterAggregation::Unique => {
                // Two kinds of windows can have the same span.
                let windows = counters.windows(self.place()).into_iter();
                let new = windows.filter(|window| self.seen(*window).is_some_and(|value| seen.insert(value)));
                let new: HashSet<Window> = new.collect();
                counters
                    .change(self.place(), slots, |window, used| used.saturating_add(i64::from(new.contains(&window))));
            }
        }
        Ok(())
    }
}

/// Locks the counters that have an event.
pub(super) async fn lock(txn: &Txn, event: &usage_events::Model) -> Result<Counters> {
    Counters::load(txn, &[], &HashSet::from([place(event)])).await
}

/// Takes an event that has just been corrected, also in the sum of its day, out of the counters that have it.
pub(super) async fn subtract(
    txn: &Txn,
    mut counters: Counters,
    meter: &meters::Model,
    corrected: &usage_events::Model,
) -> Result<()> {
    let place = place(corrected);
    match MeterAggregation::parse(&meter.aggregation)? {
        MeterAggregation::Sum | MeterAggregation::Count => {
            counters.change(place, &[], |_, used| used.saturating_sub(corrected.value));
        }
        // The counter does not tell the rest: another event may have the same value.
        MeterAggregation::Max | MeterAggregation::Unique => {
            let span = |window| Span { account_id: place.account_id, meter_id: place.meter_id, window };
            let spans = Spans::load(txn, counters.windows(place).into_iter().map(span).collect()).await?;
            counters.change(place, &[], |window, _| spans.used(&span(window)));
        }
    }
    counters.write(txn).await
}

fn place(event: &usage_events::Model) -> Place {
    Place { account_id: event.account_id, meter_id: event.meter_id, at: event.occurred_at.to_utc() }
}
