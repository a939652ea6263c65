//! One comparison with Stripe, page by page.

use super::Reconciled;
use crate::app::App;
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::inbox::apply::{Apply, Mode, Scope};
use crate::inbox::{envelope, fetch, receive, store, stripe};
use crate::providers::Provider;
use crate::providers::stripe::{CallError, Client, Page};
use chrono::{DateTime, Utc};
use entity::inbox_events::Model;
use futures_util::future::BoxFuture;
use serde_json::json;
use std::collections::BTreeMap;

/// The list of events, beside those of objects.
pub(super) const EVENTS: &str = "event";
/// What the reports are about that say up to when no event was missed.
pub(super) const MARK: &str = "tollgate:reconciled";
/// The type of the event that holds a report.
const REPORT: &str = "tollgate.reconciled";
/// How many differences a report holds.
const REPORTED: usize = 100;

/// A comparison under way.
pub(super) struct Run<'a> {
    app: &'a App,
    client: &'a Client,
    mode: Mode,
    pages_left: usize,
    pub(super) found: Reconciled,
}

impl<'a> Run<'a> {
    pub(super) fn new(app: &'a App, dry_run: bool, most_pages: usize) -> Result<Run<'a>> {
        let client = app.stripe.as_ref().ok_or_else(|| {
            Error::refused("NOT_CONFIGURED", &[], "no key of Stripe's API is configured; set stripe_api_key")
        })?;
        let (mode, found) = (Mode::of(dry_run), Reconciled::default());
        Ok(Run { app, client, mode, pages_left: most_pages, found })
    }

    /// Goes through a list from after `after` on; the id after which it broke off, where it did.
    pub(super) async fn list(
        &mut self,
        kind: &str,
        filters: &[(&str, &str)],
        mut after: Option<String>,
    ) -> Result<Option<String>> {
        loop {
            if self.pages_left == 0 {
                return Ok(Some(after.unwrap_or_default()));
            }
            let seen = self.page(kind, filters, after.as_deref()).await?;
            if !seen.has_more {
                return Ok(None);
            }
            after = seen.last;
        }
    }

    /// Goes through one page of a list.
    pub(super) async fn page(&mut self, kind: &str, filters: &[(&str, &str)], after: Option<&str>) -> Result<Seen> {
        self.pages_left = self.pages_left.saturating_sub(1);
        let after = after.filter(|after| !after.is_empty());
        let page = self.client.list(kind, filters, after).await.map_err(away)?;
        let last = page.objects.last().and_then(|object| object["id"].as_str()).map(str::to_owned);
        let seen = Seen { has_more: page.has_more && last.is_some(), last };
        if kind == EVENTS {
            self.take_events(page).await?;
        } else {
            self.compare(page).await?;
        }
        Ok(seen)
    }

    /// Compares one object; one that Stripe does not have is left as it is.
    pub(super) async fn fetch(&mut self, kind: &str, id: &str) -> Result<()> {
        match self.client.get(kind, id).await {
            Ok(answer) => self.compare(Page { objects: vec![answer.object], has_more: false, at: answer.at }).await,
            Err(CallError::NotFound) => Ok(()),
            Err(error) => Err(away(error)),
        }
    }

    /// Applies the events that had not arrived.
    async fn take_events(&mut self, page: Page) -> Result<()> {
        let ids = ids(&page);
        let known = store::known(self.app.db.read(), Provider::Stripe, &ids).await?;
        let mut missed: BTreeMap<String, Vec<Model>> = BTreeMap::new();
        for event in page.objects {
            self.found.listed += 1;
            let is_known = event["id"].as_str().is_some_and(|id| known.contains(id));
            // Stripe lists what no endpoint of ours asks for, too.
            if is_known || stripe::kind(&event["data"]["object"]).is_none() {
                continue;
            }
            let providers = &self.app.config.providers;
            let Ok((envelope, payload)) = envelope::read_value(Provider::Stripe, providers, event) else { continue };
            if let (Some(object_id), None) = (envelope.object_id.clone(), envelope.ignored) {
                self.found.missed += 1;
                let row = receive::row(self.app, Provider::Stripe, envelope, payload, "listed");
                missed.entry(object_id).or_default().push(row);
            }
        }
        for (object_id, rows) in missed {
            self.apply(&object_id, rows).await?;
        }
        Ok(())
    }

    /// Applies the objects that are not as we hold them.
    async fn compare(&mut self, page: Page) -> Result<()> {
        let held = store::payloads(self.app.db.read(), Provider::Stripe, &ids(&page)).await?;
        for object in page.objects {
            let Some(row) = fetch::fetched(self.app, object, page.at) else { continue };
            let Some(object_id) = row.object_id.clone() else { continue };
            self.found.compared += 1;
            let object = &row.payload["data"]["object"];
            let gone = object["deleted"].as_bool() == Some(true);
            let as_held = held.get(&object_id).is_some_and(|(payload, deleted)| {
                if gone { *deleted } else { !deleted && fetch::is_same(payload, object) }
            });
            if !as_held {
                self.found.differing += 1;
                self.apply(&object_id, vec![row]).await?;
            }
        }
        Ok(())
    }

    async fn apply(&mut self, object_id: &str, rows: Vec<Model>) -> Result<()> {
        let work = Apply::new(self.app, Provider::Stripe, object_id, Scope::Pending).with(rows.clone());
        match work.done(self.app, self.mode).await {
            Ok(differences) => self.found.drift.add_records(differences),
            Err(error) => {
                self.found.drift.fail(object_id, error);
                if self.mode == Mode::ForGood {
                    // The worker tries again.
                    for row in rows {
                        receive::keep_row(self.app, Provider::Stripe, row).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What was found, as an event of the inbox; `mark` where no event was missed up to its end.
    pub(super) fn report(&self, (since, until): (DateTime<Utc>, DateTime<Utc>), mark: bool) -> Model {
        let (app, found) = (self.app, &self.found);
        let id = app.new_id();
        let differences: Vec<_> = found.drift.differences.iter().take(REPORTED).collect();
        let payload = json!({
            "since": since, "until": until, "complete": found.complete, "listed": found.listed,
            "missed": found.missed, "compared": found.compared, "differing": found.differing,
            "tables": found.drift.tables, "differences": differences, "failures": found.drift.failures,
        });
        Model {
            id,
            provider: Provider::Stripe.name().to_owned(),
            external_id: format!("reconciled:{id}"),
            kind: REPORT.to_owned(),
            api_version: None,
            object_id: mark.then(|| MARK.to_owned()),
            occurred_at: until.fixed_offset(),
            received_at: app.now().fixed_offset(),
            payload,
            state: "ignored".to_owned(),
            attempts: 0,
            next_attempt_at: None,
            error: None,
            applied_at: None,
            source: "listed".to_owned(),
            waits_for: None,
            note: Some("a report of a comparison with Stripe".to_owned()),
        }
    }
}

/// Where a list stands after a page.
pub(super) struct Seen {
    pub(super) has_more: bool,
    last: Option<String>,
}

/// Writes a report down, with what belongs to it.
pub(super) async fn write_report<F>(app: &App, report: Model, also: F) -> Result<()>
where
    F: for<'c> FnOnce(&'c Txn) -> BoxFuture<'c, Result<()>> + Send + 'static,
{
    app.db
        .write(move |txn| {
            Box::pin(async move {
                receive::insert(txn, report).await?;
                also(txn).await
            })
        })
        .await
}

fn ids(page: &Page) -> Vec<String> {
    page.objects.iter().filter_map(|object| object["id"].as_str()).map(str::to_owned).collect()
}

fn away(error: CallError) -> Error {
    Error::Unavailable("Stripe", anyhow::Error::new(error))
}
