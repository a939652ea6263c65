//! The machines that a licence is used on.

use super::values::LicenseStatus;
use super::{rows_to_change, status, store};
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{LicenseKeySecret, Viewer};
use crate::error::{Error, Result};
use entity::devices::{ActiveModel, Entity, Model};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::json;
use uuid::Uuid;

/// A machine that asks for a place.
#[derive(Debug, Clone)]
pub struct NewDevice {
    /// What the application knows it by.
    pub fingerprint: String,
    /// What its owner calls it.
    pub name: Option<String>,
    /// What it runs.
    pub os: Option<String>,
    /// The version of the application.
    pub app_version: Option<String>,
}

/// A machine that has a place.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The machine.
    pub device: Model,
    /// How many machines have a place now.
    pub devices_used: i64,
    /// How many may have one.
    pub max_devices: i64,
}

/// Gives a machine a place on the licence of `key`; one that has a place is only seen again. Whoever has the key may.
pub async fn register_device(app: &App, viewer: &Viewer, key: &str, new: NewDevice) -> Result<Registration> {
    let secret = LicenseKeySecret::parse(key);
    status::limit(app, viewer, secret.as_ref())?;
    check(&new)?;
    let secret = secret.ok_or_else(invalid)?;
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let now = txn.now().fixed_offset();
                let licence = store::lock_licence_of_key(txn, &secret.prefix()).await?;
                let known = licence.filter(|row| row.hash.as_ref().is_some_and(|hash| secret.matches(hash)));
                let licence = known.ok_or_else(invalid)?;
                if LicenseStatus::parse(&licence.status)? != LicenseStatus::Active {
                    return Err(Error::refused("LICENSE_REVOKED", &["key"], "the licence was revoked"));
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
                    let message =
                        format!("the licence is used on {used} devices, and is for {max_devices}; revoke one");
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

/// An unknown key and a mistyped one are refused alike.
fn invalid() -> Error {
    Error::refused("LICENSE_INVALID", &["key"], "there is no licence with this key; look for a slip in typing")
}

fn check(new: &NewDevice) -> Result<()> {
    if new.fingerprint.trim().is_empty() || new.fingerprint.chars().count() > 200 {
        return Err(Error::refused("FINGERPRINT_INVALID", &["fingerprint"], "a fingerprint has 1 to 200 characters"));
    }
    let texts: [(&'static [&'static str], _); 3] =
        [(&["name"], &new.name), (&["os"], &new.os), (&["appVersion"], &new.app_version)];
    for (field, text) in texts {
        if text.as_ref().is_some_and(|text| text.chars().count() > 200) {
            return Err(Error::refused("TEXT_TOO_LONG", field, "this has at most 200 characters"));
        }
    }
    Ok(())
}

/// Takes a machine's place away, so that another may have it; doing so again changes nothing.
pub async fn revoke_device(app: &App, viewer: &Viewer, id: Uuid) -> Result<Model> {
    let rows = rows_to_change::<Entity>(viewer)?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let found = store::lock_device(txn, rows, id).await?;
                let device = found.ok_or(Error::refused("NOT_FOUND", &["deviceId"], "there is no such device"))?;
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
