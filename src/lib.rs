//! Tollgate, a billing gateway. The modules are in the order of dependency: each may use those above it.

// Values.
pub mod error;

pub mod calendar;
pub mod clock;
pub mod config;
pub mod money;

// Infrastructure: knows no feature.
pub mod detached;

pub mod providers;
pub mod auth;
pub mod db;
pub mod rate_limit;
pub mod event_aggregator;
pub mod last_use;
pub mod metrics;

pub mod app;
pub mod jobs;
pub mod audit;
pub mod changes;

// Features.
pub mod accounts;
pub mod security;
pub mod plans;
pub mod credits;
pub mod subscriptions;
pub mod licences;
pub mod usage;
pub mod entitlements;
pub mod rate_limits;
pub mod discounts;
pub mod payments;
pub mod gifts;
pub mod analytics;

// Edges: used by nothing above.
pub mod inbox;
pub mod outbox;
pub mod billing;
pub mod graphql;
pub mod http;
pub mod worker;
pub mod cli;
