//! Every job and every schedule there is.

use crate::changes::PurgeChanges;
use crate::credits::ExpireCredits;
use crate::jobs::{PurgeIdempotencyKeys, Worker};
use chrono::TimeDelta;

/// The worker of `tollgate serve`.
pub fn worker() -> Worker {
    Worker::new()
        .every::<ExpireCredits>(TimeDelta::minutes(1))
        .every::<PurgeIdempotencyKeys>(TimeDelta::hours(1))
        .every::<PurgeChanges>(TimeDelta::hours(1))
}
