//! Whether a webhook is from Paddle: `Paddle-Signature: ts=<seconds>;h1=<hex>`, an HMAC-SHA256 over `<seconds>:<body>`.

use crate::config::PaddleConfig;
use crate::providers::signature::{Forgery, Scheme};
use chrono::{DateTime, Utc};

/// The header with the signature, in lower case.
pub const HEADER: &str = "paddle-signature";

const SCHEME: Scheme = Scheme { separator: ';', time: "ts", mac: "h1", joint: b":" };

/// Passes a body that Paddle signed with one of the configured secrets, not long before or after `now`.
pub fn verify(config: &PaddleConfig, header: Option<&str>, body: &[u8], now: DateTime<Utc>) -> Result<(), Forgery> {
    SCHEME.verify(header, body, &config.webhook_secrets, config.webhook_tolerance, now)
}
