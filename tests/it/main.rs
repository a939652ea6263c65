//! The tests that need a database: through GraphQL and HTTP, each on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a test may panic anywhere, not only in the function that carries #[test]")]

mod support;

mod analytics;
mod credits;
mod credits_expiry;
mod databases;
mod durability;
mod explain;
mod filters;
mod job_workers;
mod jobs;
mod lists;
mod metrics;
mod migrations;
mod seed;
mod statements;
mod writes;
