//! Values of the state column of jobs.

use crate::text_enum;

text_enum! {
    /// The state of a job. One that succeeded is deleted.
    JobState {
        /// Waiting for a worker, or running.
        Queued,
        /// Failed too often, and not run again unless it is enqueued again.
        Parked,
    }
}
