//! What every request and every job shares.

use crate::auth::Tokens;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::limiter::Limiter;
use crate::limits::RateLimit;
use crate::meter::Meter;
use crate::providers::stripe;
use chrono::{DateTime, TimeDelta, Utc};
use quick_cache::sync::Cache;
use std::num::NonZeroU32;
use std::sync::Arc;
use uuid::Uuid;

/// How many callers' users are remembered between requests.
const REMEMBERED_CALLERS: usize = 10_000;
/// How many rows of security events are written in a minute.
const MOST_SUSPICIONS: usize = 60;
/// How many security events are told apart while they wait to be written.
const MOST_SUSPECTS: usize = 1_000;

/// How many codes of gifts one caller may try in a minute.
const GIFT_TRIES: NonZeroU32 = NonZeroU32::new(30).expect("thirty is not zero");

/// One running Tollgate.
pub struct App {
    /// The settings, checked.
    pub config: Config,
    /// Time and ids.
    pub clock: Arc<Clock>,
    /// The database.
    pub db: Db,
    /// Asks Stripe; `None` where no key is configured.
    pub stripe: Option<stripe::Client>,
    /// Verifies the tokens of callers.
    pub tokens: Tokens,
    /// Which user an issuer and a subject stand for, so that a request need not ask; see `accounts::sign_in`.
    pub callers: Cache<(String, String), RememberedCaller>,
    /// How often an address may try licence keys, and how often one key may be tried.
    pub license_checks: RateLimit,
    /// How often somebody may try codes of gifts.
    pub gift_tries: RateLimit,
    /// Security events on their way to the database, by kind and subject, each with what was said last; see `security`.
    pub suspicions: Limiter<(&'static str, String), String>,
    /// What was counted since the start.
    pub meter: Meter,
}

/// A user whom a token was found to stand for.
#[derive(Debug, Clone)]
pub struct RememberedCaller {
    /// The user.
    pub user_id: Uuid,
    /// Whether the user's row makes them an admin.
    pub admin: bool,
    /// When the database said so.
    pub at: DateTime<Utc>,
}

impl App {
    /// Puts the parts together. Nothing is connected to before it is needed, except a SQLite file, which is opened.
    pub async fn new(config: Config, clock: impl Into<Arc<Clock>>) -> anyhow::Result<App> {
        let clock = clock.into();
        let db = Db::connect(&config.database, &clock).await?;
        let stripe = stripe::Client::new(&config.providers.stripe);
        let tokens = Tokens::new(&config.jwt)?;
        let license_checks = RateLimit::per_minute(config.licences.checks_per_minute, Arc::clone(&clock));
        let gift_tries = RateLimit::per_minute(GIFT_TRIES, Arc::clone(&clock));
        let callers = Cache::new(REMEMBERED_CALLERS);
        let suspicions = Limiter::new(MOST_SUSPICIONS, MOST_SUSPECTS, TimeDelta::minutes(1));
        let meter = Meter::default();
        Ok(App { config, clock, db, stripe, tokens, callers, license_checks, gift_tries, suspicions, meter })
    }

    /// The present, in UTC, to the microsecond.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// A new id that sorts by time.
    pub fn new_id(&self) -> Uuid {
        self.clock.new_id()
    }
}
