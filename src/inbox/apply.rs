//! Applies the events of one object in one transaction.
//!
//! The newest version of the object is kept in `provider_objects`, whatever order the events arrived in. Each record
//! that depends on the object is then derived anew from the newest versions of all objects that it depends on. So every
//! order of deliveries ends in the same rows, and applying anything again changes nothing.

use super::fold::Folded;
use super::kinds::ObjectKind;
use super::locks::{AskedLocks, Locks};
use super::object::{Object, References};
use super::projectors::{Outcome, Policy, Projection, project};
use super::state::{EventSource, EventState};
use super::store::Store;
use super::version::ObjectVersion;
use super::{envelope, failure, fetch, fold, receive, waiting};
use crate::app::App;
use crate::config::SpentCredits;
use crate::db::{Difference, Mirror, Txn, is_worth_repeating};
use crate::error::Result;
use crate::providers::Provider;
use crate::security::{self, SecurityEventKind};
use chrono::{DateTime, Utc};
use entity::inbox_events;
use sea_orm::ActiveValue::Set;
use std::sync::Arc;
use uuid::Uuid;

/// The maximum number of attempts of a transaction that conflicts with another.
const MAX_TRIES: usize = 6;

/// Applies the pending events of an object, and its newest version from the provider.
pub(super) async fn apply_object(app: &App, provider: Provider, kind: ObjectKind, object_id: &str) -> Result<()> {
    let fetched = fetch::latest(app, provider, kind, object_id).await;
    let apply = Apply::new(app, provider, kind, object_id, Scope::Pending).with_new_events(fetched);
    let outcome = apply.run(app, Mode::Commit).await;
    if let Err(error) = &outcome {
        failure::record(app, provider, kind, object_id, error).await?;
    }
    outcome.map(drop)
}

/// The events of an object that are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The events that are received or failed.
    Pending,
    /// All events, as if none had been applied.
    All,
}

/// The way in which the transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Commit,
    /// The changes are reported and rolled back.
    DryRun,
}

impl Mode {
    pub(super) fn of(dry_run: bool) -> Mode {
        if dry_run { Mode::DryRun } else { Mode::Commit }
    }
}

/// The application of one object's events.
#[derive(Clone)]
pub(super) struct Apply {
    provider: Provider,
    kind: ObjectKind,
    object_id: String,
    scope: Scope,
    /// Events that are not in the inbox yet.
    new_events: Vec<inbox_events::Model>,
    /// Events of the inbox that are applied again.
    reopened: Vec<Uuid>,
    policy: Policy,
    /// The locks for which the attempts so far have asked.
    asked_locks: Arc<AskedLocks>,
}

/// The result of a transaction.
#[derive(Debug, Default)]
struct Applied {
    /// The rows that it changed.
    differences: Vec<Difference>,
    /// A claim to own the object that did not count.
    doubt: Option<String>,
}

impl Apply {
    pub(super) fn new(app: &App, provider: Provider, kind: ObjectKind, object_id: &str, scope: Scope) -> Apply {
        Apply {
            provider,
            kind,
            object_id: object_id.to_owned(),
            scope,
            new_events: Vec::new(),
            reopened: Vec::new(),
            policy: Policy {
                max_devices: app.config.licences.max_devices,
                paddle_requires_reference: app.config.providers.paddle.require_reference,
                spent_credits_are_owed: app.config.spent_credits == SpentCredits::Owe,
            },
            asked_locks: Arc::default(),
        }
    }

    /// Adds events that are not in the inbox yet.
    pub(super) fn with_new_events(self, new_events: Vec<inbox_events::Model>) -> Apply {
        Apply { new_events, ..self }
    }

    /// Adds events of the inbox that are applied again.
    pub(super) fn with_reopened(self, reopened: Vec<Uuid>) -> Apply {
        Apply { reopened, ..self }
    }

    /// Applies the events in a transaction, and returns the rows that it changed.
    pub(super) async fn run(self, app: &App, mode: Mode) -> Result<Vec<Difference>> {
        let mut tries = 1;
        loop {
            let apply = self.clone();
            let outcome = match mode {
                Mode::Commit => app.db.write(move |txn| Box::pin(apply.run_in(txn))).await,
                Mode::DryRun => app.db.dry_run(move |txn| Box::pin(apply.run_in(txn))).await,
            };
            if tries == MAX_TRIES || !outcome.as_ref().is_err_and(is_worth_repeating) {
                let applied = outcome?;
                if let Some(doubt) = applied.doubt.filter(|_| mode == Mode::Commit && self.scope == Scope::Pending) {
                    let (kind, subject) = (SecurityEventKind::OwnerUnverified, self.provider.name().to_owned());
                    security::record(app, kind, subject, format!("{}: {doubt}", self.object_id)).await;
                }
                return Ok(applied.differences);
            }
            tries += 1;
        }
    }

    async fn run_in(self, txn: &Txn) -> Result<Applied> {
        let store = Store { txn, provider: self.provider };
        let mut locks = Locks::retake(store, &self.asked_locks).await?;
        self.insert_new_events(store).await?;
        store.reopen(&self.reopened).await?;
        let events = match self.scope {
            Scope::Pending => store.pending(self.kind, &self.object_id).await?,
            Scope::All => store.history(self.kind, &self.object_id).await?,
        };
        let versions = events.into_iter().map(|event| ObjectVersion::read(self.provider, event));
        let (versions, others): (Vec<_>, Vec<_>) = versions.partition(|version| version.kind == Some(self.kind));
        for version in others.iter().filter(|version| version.kind.is_none()) {
            let reason = envelope::unmirrored(self.provider, &version.event_type, &version.object);
            store.finish(&[version.event_id], ignored(reason)).await?;
        }
        locks.take(fold::locks(store, self.kind, &self.object_id, &versions)).await?;
        let known = store.row(self.kind, &self.object_id).await?;
        // References that no event repeats; rarely any.
        let referred = known.clone().map(|row| Object::from_row(self.kind, row).references);
        locks.take(referred.iter().flat_map(References::locks)).await?;
        let mut mirror = Mirror::new(txn);
        let folded = match versions.is_empty() {
            true => known.map(|row| Folded { object: Object::from_row(self.kind, row), changes_amounts: false }),
            false => fold::fold(store, &mut mirror, (self.kind, self.object_id.as_str()), known, &versions).await?,
        };
        let Some(Folded { object, changes_amounts }) = folded else { return Ok(Applied::default()) };
        if changes_amounts {
            waiting::reapply_amounts(store, &object).await?;
        }
        let since = versions.iter().map(|version| version.occurred_at).min();
        let since = since.filter(|_| self.scope == Scope::Pending);
        let projection = Projection::new(store, &mut mirror, self.policy, (locks, since));
        let outcome = project(projection, &object).await?;
        // Events that were applied before stay so, unless they have to wait now.
        let finished = match outcome.waits_for {
            Some(_) => ids(&versions),
            None => ids(versions.iter().filter(|version| !version.applied)),
        };
        let doubt = outcome.doubt.clone();
        store.finish(&finished, applied(outcome, txn.now())).await?;
        Ok(Applied { differences: mirror.into_differences(), doubt })
    }

    /// Inserts the new events, except for a fetched object that equals the newest known version.
    async fn insert_new_events(&self, store: Store<'_>) -> Result<()> {
        for row in &self.new_events {
            let is_fetched = row.source == EventSource::Fetched.as_str();
            if !is_fetched || !fold::is_known(store, self.kind, &self.object_id, row).await? {
                receive::insert(store.txn, row.clone()).await?;
            }
        }
        Ok(())
    }
}

fn applied(Outcome { waits_for, note, .. }: Outcome, now: DateTime<Utc>) -> inbox_events::ActiveModel {
    let state = if waits_for.is_some() { EventState::Received } else { EventState::Applied };
    inbox_events::ActiveModel {
        applied_at: Set(waits_for.is_none().then(|| now.fixed_offset())),
        state: Set(state.as_str().to_owned()),
        waits_for: Set(waits_for.map(|key| key.to_string())),
        note: Set(note),
        error: Set(None),
        next_attempt_at: Set(None),
        ..Default::default()
    }
}

/// Returns the outcome of an event that has no effect, for the reason `note`.
pub(super) fn ignored(note: Option<&'static str>) -> inbox_events::ActiveModel {
    inbox_events::ActiveModel {
        applied_at: Set(None),
        state: Set(EventState::Ignored.as_str().to_owned()),
        waits_for: Set(None),
        note: Set(note.map(str::to_owned)),
        error: Set(None),
        next_attempt_at: Set(None),
        ..Default::default()
    }
}

fn ids<'v>(versions: impl IntoIterator<Item = &'v ObjectVersion>) -> Vec<Uuid> {
    versions.into_iter().map(|version| version.event_id).collect()
}
