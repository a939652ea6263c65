//! Security events: possible attacks, counted per kind, subject and hour, and resolved by people.

mod resolve;
mod store;
mod values;

pub use resolve::resolve_security_event;
pub use store::SecurityEvents;
pub use values::{SecurityEventKind, Severity};

use crate::app::App;
use crate::error::Result;
use crate::event_aggregator::PendingEvent;
use std::time::Duration;

/// Interval at which pending counts are written.
const FLUSH_INTERVAL: Duration = Duration::from_secs(60);
/// The subject for the rest when there are too many subjects to count apart.
const OTHER_SUBJECTS: &str = "others";

/// Returns the severity of a few occurrences of a kind; `store::write` raises it for many in an hour.
fn severity(kind: SecurityEventKind) -> Severity {
    match kind {
        SecurityEventKind::WebhookUnsigned => Severity::Low,
        SecurityEventKind::WebhookForged | SecurityEventKind::WebhookMistimed | SecurityEventKind::OwnerUnverified => {
            Severity::Medium
        }
    }
}

/// Counts a security event of `subject`, and writes the counts that are due.
///
/// At most one row per kind and subject is written in a minute, and at most sixty in all. A count that cannot be
/// written is kept for the next time: no caller fails because of it.
pub async fn record(app: &App, kind: SecurityEventKind, subject: String, detail: String) {
    let kind = kind.as_str();
    let due = app.pending_security_events.count((kind, subject), (kind, OTHER_SUBJECTS.to_owned()), detail, app.now());
    write(app, due).await;
}

/// Writes the counts that are due.
pub async fn flush(app: &App) {
    write(app, app.pending_security_events.take_due(app.now())).await;
}

/// Flushes each minute until `stop` completes, and then everything that is left.
pub async fn flush_until(app: &App, stop: impl Future<Output = ()>) {
    let mut stop = std::pin::pin!(stop);
    while tokio::time::timeout(FLUSH_INTERVAL, &mut stop).await.is_err() {
        flush(app).await;
    }
    write(app, app.pending_security_events.take_all()).await;
}

async fn write(app: &App, mut due: Vec<((&'static str, String), PendingEvent<String>)>) {
    if due.is_empty() {
        return;
    }
    // All nodes write in one order, so that two never wait for each other.
    due.sort_by(|(one, _), (other, _)| one.cmp(other));
    if let Err(error) = insert(app, &due).await {
        tracing::warn!(
            cause = format!("{:#}", anyhow::Error::from(error)),
            "Security events could not be written yet."
        );
        app.pending_security_events.put_back(due);
    }
}

async fn insert(app: &App, due: &[((&'static str, String), PendingEvent<String>)]) -> Result<()> {
    let mut rows = Vec::new();
    for ((kind, subject), held) in due {
        let kind = SecurityEventKind::parse(kind)?;
        let (subject, held) = (subject.clone(), held.clone());
        rows.push(store::Occurrences { kind, severity: severity(kind), subject, held });
    }
    app.db.write(move |txn| Box::pin(async move { store::write(txn, rows).await })).await
}
