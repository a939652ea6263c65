//! Projects subscriptions at the payment providers, present and past, to our rows.

mod arr;
#[cfg(test)]
mod arr_tests;
mod discount;
mod discounts;
mod history;
mod json;
mod observed;
mod plan;
mod present;
mod pricing;
mod scheduled;

pub use observed::{
    DiscountOff, DiscountTerms, ObservedChange, ObservedDiscount, ObservedItem, ObservedPlannedItem, ObservedState,
    ObservedSubscription,
};
pub use present::{note_first_payment, project_subscription};
pub use pricing::{Package, Pricing, Tier};
