//! Signed references that name the account of a purchase which starts in a browser.

use super::payer::find_payer;
use crate::app::App;
use crate::auth::{PurchaseReference, Viewer};
use crate::db::{claim_reference_key, reference_key};
use crate::error::{Error, Result};
use crate::providers::Provider;
use chrono::{DateTime, TimeDelta, Utc};
use rand::RngExt as _;
use std::ops::RangeInclusive;
use uuid::Uuid;

/// The allowed lifetimes of a reference, in seconds: long enough to open a page, short enough to be worthless in a log.
const LIFETIME_S: RangeInclusive<i64> = 60..=7 * 86_400;

/// A reference to be signed.
#[derive(Debug, Clone, Copy)]
pub struct NewReference {
    /// The provider at which the purchase takes place; `None` for one that takes no references.
    pub provider: Option<Provider>,
    /// The account to bill; `None` for the caller's own.
    pub account_id: Option<Uuid>,
    /// The lifetime in seconds.
    pub lifetime_s: i64,
}

/// A signed reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedReference {
    /// The text to pass to the provider.
    pub text: String,
    /// Time of expiry: a purchase that starts later is not the account's.
    pub expires_at: DateTime<Utc>,
}

/// Signs a reference to an account that the caller may bill.
pub async fn create_purchase_reference(app: &App, viewer: &Viewer, new: NewReference) -> Result<SignedReference> {
    let payer = find_payer(app.db.read(), viewer, new.account_id).await?;
    let provider = new
        .provider
        .ok_or_else(|| Error::refused("PROVIDER_INVALID", &["provider"], "`provider` must be `STRIPE` or `PADDLE`."))?;
    if !LIFETIME_S.contains(&new.lifetime_s) {
        let (min, max) = LIFETIME_S.into_inner();
        let message = format!("`validForSeconds` must be {min} to {max}.");
        return Err(Error::refused("LIFETIME_INVALID", &["validForSeconds"], message));
    }
    // Whole seconds, because the reference keeps no fractions.
    let expires_at =
        DateTime::from_timestamp(app.now().timestamp(), 0).map(|now| now + TimeDelta::seconds(new.lifetime_s));
    let expires_at = expires_at.ok_or_else(|| Error::internal(anyhow::anyhow!("the clock is out of range")))?;
    let reference = PurchaseReference { account_id: payer.account.id, provider, expires_at };
    let key = match reference_key(app.db.read()).await? {
        Some(key) => key,
        None => {
            let candidate: [u8; 32] = rand::rng().random();
            let candidate = hex::encode(candidate);
            app.db.write(move |txn| Box::pin(claim_reference_key(txn, candidate))).await?
        }
    };
    Ok(SignedReference { text: reference.sign(key.as_bytes()), expires_at })
}
