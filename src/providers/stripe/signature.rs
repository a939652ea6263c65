//! Verification of Stripe webhooks: `Stripe-Signature: t=<seconds>,v1=<hex>`, an HMAC-SHA256 over `<seconds>.<body>`.

use crate::config::StripeConfig;
use crate::providers::signature::{Forgery, Scheme};
use chrono::{DateTime, Utc};

/// The name of the header, in lower case.
pub const HEADER: &str = "stripe-signature";

const SCHEME: Scheme = Scheme { separator: ',', time: "t", mac: "v1", delimiter: b"." };

/// Accepts a body signed with one of the configured secrets within the configured tolerance of `now`.
pub fn verify(config: &StripeConfig, header: Option<&str>, body: &[u8], now: DateTime<Utc>) -> Result<(), Forgery> {
    SCHEME.verify(header, body, &config.webhook_secrets, config.webhook_tolerance, now)
}
