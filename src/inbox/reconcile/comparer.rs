//! Compares the mirror with Stripe, page by page.

use super::list::List;
use crate::app::App;
use crate::error::{Error, Result};
use crate::inbox::apply::{Apply, Mode, Scope};
use crate::inbox::drift::Drift;
use crate::inbox::kinds::ObjectKind;
use crate::inbox::state::EventSource;
use crate::inbox::{envelope, fetch, receive, store, stripe};
use crate::providers::Provider;
use crate::providers::stripe::{CallError, Client, Page};
use chrono::{DateTime, Utc};
use entity::inbox_events::Model;
use std::collections::BTreeMap;

/// The outcome of a comparison.
#[derive(Debug, Clone, Default)]
pub struct Reconciled {
    /// The number of events that Stripe listed.
    pub listed: usize,
    /// The number of these that had not arrived.
    pub missed: usize,
    /// The number of objects that were compared.
    pub compared: usize,
    /// The number of these that Stripe shows differently.
    pub differing: usize,
    /// True if everything was compared, false if the comparison stopped at its limit of pages.
    pub complete: bool,
    /// The rows that differed.
    pub drift: Drift,
}

/// A comparison in progress.
pub(super) struct Comparer<'a> {
    app: &'a App,
    client: &'a Client,
    mode: Mode,
    pages_left: usize,
    pub(super) found: Reconciled,
}

/// The position in a list after a page.
pub(super) struct Position {
    pub(super) has_more: bool,
    last: Option<String>,
}

impl<'a> Comparer<'a> {
    pub(super) fn new(app: &'a App, dry_run: bool, max_pages: usize) -> Result<Comparer<'a>> {
        let client = app.stripe.as_ref().ok_or_else(|| {
            Error::refused("NOT_CONFIGURED", &[], "Stripe cannot be asked without a key: set `stripe_api_key`.")
        })?;
        let (mode, found) = (Mode::of(dry_run), Reconciled::default());
        Ok(Comparer { app, client, mode, pages_left: max_pages, found })
    }

    /// Compares a list from the id `after` on. Returns the last id if it stopped at the limit of pages.
    pub(super) async fn list(
        &mut self,
        list: List,
        since: DateTime<Utc>,
        mut after: Option<String>,
    ) -> Result<Option<String>> {
        let seconds = since.timestamp().to_string();
        let mut filters = list.filters().to_vec();
        if list.is_by_creation() {
            filters.push(("created[gte]", &seconds));
        }
        loop {
            if self.pages_left == 0 {
                return Ok(Some(after.unwrap_or_default()));
            }
            let position = self.page(list, &filters, after.as_deref()).await?;
            if !position.has_more {
                return Ok(None);
            }
            after = position.last;
        }
    }

    /// Compares one page of a list.
    pub(super) async fn page(&mut self, list: List, filters: &[(&str, &str)], after: Option<&str>) -> Result<Position> {
        self.pages_left = self.pages_left.saturating_sub(1);
        let after = after.filter(|after| !after.is_empty());
        let page = self.client.list(list.collection(), filters, after).await.map_err(unavailable)?;
        let last = page.objects.last().and_then(|object| object["id"].as_str()).map(str::to_owned);
        let position = Position { has_more: page.has_more && last.is_some(), last };
        match list {
            List::Events => self.apply_missed_events(page).await?,
            List::Objects(_) => self.compare(page).await?,
        }
        Ok(position)
    }

    /// Compares one object. An object that Stripe does not have is not changed.
    pub(super) async fn fetch(&mut self, kind: ObjectKind, id: &str) -> Result<()> {
        let Some(collection) = stripe::entry(kind).and_then(|entry| entry.collection) else { return Ok(()) };
        match self.client.get(collection, id, &[]).await {
            Ok(answer) => self.compare(Page { objects: vec![answer.object], has_more: false, at: answer.at }).await,
            Err(CallError::NotFound) => Ok(()),
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn apply_missed_events(&mut self, page: Page) -> Result<()> {
        let known = store::known_ids(self.app.db.read(), Provider::Stripe, &ids(&page)).await?;
        let mut missed: BTreeMap<(ObjectKind, String), Vec<Model>> = BTreeMap::new();
        for event in page.objects {
            self.found.listed += 1;
            let is_known = event["id"].as_str().is_some_and(|id| known.contains(id));
            // Stripe also lists events that our endpoints do not ask for.
            let Some(kind) = stripe::kind(&event["data"]["object"]).filter(|_| !is_known) else { continue };
            let providers = &self.app.config.providers;
            let Ok((envelope, payload)) = envelope::read_value(Provider::Stripe, providers, event) else { continue };
            if let (Some(object_id), None) = (envelope.object_id.clone(), envelope.ignored) {
                self.found.missed += 1;
                let row = receive::event_of(self.app, Provider::Stripe, envelope, payload, EventSource::Listed);
                missed.entry((kind, object_id)).or_default().push(row);
            }
        }
        for ((kind, object_id), rows) in missed {
            self.apply(kind, &object_id, rows).await?;
        }
        Ok(())
    }

    /// Applies the objects that differ from the mirror.
    async fn compare(&mut self, page: Page) -> Result<()> {
        let known = store::payloads(self.app.db.read(), Provider::Stripe, &ids(&page)).await?;
        for object in page.objects {
            let Some(row) = fetch::event_of(self.app, object, page.at, EventSource::Fetched) else { continue };
            let Some((kind, object_id)) = fetch::object_of(&row) else { continue };
            self.found.compared += 1;
            let object = &row.payload["data"]["object"];
            let is_deleted = object["deleted"].as_bool() == Some(true);
            let key = (Provider::Stripe.kind_name(kind).to_owned(), object_id.clone());
            let is_same = known.get(&key).is_some_and(|(payload, deleted)| {
                if is_deleted { *deleted } else { !deleted && fetch::is_same(payload, object) }
            });
            if !is_same {
                self.found.differing += 1;
                self.apply(kind, &object_id, vec![row]).await?;
            }
        }
        Ok(())
    }

    async fn apply(&mut self, kind: ObjectKind, object_id: &str, rows: Vec<Model>) -> Result<()> {
        let apply = Apply::new(self.app, Provider::Stripe, kind, object_id, Scope::Pending);
        let apply = apply.with_new_events(rows.clone());
        match apply.run(self.app, self.mode).await {
            Ok(differences) => self.found.drift.add_records(differences),
            Err(error) => {
                self.found.drift.add_failure(object_id, error);
                if self.mode == Mode::Commit {
                    // The worker tries again.
                    for row in rows {
                        receive::insert_with_job(self.app, row).await?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn ids(page: &Page) -> Vec<String> {
    page.objects.iter().filter_map(|object| object["id"].as_str()).map(str::to_owned).collect()
}

fn unavailable(error: CallError) -> Error {
    Error::Unavailable("Stripe", anyhow::Error::new(error))
}
