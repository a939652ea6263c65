//! One trial per person, for all plans together.
//!
//! Keyed hashes of a person's identities and e-mail address record that they had a trial. The hashes outlive the
//! person's erasure: somebody who returns with the same address, or as the same subject of the same issuer, gets no
//! second trial. The address decides nothing else.

use super::store::trials as store;
use crate::accounts;
use crate::app::App;
use crate::db::{Mirror, installation_id};
use crate::error::Result;
use entity::{subscriptions, users};
use hmac::{Hmac, KeyInit, Mac};
use sea_orm::ConnectionTrait;
use sha2::Sha256;
use uuid::Uuid;

/// Returns whether a person has had a trial, in any of their accounts or before they were erased.
pub async fn had_trial(db: &impl ConnectionTrait, owner: &users::Model) -> Result<bool> {
    let hashes = hashes(db, owner).await?;
    Ok(store::is_claimed(db, &hashes).await? || store::tried_by(db, owner.id).await?)
}

/// Returns whether a user may still have a trial.
pub async fn trial_available(app: &App, user_id: Uuid) -> Result<bool> {
    match accounts::user_by_id(app.db.read(), user_id).await? {
        Some(user) => Ok(!had_trial(app.db.read(), &user).await?),
        None => Ok(false),
    }
}

/// Records that the owner of an account has had their trial.
pub(super) async fn claim_trial(mirror: &Mirror<'_>, subscription: &subscriptions::Model) -> Result<()> {
    let Some(owner) = accounts::owner_of(mirror.txn, subscription.account_id).await? else { return Ok(()) };
    for hash in hashes(mirror.txn, &owner).await? {
        store::claim(mirror.txn, hash, subscription).await?;
    }
    Ok(())
}

/// Returns the hashes that identify a returning person, in a fixed order.
async fn hashes(db: &impl ConnectionTrait, person: &users::Model) -> Result<Vec<String>> {
    let key = installation_id(db).await?;
    let identities = accounts::identities_of(db, person.id).await?;
    let identities = identities.into_iter().map(|known| format!("subject\n{}\n{}", known.issuer, known.subject));
    let email = person.email_normalized.as_ref().map(|email| format!("email\n{email}"));
    let mut hashes: Vec<String> = identities.chain(email).map(|identity| keyed_hash(key, &identity)).collect();
    hashes.sort_unstable();
    Ok(hashes)
}

fn keyed_hash(key: Uuid, identity: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(identity.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}
