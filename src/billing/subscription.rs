//! The subscription that a verb is about.

use crate::accounts::payer_of;
use crate::app::App;
use crate::auth::Viewer;
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::outbox::Call;
use crate::subscriptions;
use entity::subscriptions::Model;
use serde_json::Value;
use uuid::Uuid;

/// What a subscription is in when there is nothing left to be changed.
const OVER: [&str; 2] = ["canceled", "incomplete_expired"];

/// A subscription of an account that `viewer` may have billed, which is at Stripe and not over; its account is locked.
pub(super) async fn billed(txn: &Txn, viewer: &Viewer, id: Uuid) -> Result<Model> {
    viewer.require_signed_in()?;
    let unknown =
        || Error::refused("SUBSCRIPTION_NOT_FOUND", &["subscriptionId"], "there is no such subscription of yours");
    let found = subscriptions::by_id(txn, id).await?.ok_or_else(unknown)?;
    payer_of(txn, viewer, found.account_id, unknown).await?;
    // As it is under the lock.
    let found = subscriptions::by_id(txn, id).await?.ok_or_else(unknown)?;
    if found.provider != "stripe" {
        let message = "another provider bills for this subscription; change it there";
        return Err(Error::refused("NOT_AT_STRIPE", &["subscriptionId"], message));
    }
    if OVER.contains(&&*found.status) {
        return Err(Error::refused("SUBSCRIPTION_OVER", &["subscriptionId"], "the subscription is over"));
    }
    Ok(found)
}

/// A change of a subscription at Stripe.
pub(super) fn update(row: &Model, operation: &'static str, params: Value) -> Call {
    Call {
        account_id: Some(row.account_id),
        operation,
        deletes: false,
        path: format!("subscriptions/{}", row.external_id),
        params,
        key: None,
        persistent: true,
    }
}

/// The row of a subscription that Stripe answered with.
pub(super) async fn mirrored(app: &App, external_id: &str) -> Result<Model> {
    let found = subscriptions::by_external_id(app.db.read(), "stripe", external_id).await?;
    found.ok_or_else(|| Error::internal(anyhow::anyhow!("a subscription was answered with that is not mirrored")))
}
