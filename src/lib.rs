//! Tollgate

pub mod config;
pub mod error;
