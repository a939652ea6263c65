//! Slots: the places of counters.

use super::windows::{Calendar, Window};
use crate::plans::LimitWindow;
use chrono::{DateTime, Utc};
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
    pub(super) calendar: Calendar,
}

impl Slot {
    /// Returns the slot of a limit at an instant.
    pub fn new(account_id: Uuid, meter_id: Uuid, limit: CountedLimit, calendar: Calendar, at: DateTime<Utc>) -> Slot {
        Slot { account_id, meter_id, limit, window: calendar.window(limit.window, at), calendar }
    }

    pub(super) fn group(&self) -> Group {
        (self.account_id, self.meter_id, self.limit.window)
    }
}

/// The counters of a meter of an account, of one kind of window.
pub(super) type Group = (Uuid, Uuid, LimitWindow);
