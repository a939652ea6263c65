//! The tests that need a database: through GraphQL and HTTP, each on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a test may panic anywhere, not only in the function that carries #[test]")]

mod support;

mod access;
mod analytics;
mod api_keys;
mod bad_input;
mod cli;
mod corpus;
mod credits;
mod credits_expiry;
mod databases;
mod durability;
mod explain;
mod filters;
mod identity_providers;
mod job_workers;
mod jobs;
mod ledger_model;
mod licence_model;
mod licence_program;
mod licence_status;
mod licences;
mod lists;
mod live;
mod live_feed;
mod live_streams;
mod metrics;
mod migrations;
mod mirror;
mod outage;
mod plans;
mod privacy;
mod purchases;
mod provider_facts;
mod prometheus;
mod reconcile;
mod refusals;
mod replay;
mod security;
mod seed;
mod sign_in;
mod statements;
mod webhooks_apply;
mod webhooks_receive;
mod writes;
