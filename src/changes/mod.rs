//! What has just changed: written in the transaction of the change itself, for those who watch on any node.
//!
//! Invariants: a change is told after its commit and never before; each who watches is told of each change once, or is
//! told that there were too many; nobody watching, nothing is read.

mod feed;
mod purge;
mod store;

pub use feed::{Feed, Interest, Watcher};
pub use purge::PurgeChanges;

use crate::db::{self, Txn};
use crate::error::Result;
use entity::changes::{ActiveModel, Entity};
use sea_orm::{ActiveValue::Set, EntityTrait};
use uuid::Uuid;

/// Where PostgreSQL tells every node that something changed.
const CHANNEL: &str = "tollgate_changes";

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

/// What kind of change one may watch for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Subscriptions that change.
    SubscriptionChanged,
    /// Payments.
    PaymentRecorded,
    /// Events of providers.
    WebhookEventReceived,
}

impl Change {
    /// What kind of change it is.
    pub fn kind(self) -> Kind {
        match self {
            Change::SubscriptionChanged(..) => Kind::SubscriptionChanged,
            Change::PaymentRecorded(..) => Kind::PaymentRecorded,
            Change::WebhookEventReceived(_) => Kind::WebhookEventReceived,
        }
    }

    /// The row that changed.
    pub fn subject(self) -> Uuid {
        match self {
            Change::SubscriptionChanged(subject, _)
            | Change::PaymentRecorded(subject, _)
            | Change::WebhookEventReceived(subject) => subject,
        }
    }

    /// Whose row it is; none where it is nobody's in particular.
    pub fn account(self) -> Option<Uuid> {
        match self {
            Change::SubscriptionChanged(_, account) | Change::PaymentRecorded(_, account) => Some(account),
            Change::WebhookEventReceived(_) => None,
        }
    }

    fn read(kind: &str, subject: Uuid, account: Option<Uuid>) -> Option<Change> {
        match (kind, account) {
            ("subscription_changed", Some(account)) => Some(Change::SubscriptionChanged(subject, account)),
            ("payment_recorded", Some(account)) => Some(Change::PaymentRecorded(subject, account)),
            ("webhook_event_received", _) => Some(Change::WebhookEventReceived(subject)),
            _ => None,
        }
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::SubscriptionChanged => "subscription_changed",
            Kind::PaymentRecorded => "payment_recorded",
            Kind::WebhookEventReceived => "webhook_event_received",
        }
    }
}

/// Writes down that `change` is made by `txn`.
pub async fn record(txn: &Txn, change: Change) -> Result<()> {
    let row = ActiveModel {
        id: Set(txn.new_id()),
        kind: Set(change.kind().word().to_owned()),
        subject_id: Set(change.subject()),
        account_id: Set(change.account()),
        at: Set(txn.now().fixed_offset()),
    };
    Entity::insert(row).exec_without_returning(txn).await?;
    db::notify(txn, CHANNEL).await
}
