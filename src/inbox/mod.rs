//! What the payment providers sent: received, kept, applied.

mod apply;
mod envelope;
mod jobs;
mod object;
mod receive;
mod store;

pub use apply::apply_object;
pub use jobs::ApplyObject;
pub use object::Provider;
pub use receive::{Declined, Delivery, Receipt, receive};
pub use store::{Events, Lag, lag};
