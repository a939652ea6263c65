//! Compares what we hold with what Stripe has, and makes up for what never arrived: events that were missed, and objects
//! that differ although no event says why.
//!
//! What is found goes through the inbox as all else does, so it is applied by the same rules and can be seen there.

mod jobs;
mod run;

pub use jobs::{ReconcileEvents, ReconcileList, SweepObjects};

use super::drift::Drift;
use super::store;
use crate::accounts::account_exists;
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use crate::providers::Provider;
use chrono::{DateTime, TimeDelta, Utc};
use run::{EVENTS, Run};
use serde_json::json;
use uuid::Uuid;

/// How much longer Stripe's list of events is gone through than since the last time: an event may be listed late.
const OVERLAP: TimeDelta = TimeDelta::hours(1);
/// How far back the list of events goes for sure; Stripe keeps them for thirty days.
const KEPT: TimeDelta = TimeDelta::days(29);

/// Names and values of a query.
type Filters = &'static [(&'static str, &'static str)];

/// The objects that are compared, by kind, in the order in which they refer to each other: those of some kinds all, of
/// the others those that are made in the span.
const SWEPT: [(&str, Filters, bool); 13] = [
    ("product", &[], false),
    ("price", &[], false),
    ("coupon", &[], false),
    ("promotion_code", &[], false),
    ("customer", &[], false),
    ("subscription", &[("status", "all")], false),
    ("invoice", &[], true),
    ("invoice_payment", &[], true),
    ("payment_intent", &[], true),
    ("charge", &[], true),
    ("refund", &[], true),
    ("dispute", &[], true),
    ("checkout.session", &[], true),
];

/// What of a customer is asked for, by kind and how it is found.
const OF_CUSTOMER: [(&str, Filters); 4] =
    [("subscription", &[("status", "all")]), ("invoice", &[]), ("payment_intent", &[]), ("charge", &[])];

/// What a comparison found.
#[derive(Debug, Clone, Default)]
pub struct Reconciled {
    /// How many events were listed.
    pub listed: usize,
    /// How many of them had not arrived.
    pub missed: usize,
    /// How many objects were compared.
    pub compared: usize,
    /// How many of them Stripe shows in another way than we hold them.
    pub differing: usize,
    /// Whether all was gone through; it breaks off after as many pages as are allowed.
    pub complete: bool,
    /// Which of our records differed.
    pub drift: Drift,
}

/// What is to be compared.
#[derive(Debug, Clone, Copy)]
pub struct Comparison {
    /// From when on: events, and objects of the kinds that grow without end.
    pub since: DateTime<Utc>,
    /// Whether what is found is only reported.
    pub dry_run: bool,
    /// How many pages are asked for at most.
    pub most_pages: usize,
}

/// Compares all with Stripe. `show` is told how far it is, now and then.
pub async fn reconcile(
    app: &App,
    viewer: &Viewer,
    Comparison { since, dry_run, most_pages }: Comparison,
    show: impl Fn(&Reconciled) + Send + Sync,
) -> Result<Reconciled> {
    allowed(viewer)?;
    let until = app.now();
    if since > until {
        return Err(Error::refused("SINCE_INVALID", &["since"], "it lies in the future"));
    }
    let mut run = Run::new(app, dry_run, most_pages)?;
    // Before anything is marked as seen.
    let due = due_since(app).await?;
    let seconds = since.timestamp().to_string();
    let recent = [("created[gte]", seconds.as_str())];
    let mut broken_off = run.list(EVENTS, &recent, None).await?.is_some();
    let all_events = !broken_off;
    for (kind, filters, grows) in SWEPT {
        show(&run.found);
        let filters = if grows { &recent[..] } else { filters };
        broken_off |= run.list(kind, filters, None).await?.is_some();
    }
    run.found.complete = !broken_off;
    if !dry_run {
        let report = run.report((since, until), all_events && since <= due);
        let (actor, id) = (viewer.actor().to_owned(), report.id);
        let after = json!({"since": since, "missed": run.found.missed, "differing": run.found.differing});
        run::write_report(app, report, move |txn| {
            let entry = AuditEntry::new("mirror.reconcile", "WebhookEvent", id).after(after);
            Box::pin(async move { txn.audit(&actor, entry).await })
        })
        .await?;
    }
    Ok(run.found)
}

/// Asks Stripe for what an account has, and makes our records that. Tells what differed.
pub async fn resync_account(app: &App, viewer: &Viewer, account_id: Uuid) -> Result<Reconciled> {
    allowed(viewer)?;
    if !account_exists(app.db.read(), account_id).await? {
        return Err(Error::refused("NOT_FOUND", &["accountId"], "there is no such account"));
    }
    let mut run = Run::new(app, false, usize::MAX)?;
    run.found.complete = true;
    for customer in store::customers_of(app.db.read(), Provider::Stripe, account_id).await? {
        run.fetch("customer", &customer).await?;
        for (kind, filters) in OF_CUSTOMER {
            let filters = [&[("customer", customer.as_str())], filters].concat();
            // The newest hundred of each kind: what is older is for the sweep.
            run.found.complete &= !run.page(kind, &filters, None).await?.has_more;
        }
    }
    let actor = viewer.actor().to_owned();
    let after = json!({"compared": run.found.compared, "differing": run.found.differing});
    app.db
        .write(move |txn| {
            let entry = AuditEntry::new("mirror.resync", "Account", account_id).account(account_id).after(after);
            Box::pin(async move { txn.audit(&actor, entry).await })
        })
        .await?;
    Ok(run.found)
}

fn allowed(viewer: &Viewer) -> Result<()> {
    viewer.require(Permission::OperationsWrite)?;
    viewer.require(Permission::BillingRead)
}

/// From when on events may have been missed.
async fn due_since(app: &App) -> Result<DateTime<Utc>> {
    let seen = store::watermark(app.db.read(), Provider::Stripe, run::MARK).await?;
    let oldest = app.now() - KEPT;
    Ok(seen.map_or(oldest, |seen| (seen - OVERLAP).max(oldest)))
}
