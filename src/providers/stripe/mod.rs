//! Stripe.

pub mod signature;
