//! What every request and every job shares.

use crate::auth::Tokens;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::limits::RateLimit;
use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;
use std::sync::Arc;
use uuid::Uuid;

/// How many callers' users are remembered between requests.
const REMEMBERED_CALLERS: usize = 10_000;

/// One running Tollgate.
pub struct App {
    /// The settings, checked.
    pub config: Config,
    /// Time and ids.
    pub clock: Arc<Clock>,
    /// The database.
    pub db: Db,
    /// Verifies the tokens of callers.
    pub tokens: Tokens,
    /// Which user an issuer and a subject stand for, so that a request need not ask; see `accounts::sign_in`.
    pub callers: Cache<(String, String), RememberedCaller>,
    /// How often an address may try licence keys, and how often one key may be tried.
    pub license_checks: RateLimit,
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
    pub async fn new(config: Config, clock: Clock) -> anyhow::Result<App> {
        let db = Db::connect(&config.database).await?;
        let tokens = Tokens::new(&config.jwt)?;
        let clock = Arc::new(clock);
        let license_checks = RateLimit::per_minute(config.licences.checks_per_minute, Arc::clone(&clock));
        Ok(App { config, clock, db, tokens, callers: Cache::new(REMEMBERED_CALLERS), license_checks })
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
