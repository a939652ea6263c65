//! The scheduled comparisons, in steps that are short enough for a job.

use super::comparer::Comparer;
use super::list::List;
use super::report::{self, Span};
use crate::app::App;
use crate::error::Result;
use crate::jobs::{Job, Slots};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// The maximum number of pages that one step requests.
const MAX_PAGES: usize = 20;
/// The maximum age of compared objects, for kinds that grow without bound.
const SWEEP_AGE: TimeDelta = TimeDelta::days(3);

/// Applies events that never arrived, if a key of Stripe's API is configured.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ReconcileEvents {}

impl Job for ReconcileEvents {
    const KIND: &'static str = "reconcile_events";

    async fn run(self, app: &App) -> Result<()> {
        if app.stripe.is_none() {
            return Ok(());
        }
        let since = report::due_since(app).await?;
        enqueue(app, vec![ReconcileList { list: List::Events, since, until: app.now(), after: None }]).await
    }
}

/// Compares Stripe's objects with the mirror, if a key of Stripe's API is configured.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct SweepObjects {}

impl Job for SweepObjects {
    const KIND: &'static str = "sweep_objects";

    async fn run(self, app: &App) -> Result<()> {
        if app.stripe.is_none() {
            return Ok(());
        }
        let (since, until) = (app.now() - SWEEP_AGE, app.now());
        enqueue(app, List::swept().map(|list| ReconcileList { list, since, until, after: None }).collect()).await
    }
}

/// Compares a part of one of Stripe's lists, and enqueues the rest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReconcileList {
    /// The list.
    #[serde(rename = "kind")]
    pub list: List,
    /// The time from which it is compared.
    pub since: DateTime<Utc>,
    /// The time at which the comparison began.
    pub until: DateTime<Utc>,
    /// The id after which the part begins; `None` for the first part.
    pub after: Option<String>,
}

impl Job for ReconcileList {
    const KIND: &'static str = "reconcile_list";
    const SLOTS: Slots = Slots::Network;

    fn unique_key(&self) -> Option<String> {
        Some(self.list.name().to_owned())
    }

    async fn run(self, app: &App) -> Result<()> {
        if app.stripe.is_none() {
            return Ok(());
        }
        let mut comparer = Comparer::new(app, false, MAX_PAGES)?;
        let rest = comparer.list(self.list, self.since, self.after.clone()).await?;
        let mut found = comparer.found;
        found.complete = rest.is_none();
        let (missed, differing) = (found.missed, found.differing);
        tracing::debug!(list = self.list.name(), missed, differing, "compared with Stripe");
        let mark = self.list == List::Events && rest.is_none();
        if mark || found.drift.total() > 0 {
            let report = report::report(app, &found, Span { since: self.since, until: self.until }, mark);
            report::insert(app, report, |_| Box::pin(async { Ok(()) })).await?;
        }
        match rest {
            Some(after) => enqueue(app, vec![ReconcileList { after: Some(after), ..self }]).await,
            None => Ok(()),
        }
    }
}

/// Enqueues the comparisons of lists, one of each list at a time, in an order that is the same for all callers.
async fn enqueue(app: &App, mut lists: Vec<ReconcileList>) -> Result<()> {
    lists.sort();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                for list in lists {
                    txn.enqueue(&list).await?;
                }
                Ok(())
            })
        })
        .await
}
