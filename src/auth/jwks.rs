//! The key set of an identity provider: kept, refreshed and rotated.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::ensure;
use tokio::sync::Mutex;

use super::fetch;
use super::keyset::KeySet;
use crate::config::{JwksSource, JwtAlgorithm};
use crate::error::{Error, Result};

const MAX_BYTES: usize = 256 * 1024;
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a fetched set is used, whatever its server says.
const SHORTEST_LIFE: Duration = Duration::from_secs(60);
const LONGEST_LIFE: Duration = Duration::from_secs(3600);
/// How long a fetched set is used when its server says nothing.
const USUAL_LIFE: Duration = Duration::from_secs(600);
/// How often a file is read again.
const FILE_LIFE: Duration = Duration::from_secs(5);
/// How far apart attempts are at least, so that tokens with made-up key ids cannot flood the provider.
const URL_GAP: Duration = Duration::from_secs(10);
const FILE_GAP: Duration = Duration::from_secs(2);
/// How long the last known set is used while no newer one can be had.
const STALE_LIMIT: Duration = Duration::from_secs(24 * 3600);

/// Time since some fixed moment, on a clock that never jumps.
pub(super) type Monotonic = Arc<dyn Fn() -> Duration + Send + Sync>;

/// A key set that keeps itself up to date while it is asked for.
pub(super) struct Jwks(Arc<Inner>);

struct Inner {
    source: JwksSource,
    algorithms: Vec<JwtAlgorithm>,
    monotonic: Monotonic,
    state: RwLock<State>,
    /// Held by whoever is refreshing.
    turn: Mutex<()>,
}

#[derive(Default)]
struct State {
    set: Option<Arc<KeySet>>,
    loaded_at: Duration,
    fresh_until: Duration,
    /// When the last attempt began; `None` before the first.
    tried_at: Option<Duration>,
    failing: bool,
}

impl Jwks {
    /// A key set at `source`, of which keys for other than `algorithms` are left out. A file must be there and be right;
    /// a URL may be away, since it may come back.
    pub(super) fn new(source: JwksSource, algorithms: Vec<JwtAlgorithm>, monotonic: Monotonic) -> anyhow::Result<Self> {
        let mut state = State::default();
        if let JwksSource::File(path) = &source {
            let set = KeySet::parse(&std::fs::read(path)?, &algorithms)?;
            ensure!(!set.is_empty(), "it holds no public key for the algorithms in jwt_algorithms");
            let now = monotonic();
            state = State { set: Some(set.into()), loaded_at: now, fresh_until: now + FILE_LIFE, ..state };
        }
        let (state, turn) = (RwLock::new(state), Mutex::new(()));
        Ok(Jwks(Arc::new(Inner { source, algorithms, monotonic, state, turn })))
    }

    /// The keys to use now. A set that is due is fetched first, but while its server is away nobody waits for it.
    pub(super) async fn current(&self) -> Result<Arc<KeySet>> {
        let now = self.0.now();
        let (fresh, failing) = self.0.read(|state| (now < state.fresh_until, state.failing));
        if !fresh {
            match self.0.held() {
                Ok(_) if failing => self.0.refresh_behind(),
                _ => self.refreshed_once().await,
            }
        }
        self.0.held()
    }

    /// The keys after looking for newer ones, unless that was done a moment ago.
    pub(super) async fn refreshed(&self) -> Result<Arc<KeySet>> {
        self.refreshed_once().await;
        self.0.held()
    }

    async fn refreshed_once(&self) {
        let inner = Arc::clone(&self.0);
        // In a task of its own, so that a caller who hangs up does not stop what others wait for.
        let task = tokio::spawn(async move { inner.refresh().await });
        if let Err(error) = task.await {
            tracing::error!(%error, "refreshing the key set broke off");
        }
    }
}

impl Inner {
    fn now(&self) -> Duration {
        (self.monotonic)()
    }

    fn read<T>(&self, what: impl FnOnce(&State) -> T) -> T {
        what(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, what: impl FnOnce(&mut State) -> T) -> T {
        what(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// The last known set, unless it is too old to be trusted.
    fn held(&self) -> Result<Arc<KeySet>> {
        let now = self.now();
        let set = self.read(|state| {
            let set = state.set.as_ref().filter(|_| now.saturating_sub(state.loaded_at) <= STALE_LIMIT);
            set.map(Arc::clone)
        });
        set.ok_or_else(|| {
            let cause = anyhow::anyhow!("no key set could be loaded from {}", self.place());
            Error::Unavailable("The identity provider's key set", cause)
        })
    }

    fn may_try(&self) -> bool {
        let gap = if matches!(self.source, JwksSource::File(_)) { FILE_GAP } else { URL_GAP };
        let now = self.now();
        self.read(|state| state.tried_at.is_none_or(|tried_at| now.saturating_sub(tried_at) >= gap))
    }

    /// Starts a refresh that nobody waits for.
    fn refresh_behind(self: &Arc<Self>) {
        if self.may_try() && self.turn.try_lock().is_ok() {
            let inner = Arc::clone(self);
            tokio::spawn(async move { inner.refresh().await });
        }
    }

    /// Loads the set once, however many ask for it at the same time.
    async fn refresh(&self) {
        let _turn = self.turn.lock().await;
        if !self.may_try() {
            return;
        }
        let now = self.now();
        self.write(|state| state.tried_at = Some(now));
        match self.load().await {
            Ok((set, life)) => self.keep(set, life),
            Err(error) => {
                let was_failing = self.write(|state| std::mem::replace(&mut state.failing, true));
                if !was_failing {
                    let place = self.place();
                    tracing::warn!(
                        error = format!("{error:#}"),
                        place,
                        "the key set is away; keeping the last known keys"
                    );
                }
            }
        }
    }

    async fn load(&self) -> anyhow::Result<(KeySet, Duration)> {
        match &self.source {
            JwksSource::File(path) => Ok((KeySet::parse(&read(path).await?, &self.algorithms)?, FILE_LIFE)),
            JwksSource::Url(url) => {
                let fetched = fetch::get(url, FETCH_TIMEOUT, MAX_BYTES).await?;
                let life = fetched.max_age.unwrap_or(USUAL_LIFE).clamp(SHORTEST_LIFE, LONGEST_LIFE);
                Ok((KeySet::parse(&fetched.body, &self.algorithms)?, life))
            }
        }
    }

    fn keep(&self, set: KeySet, life: Duration) {
        let now = self.now();
        let place = self.place();
        let was_failing = self.write(|state| {
            // An empty set is believed: the provider may have withdrawn every key.
            if state.set.as_ref().is_none_or(|known| known.digest() != set.digest()) {
                if set.is_empty() {
                    tracing::warn!(place, "the key set holds no public key for the algorithms in jwt_algorithms");
                }
                state.set = Some(set.into());
            }
            state.loaded_at = now;
            state.fresh_until = now + life;
            std::mem::replace(&mut state.failing, false)
        });
        if was_failing {
            tracing::info!(place, "the key set is back");
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
    ensure!(usize::try_from(length).is_ok_and(|length| length <= MAX_BYTES), "the file is over {MAX_BYTES} bytes");
    Ok(tokio::fs::read(path).await?)
}

#[cfg(test)]
#[path = "jwks_tests.rs"]
mod tests;
