//! Devices that use a licence.

use super::rows::rows_to_change;
use super::values::LicenseStatus;
use super::{status, store};
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{LicenseKeySecret, Viewer};
use crate::error::{Error, Result};
use entity::devices::{ActiveModel, Entity, Model};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::json;
use uuid::Uuid;

/// A device to be registered.
#[derive(Debug, Clone)]
pub struct NewDevice {
    /// The application's identifier of the device.
    pub fingerprint: String,
    /// The owner's name for it.
    pub name: Option<String>,
    /// Its operating system.
    pub os: Option<String>,
    /// The version of the application.
    pub app_version: Option<String>,
}

/// A registered device.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The device.
    pub device: Model,
    /// Number of registered devices.
    pub devices_used: i64,
    /// Maximum number of devices.
    pub max_devices: i64,
}

/// Registers a device for the licence of `key`; for a registered device only updates it. The key is the only right
/// needed.
pub async fn register_device(app: &App, viewer: &Viewer, key: &str, new: NewDevice) -> Result<Registration> {
    let secret = LicenseKeySecret::parse(key);
    status::limit(app, viewer, secret.as_ref())?;
    check(&new)?;
    // Wrong keys end here: they neither wait for the writer nor lock the licence whose prefix they have.
    let found = status::find_licence(app, secret.as_ref()).await?;
    let Some(secret) = secret.filter(|_| found.is_some()) else {
        status::count_failure(app, viewer)?;
        return Err(invalid());
    };
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let now = txn.now().fixed_offset();
                let licence = store::lock_licence_of_key(txn, &secret.prefix()).await?;
                let known = licence.filter(|row| row.hash.as_ref().is_some_and(|hash| secret.matches(hash)));
                let licence = known.ok_or_else(invalid)?;
                if LicenseStatus::parse(&licence.status)? != LicenseStatus::Active {
                    return Err(Error::refused("LICENSE_REVOKED", &["key"], "The licence was revoked."));
                }
                let max_devices = licence.max_devices;
                let used = store::devices_used(txn, licence.id).await?;
                if let Some(found) = store::device(txn, licence.id, &new.fingerprint).await? {
                    let seen = ActiveModel {
                        id: Set(found.id),
                        name: Set(new.name.or(found.name)),
                        os: Set(new.os.or(found.os)),
                        app_version: Set(new.app_version.or(found.app_version)),
                        last_seen_at: Set(now.max(found.last_seen_at)),
                        ..Default::default()
                    };
                    let device = Entity::update(seen).exec(txn).await?;
                    return Ok(Registration { device, devices_used: used, max_devices });
                }
                if used >= max_devices {
                    let message = format!("The licence is used on {used} of {max_devices} devices: revoke one first.");
                    return Err(Error::refused("DEVICE_LIMIT_REACHED", &["key"], message));
                }
                let row = ActiveModel {
                    id: Set(txn.new_id()),
                    account_id: Set(licence.account_id),
                    license_key_id: Set(licence.id),
                    fingerprint: Set(new.fingerprint),
                    name: Set(new.name),
                    os: Set(new.os),
                    app_version: Set(new.app_version),
                    first_seen_at: Set(now),
                    last_seen_at: Set(now),
                    revoked_at: Set(None),
                };
                let device = Entity::insert(row).exec_with_returning(txn).await?;
                Ok(Registration { device, devices_used: used + 1, max_devices })
            })
        })
        .await
}

/// Returns the refusal of a key, for unknown and mistyped keys alike.
fn invalid() -> Error {
    Error::refused("LICENSE_INVALID", &["key"], "No licence has this key: check it for typing errors.")
}

fn check(new: &NewDevice) -> Result<()> {
    if new.fingerprint.trim().is_empty() || new.fingerprint.chars().count() > 200 {
        return Err(Error::refused(
            "FINGERPRINT_INVALID",
            &["fingerprint"],
            "`fingerprint` must have 1 to 200 characters.",
        ));
    }
    let texts: [(&'static [&'static str], _); 3] =
        [(&["name"], &new.name), (&["os"], &new.os), (&["appVersion"], &new.app_version)];
    for (field, text) in texts {
        if text.as_ref().is_some_and(|text| text.chars().count() > 200) {
            return Err(Error::refused("TEXT_TOO_LONG", field, "This text must have at most 200 characters."));
        }
    }
    Ok(())
}

/// Revokes a device, so that another can take its place. Revoking it again changes nothing.
pub async fn revoke_device(app: &App, viewer: &Viewer, id: Uuid) -> Result<Model> {
    let rows = rows_to_change::<Entity>(viewer)?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let found = store::lock_device(txn, rows, id).await?;
                let device = found.ok_or(Error::refused("NOT_FOUND", &["deviceId"], "Device not found."))?;
                if device.revoked_at.is_some() {
                    return Ok(device);
                }
                let now = txn.now().fixed_offset();
                let change = ActiveModel { id: Set(id), revoked_at: Set(Some(now)), ..Default::default() };
                let device = Entity::update(change).exec(txn).await?;
                let entry = AuditEntry::new("devices.revoke", "Device", id).account(device.account_id);
                txn.audit(&actor, entry.after(json!({"revokedAt": now}))).await?;
                Ok(device)
            })
        })
        .await
}
