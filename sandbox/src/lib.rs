//! A stand-in for the part of Stripe that Tollgate calls: it stores objects, charges test cards and sends events, and
//! moves no money. `tollgate demo` sells through it, and the tests call it instead of Stripe.
//!
//! It speaks the API version that Tollgate requests, and rejects unknown parameters. Objects are JSON in Stripe's form.
//! A request is executed completely or not at all, except that a declined card stays on record. Work that is due by the
//! clock is done first, each piece at its own time.

mod billing;
mod controls;
mod error;
mod http;
mod objects;
mod params;
mod sandbox;
mod store;
mod terms;
#[cfg(test)]
mod tests;

pub use http::faults::Fault;
pub use http::requests::SeenRequest;
pub use objects::cards::Card;
pub use sandbox::Sandbox;
