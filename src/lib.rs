//! Tollgate
pub mod seed;
