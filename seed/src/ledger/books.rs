//! The books of an account while its events are posted.

use super::sums::Sums;
use crate::calendar::At;
use crate::credit_events::{Allowed, Event, HoldEnd};
use crate::customer::Customer;
use ::entity::balances;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A step to take; grants and holds are named by their indexes among the rows.
#[expect(clippy::large_enum_variant, reason = "most steps are events, and an account has few")]
pub(super) enum Step {
    HoldTimesOut(usize),
    Expire(usize),
    EndHold(usize, HoldEnd),
    Reverse { unit: Uuid, txn_id: Uuid, parts: Vec<(usize, i64)> },
    CorrectUse(usize),
    Event(Event),
}

/// The credits of an account in one unit.
pub(super) struct Wallet {
    pub(super) row: balances::Model,
    pub(super) grants: Vec<usize>,
    pub(super) holds: Vec<usize>,
    /// The instant at which the newest transaction was written.
    pub(super) recorded_at: At,
}

/// The books of an account.
pub(super) struct Books<'c, 'w> {
    pub(super) customer: &'c mut Customer<'w>,
    pub(super) sums: Sums,
    pub(super) wallets: BTreeMap<Uuid, Wallet>,
    pub(super) queue: BTreeMap<(At, u8, usize), Step>,
    /// The newest grant of each allowance to each subscription.
    pub(super) granted: BTreeMap<(Uuid, Uuid), At>,
    /// The allowances of grants.
    pub(super) versions: BTreeMap<usize, Option<Allowed>>,
    /// The credits of open holds, by grant.
    pub(super) held_parts: BTreeMap<usize, Vec<(usize, i64)>>,
    pub(super) count: usize,
}
