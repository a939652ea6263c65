//! The key set of an identity provider, cached and refreshed.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::ensure;
use reqwest::Client;
use tokio::sync::Mutex;

use super::fetch;
use super::keyset::KeySet;
use crate::config::{JwksSource, JwtAlgorithm};
use crate::error::{Error, Result};

const MAX_BYTES: usize = 256 * 1024;
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Bounds for the lifetime of a fetched set, whatever its server says.
const MIN_LIFETIME: Duration = Duration::from_secs(60);
const MAX_LIFETIME: Duration = Duration::from_secs(3600);
/// Lifetime of a fetched set if its server gives none.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);
/// Interval after which a file is read again.
const FILE_LIFETIME: Duration = Duration::from_secs(5);
/// Minimum interval between attempts, so that tokens with invented key ids cannot flood the provider.
const URL_INTERVAL: Duration = Duration::from_secs(10);
const FILE_INTERVAL: Duration = Duration::from_secs(2);
/// Maximum age of a set that is used because no newer one can be loaded.
const MAX_STALE_AGE: Duration = Duration::from_secs(24 * 3600);

/// A clock that never jumps: the time since some fixed moment.
pub(super) type Monotonic = Arc<dyn Fn() -> Duration + Send + Sync>;

/// A key set that refreshes itself when it is used.
pub(super) struct Jwks(Arc<Inner>);

struct Inner {
    source: JwksSource,
    algorithms: Vec<JwtAlgorithm>,
    http: Client,
    monotonic: Monotonic,
    state: RwLock<State>,
    /// Locked during a refresh.
    refreshing: Mutex<()>,
}

#[derive(Default)]
struct State {
    set: Option<Arc<KeySet>>,
    loaded_at: Duration,
    fresh_until: Duration,
    /// The start of the last attempt; `None` before the first.
    tried_at: Option<Duration>,
    failing: bool,
}

impl Jwks {
    /// Creates a key set for `algorithms`; other keys are ignored. A file must exist and be valid; a URL is not fetched
    /// yet, because its server may be temporarily unavailable.
    pub(super) fn new(
        source: JwksSource,
        algorithms: Vec<JwtAlgorithm>,
        http: Client,
        monotonic: Monotonic,
    ) -> anyhow::Result<Self> {
        let mut state = State::default();
        if let JwksSource::File(path) = &source {
            let set = KeySet::parse(&std::fs::read(path)?, &algorithms)?;
            ensure!(!set.is_empty(), "it contains no public key for the algorithms in jwt_algorithms");
            let now = monotonic();
            state = State { set: Some(set.into()), loaded_at: now, fresh_until: now + FILE_LIFETIME, ..state };
        }
        let (state, refreshing) = (RwLock::new(state), Mutex::new(()));
        Ok(Jwks(Arc::new(Inner { source, algorithms, http, monotonic, state, refreshing })))
    }

    /// Returns the current keys. An expired set is refreshed first; while its server is unavailable the refresh runs in the
    /// background.
    pub(super) async fn current(&self) -> Result<Arc<KeySet>> {
        let now = self.0.now();
        let (fresh, failing) = self.0.read(|state| (now < state.fresh_until, state.failing));
        if !fresh {
            match self.0.cached() {
                Ok(_) if failing => self.0.refresh_in_background(),
                _ => self.refresh().await,
            }
        }
        self.0.cached()
    }

    /// Returns the keys after a refresh, which is skipped if one was tried a moment ago.
    pub(super) async fn refreshed(&self) -> Result<Arc<KeySet>> {
        self.refresh().await;
        self.0.cached()
    }

    async fn refresh(&self) {
        let inner = Arc::clone(&self.0);
        // In a separate task, because the caller may be cancelled while others wait for the result.
        let task = tokio::spawn(async move { inner.refresh().await });
        if let Err(error) = task.await {
            tracing::error!(%error, "the refresh of the key set panicked");
        }
    }
}

impl Inner {
    fn now(&self) -> Duration {
        (self.monotonic)()
    }

    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, write: impl FnOnce(&mut State) -> T) -> T {
        write(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the last known set unless it is too old.
    fn cached(&self) -> Result<Arc<KeySet>> {
        let now = self.now();
        let set = self.read(|state| {
            let set = state.set.as_ref().filter(|_| now.saturating_sub(state.loaded_at) <= MAX_STALE_AGE);
            set.map(Arc::clone)
        });
        set.ok_or_else(|| {
            let cause = anyhow::anyhow!("no key set could be loaded from {}", self.place());
            Error::Unavailable("The identity provider's key set", cause)
        })
    }

    fn may_try(&self) -> bool {
        let gap = if matches!(self.source, JwksSource::File(_)) { FILE_INTERVAL } else { URL_INTERVAL };
        let now = self.now();
        self.read(|state| state.tried_at.is_none_or(|tried_at| now.saturating_sub(tried_at) >= gap))
    }

    /// Starts a refresh without waiting for it.
    fn refresh_in_background(self: &Arc<Self>) {
        if self.may_try() && self.refreshing.try_lock().is_ok() {
            let inner = Arc::clone(self);
            tokio::spawn(async move { inner.refresh().await });
        }
    }

    /// Loads the set once for all concurrent callers.
    async fn refresh(&self) {
        let _refreshing = self.refreshing.lock().await;
        if !self.may_try() {
            return;
        }
        let now = self.now();
        self.write(|state| state.tried_at = Some(now));
        match self.load().await {
            Ok((set, lifetime)) => self.store(set, lifetime),
            Err(error) => {
                let was_failing = self.write(|state| std::mem::replace(&mut state.failing, true));
                if !was_failing {
                    let place = self.place();
                    tracing::warn!(
                        error = format!("{error:#}"),
                        place,
                        "the key set cannot be loaded; keeping the last known keys"
                    );
                }
            }
        }
    }

    async fn load(&self) -> anyhow::Result<(KeySet, Duration)> {
        match &self.source {
            JwksSource::File(path) => Ok((KeySet::parse(&read(path).await?, &self.algorithms)?, FILE_LIFETIME)),
            JwksSource::Url(url) => {
                let fetched = fetch::get(&self.http, url, FETCH_TIMEOUT, MAX_BYTES).await?;
                let lifetime = fetched.max_age.unwrap_or(DEFAULT_LIFETIME).clamp(MIN_LIFETIME, MAX_LIFETIME);
                Ok((KeySet::parse(&fetched.body, &self.algorithms)?, lifetime))
            }
        }
    }

    fn store(&self, set: KeySet, lifetime: Duration) {
        let now = self.now();
        let place = self.place();
        let was_failing = self.write(|state| {
            // An empty set is accepted, because the provider may have withdrawn every key.
            if state.set.as_ref().is_none_or(|known| known.digest() != set.digest()) {
                if set.is_empty() {
                    tracing::warn!(place, "the key set contains no public key for the algorithms in jwt_algorithms");
                }
                state.set = Some(set.into());
            }
            state.loaded_at = now;
            state.fresh_until = now + lifetime;
            std::mem::replace(&mut state.failing, false)
        });
        if was_failing {
            tracing::info!(place, "the key set can be loaded again");
        }
    }

    fn place(&self) -> String {
        match &self.source {
            JwksSource::File(path) => path.display().to_string(),
            JwksSource::Url(url) => url.to_string(),
        }
    }
}

async fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let length = tokio::fs::metadata(path).await?.len();
    ensure!(usize::try_from(length).is_ok_and(|length| length <= MAX_BYTES), "the file exceeds {MAX_BYTES} bytes");
    Ok(tokio::fs::read(path).await?)
}

#[cfg(test)]
#[path = "jwks_tests.rs"]
mod tests;
