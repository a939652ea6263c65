//! What the payment providers sent.

mod backlog;
mod object;
mod store;

pub use backlog::backlog;
pub use object::Provider;
pub use store::{Backlog, Events};
