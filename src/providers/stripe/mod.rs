//! Stripe.

mod client;
pub mod signature;

pub use client::{Answer, CallError, Client, Page, VERSION, is_fetchable};
