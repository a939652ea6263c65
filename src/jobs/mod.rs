//! Background jobs: enqueued in the transaction that needs them, run by a worker.
//!
//! **A job must be idempotent.** It runs at least once, not exactly once: after a process is killed, any node runs its
//! job again when the lease ends, within 30 seconds. So a job calls a verb that is harmless to repeat, because of a
//! unique business key or because it reads first what is left to do.
//!
//! Invariants: a job exists if and only if the transaction that enqueued it is committed; of all workers on all nodes,
//! at most one runs a job at a time; a job that fails is neither lost nor retried for ever.
//!
//! While a job runs, its lease is renewed every ten seconds. If that fails for twenty seconds, the job is aborted, ten
//! seconds before another worker may claim it: so the clocks of the machines must agree within ten seconds.

mod housekeeping;
mod job;
mod queue;
mod runner;
mod state;
mod worker;

pub use housekeeping::PurgeIdempotencyKeys;
pub use job::{Job, Slots};
pub use queue::{MAX_ATTEMPTS, SCHEDULE, backlog, retry_delay};
pub use runner::Tally;
pub use state::JobState;
pub use worker::Worker;
