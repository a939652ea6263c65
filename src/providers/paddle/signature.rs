//! Verification of Paddle webhooks: `Paddle-Signature: ts=<seconds>;h1=<hex>`, an HMAC-SHA256 over `<seconds>:<body>`.

use crate::config::PaddleConfig;
use crate::providers::signature::{Forgery, Scheme};
use chrono::{DateTime, Utc};

/// The name of the header, in lower case.
pub const HEADER: &str = "paddle-signature";

const SCHEME: Scheme = Scheme { separator: ';', time: "ts", mac: "h1", delimiter: b":" };

/// Accepts a body signed with one of the configured secrets within the configured tolerance of `now`.
pub fn verify(config: &PaddleConfig, header: Option<&str>, body: &[u8], now: DateTime<Utc>) -> Result<(), Forgery> {
    SCHEME.verify(header, body, &config.webhook_secrets, config.webhook_tolerance, now)
}
