//! Reads Paddle Billing's objects into observed records.
//!
//! These are pure functions of the newest version of each object: nothing is read from the database or the clock.
//! Values that are missing or malformed are left out, and nothing panics, because nobody knows what will be sent next
//! year.

mod adjustments;
mod catalogue;
mod discounts;
mod fields;
mod goods;
mod kinds;
mod lines;
mod objects;
mod offer;
mod subscriptions;
mod transactions;

#[cfg(test)]
mod adverse_tests;
#[cfg(test)]
mod random_tests;
#[cfg(test)]
mod shape_tests;
#[cfg(test)]
mod tests;

pub(super) use catalogue::{embedded_prices, price};
pub(super) use discounts::{DISCOUNT_TERMS, needed};
pub(super) use fields::created_at;
pub(super) use goods::{licences, purchase};
pub(super) use kinds::{KINDS, kind};
pub(super) use objects::{claim, customer, is_terminal, references, user};
pub(super) use subscriptions::{state, subscription};
pub(super) use transactions::{invoice, payment};
