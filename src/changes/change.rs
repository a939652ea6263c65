//! The changes that watchers may wait for.

use uuid::Uuid;

/// The channel on which PostgreSQL notifies every node of changes.
pub(super) const CHANNEL: &str = "tollgate_changes";

/// A change that a watcher may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A subscription changed; with the ids of the subscription and its account.
    SubscriptionChanged(Uuid, Uuid),
    /// A payment was recorded or changed; with the ids of the payment and its account.
    PaymentRecorded(Uuid, Uuid),
    /// An event of a provider was received; with its id.
    WebhookEventReceived(Uuid),
}

/// A kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Changes of subscriptions.
    SubscriptionChanged,
    /// Changes of payments.
    PaymentRecorded,
    /// Arrivals of provider events.
    WebhookEventReceived,
}

impl Change {
    /// Returns the kind of the change.
    pub fn kind(self) -> Kind {
        match self {
            Change::SubscriptionChanged(..) => Kind::SubscriptionChanged,
            Change::PaymentRecorded(..) => Kind::PaymentRecorded,
            Change::WebhookEventReceived(_) => Kind::WebhookEventReceived,
        }
    }

    /// Returns the id of the row that changed.
    pub fn subject(self) -> Uuid {
        match self {
            Change::SubscriptionChanged(subject, _)
            | Change::PaymentRecorded(subject, _)
            | Change::WebhookEventReceived(subject) => subject,
        }
    }

    /// Returns the account of the row; `None` for a row of no account.
    pub fn account(self) -> Option<Uuid> {
        match self {
            Change::SubscriptionChanged(_, account) | Change::PaymentRecorded(_, account) => Some(account),
            Change::WebhookEventReceived(_) => None,
        }
    }

    pub(super) fn read(kind: &str, subject: Uuid, account: Option<Uuid>) -> Option<Change> {
        match (kind, account) {
            ("subscription_changed", Some(account)) => Some(Change::SubscriptionChanged(subject, account)),
            ("payment_recorded", Some(account)) => Some(Change::PaymentRecorded(subject, account)),
            ("webhook_event_received", _) => Some(Change::WebhookEventReceived(subject)),
            _ => None,
        }
    }
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::SubscriptionChanged => "subscription_changed",
            Kind::PaymentRecorded => "payment_recorded",
            Kind::WebhookEventReceived => "webhook_event_received",
        }
    }
}
