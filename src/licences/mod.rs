//! Licences of a desktop application, their keys, and the devices they are used on.
//!
//! Invariants: a key is shown once and stored as a hash; a licence is used on at most `max_devices` devices at a time,
//! enforced under the lock on its row; each unit of an order gives one licence. A licence is older than its key: a
//! purchase or the backfill issues the licence, and the key is created when its owner first asks for it.

mod backfill;
mod devices;
mod project;
mod rows;
mod status;
mod store;
mod values;

pub use backfill::{Backfill, Issued, issue_missing};
pub use devices::{NewDevice, Registration, register_device, revoke_device};
pub use project::{ObservedLicences, project};
pub use status::{Reason, State, Status, status};
pub use store::{Devices, LicenseKeys, record_check, record_seen};
pub use values::{LicenseSource, LicenseStatus, RevokedBy};

use self::rows::{is_revoked_by_admin, new_row, rows_to_change};
use crate::accounts;
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{LicenseKeySecret, Permission, Viewer};
use crate::db::{IdempotencyKey, Txn, rows_for};
use crate::error::{Error, Result};
use entity::license_keys::{ActiveModel, Entity, Model};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::json;
use uuid::Uuid;

/// A licence to be issued.
#[derive(Debug, Clone, serde::Serialize)]
pub struct NewLicence {
    /// The account.
    pub account_id: Uuid,
    /// Maximum number of simultaneous devices.
    pub max_devices: i64,
}

/// Issues a licence with its key. A repetition with the same idempotency key and input returns the same licence without
/// its key, which is not stored.
pub async fn issue(
    app: &App,
    viewer: &Viewer,
    new: NewLicence,
    idempotency_key: &str,
) -> Result<(Model, Option<LicenseKeySecret>)> {
    viewer.require(Permission::KeysWrite)?;
    if !(1..=10_000).contains(&new.max_devices) {
        return Err(Error::refused("MAX_DEVICES_INVALID", &["maxDevices"], "`maxDevices` must be 1 to 10,000."));
    }
    let key = IdempotencyKey::new(viewer.actor(), idempotency_key, "licences.issue", &new)?;
    let secret = LicenseKeySecret::generate(&mut rand::rng());
    let (prefix, hash, actor) = (secret.prefix(), secret.hash(), viewer.actor().to_owned());
    let work = async move |txn: &Txn| {
        if !accounts::account_exists(txn, new.account_id).await? {
            return Err(Error::refused("ACCOUNT_NOT_FOUND", &["accountId"], "Account not found."));
        }
        let row = ActiveModel {
            prefix: Set(Some(prefix)),
            hash: Set(Some(hash)),
            ..new_row(txn.new_id(), new.account_id, new.max_devices, LicenseSource::Admin, txn.now())
        };
        let licence = Entity::insert(row).exec_with_returning(txn).await?;
        let after = json!({"keyPrefix": licence.prefix, "maxDevices": licence.max_devices});
        let entry = AuditEntry::new("license_keys.issue", "LicenseKey", licence.id).account(licence.account_id);
        txn.audit(&actor, entry.after(after)).await?;
        Ok(licence.id)
    };
    let id: Uuid = app.db.run_idempotent(key, move |txn| Box::pin(work(txn))).await?;
    let licence = store::licence(app.db.read(), id).await?;
    let licence =
        licence.ok_or_else(|| Error::internal(anyhow::anyhow!("The licence is missing after its commit.")))?;
    // A repeated request finds the licence with the key of the first.
    let is_shown = licence.hash.as_ref().is_some_and(|hash| secret.matches(hash));
    Ok((licence, is_shown.then_some(secret)))
}

/// Creates the key of a licence that has none yet, for its owner.
pub async fn reveal(app: &App, viewer: &Viewer, id: Uuid) -> Result<(Model, LicenseKeySecret)> {
    make_key(app, viewer, id, false).await
}

/// Replaces the key of a licence; the old key stops working, and devices stay registered.
pub async fn replace(app: &App, viewer: &Viewer, id: Uuid) -> Result<(Model, LicenseKeySecret)> {
    make_key(app, viewer, id, true).await
}

async fn make_key(app: &App, viewer: &Viewer, id: Uuid, replace: bool) -> Result<(Model, LicenseKeySecret)> {
    let rows = rows_to_change::<Entity>(viewer)?;
    let secret = LicenseKeySecret::generate(&mut rand::rng());
    let (prefix, hash, actor) = (secret.prefix(), secret.hash(), viewer.actor().to_owned());
    let licence = app
        .db
        .write(move |txn| {
            Box::pin(async move {
                let found = store::lock_licence(txn, rows, id).await?.ok_or_else(unknown)?;
                if LicenseStatus::parse(&found.status)? != LicenseStatus::Active {
                    return Err(Error::refused("LICENSE_REVOKED", ID, "The licence was revoked."));
                }
                if found.hash.is_some() && !replace {
                    let advice = "The key was shown before: replace it with `replaceLicenseKey`.";
                    return Err(Error::refused("KEY_ALREADY_SHOWN", ID, advice));
                }
                let change =
                    ActiveModel { id: Set(id), prefix: Set(Some(prefix)), hash: Set(Some(hash)), ..Default::default() };
                let licence = Entity::update(change).exec(txn).await?;
                let action = if replace { "license_keys.replace" } else { "license_keys.reveal" };
                let mut entry = AuditEntry::new(action, "LicenseKey", id).account(licence.account_id);
                if let Some(prefix) = found.prefix {
                    entry = entry.before(json!({"keyPrefix": prefix}));
                }
                txn.audit(&actor, entry.after(json!({"keyPrefix": licence.prefix}))).await?;
                Ok(licence)
            })
        })
        .await?;
    Ok((licence, secret))
}

/// Revokes a licence from the next check on, whatever its provider reports later. Revoking it again changes nothing.
pub async fn revoke(app: &App, viewer: &Viewer, id: Uuid, reason: Option<String>) -> Result<Model> {
    viewer.require(Permission::KeysWrite)?;
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > 500) {
        return Err(Error::refused("REASON_INVALID", &["reason"], "`reason` must have at most 500 characters."));
    }
    let rows = rows_for::<Entity>(viewer)?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let found = store::lock_licence(txn, rows, id).await?.ok_or_else(unknown)?;
                if is_revoked_by_admin(&found)? {
                    return Ok(found);
                }
                let change = ActiveModel {
                    id: Set(id),
                    status: Set(LicenseStatus::Revoked.to_string()),
                    revoked_at: Set(found.revoked_at.or(Some(txn.now().fixed_offset()))),
                    revoked_by: Set(Some(RevokedBy::Admin.to_string())),
                    ..Default::default()
                };
                let licence = Entity::update(change).exec(txn).await?;
                let after = json!({"revokedAt": licence.revoked_at, "reason": reason});
                let entry = AuditEntry::new("license_keys.revoke", "LicenseKey", id).account(licence.account_id);
                txn.audit(&actor, entry.after(after)).await?;
                Ok(licence)
            })
        })
        .await
}

/// The input field that names the licence.
const ID: &[&str] = &["licenseKeyId"];

fn unknown() -> Error {
    Error::refused("NOT_FOUND", ID, "Licence not found.")
}
