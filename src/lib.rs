//! Tollgate: a self-hosted billing gateway. The modules stand in the order of their dependencies; each imports only
//! from those above it.

pub mod error;
pub mod graphql;
pub mod http;
