//! What has just changed: written in the transaction of the change itself, for those who watch on any node.

use crate::clock::Clock;
use crate::db::Txn;
use crate::error::Result;
use entity::changes::{ActiveModel, Entity};
use sea_orm::{ActiveValue::Set, EntityTrait};
use uuid::Uuid;

/// A change that someone may be watching for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A subscription, of an account, is not what it was.
    SubscriptionChanged(Uuid, Uuid),
    /// A payment, of an account, was recorded or is not what it was.
    PaymentRecorded(Uuid, Uuid),
    /// An event of a provider was received.
    WebhookEventReceived(Uuid),
}

/// Writes down that `change` is made by `txn`.
pub async fn record(txn: &Txn, clock: &Clock, change: Change) -> Result<()> {
    let (kind, subject_id, account_id) = match change {
        Change::SubscriptionChanged(subject, account) => ("subscription_changed", subject, Some(account)),
        Change::PaymentRecorded(subject, account) => ("payment_recorded", subject, Some(account)),
        Change::WebhookEventReceived(subject) => ("webhook_event_received", subject, None),
    };
    let row = ActiveModel {
        id: Set(clock.new_id()),
        kind: Set(kind.to_owned()),
        subject_id: Set(subject_id),
        account_id: Set(account_id),
        at: Set(clock.now().fixed_offset()),
    };
    Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
}
