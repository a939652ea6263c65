//! Stripe.

mod change;
mod client;
mod refused;
pub mod signature;

pub use change::{Change, Changed};
pub use client::{Answer, CallError, Client, Page, VERSION, is_fetchable};
pub use refused::{RefusalCode, Refused};
