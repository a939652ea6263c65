//! Changes at Stripe: committed first, then sent, then applied.
//!
//! Invariants: a call is committed before it is sent; it is sent under one idempotency key, however often, and under another
//! only if Stripe repeats an error under the first and a second execution changes nothing; Stripe's answer goes through the
//! inbox like a webhook; what Stripe refuses is reverted here in the transaction that records the refusal; the worker
//! finishes a call that its caller did not, and never makes a charge. No transaction is open while a request is under way.

mod backlog;
mod execute;
mod fetch;
mod finish;
mod jobs;
mod operation;
mod outcome;
mod record;
mod request;
mod store;
mod undo;
mod withdraw;

pub use backlog::backlog;
pub use execute::execute;
pub use fetch::{client, fetch_object};
pub use jobs::FinishCalls;
pub use operation::{CallState, Operation};
pub use outcome::{Done, Outcome};
pub use request::{OutboxEntry, ProviderRequest, sent_key, takeover_after};
pub use store::{Backlog, OutboxCalls, calls_of_person, is_settled, recent_calls};
pub use withdraw::withdraw;
