//! The reports of comparisons, kept as events of the inbox, and the time up to which no event was missed.

use super::comparer::Reconciled;
use crate::app::App;
use crate::db::Txn;
use crate::error::Result;
use crate::inbox::state::{EventSource, EventState};
use crate::inbox::{receive, store};
use crate::providers::Provider;
use chrono::{DateTime, TimeDelta, Utc};
use entity::inbox_events::Model;
use futures_util::future::BoxFuture;
use serde_json::json;

/// The object id of the reports that confirm that no event was missed up to their time.
const MARK: &str = "tollgate:reconciled";
/// The type of the event that holds a report.
const REPORT: &str = "tollgate.reconciled";
/// The maximum number of differences in a report.
const MAX_DIFFERENCES: usize = 100;
/// The time by which two comparisons of events overlap: an event may be listed late.
const OVERLAP: TimeDelta = TimeDelta::hours(1);
/// The maximum age of events that Stripe surely lists; it keeps them for thirty days.
const MAX_AGE: TimeDelta = TimeDelta::days(29);

/// The span of time that a comparison covers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) since: DateTime<Utc>,
    pub(super) until: DateTime<Utc>,
}

/// Returns the report of a comparison as an event; `mark` where no event was missed up to its end.
pub(super) fn report(app: &App, found: &Reconciled, Span { since, until }: Span, mark: bool) -> Model {
    let id = app.new_id();
    let differences: Vec<_> = found.drift.differences.iter().take(MAX_DIFFERENCES).collect();
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
        state: EventState::Ignored.as_str().to_owned(),
        attempts: 0,
        next_attempt_at: None,
        error: None,
        applied_at: None,
        source: EventSource::Listed.as_str().to_owned(),
        waits_for: None,
        note: Some("Report of a comparison with Stripe.".to_owned()),
        object_kind: None,
    }
}

/// Inserts a report, and runs `also` in its transaction.
pub(super) async fn insert<F>(app: &App, report: Model, also: F) -> Result<()>
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

/// Returns the time since which events may have been missed.
pub(super) async fn due_since(app: &App) -> Result<DateTime<Utc>> {
    let mark = store::watermark(app.db.read(), Provider::Stripe, MARK).await?;
    let oldest = app.now() - MAX_AGE;
    Ok(mark.map_or(oldest, |mark| (mark - OVERLAP).max(oldest)))
}
