//! Projects subscriptions at the payment providers, present and past, to our rows.

mod arr;
mod history;
mod observed;
mod plan;
mod present;

pub use observed::{ObservedChange, ObservedDiscount, ObservedItem, ObservedState, ObservedSubscription};
pub use present::{note_first_payment, project_subscription};
