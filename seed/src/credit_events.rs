//! The events of credits and of usage, before the ledger posts them.

use super::calendar::At;
use uuid::Uuid;

/// A grant of credits.
pub(super) struct Grant {
    pub(super) id: Uuid,
    /// The instant from which the credits can be spent.
    pub(super) at: At,
    /// The instant at which the grant is made.
    pub(super) made_at: At,
    pub(super) unit: Uuid,
    pub(super) source: &'static str,
    pub(super) amount: i64,
    pub(super) priority: i64,
    pub(super) expires_at: Option<At>,
    pub(super) business_key: String,
    pub(super) payment_id: Option<Uuid>,
    pub(super) reason: Option<&'static str>,
    pub(super) granted_by: String,
    pub(super) allowed: Option<Allowed>,
}

/// The allowance of a plan that makes a grant.
#[derive(Clone, Copy)]
pub(super) struct Allowed {
    pub(super) subscription_id: Uuid,
    pub(super) allowance_id: Uuid,
    /// The version of the plan.
    pub(super) version_id: Uuid,
    pub(super) is_daily: bool,
    /// The beginning of the billing period.
    pub(super) period_start: At,
    pub(super) rollover_cap: Option<i64>,
}

/// The end of a hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum HoldEnd {
    /// So many per cent of it are spent, and the rest is released.
    Captured(i64),
    Released,
    /// Nothing happens until it times out.
    TimesOut,
}

/// An event of credits or of usage.
pub(super) enum Event {
    Grant(Grant),
    /// A spend, which is reversed at an instant if there is one.
    Spend {
        at: At,
        unit: Uuid,
        amount: i64,
        subject: &'static str,
        reversed_at: Option<At>,
    },
    Hold {
        at: At,
        unit: Uuid,
        amount: i64,
        expires_at: At,
        ends_at: At,
        end: HoldEnd,
    },
    Revoke {
        at: At,
        payment_id: Uuid,
        refund: usize,
        share: (i64, i64),
        owes: bool,
    },
    Use(Planned),
}

/// A use that is planned.
pub(super) struct Planned {
    pub(super) at: At,
    pub(super) recorded_at: At,
    /// The code of the meter.
    pub(super) meter: &'static str,
    pub(super) value: i64,
    pub(super) kind: UseKind,
    /// The instant at which it is taken back.
    pub(super) corrected_at: Option<At>,
}

/// The kind of a use.
pub(super) enum UseKind {
    /// Checked before it is counted, and refused beyond a limit.
    Consumed,
    /// Recorded after it happened, whatever the limit.
    Happened,
    /// Tokens of a language model: input, output and cached ones.
    Tokens(&'static str, [i64; 3]),
    /// A visit of somebody.
    Visit(String),
}

/// The limit that an override gives in a window, in a span of time.
pub(super) struct Lifted {
    pub(super) window: &'static str,
    pub(super) limit: i64,
    pub(super) from: At,
    pub(super) to: At,
}
