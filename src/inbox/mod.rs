//! What the payment providers sent.

mod json;
mod object;
mod paddle;
mod store;

pub use object::Provider;
pub use store::Events;
