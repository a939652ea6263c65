//! Compares the mirror with Stripe, and applies missed events and objects that differ although no event says why. Both
//! go through the inbox, so the same rules apply to them and admins see them there.

mod comparer;
mod jobs;
mod list;
mod report;

pub use comparer::Reconciled;
pub use jobs::{ReconcileEvents, ReconcileList, SweepObjects};

use super::kinds::ObjectKind;
use super::store;
use crate::accounts::account_exists;
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use crate::providers::Provider;
use chrono::{DateTime, Utc};
use comparer::Comparer;
use list::List;
use report::Span;
use serde_json::json;
use uuid::Uuid;

/// The kinds of objects that are fetched of a customer.
const KINDS_OF_CUSTOMER: [ObjectKind; 4] =
    [ObjectKind::Subscription, ObjectKind::Invoice, ObjectKind::PaymentIntent, ObjectKind::Charge];

/// The extent of a comparison.
#[derive(Debug, Clone, Copy)]
pub struct Comparison {
    /// The time from which events, and objects of kinds that grow without bound, are compared.
    pub since: DateTime<Utc>,
    /// True to report what differs without applying it.
    pub dry_run: bool,
    /// The maximum number of requested pages.
    pub max_pages: usize,
}

/// Compares everything with Stripe, and reports the progress to `show`.
pub async fn reconcile(
    app: &App,
    viewer: &Viewer,
    Comparison { since, dry_run, max_pages }: Comparison,
    show: impl Fn(&Reconciled) + Send + Sync,
) -> Result<Reconciled> {
    authorize(viewer)?;
    let span = Span { since, until: app.now() };
    if since > span.until {
        return Err(Error::refused("SINCE_INVALID", &["since"], "`since` must not be in the future."));
    }
    let mut comparer = Comparer::new(app, dry_run, max_pages)?;
    // Before a report moves the mark.
    let due = report::due_since(app).await?;
    let all_events = comparer.list(List::Events, since, None).await?.is_none();
    let mut complete = all_events;
    for list in List::swept() {
        show(&comparer.found);
        complete &= comparer.list(list, since, None).await?.is_none();
    }
    let mut found = comparer.found;
    found.complete = complete;
    if !dry_run {
        let report = report::report(app, &found, span, all_events && since <= due);
        let (actor, id) = (viewer.actor().to_owned(), report.id);
        let after = json!({"since": since, "missed": found.missed, "differing": found.differing});
        report::insert(app, report, move |txn| {
            let entry = AuditEntry::new("mirror.reconcile", "WebhookEvent", id).after(after);
            Box::pin(async move { txn.audit(&actor, entry).await })
        })
        .await?;
    }
    Ok(found)
}

/// Fetches an account's customers from Stripe, and the newest hundred of their subscriptions, invoices and payments
/// each, and applies what differs.
pub async fn resync_account(app: &App, viewer: &Viewer, account_id: Uuid) -> Result<Reconciled> {
    authorize(viewer)?;
    if !account_exists(app.db.read(), account_id).await? {
        return Err(Error::refused("NOT_FOUND", &["accountId"], "Account not found."));
    }
    let mut comparer = Comparer::new(app, false, usize::MAX)?;
    comparer.found.complete = true;
    for customer in store::customers_of(app.db.read(), Provider::Stripe, account_id).await? {
        comparer.fetch(ObjectKind::Customer, &customer).await?;
        for list in KINDS_OF_CUSTOMER.map(List::Objects) {
            let filters = [&[("customer", customer.as_str())], list.filters()].concat();
            // Older objects are left to the sweep.
            comparer.found.complete &= !comparer.page(list, &filters, None).await?.has_more;
        }
    }
    let found = comparer.found;
    let actor = viewer.actor().to_owned();
    let after = json!({"compared": found.compared, "differing": found.differing});
    app.db
        .write(move |txn| {
            let entry = AuditEntry::new("mirror.resync", "Account", account_id).account(account_id).after(after);
            Box::pin(async move { txn.audit(&actor, entry).await })
        })
        .await?;
    Ok(found)
}

fn authorize(viewer: &Viewer) -> Result<()> {
    viewer.require(Permission::OperationsWrite)?;
    viewer.require(Permission::BillingRead)
}
