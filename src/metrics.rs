//! The counters of this process, for `/metrics`.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::providers::Provider;

/// The outcome of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookOutcome {
    /// Stored, to be applied.
    Accepted,
    /// Stored before.
    Duplicate,
    /// Stored without effect.
    Ignored,
    /// Refused because of its signature.
    Forged,
    /// Signed correctly but not an event.
    Unreadable,
    /// Not stored because of an error; the provider sends it again.
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

    /// Returns the value of the label.
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

/// The outcome of fetching an object from Stripe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchOutcome {
    /// The object was returned.
    Answered,
    /// The object does not exist.
    Missing,
    /// There was no response, or a refusal.
    Failed,
}

impl FetchOutcome {
    /// Every outcome.
    pub const ALL: [FetchOutcome; 3] = [FetchOutcome::Answered, FetchOutcome::Missing, FetchOutcome::Failed];

    /// Returns the value of the label.
    pub const fn name(self) -> &'static str {
        match self {
            FetchOutcome::Answered => "answered",
            FetchOutcome::Missing => "missing",
            FetchOutcome::Failed => "failed",
        }
    }
}

/// A limit that refuses connections, named after its setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionLimit {
    /// That on the connections of one address.
    Address,
    /// That on all WebSockets and streams.
    Live,
    /// That on the WebSockets and streams of anonymous callers.
    LiveAnonymous,
    /// That on the WebSockets and streams of one address.
    LiveAddress,
}

impl ConnectionLimit {
    /// Every limit.
    pub const ALL: [ConnectionLimit; 4] =
        [ConnectionLimit::Address, ConnectionLimit::Live, ConnectionLimit::LiveAnonymous, ConnectionLimit::LiveAddress];

    /// Returns the value of the label.
    pub const fn name(self) -> &'static str {
        match self {
            ConnectionLimit::Address => "connections_per_address",
            ConnectionLimit::Live => "live_connections",
            ConnectionLimit::LiveAnonymous => "live_connections_anonymous",
            ConnectionLimit::LiveAddress => "live_connections_per_address",
        }
    }
}

/// The counters of this process since its start.
#[derive(Debug)]
pub struct Metrics {
    webhooks: Family<[(&'static str, &'static str); 2], Counter>,
    fetches: Family<[(&'static str, &'static str); 1], Counter>,
    refusals: Family<[(&'static str, &'static str); 1], Counter>,
}

impl Default for Metrics {
    /// Creates every counter, so that those at zero are exposed too.
    fn default() -> Self {
        let metrics = Metrics { webhooks: Family::default(), fetches: Family::default(), refusals: Family::default() };
        for provider in Provider::ALL {
            for outcome in WebhookOutcome::ALL {
                metrics.webhook(provider, outcome);
            }
        }
        for outcome in FetchOutcome::ALL {
            metrics.fetch(outcome);
        }
        for limit in ConnectionLimit::ALL {
            metrics.refusal(limit);
        }
        metrics
    }
}

impl Metrics {
    /// Counts a webhook.
    pub fn count_webhook(&self, provider: Provider, outcome: WebhookOutcome) {
        self.webhook(provider, outcome).inc();
    }

    /// Counts an object fetched from Stripe.
    pub fn count_fetch(&self, outcome: FetchOutcome) {
        self.fetch(outcome).inc();
    }

    /// Returns the number of fetched objects with this outcome.
    pub fn fetches(&self, outcome: FetchOutcome) -> u64 {
        self.fetch(outcome).get()
    }

    /// Counts a connection that a limit refused.
    pub fn count_refusal(&self, limit: ConnectionLimit) {
        self.refusal(limit).inc();
    }

    /// Registers the counters for exposition.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Webhooks received by this process, by provider and outcome";
        registry.register("tollgate_webhooks", help, self.webhooks.clone());
        let help = "Objects that this process fetched from Stripe to apply events, by outcome";
        registry.register("tollgate_stripe_fetches", help, self.fetches.clone());
        let help = "Connections that this process refused, by limit";
        registry.register("tollgate_connections_refused", help, self.refusals.clone());
    }

    fn webhook(&self, provider: Provider, outcome: WebhookOutcome) -> Counter {
        self.webhooks.get_or_create_owned(&[("provider", provider.name()), ("outcome", outcome.name())])
    }

    fn refusal(&self, limit: ConnectionLimit) -> Counter {
        self.refusals.get_or_create_owned(&[("limit", limit.name())])
    }

    fn fetch(&self, outcome: FetchOutcome) -> Counter {
        self.fetches.get_or_create_owned(&[("outcome", outcome.name())])
    }
}
