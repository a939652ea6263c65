//! The decision on a use: whether it fits into all windows, and what becomes of the units that do not.

use crate::plans::{LimitWindow, OnExceed};
use crate::usage::{Count, Limit, Overage};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The use of a feature in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowUse {
    /// The window.
    pub window: LimitWindow,
    /// The limit; `None` for unlimited.
    pub limit: Option<i64>,
    /// Units used.
    pub used: i64,
    /// Unused units of earlier windows that count in this one.
    pub banked: i64,
    /// Units left; `None` for unlimited.
    pub remaining: Option<i64>,
    /// The end of the window; `None` for all time.
    pub resets_at: Option<DateTime<Utc>>,
}

/// A limit, with its use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) limit: Limit,
    pub(super) count: Count,
}

impl Counted {
    /// Returns the units that are left; `None` for unlimited.
    pub(super) fn remaining(&self) -> Option<i64> {
        self.count.remaining(self.limit.units)
    }

    /// Returns the units of a use that do not fit.
    pub(super) fn excess(&self, amount: i64) -> i64 {
        self.remaining().map_or(0, |remaining| (amount - remaining).max(0))
    }

    pub(super) fn window_use(&self) -> Option<WindowUse> {
        Some(WindowUse {
            window: self.limit.window?,
            limit: self.limit.units,
            used: self.count.used,
            banked: self.count.banked,
            remaining: self.remaining(),
            resets_at: self.count.resets_at,
        })
    }
}

/// The decision on a use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// It fits into every limit.
    Within,
    /// It passes a limit that only warns.
    Warned,
    /// It passes a limit beyond which units cost credits, or are charged elsewhere.
    Charged(Option<Overage>),
    /// It passes a limit that blocks.
    Blocked,
}

/// Decides on a use of `amount` units, which is at least 1.
pub(super) fn decide(counted: &[Counted], amount: i64) -> Decision {
    let mut decision = Decision::Within;
    for limit in counted {
        let excess = limit.excess(amount);
        if excess == 0 {
            continue;
        }
        let here = match limit.limit.on_exceed {
            OnExceed::Block => return Decision::Blocked,
            OnExceed::Warn => Decision::Warned,
            OnExceed::Overage => Decision::Charged(
                limit.limit.overage.map(|price| Overage { credits: price.credits.saturating_mul(excess), ..price }),
            ),
        };
        decision = greater(decision, here);
    }
    decision
}

/// Returns the decision that costs more: a unit is paid once, however many windows it passes.
fn greater(one: Decision, other: Decision) -> Decision {
    use Decision::{Blocked, Charged, Warned, Within};
    match (one, other) {
        (Charged(Some(one)), Charged(Some(other))) => {
            Charged(Some(if other.credits > one.credits { other } else { one }))
        }
        (Blocked, _) | (_, Blocked) => Blocked,
        (paid @ Charged(Some(_)), _) | (_, paid @ Charged(Some(_))) => paid,
        (Charged(None), _) | (_, Charged(None)) => Charged(None),
        (Warned, _) | (_, Warned) => Warned,
        (Within, Within) => Within,
    }
}
