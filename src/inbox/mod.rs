//! What the payment providers sent.

mod jobs;
mod object;
mod store;

pub use object::Provider;
pub use store::Events;
