//! Banking: unused units of earlier windows that count in a later one.

use super::slot::{Count, Slot};
use super::spans::Span;
use super::windows::Window;
use crate::plans::LimitWindow;
use chrono::{DateTime, TimeDelta, Utc};
use entity::usage_counters::Model;

/// Returns the span of time whose use takes from the units that a slot would have from earlier windows, next to what the
/// last counter before the slot says; `None` if there is none.
pub(super) fn span_before(slot: &Slot, last: Option<&Model>) -> Option<Span> {
    slot.limit.limit.and(slot.limit.rollover_cap)?;
    let since = match (last, slot.calendar.since) {
        (Some(row), _) if is_cut_short(slot, row) => row.window_start.to_utc(),
        (Some(row), _) => row.resets_at?.to_utc(),
        (None, Some(since)) => slot.calendar.window(slot.limit.window, since).start,
        (None, None) => return None,
    };
    let window = Window { start: since, end: Some(slot.window.start) };
    (since < slot.window.start).then_some(Span { account_id: slot.account_id, meter_id: slot.meter_id, window })
}

/// Returns the unused units that count in a slot's window, from the last window with a counter before it, or from all
/// windows since the limit is in force. `used` is the use in the span before the slot.
pub(super) fn banked(slot: &Slot, last: Option<&Model>, used: i64) -> i64 {
    let (Some(limit), Some(cap)) = (slot.limit.limit, slot.limit.rollover_cap) else { return 0 };
    let (calendar, kind) = (&slot.calendar, slot.limit.window);
    let banked = match (last, calendar.since) {
        (Some(row), _) if is_cut_short(slot, row) => {
            // Its own units are not handed on, or each change of the time zone would add some.
            let beyond = used.saturating_sub(row.limit_at_use.unwrap_or(limit)).max(0);
            return row.banked.saturating_sub(beyond).clamp(0, cap);
        }
        (Some(row), _) => {
            // Of a window without a limit nothing is left over that has a number.
            let then = row.limit_at_use.unwrap_or(limit);
            let count = Count { used: row.used, banked: row.banked, resets_at: None };
            let unused = count.remaining(Some(then)).unwrap_or_default();
            banked_of(unused, then.min(limit), cap, calendar.distance(kind, start_of(slot, row), slot.window.start))
        }
        (None, Some(since)) => {
            let first = calendar.window(kind, since).start;
            banked_of(0, limit, cap, calendar.distance(kind, first, slot.window.start).saturating_add(1))
        }
        (None, None) => 0,
    };
    banked.saturating_sub(used).max(0)
}

/// Returns whether a change of the time zone began the window of a slot before an earlier one ended. A billing window
/// ends with its period.
fn is_cut_short(slot: &Slot, last: &Model) -> bool {
    let follows_zone = slot.limit.window != LimitWindow::Billing || slot.calendar.billing.is_none();
    follows_zone && last.resets_at.is_none_or(|end| end.to_utc() > slot.window.start)
}

/// Returns the start of the slot's kind of window in which an earlier one ended, whatever the time zone was then.
fn start_of(slot: &Slot, last: &Model) -> DateTime<Utc> {
    match last.resets_at.map(|end| end.to_utc()).filter(|end| *end <= slot.window.start) {
        Some(end) => slot.calendar.window(slot.limit.window, end - TimeDelta::microseconds(1)).start,
        None => last.window_start.to_utc(),
    }
}

/// Returns the units that are banked `passed` windows after one that leaves `unused` units, if none is used in between:
/// each window hands on what it has left, at most `cap`.
pub(super) fn banked_of(unused: i64, limit: i64, cap: i64, passed: i64) -> i64 {
    if passed < 1 {
        return 0;
    }
    let idle = limit.saturating_mul(passed - 1);
    unused.min(cap).saturating_add(idle).clamp(0, cap)
}
