//! What may be an attack: counted for each kind and subject in each hour, and settled by people.

mod resolve;
mod store;
mod values;

pub use resolve::resolve_security_event;
pub use store::SecurityEvents;
pub use values::{SecurityEventKind, Severity};

use crate::app::App;
use crate::limiter::Held;
use std::time::Duration;

/// How often what was counted and not written is written.
const FLUSH: Duration = Duration::from_secs(60);
/// Whom the rest is written down under when there are too many subjects to tell apart.
const CROWD: &str = "others";

/// Something that may be an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// A webhook without a signature: often a scanner.
    WebhookUnsigned,
    /// A webhook whose signature does not fit: a forger, or a secret that is wrong here.
    WebhookForged,
    /// A webhook whose signature fits another time: a copy that is sent again, or a clock that is wrong.
    WebhookMistimed,
}

impl Suspicion {
    /// Its name in the database.
    const fn name(self) -> &'static str {
        match self {
            Suspicion::WebhookUnsigned => "webhook_unsigned",
            Suspicion::WebhookForged => "webhook_forged",
            Suspicion::WebhookMistimed => "webhook_mistimed",
        }
    }
}

/// How grave few occurrences of a kind are; many in an hour are graver, see `store::write`.
fn severity(kind: &str) -> &'static str {
    if kind == Suspicion::WebhookUnsigned.name() { "low" } else { "medium" }
}

/// Counts that `subject` did something suspicious, and writes down what is due of all that was counted.
///
/// However much comes, at most one row for a kind and a subject is written in a minute, and not more than sixty in
/// all. A count that cannot be written is kept for the next time: no caller fails because of it.
pub async fn record(app: &App, suspicion: Suspicion, subject: String, detail: String) {
    let kind = suspicion.name();
    let due = app.suspicions.count((kind, subject), (kind, CROWD.to_owned()), detail, app.now());
    write(app, due).await;
}

/// Writes down what was counted and is due.
pub async fn flush(app: &App) {
    write(app, app.suspicions.due(app.now())).await;
}

/// Flushes each minute until `stop` completes, and then all that is left.
pub async fn flush_until(app: &App, stop: impl Future<Output = ()>) {
    let mut stop = std::pin::pin!(stop);
    while tokio::time::timeout(FLUSH, &mut stop).await.is_err() {
        flush(app).await;
    }
    write(app, app.suspicions.take_all()).await;
}

async fn write(app: &App, mut due: Vec<((&'static str, String), Held<String>)>) {
    if due.is_empty() {
        return;
    }
    // In one order, so that two nodes never wait for each other.
    due.sort_by(|(one, _), (other, _)| one.cmp(other));
    let rows: Vec<_> = due
        .iter()
        .map(|((kind, subject), held)| store::Sighting {
            id: app.new_id(),
            kind,
            severity: severity(kind),
            subject: subject.clone(),
            held: held.clone(),
        })
        .collect();
    let written = app.db.write(move |txn| Box::pin(async move { store::write(txn, rows).await })).await;
    if let Err(error) = written {
        tracing::warn!(cause = format!("{:#}", anyhow::Error::from(error)), "security events wait to be written");
        app.suspicions.put_back(due);
    }
}
