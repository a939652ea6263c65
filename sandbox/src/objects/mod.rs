//! The kinds of objects: their fields, their own transitions, and the requests that change one object alone.

pub(crate) mod basket;
pub(crate) mod cards;
pub(crate) mod catalogue;
pub(crate) mod coupons;
pub(crate) mod customers;
pub(crate) mod discounts;
pub(crate) mod intents;
pub(crate) mod invoices;
pub(crate) mod items;
pub(crate) mod lines;
pub(crate) mod refunds;
pub(crate) mod sessions;
pub(crate) mod subscriptions;
