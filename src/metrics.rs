//! What this process has counted since its start, for `/metrics`.

use crate::providers::Provider;
use std::sync::atomic::{AtomicU64, Ordering};

/// What became of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookOutcome {
    /// Kept, and to be applied.
    Accepted,
    /// Kept before.
    Duplicate,
    /// Kept without effect.
    Ignored,
    /// Its signature does not show that it is the provider's.
    Forged,
    /// Signed, and still no event.
    Unreadable,
    /// It could not be kept; the provider sends it again.
    Failed,
}

impl WebhookOutcome {
    /// Every outcome.
    pub const ALL: [WebhookOutcome; 6] = [
        WebhookOutcome::Accepted,
        WebhookOutcome::Duplicate,
        WebhookOutcome::Ignored,
        WebhookOutcome::Forged,
        WebhookOutcome::Unreadable,
        WebhookOutcome::Failed,
    ];

    /// Its name in the figures.
    pub const fn name(self) -> &'static str {
        match self {
            WebhookOutcome::Accepted => "accepted",
            WebhookOutcome::Duplicate => "duplicate",
            WebhookOutcome::Ignored => "ignored",
            WebhookOutcome::Forged => "forged",
            WebhookOutcome::Unreadable => "unreadable",
            WebhookOutcome::Failed => "failed",
        }
    }
}

/// What became of asking a provider for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchOutcome {
    /// It was shown.
    Answered,
    /// There is none.
    Missing,
    /// There was no answer, or a refusal.
    Failed,
}

impl FetchOutcome {
    /// Every outcome.
    pub const ALL: [FetchOutcome; 3] = [FetchOutcome::Answered, FetchOutcome::Missing, FetchOutcome::Failed];

    /// Its name in the figures.
    pub const fn name(self) -> &'static str {
        match self {
            FetchOutcome::Answered => "answered",
            FetchOutcome::Missing => "missing",
            FetchOutcome::Failed => "failed",
        }
    }
}

/// The counters of one process.
#[derive(Debug, Default)]
pub struct Metrics {
    stripe: Webhooks,
    paddle: Webhooks,
    fetches: Fetches,
}

#[derive(Debug, Default)]
struct Fetches {
    answered: AtomicU64,
    missing: AtomicU64,
    failed: AtomicU64,
}

#[derive(Debug, Default)]
struct Webhooks {
    accepted: AtomicU64,
    duplicate: AtomicU64,
    ignored: AtomicU64,
    forged: AtomicU64,
    unreadable: AtomicU64,
    failed: AtomicU64,
}

impl Metrics {
    /// Counts a webhook.
    pub fn count_webhook(&self, provider: Provider, outcome: WebhookOutcome) {
        self.webhook(provider, outcome).fetch_add(1, Ordering::Relaxed);
    }

    /// How many webhooks of a provider had this outcome.
    pub fn webhooks(&self, provider: Provider, outcome: WebhookOutcome) -> u64 {
        self.webhook(provider, outcome).load(Ordering::Relaxed)
    }

    /// Counts an object that was asked for.
    pub fn count_fetch(&self, outcome: FetchOutcome) {
        self.fetch(outcome).fetch_add(1, Ordering::Relaxed);
    }

    /// How many objects that were asked for had this outcome.
    pub fn fetches(&self, outcome: FetchOutcome) -> u64 {
        self.fetch(outcome).load(Ordering::Relaxed)
    }

    fn fetch(&self, outcome: FetchOutcome) -> &AtomicU64 {
        match outcome {
            FetchOutcome::Answered => &self.fetches.answered,
            FetchOutcome::Missing => &self.fetches.missing,
            FetchOutcome::Failed => &self.fetches.failed,
        }
    }

    fn webhook(&self, provider: Provider, outcome: WebhookOutcome) -> &AtomicU64 {
        let webhooks = match provider {
            Provider::Stripe => &self.stripe,
            Provider::Paddle => &self.paddle,
        };
        match outcome {
            WebhookOutcome::Accepted => &webhooks.accepted,
            WebhookOutcome::Duplicate => &webhooks.duplicate,
            WebhookOutcome::Ignored => &webhooks.ignored,
            WebhookOutcome::Forged => &webhooks.forged,
            WebhookOutcome::Unreadable => &webhooks.unreadable,
            WebhookOutcome::Failed => &webhooks.failed,
        }
    }
}
