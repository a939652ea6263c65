//! Recorded events in the counters of the windows that limit their meter.

use super::counters::Counters;
use super::daily::recompute;
use super::in_force::terms;
use super::slot::Slot;
use super::store::{self, Seen};
use super::terms::Readers;
use super::values::MeterAggregation;
use super::windows::Window;
use crate::db::Txn;
use crate::error::{Error, Result};
use entity::{meters, usage_events};
use std::collections::HashSet;
use uuid::Uuid;

/// The use of a meter by an account.
#[derive(Debug, Clone)]
pub(super) struct Use {
    pub(super) account_id: Uuid,
    pub(super) meter_id: Uuid,
    pub(super) aggregation: MeterAggregation,
    pub(super) value: i64,
    pub(super) unique_value: Option<String>,
}

impl Use {
    /// Returns the value of a unique meter, to look it up in a span of time; `None` for other meters.
    pub(super) fn seen(&self, span: Window) -> Option<Seen> {
        let value = self.unique_value.clone()?;
        Some(Seen { account_id: self.account_id, meter_id: self.meter_id, span, value })
    }

    /// Checks that the counters can take this use.
    pub(super) fn check(&self, counters: &Counters, slots: &[Slot]) -> Result<()> {
        let adds = matches!(self.aggregation, MeterAggregation::Sum | MeterAggregation::Count);
        if adds && slots.iter().any(|slot| counters.count(slot).used.checked_add(self.value).is_none()) {
            let message = "A counter of this meter would exceed 9,223,372,036,854,775,807: use a coarser unit.";
            return Err(Error::refused("SUM_TOO_LARGE", &["value"], message));
        }
        Ok(())
    }

    /// Adds this use to the counters. A unique value counts in the windows in which it was not `seen`.
    pub(super) fn add(&self, counters: &mut Counters, slots: &[Slot], seen: &mut HashSet<Seen>) -> Result<()> {
        match self.aggregation {
            MeterAggregation::Sum | MeterAggregation::Count => counters.add(slots, self.value),
            MeterAggregation::Max => {
                counters.raise(slots, self.value);
                Ok(())
            }
            MeterAggregation::Unique => {
                let is_new = |slot: &&Slot| self.seen(slot.window).is_some_and(|value| seen.insert(value));
                let new: Vec<Slot> = slots.iter().filter(is_new).copied().collect();
                counters.add(&new, 1)
            }
        }
    }
}

/// Takes an event that is about to be corrected out of the counters of its time.
pub(super) async fn subtract(txn: &Txn, meter: &meters::Model, corrected: &usage_events::Model) -> Result<()> {
    let account_id = corrected.account_id;
    let found = terms(txn, Readers::Everyone, &[account_id], txn.now()).await?;
    let Some(terms) = found.get(&account_id) else { return Ok(()) };
    let slots = terms.slots(meter.id, corrected.occurred_at.to_utc())?;
    let mut counters = Counters::load(txn, &slots).await?;
    let aggregation = MeterAggregation::parse(&meter.aggregation)?;
    for slot in slots {
        let used = counters.count(&slot).used;
        let less = match aggregation {
            MeterAggregation::Sum | MeterAggregation::Count => corrected.value,
            // The counter does not tell the rest: another event may have the same value.
            MeterAggregation::Max | MeterAggregation::Unique => {
                let mut events = store::events_within(txn, account_id, meter.id, slot.window).await?;
                events.retain(|event| event.id != corrected.id);
                used - recompute(aggregation, None, &events).remove("").unwrap_or_default().value
            }
        };
        // A window in which nothing was counted stays without a counter.
        if used > 0 && less > 0 {
            counters.remove(&[slot], less);
        }
    }
    counters.write(txn).await
}
