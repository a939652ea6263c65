//! Inputs, payloads and user errors of licences and devices.

use super::device::Device;
use super::license_key::LicenseKey;
use crate::graphql::common::Instant;
use crate::licences::Registration;
use crate::user_error;
use async_graphql::{ID, InputObject, SimpleObject};

/// A licence to issue.
#[derive(InputObject)]
pub struct IssueLicenseKeyInput {
    /// The account that receives the licence.
    pub account_id: ID,
    /// The number of devices that may use it at a time, 1 to 10,000; the configured number by default.
    pub max_devices: Option<i32>,
    /// Identifies this request: within 30 days, the same key and input return the first result and issue nothing again.
    /// 1 to 255 bytes.
    pub idempotency_key: String,
}

/// The issued licence.
#[derive(SimpleObject)]
pub struct IssueLicenseKeyPayload {
    /// The licence; null if there are user errors.
    pub license_key: Option<LicenseKey>,
    /// The key that its holder enters into the application, shown only this once. Null if there are user errors, and
    /// for a repeated request: `replaceLicenseKey` creates a new one.
    pub key: Option<String>,
    /// The rules that refused the request; empty on success.
    pub user_errors: Vec<IssueLicenseKeyUserError>,
}

user_error! {
    /// A rule that refused to issue a licence.
    IssueLicenseKeyUserError with
    /// The rules that can refuse `issueLicenseKey`.
    IssueLicenseKeyErrorCode {
        /// The account does not exist.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// The number of devices is out of range.
        MaxDevicesInvalid = "MAX_DEVICES_INVALID",
    }
}

/// A licence whose key to show.
#[derive(InputObject)]
pub struct RevealLicenseKeyInput {
    /// The licence.
    pub license_key_id: ID,
}

/// The licence with its key.
#[derive(SimpleObject)]
pub struct RevealLicenseKeyPayload {
    /// The licence; null if there are user errors.
    pub license_key: Option<LicenseKey>,
    /// The key that its holder enters into the application, shown only this once. Null if there are user errors.
    pub key: Option<String>,
    /// The rules that refused the request; empty on success.
    pub user_errors: Vec<RevealLicenseKeyUserError>,
}

user_error! {
    /// A rule that refused to show a licence's key.
    RevealLicenseKeyUserError with
    /// The rules that can refuse `revealLicenseKey`.
    RevealLicenseKeyErrorCode {
        /// The licence does not exist.
        NotFound = "NOT_FOUND",
        /// The key was shown before; `replaceLicenseKey` creates a new one.
        KeyAlreadyShown = "KEY_ALREADY_SHOWN",
        /// The licence was revoked.
        LicenseRevoked = "LICENSE_REVOKED",
    }
}

/// A licence whose key to replace.
#[derive(InputObject)]
pub struct ReplaceLicenseKeyInput {
    /// The licence.
    pub license_key_id: ID,
}

/// The licence with its new key.
#[derive(SimpleObject)]
pub struct ReplaceLicenseKeyPayload {
    /// The licence; null if there are user errors.
    pub license_key: Option<LicenseKey>,
    /// The new key, shown only this once. Null if there are user errors.
    pub key: Option<String>,
    /// The rules that refused the request; empty on success.
    pub user_errors: Vec<ReplaceLicenseKeyUserError>,
}

user_error! {
    /// A rule that refused to replace a licence's key.
    ReplaceLicenseKeyUserError with
    /// The rules that can refuse `replaceLicenseKey`.
    ReplaceLicenseKeyErrorCode {
        /// The licence does not exist.
        NotFound = "NOT_FOUND",
        /// The licence was revoked.
        LicenseRevoked = "LICENSE_REVOKED",
    }
}

/// A licence to revoke.
#[derive(InputObject)]
pub struct RevokeLicenseKeyInput {
    /// The licence.
    pub license_key_id: ID,
    /// The reason, for the audit log: up to 500 characters.
    pub reason: Option<String>,
}

/// The revoked licence.
#[derive(SimpleObject)]
pub struct RevokeLicenseKeyPayload {
    /// The licence; null if there are user errors.
    pub license_key: Option<LicenseKey>,
    /// The rules that refused the request; empty on success.
    pub user_errors: Vec<RevokeLicenseKeyUserError>,
}

user_error! {
    /// A rule that refused to revoke a licence.
    RevokeLicenseKeyUserError with
    /// The rules that can refuse `revokeLicenseKey`.
    RevokeLicenseKeyErrorCode {
        /// The licence does not exist.
        NotFound = "NOT_FOUND",
        /// The reason is too long.
        ReasonInvalid = "REASON_INVALID",
    }
}

/// A device to register.
#[derive(InputObject)]
pub struct RegisterDeviceInput {
    /// The licence key, in upper or lower case, with or without dashes.
    pub key: String,
    /// The application's identifier for the device: 1 to 200 characters, stable and unique to the device.
    pub fingerprint: String,
    /// The device's name: up to 200 characters.
    pub name: Option<String>,
    /// The operating system: up to 200 characters.
    pub os: Option<String>,
    /// The version of the application: up to 200 characters.
    pub app_version: Option<String>,
}

/// A device's registration on a licence.
#[derive(SimpleObject)]
pub struct DeviceRegistrationResult {
    /// The application's identifier for the device.
    pub fingerprint: String,
    /// Time of registration.
    pub registered_at: Instant,
    /// The number of registered devices, this one included.
    pub devices_used: i64,
    /// The number of devices that may be registered.
    pub max_devices: i64,
}

impl From<Registration> for DeviceRegistrationResult {
    fn from(Registration { device, devices_used, max_devices }: Registration) -> Self {
        let registered_at = device.first_seen_at.into();
        DeviceRegistrationResult { fingerprint: device.fingerprint, registered_at, devices_used, max_devices }
    }
}

/// The registered device.
#[derive(SimpleObject)]
pub struct RegisterDevicePayload {
    /// The registration; null if there are user errors.
    pub registration: Option<DeviceRegistrationResult>,
    /// The rules that refused the request; empty on success.
    pub user_errors: Vec<RegisterDeviceUserError>,
}

user_error! {
    /// A rule that refused to register a device.
    RegisterDeviceUserError with
    /// The rules that can refuse `registerDevice`.
    RegisterDeviceErrorCode {
        /// No licence has this key.
        LicenseInvalid = "LICENSE_INVALID",
        /// The licence was revoked.
        LicenseRevoked = "LICENSE_REVOKED",
        /// All places on the licence are taken; `revokeDevice` frees one.
        DeviceLimitReached = "DEVICE_LIMIT_REACHED",
        /// The fingerprint is empty or too long.
        FingerprintInvalid = "FINGERPRINT_INVALID",
        /// A text about the device is too long.
        TextTooLong = "TEXT_TOO_LONG",
    }
}

/// A device to revoke.
#[derive(InputObject)]
pub struct RevokeDeviceInput {
    /// The device.
    pub device_id: ID,
}

/// The revoked device.
#[derive(SimpleObject)]
pub struct RevokeDevicePayload {
    /// The device; null if there are user errors.
    pub device: Option<Device>,
    /// The rules that refused the request; empty on success.
    pub user_errors: Vec<RevokeDeviceUserError>,
}

user_error! {
    /// A rule that refused to revoke a device.
    RevokeDeviceUserError with
    /// The rules that can refuse `revokeDevice`.
    RevokeDeviceErrorCode {
        /// The device does not exist.
        NotFound = "NOT_FOUND",
    }
}
