//! The licence check that a desktop application makes at its start.

use super::store;
use super::values::LicenseStatus;
use crate::app::App;
use crate::auth::{LicenseKeySecret, Viewer};
use crate::error::Result;
use crate::last_use::Used;
use crate::subscriptions::{self, Holder};
use chrono::{DateTime, TimeDelta, Utc};
use entity::{devices, license_keys};
use std::net::{IpAddr, Ipv6Addr};
use uuid::Uuid;

/// Resolution of `last_verified_at` of a licence and `last_seen_at` of a device.
const LAST_VERIFIED_RESOLUTION: TimeDelta = TimeDelta::minutes(1);

/// The state of a key's licence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The licence is valid.
    Active,
    /// The licence was revoked.
    Revoked,
    /// No licence has this key.
    Unknown,
}

/// The reason why an application may not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No licence has this key.
    UnknownKey,
    /// The licence was revoked.
    LicenseRevoked,
    /// The device is not registered, and can be.
    DeviceNotRegistered,
    /// The device is not registered, and the limit is reached.
    DeviceLimitReached,
}

/// The result of a licence check, for anyone with the key; it never names the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The state of the licence.
    pub state: State,
    /// The reason why the application may not run; `None` if it may.
    pub reason: Option<Reason>,
    /// True if this device is registered.
    pub device_registered: bool,
    /// Number of registered devices; `None` for an unknown key.
    pub devices_used: Option<i64>,
    /// Maximum number of devices; `None` for an unknown key.
    pub max_devices: Option<i64>,
    /// The code of the account's plan; `None` without a plan, and for a licence that is not valid.
    pub plan: Option<String>,
    /// Time of the check.
    pub checked_at: DateTime<Utc>,
}

/// Checks whether the application may run with this key on this device. The key is the only right needed; all wrong
/// keys get the same answer.
pub async fn status(app: &App, viewer: &Viewer, key: &str, fingerprint: &str) -> Result<Status> {
    let secret = LicenseKeySecret::parse(key);
    limit(app, viewer, secret.as_ref())?;
    let Some(licence) = find_licence(app, secret.as_ref()).await? else {
        count_failure(app, viewer)?;
        return Ok(Status {
            state: State::Unknown,
            reason: Some(Reason::UnknownKey),
            device_registered: false,
            devices_used: None,
            max_devices: None,
            plan: None,
            checked_at: app.now(),
        });
    };
    let device = store::device(app.db.read(), licence.id, fingerprint).await?;
    let used = store::devices_used(app.db.read(), licence.id).await?;
    let active = LicenseStatus::parse(&licence.status)? == LicenseStatus::Active;
    let reason = match &device {
        _ if !active => Some(Reason::LicenseRevoked),
        Some(_) => None,
        None if used < licence.max_devices => Some(Reason::DeviceNotRegistered),
        None => Some(Reason::DeviceLimitReached),
    };
    let status = Status {
        state: if active { State::Active } else { State::Revoked },
        reason,
        device_registered: device.is_some(),
        devices_used: Some(used),
        max_devices: Some(licence.max_devices),
        plan: if active { plan(app, licence.account_id).await? } else { None },
        checked_at: app.now(),
    };
    if active {
        touch(app, &licence, device.as_ref());
    }
    Ok(status)
}

/// Counts a request against the limits of the client's address and of the complete key.
///
/// Nobody can use up the limit of a key without having it: its prefix, which is shown in lists, is not enough. Failures
/// are counted apart, by [`count_failure`], so that they do not keep out a right key from the same address.
pub(super) fn limit(app: &App, viewer: &Viewer, secret: Option<&LicenseKeySecret>) -> Result<()> {
    app.license_requests.check(&viewer.address().map(network))?;
    match secret {
        Some(secret) => app.license_checks.check(&("key", secret.hash())),
        None => Ok(()),
    }
}

/// Counts a wrong key against the limit of the client's address.
pub(super) fn count_failure(app: &App, viewer: &Viewer) -> Result<()> {
    app.license_checks.check(&("address", viewer.address().map(network)))
}

/// Returns the part of an address that identifies a client: of IPv6 the first half, as a household gets all addresses
/// with that prefix.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        other => other,
    }
}

/// Returns the licence with this key.
pub(super) async fn find_licence(app: &App, secret: Option<&LicenseKeySecret>) -> Result<Option<license_keys::Model>> {
    let Some(secret) = secret else { return Ok(None) };
    let found = store::licence_of_key(app.db.read(), &secret.prefix()).await?;
    Ok(found.filter(|row| row.hash.as_ref().is_some_and(|hash| secret.matches(hash))))
}

async fn plan(app: &App, account_id: Uuid) -> Result<Option<String>> {
    let viewer = Viewer::system("licences");
    let mut found = subscriptions::current(app.db.read(), &viewer, Holder::Account, &[account_id]).await?;
    Ok(found.remove(&account_id).map(|(_, plan)| plan.code))
}

/// Notes that the licence was checked on the device.
fn touch(app: &App, licence: &license_keys::Model, device: Option<&devices::Model>) {
    let now = app.now();
    if licence.last_verified_at.is_some_and(|at| now.fixed_offset() - at < LAST_VERIFIED_RESOLUTION) {
        return;
    }
    app.last_use.note(Used::License(licence.id), now);
    if let Some(device) = device {
        app.last_use.note(Used::Device(device.id), now);
    }
}
