//! Every job and every schedule there is.

use crate::credits::ExpireCredits;
use crate::inbox::ApplyObject;
use crate::jobs::{PurgeIdempotencyKeys, Worker};
use chrono::TimeDelta;

/// The worker of `tollgate serve`.
pub fn worker() -> Worker {
    Worker::new()
        .on_demand::<ApplyObject>()
        .every::<ExpireCredits>(TimeDelta::minutes(1))
        .every::<PurgeIdempotencyKeys>(TimeDelta::hours(1))
}
