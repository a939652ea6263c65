//! Applies what is in the inbox, one object at a time.
//!
//! An object's newest state is found among all that was said of it, whatever came first, and kept in
//! `provider_objects`. Each of our records is then made what the states of the objects behind it say, as a whole: so the
//! end is the same for every order of deliveries, and applying anything again changes nothing.

use super::object::{Object, Ties};
use super::order::{Sighting, newest};
use super::records::Records;
use super::store::Store;
use super::{fetch, paddle, receive, stripe};
use crate::app::App;
use crate::db::{Difference, Mirror, Txn};
use crate::error::{Error, Result};
use crate::jobs::{MAX_ATTEMPTS, retry_delay};
use crate::providers::Provider;
use chrono::{DateTime, Utc};
use entity::{inbox_events, provider_objects};
use sea_orm::ActiveValue::Set;
use serde_json::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

/// How often a transaction is tried at once when it met another, before its job waits.
const TRIES: usize = 3;

/// Applies every event of an object that is still to be applied, and what its provider says when it is asked.
pub(super) async fn apply_object(app: &App, provider: Provider, object_id: &str) -> Result<()> {
    let news = fetch::latest(app, provider, object_id).await;
    let work = Apply::new(app, provider, object_id, Scope::Pending).with(news);
    let outcome = work.clone().done(app, Mode::ForGood).await.map(drop);
    if let Err(error) = &outcome {
        let failure = Failure { work, error: format!("{error:#}: {:?}", std::error::Error::source(error)) };
        app.db.write(move |txn| Box::pin(failure.record(txn))).await?;
    }
    outcome
}

/// Which events of an object are gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Those still to be applied.
    Pending,
    /// All there are, as if none had been applied.
    All,
}

/// Whether what is done stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It stays.
    ForGood,
    /// It is undone, and only seen.
    Rehearsal,
}

impl Mode {
    pub(super) fn of(dry_run: bool) -> Mode {
        if dry_run { Mode::Rehearsal } else { Mode::ForGood }
    }
}

/// The kinds of objects that may name a charge alone, and belong to its payment.
const PART_OF_CHARGE: [&str; 2] = ["refund", "dispute"];

/// One object, with what the transaction needs.
#[derive(Clone)]
pub(super) struct Apply {
    provider: Provider,
    object_id: String,
    scope: Scope,
    /// Events that are not in the inbox yet.
    news: Vec<inbox_events::Model>,
    /// Events that are to be applied again.
    reopened: Vec<Uuid>,
    max_devices: i64,
}

impl Apply {
    pub(super) fn new(app: &App, provider: Provider, object_id: &str, scope: Scope) -> Apply {
        Apply {
            provider,
            object_id: object_id.to_owned(),
            scope,
            news: Vec::new(),
            reopened: Vec::new(),
            max_devices: app.config.licences.max_devices,
        }
    }

    /// The same with events that are not in the inbox yet.
    pub(super) fn with(self, news: Vec<inbox_events::Model>) -> Apply {
        Apply { news, ..self }
    }

    /// The same with events of the inbox that are to be applied again.
    pub(super) fn reopening(self, reopened: Vec<Uuid>) -> Apply {
        Apply { reopened, ..self }
    }

    /// Applies the events in a transaction of their own, and tells what that changed.
    pub(super) async fn done(self, app: &App, mode: Mode) -> Result<Vec<Difference>> {
        let mut tries = 1;
        loop {
            let work = self.clone();
            let outcome = match mode {
                Mode::ForGood => app.db.write(move |txn| Box::pin(work.run(txn))).await,
                Mode::Rehearsal => app.db.dry_run(move |txn| Box::pin(work.run(txn))).await,
            };
            if tries == TRIES || !matches!(outcome, Err(Error::Unavailable(..))) {
                return outcome;
            }
            tries += 1;
        }
    }

    async fn run(self, txn: &Txn) -> Result<Vec<Difference>> {
        let store = Store { txn, provider: self.provider };
        self.take_in(store).await?;
        let events = match self.scope {
            Scope::Pending => store.pending(&self.object_id).await?,
            Scope::All => store.history(&self.object_id).await?,
        };
        let (mirrored, foreign): (Vec<_>, Vec<_>) =
            events.into_iter().map(|event| sighting(self.provider, event)).partition(|(kind, _)| kind.is_some());
        if !foreign.is_empty() {
            self.ignore(store, &foreign).await?;
        }
        let kind = mirrored.first().and_then(|(kind, _)| *kind);
        let open: Vec<Uuid> = mirrored.iter().filter(|(_, one)| !one.applied).map(|(_, one)| one.event_id).collect();
        let sightings: Vec<Sighting> = mirrored.into_iter().map(|(_, sighting)| sighting).collect();
        store.lock(&self.named(store, kind, &sightings).await?).await?;
        let mut mirror = Mirror::new(txn);
        let object = match kind {
            Some(kind) => self.fold(store, &mut mirror, kind, &sightings).await?,
            None => store.object(&self.object_id).await?,
        };
        let Some(object) = object else { return Ok(Vec::new()) };
        let mut records = Records::new(store, &mut mirror, self.max_devices);
        let outcome = records.follow(&object).await?;
        // What was applied before stays so, unless it has to wait now.
        let all = || sightings.iter().map(|sighting| sighting.event_id).collect();
        let ids: Vec<Uuid> = if outcome.waits_for.is_some() { all() } else { open };
        if !ids.is_empty() {
            store.settle(&ids, applied(outcome.waits_for, outcome.note, txn.now())).await?;
        }
        Ok(mirror.into_differences())
    }

    /// Writes down what was learned by asking, and opens again what is to be applied again. A fetched state adds
    /// nothing where the newest that is known is the same.
    async fn take_in(&self, store: Store<'_>) -> Result<()> {
        for row in &self.news {
            if row.source != "fetched" || !self.is_known(store, row).await? {
                receive::insert(store.txn, row.clone()).await?;
            }
        }
        if !self.reopened.is_empty() {
            store.reopen(&self.reopened).await?;
        }
        Ok(())
    }

    async fn is_known(&self, store: Store<'_>, row: &inbox_events::Model) -> Result<bool> {
        let (_, fetched) = sighting(self.provider, row.clone());
        if self.provider.is_obituary(&fetched.kind) {
            return Ok(store.row(&self.object_id).await?.is_some_and(|row| row.deleted));
        }
        let last = store.newest(&self.object_id, self.provider.obituaries()).await?;
        let last: Vec<Sighting> = last.into_iter().map(|event| sighting(self.provider, event).1).collect();
        Ok(newest(&last).is_some_and(|known| fetch::is_same(&known.object, &fetched.object)))
    }

    /// The ids of the object and of all that it is tied to.
    async fn named(&self, store: Store<'_>, kind: Option<&str>, sightings: &[Sighting]) -> Result<BTreeSet<String>> {
        let mut ids = BTreeSet::from([self.object_id.clone()]);
        let known = store.object(&self.object_id).await?.map(|object| object.ties);
        let told = sightings.iter().map(|sighting| self.provider.ties(kind.unwrap_or_default(), &sighting.object));
        for ties in known.into_iter().chain(told) {
            ids.extend(
                [ties.customer, ties.subscription, ties.invoice, ties.payment, ties.charge, ties.product]
                    .into_iter()
                    .flatten(),
            );
        }
        Ok(ids)
    }

    /// Finds the newest state of the object and keeps it.
    async fn fold(
        &self,
        store: Store<'_>,
        mirror: &mut Mirror<'_>,
        kind: &str,
        pending: &[Sighting],
    ) -> Result<Option<Object>> {
        let known = store.row(&self.object_id).await?;
        let last = store.newest(&self.object_id, self.provider.obituaries()).await?;
        let last: Vec<Sighting> = last.into_iter().map(|event| sighting(self.provider, event).1).collect();
        // One that was only ever said to be gone is kept as that.
        let Some(winner) = newest(&last).or_else(|| newest(pending)) else { return Ok(known.map(Object::from)) };
        let ties = |sighting: &Sighting| self.provider.ties(kind, &sighting.object);
        let mut tied = ties(winner);
        for older in pending.iter().rev().map(ties).chain(known.clone().map(|row| Object::from(row).ties)) {
            tied = tied.or(older);
        }
        if PART_OF_CHARGE.contains(&kind) {
            tied.payment = payment_of_charge(store, &tied).await?;
        }
        let gone = pending.iter().chain(&last).any(|sighting| self.provider.is_obituary(&sighting.kind));
        let row = provider_objects::ActiveModel {
            id: Set(store.txn.new_id()),
            provider: Set(self.provider.name().to_owned()),
            external_id: Set(self.object_id.clone()),
            kind: Set(kind.to_owned()),
            api_version: Set(winner.api_version.clone()),
            payload: Set(winner.object.clone()),
            deleted: Set(gone || known.as_ref().is_some_and(|row| row.deleted)),
            occurred_at: Set(winner.occurred_at.fixed_offset()),
            inbox_event_id: Set(winner.event_id),
            customer: Set(tied.customer),
            subscription: Set(tied.subscription),
            invoice: Set(tied.invoice),
            payment: Set(tied.payment),
            charge: Set(tied.charge),
            product: Set(tied.product),
            updated_at: Set(store.txn.now().fixed_offset()),
        };
        let kept = mirror.write::<provider_objects::Entity>(&self.object_id, known, row).await?;
        Ok(Some(Object::from(kept.row)))
    }

    async fn ignore(&self, store: Store<'_>, events: &[(Option<&'static str>, Sighting)]) -> Result<()> {
        let ids: Vec<Uuid> = events.iter().map(|(_, sighting)| sighting.event_id).collect();
        let outcome = inbox_events::ActiveModel {
            state: Set("ignored".to_owned()),
            note: Set(Some("objects of this kind are not mirrored".to_owned())),
            ..Default::default()
        };
        store.settle(&ids, outcome).await
    }
}

/// The payment of what is part of a charge: the one that it names, else that of the charge. A charge without an intent is
/// a payment by itself, and one that is not here yet is taken for that until it comes.
async fn payment_of_charge(store: Store<'_>, tied: &Ties) -> Result<Option<String>> {
    let Some(charge) = tied.charge.as_ref().filter(|charge| tied.payment.as_ref().is_none_or(|id| id == *charge))
    else {
        return Ok(tied.payment.clone());
    };
    let payment = store.object(charge).await?.and_then(|charge| charge.ties.payment);
    Ok(payment.or_else(|| Some(charge.clone())))
}

fn applied(waits_for: Option<String>, note: Option<String>, now: DateTime<Utc>) -> inbox_events::ActiveModel {
    let state = if waits_for.is_some() { "received" } else { "applied" };
    inbox_events::ActiveModel {
        applied_at: Set(waits_for.is_none().then(|| now.fixed_offset())),
        state: Set(state.to_owned()),
        waits_for: Set(waits_for),
        note: Set(note),
        error: Set(None),
        next_attempt_at: Set(None),
        ..Default::default()
    }
}

/// What one event says, with the kind of its object if that is mirrored.
pub(super) fn sighting(provider: Provider, event: inbox_events::Model) -> (Option<&'static str>, Sighting) {
    let mut payload = event.payload;
    let (object, previous) = match provider {
        Provider::Stripe => (payload["data"]["object"].take(), payload["data"]["previous_attributes"].take()),
        Provider::Paddle => (payload["data"].take(), Value::Null),
    };
    let kind = match provider {
        Provider::Stripe => stripe::kind(&object),
        Provider::Paddle => paddle::kind(&event.kind),
    };
    let sighting = Sighting {
        event_id: event.id,
        external_id: event.external_id,
        api_version: event.api_version,
        occurred_at: event.occurred_at.to_utc(),
        fetched: event.source == "fetched" || event.source == "answered",
        applied: event.state == "applied",
        progress: kind.map_or(0, |kind| provider.progress(kind, &object)),
        kind: event.kind,
        object,
        previous,
    };
    (kind, sighting)
}

/// Events that could not be applied.
struct Failure {
    work: Apply,
    error: String,
}

impl Failure {
    async fn record(self, txn: &Txn) -> Result<()> {
        let Failure { work, error } = self;
        let store = Store { txn, provider: work.provider };
        for event in store.pending(&work.object_id).await? {
            let attempts = event.attempts + 1;
            let parked = attempts >= MAX_ATTEMPTS;
            let next = (txn.now() + retry_delay(attempts)).fixed_offset();
            let outcome = inbox_events::ActiveModel {
                state: Set(if parked { "parked" } else { "failed" }.to_owned()),
                error: Set(Some(error.chars().filter(|char| *char != '\0').take(2_000).collect())),
                next_attempt_at: Set((!parked).then_some(next)),
                ..Default::default()
            };
            store.settle(&[event.id], outcome).await?;
        }
        Ok(())
    }
}
