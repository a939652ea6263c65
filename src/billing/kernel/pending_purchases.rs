//! Purchases of plans, one at a time for each person.
//!
//! A person has one trial and an account one plan. Both can be decided only when the outcome of earlier purchases is
//! known. So a purchase of a plan first finishes the calls of the person that have no outcome, expires their open checkouts
//! and ends their subscriptions that wait for a first payment. One that turns out to be paid is in our records before the
//! next purchase is decided.

use super::prerequisite::try_call;
use crate::accounts;
use crate::app::App;
use crate::auth::Viewer;
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::inbox;
use crate::outbox::{self, CallState, Operation, Outcome, ProviderRequest};
use crate::subscriptions::{self, SubscriptionStatus};
use chrono::{DateTime, TimeDelta, Utc};
use entity::outbox_calls::Model;
use sea_orm::ConnectionTrait;
use uuid::Uuid;

/// The time that a checkout stays open.
pub(in crate::billing) const CHECKOUT_LIFETIME: TimeDelta = TimeDelta::hours(23);
/// The time after which a purchase is settled whatever happened: a call may be sent for 23 hours, and Stripe then waits as
/// long for the first payment.
const SETTLED_AFTER: TimeDelta = TimeDelta::hours(47);
/// Operations that result in a plan. Unfinished ones are completed before another purchase starts.
pub(in crate::billing) const PURCHASES: &[Operation] =
    &[Operation::SubscribeInCheckout, Operation::CreateSubscription, Operation::RedeemGift];
/// Operations that are completed before a gift is redeemed. Redemptions themselves exclude each other by the lock on the
/// gift, and one that is repeated continues where it was.
pub(in crate::billing) const PURCHASES_BEFORE_GIFTS: &[Operation] =
    &[Operation::SubscribeInCheckout, Operation::CreateSubscription];

/// The purchases that a person may have pending.
#[derive(Debug, Clone, Copy)]
pub(super) struct PendingPurchases {
    person: Uuid,
    operations: &'static [Operation],
    since: DateTime<Utc>,
}

impl PendingPurchases {
    /// Creates the set of a person's calls of these operations that may not be settled.
    pub(super) fn new(app: &App, person: Uuid, operations: &'static [Operation]) -> PendingPurchases {
        PendingPurchases { person, operations, since: app.now() - SETTLED_AFTER }
    }

    /// Returns the calls, oldest first, settled ones included.
    pub(super) async fn list(&self, db: &impl ConnectionTrait) -> Result<Vec<Model>> {
        outbox::calls_of_person(db, self.person, self.operations, self.since).await
    }

    /// Locks the person until the commit, and returns whether one of the purchases is still pending.
    pub(super) async fn lock_and_check(&self, txn: &Txn) -> Result<bool> {
        accounts::lock_user(txn, self.person).await?;
        for call in self.list(txn).await? {
            let is_pending = match CallState::of(&call)? {
                CallState::Pending | CallState::Abandoned => true,
                CallState::Done => {
                    let object_id = call.object_id.as_deref().unwrap_or_default();
                    match Operation::of(&call) {
                        Some(Operation::SubscribeInCheckout) => self.is_open(txn, &call, object_id).await?,
                        Some(Operation::CreateSubscription) => incomplete(txn, object_id).await?.is_some(),
                        _ => false,
                    }
                }
                CallState::Refused | CallState::Unresolved => false,
            };
            if is_pending {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns whether a checkout may still be paid.
    async fn is_open(&self, db: &impl ConnectionTrait, call: &Model, session: &str) -> Result<bool> {
        let is_over = call.created_at.to_utc() <= self.since + (SETTLED_AFTER - CHECKOUT_LIFETIME);
        Ok(!is_over && !outbox::is_settled(db, &expiry_key(session)).await?)
    }

    /// Completes one purchase: finishes its call, and ends what waits for a payment.
    pub(super) async fn complete(&self, app: &App, viewer: &Viewer, call: Model) -> Result<()> {
        let object_id = match outbox::execute(app, call.id).await {
            Ok(Outcome::Done(done)) => done.object_id,
            Ok(Outcome::Refused(_)) | Err(Error::Unresolved) => return Ok(()),
            Err(error) => return Err(error),
        };
        match Operation::of(&call) {
            Some(Operation::SubscribeInCheckout) => self.expire(app, viewer, &call, object_id).await,
            Some(Operation::CreateSubscription) => end_incomplete(app, viewer, &call, &object_id).await,
            _ => Ok(()),
        }
    }

    /// Expires a checkout unless it is over.
    async fn expire(&self, app: &App, viewer: &Viewer, call: &Model, session: String) -> Result<()> {
        if !self.is_open(app.db.read(), call, &session).await? {
            return Ok(());
        }
        let key = expiry_key(&session);
        let path = format!("checkout/sessions/{session}/expire");
        let expire = ProviderRequest::post(Operation::ExpireCheckout, path).account(call.account_id).key(key);
        // A refusal says that the checkout is not open any more. If it was paid, our records show it by now.
        try_call(app, viewer, expire.persistent()).await.map(drop)
    }
}

/// Returns a subscription of ours that waits for its first payment; `None` if it does not.
async fn incomplete(db: &impl ConnectionTrait, external_id: &str) -> Result<Option<entity::subscriptions::Model>> {
    let found = subscriptions::by_external_id(db, "stripe", external_id).await?;
    Ok(found.filter(|found| found.status == SubscriptionStatus::Incomplete.as_str()))
}

/// Ends a subscription that waits for its first payment. Its invoice is voided first, which Stripe refuses once it is paid:
/// so a payment at the same moment is never lost.
async fn end_incomplete(app: &App, viewer: &Viewer, call: &Model, external_id: &str) -> Result<()> {
    let Some(subscription) = incomplete(app.db.read(), external_id).await? else { return Ok(()) };
    if let Some(invoice) = &subscription.latest_invoice_external_id {
        let path = format!("invoices/{invoice}/void");
        let void = ProviderRequest::post(Operation::Named("invoices.void"), path).account(call.account_id);
        // Tried anew each hour: a payment that was under way may have failed since.
        let void = void.key(format!("void-{invoice}-{}", app.now().format("%Y%m%d%H"))).persistent();
        if let Outcome::Refused(_) = try_call(app, viewer, void).await? {
            return inbox::refresh(app, "subscriptions", external_id, &[]).await;
        }
    }
    let cancel = ProviderRequest::delete(Operation::Named("subscriptions.end"), format!("subscriptions/{external_id}"));
    let cancel = cancel.account(call.account_id).key(format!("end-{external_id}")).persistent();
    match try_call(app, viewer, cancel).await? {
        Outcome::Done(_) => Ok(()),
        // It ended with its invoice.
        Outcome::Refused(_) => inbox::refresh(app, "subscriptions", external_id, &[]).await,
    }
}

fn expiry_key(session: &str) -> String {
    format!("expire-{session}")
}
