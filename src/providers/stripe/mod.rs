//! Stripe: verification of webhooks, and the client of the API.

mod amounts;
mod change;
mod client;
mod connection;
mod health;
mod refused;
pub mod signature;

pub use amounts::{amount_of, minor_of, minor_units};
pub use change::{Change, Changed};
pub use client::{Answer, Client, Page};
pub use connection::{CallError, VERSION};
pub use refused::{RefusalCode, Refused};
