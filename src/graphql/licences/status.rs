//! The check of a licence by a desktop application.

use crate::graphql::common::{ContextExt, Instant, text};
use crate::licences::{self, Reason, State};
use async_graphql::{Context, Enum, Object, Result, SimpleObject};

/// The status of the licence of a key. Values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "State")]
pub enum LicenseState {
    /// Valid.
    Active,
    /// Revoked.
    Revoked,
    /// No licence has this key.
    Unknown,
}

/// The reason why an application may not run. Values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Reason")]
pub enum LicenseReason {
    /// No licence has this key.
    UnknownKey,
    /// The licence was revoked.
    LicenseRevoked,
    /// The device is not registered; `registerDevice` can register it.
    DeviceNotRegistered,
    /// The device is not registered, and no place is free until `revokeDevice` frees one.
    DeviceLimitReached,
}

/// The facts about a licence that are open to anyone with its key. The holder is not among them.
#[derive(SimpleObject)]
pub struct LicenseStatus {
    /// True if the application may run on this device: the licence is valid and the device is registered.
    valid: bool,
    /// The status of the licence. A wrong key and a mistyped one are both unknown.
    status: LicenseState,
    /// The reason why the application may not run; null if it may.
    reason: Option<LicenseReason>,
    /// True if the device is registered.
    device_registered: bool,
    /// The number of registered devices; null for an unknown key.
    devices_used: Option<i64>,
    /// The number of devices that may be registered; null for an unknown key.
    max_devices: Option<i64>,
    /// The code of the current plan of the account that holds the licence; null if it has none or the licence is not
    /// valid.
    plan: Option<String>,
    /// Time of the check.
    checked_at: Instant,
}

/// The query root of licence checks.
#[derive(Default)]
pub struct LicenceStatusQuery;

#[Object]
impl LicenceStatusQuery {
    /// Checks if a desktop application may run with this key on this device. Open to everyone: the key is the
    /// credential. Checks are limited per address and per key; past a limit the error is `RATE_LIMITED`, with the
    /// status 429 and the seconds to wait in `Retry-After` and `extensions.retryAfterSeconds`.
    async fn license_status(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key, in upper or lower case, with or without dashes.")] key: String,
        #[graphql(desc = "The application's identifier for the device.")] fingerprint: String,
    ) -> Result<LicenseStatus> {
        let fingerprint = text("fingerprint", fingerprint)?;
        let found = licences::status(ctx.app(), ctx.viewer(), &key, &fingerprint).await?;
        Ok(LicenseStatus {
            valid: found.reason.is_none(),
            status: found.state.into(),
            reason: found.reason.map(LicenseReason::from),
            device_registered: found.device_registered,
            devices_used: found.devices_used,
            max_devices: found.max_devices,
            plan: found.plan,
            checked_at: Instant(found.checked_at),
        })
    }
}
