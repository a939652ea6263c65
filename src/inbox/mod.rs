//! What the payment providers sent.

mod store;

pub use store::Events;
