//! Paddle Billing.

pub mod signature;
