//! Whether a webhook is from Stripe: `Stripe-Signature: t=<seconds>,v1=<hex>`, an HMAC-SHA256 over `<seconds>.<body>`.

use crate::config::StripeConfig;
use crate::providers::signature::{Forgery, Scheme};
use chrono::{DateTime, Utc};

/// The header with the signature, in lower case.
pub const HEADER: &str = "stripe-signature";

const SCHEME: Scheme = Scheme { separator: ',', time: "t", mac: "v1", joint: b"." };

/// Passes a body that Stripe signed with one of the configured secrets, not long before or after `now`.
pub fn verify(config: &StripeConfig, header: Option<&str>, body: &[u8], now: DateTime<Utc>) -> Result<(), Forgery> {
    SCHEME.verify(header, body, &config.webhook_secrets, config.webhook_tolerance, now)
}
