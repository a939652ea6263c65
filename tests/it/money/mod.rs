//! Money as the providers have it, told to its owner to the minor unit: whatever the order of the events, their number,
//! and whether Stripe is asked.

mod captures;
mod currencies;
mod disputes;
mod free;
mod invoices;
mod model;
mod outside;
mod refunds;
mod sending;
mod story;
mod streams;
