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
    /// A balance of credits changed; with the ids of the balance and its account.
    BalanceChanged(Uuid, Uuid),
    /// The usage, the overrides or the calendar of an account changed; with its id.
    EntitlementsChanged(Uuid),
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
    /// Changes of balances.
    BalanceChanged,
    /// Changes of what accounts can use.
    EntitlementsChanged,
}

impl Change {
    /// Returns the kind of the change.
    pub fn kind(self) -> Kind {
        match self {
            Change::SubscriptionChanged(..) => Kind::SubscriptionChanged,
            Change::PaymentRecorded(..) => Kind::PaymentRecorded,
            Change::WebhookEventReceived(_) => Kind::WebhookEventReceived,
            Change::BalanceChanged(..) => Kind::BalanceChanged,
            Change::EntitlementsChanged(_) => Kind::EntitlementsChanged,
        }
    }

    /// Returns the id of the row that changed.
    pub fn subject(self) -> Uuid {
        match self {
            Change::SubscriptionChanged(subject, _)
            | Change::PaymentRecorded(subject, _)
            | Change::WebhookEventReceived(subject)
            | Change::BalanceChanged(subject, _)
            | Change::EntitlementsChanged(subject) => subject,
        }
    }

    /// Returns the account of the row; `None` for a row of no account.
    pub fn account(self) -> Option<Uuid> {
        match self {
            Change::SubscriptionChanged(_, account)
            | Change::PaymentRecorded(_, account)
            | Change::BalanceChanged(_, account)
            | Change::EntitlementsChanged(account) => Some(account),
            Change::WebhookEventReceived(_) => None,
        }
    }

    /// Returns the change as those who watch `kind` are told of it; `None` if it is none for them.
    pub(super) fn of_kind(self, kind: Kind) -> Option<Change> {
        match (kind, self) {
            // The entitlements of an account follow from its subscriptions and its credits too.
            (
                Kind::EntitlementsChanged,
                Change::SubscriptionChanged(_, account) | Change::BalanceChanged(_, account),
            ) => Some(Change::EntitlementsChanged(account)),
            _ => (self.kind() == kind).then_some(self),
        }
    }

    pub(super) fn read(kind: &str, subject: Uuid, account: Option<Uuid>) -> Option<Change> {
        match (kind, account) {
            ("subscription_changed", Some(account)) => Some(Change::SubscriptionChanged(subject, account)),
            ("payment_recorded", Some(account)) => Some(Change::PaymentRecorded(subject, account)),
            ("webhook_event_received", _) => Some(Change::WebhookEventReceived(subject)),
            ("balance_changed", Some(account)) => Some(Change::BalanceChanged(subject, account)),
            ("entitlements_changed", _) => Some(Change::EntitlementsChanged(subject)),
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
            Kind::BalanceChanged => "balance_changed",
            Kind::EntitlementsChanged => "entitlements_changed",
        }
    }

    /// Returns true for changes that can happen thousands of times a second. All of a transaction share a row and are
    /// announced by no notification, which would make the commits of PostgreSQL wait for each other: the feed polls
    /// while it has watchers of them. Several of one subject that wait for a watcher become one.
    pub fn is_frequent(self) -> bool {
        matches!(self, Kind::BalanceChanged | Kind::EntitlementsChanged)
    }
}
