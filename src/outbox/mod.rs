//! What is asked of Stripe: written down first, then asked, then applied.
//!
//! Invariants: a call is committed before it is made; it is made under one idempotency key, however often; what Stripe
//! answers goes through the inbox as all else does; what Stripe refuses is undone here in the transaction that notes it;
//! a call that nobody finished is finished by a worker. No transaction is open while Stripe is asked.

mod backlog;
mod call;
mod carry_out;
mod jobs;
mod operation;
mod refused;
mod store;

pub use backlog::backlog;
pub use call::{Call, NewCall};
pub use carry_out::{Done, Outcome, carry_out, client, look_up};
pub use jobs::FinishCall;
pub use operation::CallState;
pub use store::{Backlog, OutboxCalls, is_settled, of_person, under_way};
