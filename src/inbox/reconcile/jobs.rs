//! The comparisons that are due by themselves, in steps that are short enough for a job.

use super::run::{EVENTS, Run, write_report};
use super::{SWEPT, due_since};
use crate::app::App;
use crate::error::Result;
use crate::jobs::Job;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// How many pages one step asks for.
const PAGES: usize = 20;
/// How far back the sweep compares objects of the kinds that grow without end.
const SWEEP: TimeDelta = TimeDelta::days(3);

/// Makes up for events that never arrived, where a key of Stripe's API is configured.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ReconcileEvents {}

impl Job for ReconcileEvents {
    const KIND: &'static str = "reconcile_events";

    async fn run(self, app: &App) -> Result<()> {
        if app.stripe.is_none() {
            return Ok(());
        }
        let since = due_since(app).await?;
        enqueue(app, vec![ReconcileList { kind: EVENTS.to_owned(), since, until: app.now(), after: None }]).await
    }
}

/// Compares the objects that Stripe has with ours, where a key of Stripe's API is configured.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct SweepObjects {}

impl Job for SweepObjects {
    const KIND: &'static str = "sweep_objects";

    async fn run(self, app: &App) -> Result<()> {
        if app.stripe.is_none() {
            return Ok(());
        }
        let (since, until) = (app.now() - SWEEP, app.now());
        let list = |(kind, ..): (&str, _, _)| ReconcileList { kind: kind.to_owned(), since, until, after: None };
        enqueue(app, SWEPT.into_iter().map(list).collect()).await
    }
}

/// Goes through a part of one of Stripe's lists, and leaves the rest to another of its kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReconcileList {
    /// What is listed: `event`, or a kind of objects in Stripe's words.
    pub kind: String,
    /// From when on.
    pub since: DateTime<Utc>,
    /// When it began.
    pub until: DateTime<Utc>,
    /// The id that the part comes after; `None` for the first.
    pub after: Option<String>,
}

impl Job for ReconcileList {
    const KIND: &'static str = "reconcile_list";

    fn unique_key(&self) -> Option<String> {
        Some(self.kind.clone())
    }

    async fn run(self, app: &App) -> Result<()> {
        let swept = SWEPT.into_iter().find(|(kind, ..)| *kind == self.kind);
        if app.stripe.is_none() || (swept.is_none() && self.kind != EVENTS) {
            return Ok(());
        }
        let mut run = Run::new(app, false, PAGES)?;
        let seconds = self.since.timestamp().to_string();
        let recent = [("created[gte]", seconds.as_str())];
        let filters = match swept {
            Some((_, filters, false)) => filters,
            _ => &recent[..],
        };
        let rest = run.list(&self.kind, filters, self.after.clone()).await?;
        run.found.complete = rest.is_none();
        let (missed, differing) = (run.found.missed, run.found.differing);
        tracing::debug!(kind = self.kind, missed, differing, "compared with Stripe");
        let mark = self.kind == EVENTS && rest.is_none();
        if mark || run.found.drift.total() > 0 {
            let report = run.report((self.since, self.until), mark);
            write_report(app, report, |_| Box::pin(async { Ok(()) })).await?;
        }
        match rest {
            Some(after) => enqueue(app, vec![ReconcileList { after: Some(after), ..self }]).await,
            None => Ok(()),
        }
    }
}

/// In the order of their keys; one of each kind of objects at a time.
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
