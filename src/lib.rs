//! Tollgate, a billing gateway. The modules stand in the order of dependency: each may use those above it.

pub mod error;

pub mod clock;
pub mod money;

pub mod db;
