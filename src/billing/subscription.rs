//! The subscription that a verb changes.

use crate::accounts::{authorize_payer_of, find_payer_of};
use crate::auth::Viewer;
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::outbox::{Operation, ProviderRequest};
use crate::subscriptions::{self, SubscriptionStatus};
use entity::subscriptions::Model;
use sea_orm::ConnectionTrait;
use uuid::Uuid;

/// Locks the account of a subscription that `viewer` may bill, and returns the subscription, which is at Stripe and not
/// over.
pub(super) async fn lock_billable_subscription(txn: &Txn, viewer: &Viewer, id: Uuid) -> Result<Model> {
    lock_billable_subscription_or(txn, viewer, id, unknown).await
}

/// Like [`lock_billable_subscription`], but fails with `unknown` if the subscription is not the caller's to bill.
pub(super) async fn lock_billable_subscription_or(
    txn: &Txn,
    viewer: &Viewer,
    id: Uuid,
    unknown: fn() -> Error,
) -> Result<Model> {
    viewer.require_signed_in()?;
    let found = subscriptions::by_id(txn, id).await?.ok_or_else(unknown)?;
    authorize_payer_of(txn, viewer, found.account_id, unknown).await?;
    // Read again under the lock.
    check_changeable(subscriptions::by_id(txn, id).await?.ok_or_else(unknown)?)
}

/// Like [`lock_billable_subscription`], but without a lock, for a look ahead that is repeated under the lock later.
pub(super) async fn find_billable_subscription(db: &impl ConnectionTrait, viewer: &Viewer, id: Uuid) -> Result<Model> {
    viewer.require_signed_in()?;
    let found = subscriptions::by_id(db, id).await?.ok_or_else(unknown)?;
    find_payer_of(db, viewer, found.account_id, unknown).await?;
    check_changeable(found)
}

fn unknown() -> Error {
    Error::refused("SUBSCRIPTION_NOT_FOUND", &["subscriptionId"], "Subscription not found.")
}

fn check_changeable(subscription: Model) -> Result<Model> {
    if subscription.provider != "stripe" {
        let message = "Another provider bills for this subscription. Change it there.";
        return Err(Error::refused("NOT_AT_STRIPE", &["subscriptionId"], message));
    }
    match SubscriptionStatus::parse(&subscription.status)? {
        SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired => {
            let message = "The subscription is over and cannot be changed. Start a new one.";
            Err(Error::refused("SUBSCRIPTION_OVER", &["subscriptionId"], message))
        }
        _ => Ok(subscription),
    }
}

/// Creates a change of a subscription at Stripe, without parameters.
pub(super) fn update(subscription: &Model, operation: Operation) -> ProviderRequest {
    ProviderRequest::post(operation, path(subscription)).account(subscription.account_id)
}

/// Returns the path of a subscription at Stripe.
pub(super) fn path(subscription: &Model) -> String {
    format!("subscriptions/{}", subscription.external_id)
}
