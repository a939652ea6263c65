//! Purchases of plans, one at a time for each person.
//!
//! A person has one trial and an account one plan. Both can be decided only when the outcome of earlier purchases is
//! known. So a purchase of a plan first finishes the calls of the person that have no outcome, and expires their open
//! checkouts. A checkout that turns out to be paid is in our records before the next purchase is decided.

use super::prerequisite::try_call;
use crate::accounts;
use crate::app::App;
use crate::auth::Viewer;
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::inbox;
use crate::outbox::{self, CallState, Operation, Outcome, ProviderRequest};
use chrono::{DateTime, TimeDelta, Utc};
use entity::outbox_calls::Model;
use sea_orm::ConnectionTrait;
use uuid::Uuid;

/// The time that a checkout stays open.
pub(in crate::billing) const CHECKOUT_LIFETIME: TimeDelta = TimeDelta::hours(23);
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
    /// Creates the set of a person's calls of these operations. Older calls than a checkout's lifetime are settled.
    pub(super) fn new(app: &App, person: Uuid, operations: &'static [Operation]) -> PendingPurchases {
        PendingPurchases { person, operations, since: app.now() - CHECKOUT_LIFETIME }
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
                CallState::Done if Operation::of(&call) == Some(Operation::SubscribeInCheckout) => {
                    let session = call.object_id.unwrap_or_default();
                    !outbox::is_settled(txn, &expiry_key(&session)).await?
                }
                CallState::Done | CallState::Refused | CallState::Unresolved => false,
            };
            if is_pending {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Completes one purchase: finishes its call, and expires its checkout if it is one.
    pub(super) async fn complete(&self, app: &App, viewer: &Viewer, call: Model) -> Result<()> {
        let session = match outbox::execute(app, call.id).await {
            Ok(Outcome::Done(done)) => done.object_id,
            Ok(Outcome::Refused(_)) | Err(Error::Unresolved) => return Ok(()),
            Err(error) => return Err(error),
        };
        let key = expiry_key(&session);
        if Operation::of(&call) != Some(Operation::SubscribeInCheckout)
            || outbox::is_settled(app.db.read(), &key).await?
        {
            return Ok(());
        }
        let path = format!("checkout/sessions/{session}/expire");
        let expire = ProviderRequest::post(Operation::Named("checkout.expire"), path).account(call.account_id).key(key);
        match try_call(app, viewer, expire.persistent()).await? {
            Outcome::Done(_) => Ok(()),
            // The checkout is not open any more. If it was paid, our records show it before the next purchase is decided.
            Outcome::Refused(_) => inbox::refresh(app, "checkout/sessions", &session, &["subscription"]).await,
        }
    }
}

fn expiry_key(session: &str) -> String {
    format!("expire-{session}")
}
