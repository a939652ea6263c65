//! The people in the welcome, and their tokens.

use crate::app::App;
use crate::auth::{MintRequest, Permissions, Role};
use std::time::Duration;

/// The subject of the customer in the welcome, who has a plan and credits.
pub(super) const CUSTOMER: &str = "user_1";
/// The subject of the newcomer, who buys a plan.
pub(super) const NEWCOMER: &str = "user_new";
/// The lifetime of the tokens in the welcome.
const TOKEN_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Returns a random secret of 256 bits.
pub(super) fn random_secret() -> anyhow::Result<String> {
    use rand::TryRng;
    let mut bytes = [0; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut bytes)?;
    Ok(hex::encode(bytes))
}

/// Returns a token for a subject.
pub(super) fn token(app: &App, subject: &str, role: Role) -> anyhow::Result<String> {
    let permissions = Permissions::NONE;
    let request = MintRequest { subject: subject.to_owned(), role, permissions, ttl: TOKEN_LIFETIME, now: app.now() };
    Ok(app.tokens.mint(&request)?)
}
