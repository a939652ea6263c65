//! The providers' terms for invoices, payments and refunds.

/// The result of an attempt to pay.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    Succeeds,
    Fails,
    Pends,
}

/// The reason of an invoice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The first invoice of a subscription.
    Begin,
    /// The next period of a subscription.
    Renew,
    /// A change within a period.
    Change,
    /// A one-time purchase.
    Buy,
}

impl Reason {
    /// Returns the provider's term for the reason.
    pub(super) fn word(self, provider: &str) -> &'static str {
        match (provider, self) {
            ("paddle", Reason::Begin | Reason::Buy) => "web",
            ("paddle", Reason::Renew) => "subscription_recurring",
            (_, Reason::Begin) => "subscription_create",
            (_, Reason::Renew) => "subscription_cycle",
            (_, Reason::Change) => "subscription_update",
            (_, Reason::Buy) => "manual",
        }
    }
}

/// Returns the provider's status of a payment after an attempt.
pub(super) fn payment_word(provider: &str, attempt: Attempt) -> &'static str {
    match (provider, attempt) {
        ("paddle", Attempt::Succeeds) => "completed",
        ("paddle", Attempt::Fails) => "past_due",
        ("paddle", Attempt::Pends) => "billed",
        (_, Attempt::Succeeds) => "succeeded",
        (_, Attempt::Fails) => "requires_payment_method",
        (_, Attempt::Pends) => "processing",
    }
}

/// Returns the provider's status of a refund in our status, or `None` if the provider does not know it yet.
pub(super) fn refund_word(provider: &str, status: &str) -> Option<&'static str> {
    match (provider, status) {
        ("paddle", "processed") => Some("approved"),
        ("paddle", "failed") => Some("rejected"),
        (_, "processed") => Some("succeeded"),
        (_, "failed") => Some("failed"),
        _ => None,
    }
}
