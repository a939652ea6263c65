//! The payment providers: what is genuine of what arrives in their names. Knows no feature.

mod origin;
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

    /// Its name in the database, in paths and in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Provider::Stripe => "stripe",
            Provider::Paddle => "paddle",
        }
    }

    /// The provider called `name`.
    pub fn named(name: &str) -> Option<Provider> {
        Provider::ALL.into_iter().find(|provider| provider.name() == name)
    }

    /// The header that holds the signature of a webhook, in lower case.
    pub const fn signature_header(self) -> &'static str {
        match self {
            Provider::Stripe => stripe::signature::HEADER,
            Provider::Paddle => paddle::signature::HEADER,
        }
    }

    /// The setting that holds the secrets of its webhooks.
    pub const fn secrets_setting(self) -> &'static str {
        match self {
            Provider::Stripe => "stripe_webhook_secrets",
            Provider::Paddle => "paddle_webhook_secrets",
        }
    }
}
