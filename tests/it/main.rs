//! The tests that need a database: through GraphQL and HTTP, each on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a test may panic anywhere, not only in the function that carries #[test]")]

mod support;

mod access;
mod api_keys;
mod bad_input;
mod cli;
mod credits;
mod databases;
mod identity_providers;
mod ledger_model;
mod outage;
mod plans;
mod privacy;
mod refusals;
mod sign_in;
