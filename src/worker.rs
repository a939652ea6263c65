//! The list of all jobs and schedules.

use crate::accounts::UserAppeared;
use crate::billing::{PublishPlan, PushPlan};
use crate::changes::PurgeChanges;
use crate::credits::ExpireCredits;
use crate::inbox::{ApplyObject, ReapplyPrice, ReconcileEvents, ReconcileList, SweepObjects, WakeWaiting};
use crate::jobs::{PurgeIdempotencyKeys, Worker};
use crate::outbox::FinishCalls;
use chrono::TimeDelta;

/// Returns the worker of `tollgate serve`.
pub fn worker() -> Worker {
    Worker::new()
        .on_demand::<ApplyObject>()
        .on_demand::<ReapplyPrice>()
        .on_demand::<UserAppeared>()
        .on_demand::<ReconcileList>()
        .on_demand::<PublishPlan>()
        .on_demand::<PushPlan>()
        .every::<ReconcileEvents>(TimeDelta::hours(1))
        .every::<SweepObjects>(TimeDelta::days(1))
        .every::<WakeWaiting>(TimeDelta::minutes(1))
        .every::<FinishCalls>(TimeDelta::minutes(1))
        .every::<ExpireCredits>(TimeDelta::minutes(1))
        .every::<PurgeIdempotencyKeys>(TimeDelta::hours(1))
        .every::<PurgeChanges>(TimeDelta::hours(1))
}
