//! The tests that need a database: through GraphQL and HTTP, each on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a test may panic anywhere, not only in the function that carries #[test]")]

mod support;

mod databases;
mod credits;
mod credits_expiry;
mod job_workers;
mod jobs;
