//! State shared by every request and every job.

use crate::auth::Tokens;
use crate::clock::Clock;
use crate::config::{Config, CostConfig, CostLimits};
use crate::db::Db;
use crate::detached::Detached;
use crate::event_aggregator::EventAggregator;
use crate::last_use::LastUse;
use crate::metrics::Metrics;
use crate::providers::{http, stripe};
use crate::rate_limit::{CostRate, RateLimit, ShareRate};
use chrono::{DateTime, TimeDelta, Utc};
use entity::{features, product_features};
use quick_cache::sync::Cache;
use std::num::NonZeroU32;
use std::sync::Arc;
use uuid::Uuid;

/// Number of callers whose users are cached between requests.
const MAX_CACHED_CALLERS: usize = 10_000;
/// Number of versions of plans and add-ons whose features are cached.
const MAX_CACHED_VERSIONS: usize = 1_000;
/// Maximum number of security events written in one minute.
const MAX_SECURITY_EVENTS_PER_MINUTE: usize = 60;
/// Maximum number of different security events waiting to be written.
const MAX_PENDING_SECURITY_EVENTS: usize = 1_000;
/// Requests with licence keys that an address may make for each wrong key that it may try.
const LICENSE_REQUESTS_PER_FAILURE: NonZeroU32 = NonZeroU32::new(10).expect("ten is not zero");
/// Gift codes that one caller may try in a minute.
const GIFT_ATTEMPTS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(30).expect("thirty is not zero");

/// A running instance of Tollgate.
pub struct App {
    /// The validated settings.
    pub config: Config,
    /// The source of time and ids.
    pub clock: Arc<Clock>,
    /// The database.
    pub db: Db,
    /// The client of Stripe's API; `None` if no API key is configured.
    pub stripe: Option<stripe::Client>,
    /// The verifier of callers' tokens.
    pub tokens: Tokens,
    /// Users by issuer and subject, cached between requests; see `accounts::sign_in`.
    pub callers: Cache<(String, String), CachedCaller>,
    /// Features of published versions of plans and add-ons, which never change; see `usage::terms`.
    pub plan_features: Cache<Uuid, Arc<GrantedFeatures>>,
    /// The limit on checks of licence keys, by key, and on wrong keys, by address.
    pub license_checks: RateLimit,
    /// The limit on requests with licence keys, right or wrong, by address.
    pub license_requests: RateLimit,
    /// The limit on attempts with gift codes, by caller.
    pub gift_attempts: RateLimit,
    /// The limit on requests to Stripe, by caller.
    pub stripe_requests: Arc<RateLimit>,
    /// Like `stripe_requests`, for callers who act for many customers.
    pub stripe_service_requests: Arc<RateLimit>,
    /// The limits on the cost of operations per minute, by caller.
    pub cost_rates: CostRates,
    /// The limits on events that pages with publishable keys record.
    pub page_events: PageEventRates,
    /// Security events not yet in the database, by kind and subject, each with the latest detail; see `security`.
    pub pending_security_events: EventAggregator<(&'static str, String), String>,
    /// Times of last use not yet in the database; see `worker::flush_last_use`.
    pub last_use: LastUse,
    /// Counters since the start of the process.
    pub metrics: Metrics,
    /// The mutations under way, which outlive their requests.
    pub detached: Arc<Detached>,
}

/// The features that a version of a plan or an add-on grants: one for each feature and window.
pub type GrantedFeatures = Vec<(product_features::Model, Arc<features::Model>)>;

/// The limits on the cost of operations per minute; `None` for no limit.
pub struct CostRates {
    /// For each address of callers without credentials.
    pub anonymous: Option<CostRate>,
    /// For each user.
    pub user: Option<CostRate>,
    /// For each service, API key and admin.
    pub service: Option<CostRate>,
}

/// The limits on events that pages record in a minute, on this node.
pub struct PageEventRates {
    /// For each client address, by publishable key.
    pub of_address: ShareRate,
    /// For each publishable key.
    pub of_key: ShareRate,
}

impl PageEventRates {
    fn new(clock: &Arc<Clock>) -> PageEventRates {
        PageEventRates { of_address: ShareRate::new(Arc::clone(clock)), of_key: ShareRate::new(Arc::clone(clock)) }
    }
}

impl CostRates {
    fn new(costs: &CostConfig, clock: &Arc<Clock>) -> CostRates {
        let rate =
            |limits: &CostLimits| Some(CostRate::per_minute(limits.per_minute?, limits.request, Arc::clone(clock)));
        CostRates { anonymous: rate(&costs.anonymous), user: rate(&costs.user), service: rate(&costs.service) }
    }
}

/// A user found for the issuer and subject of a token.
#[derive(Debug, Clone)]
pub struct CachedCaller {
    /// The user.
    pub user_id: Uuid,
    /// True if the user's row makes them an admin.
    pub admin: bool,
    /// The time of the database lookup.
    pub loaded_at: DateTime<Utc>,
}

impl App {
    /// Builds the app. Opens the file of a SQLite database; other connections are made when first needed.
    pub async fn new(config: Config, clock: impl Into<Arc<Clock>>) -> anyhow::Result<App> {
        let clock = clock.into();
        let db = Db::connect(&config.database, &clock).await?;
        let http = http::client(&config.outgoing)?;
        let stripe = stripe::Client::new(&config.providers.stripe, http.clone());
        let tokens = Tokens::new(&config.jwt, http)?;
        let license_checks = RateLimit::per_minute(config.licences.checks_per_minute, Arc::clone(&clock));
        let requests = config.licences.checks_per_minute.saturating_mul(LICENSE_REQUESTS_PER_FAILURE);
        let license_requests = RateLimit::per_minute(requests, Arc::clone(&clock));
        let gift_attempts = RateLimit::per_minute(GIFT_ATTEMPTS_PER_MINUTE, Arc::clone(&clock));
        let stripe_limits = &config.providers.stripe;
        let stripe_requests = Arc::new(RateLimit::per_minute(stripe_limits.requests_per_minute, Arc::clone(&clock)));
        let stripe_service_requests =
            Arc::new(RateLimit::per_minute(stripe_limits.service_requests_per_minute, Arc::clone(&clock)));
        let cost_rates = CostRates::new(&config.costs, &clock);
        let page_events = PageEventRates::new(&clock);
        let callers = Cache::new(MAX_CACHED_CALLERS);
        let pending_security_events =
            EventAggregator::new(MAX_SECURITY_EVENTS_PER_MINUTE, MAX_PENDING_SECURITY_EVENTS, TimeDelta::minutes(1));
        let metrics = Metrics::default();
        Ok(App {
            config,
            clock,
            db,
            stripe,
            tokens,
            callers,
            plan_features: Cache::new(MAX_CACHED_VERSIONS),
            license_checks,
            license_requests,
            gift_attempts,
            stripe_requests,
            stripe_service_requests,
            cost_rates,
            page_events,
            pending_security_events,
            last_use: LastUse::default(),
            metrics,
            detached: Arc::default(),
        })
    }

    /// Returns the current time in UTC, in microseconds.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Returns a new id; ids sort by time.
    pub fn new_id(&self) -> Uuid {
        self.clock.new_id()
    }
}
