//! The payment providers: verification of their webhooks, and the client of Stripe's API. Knows no feature.

mod origin;
pub mod http;
pub mod paddle;
mod signature;
pub mod stripe;

pub use origin::Origin;
pub use signature::Forgery;

use serde::{Deserialize, Serialize};

/// A payment provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Stripe.
    Stripe,
    /// Paddle Billing.
    Paddle,
}

impl Provider {
    /// Every provider.
    pub const ALL: [Provider; 2] = [Provider::Stripe, Provider::Paddle];

    /// Returns the name used in the database, in paths and in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Provider::Stripe => "stripe",
            Provider::Paddle => "paddle",
        }
    }

    /// Returns the provider called `name`.
    pub fn named(name: &str) -> Option<Provider> {
        Provider::ALL.into_iter().find(|provider| provider.name() == name)
    }

    /// Returns the name of the header with the signature of a webhook, in lower case.
    pub const fn signature_header(self) -> &'static str {
        match self {
            Provider::Stripe => stripe::signature::HEADER,
            Provider::Paddle => paddle::signature::HEADER,
        }
    }

    /// Returns the name of the setting with the secrets of webhooks.
    pub const fn secrets_setting(self) -> &'static str {
        match self {
            Provider::Stripe => "stripe_webhook_secrets",
            Provider::Paddle => "paddle_webhook_secrets",
        }
    }
}
