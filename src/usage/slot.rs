//! Slots: the places of counters.

use super::spans::Span;
use super::windows::{Calendar, Window};
use crate::plans::LimitWindow;
use chrono::{DateTime, Utc};
use entity::usage_counters::Model;
use uuid::Uuid;

/// A limit that counts in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountedLimit {
    /// The window.
    pub window: LimitWindow,
    /// The limit; `None` for unlimited.
    pub limit: Option<i64>,
    /// The most unused units that count in the next window; `None` for none.
    pub rollover_cap: Option<i64>,
}

/// A counter to be: a meter of an account in a window, with the limit that holds there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The account.
    pub account_id: Uuid,
    /// The meter.
    pub meter_id: Uuid,
    /// The limit.
    pub limit: CountedLimit,
    /// The window.
    pub window: Window,
    /// The instant for which the window was chosen.
    pub(super) at: DateTime<Utc>,
    pub(super) calendar: Calendar,
}

/// The use in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Units used.
    pub used: i64,
    /// Unused units of earlier windows that count in this one.
    pub banked: i64,
    /// The end of the window; `None` for all time.
    pub resets_at: Option<DateTime<Utc>>,
}

/// A use to be: a meter of an account at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The account.
    pub account_id: Uuid,
    /// The meter.
    pub meter_id: Uuid,
    /// The time of the use.
    pub at: DateTime<Utc>,
}

impl Count {
    /// Returns the units left under a limit, never negative; `None` for unlimited.
    pub fn remaining(&self, limit: Option<i64>) -> Option<i64> {
        let available = limit?.saturating_add(self.banked);
        Some(available.saturating_sub(self.used).max(0))
    }
}

impl Slot {
    /// Returns the slot of a limit at an instant.
    pub fn new(account_id: Uuid, meter_id: Uuid, limit: CountedLimit, calendar: Calendar, at: DateTime<Utc>) -> Slot {
        Slot { account_id, meter_id, limit, window: calendar.window(limit.window, at), at, calendar }
    }

    pub(super) fn place(&self) -> Place {
        Place { account_id: self.account_id, meter_id: self.meter_id, at: self.at }
    }

    pub(super) fn span(&self) -> Span {
        Span { account_id: self.account_id, meter_id: self.meter_id, window: self.window }
    }

    /// Returns whether a row is the counter of this slot, or was: another time zone may end the window elsewhere.
    pub(super) fn is_start_of(&self, row: &Model) -> bool {
        row.limit_window == self.limit.window.as_str() && row.window_start.to_utc() == self.window.start
    }
}
