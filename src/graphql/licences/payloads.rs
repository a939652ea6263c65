//! What the mutations of licences and devices take and give.

use super::license_key::{Device, LicenseKey};
use crate::graphql::common::Instant;
use crate::licences::Registration;
use crate::user_error;
use async_graphql::{ID, InputObject, SimpleObject};

/// A licence for an account.
#[derive(InputObject)]
pub struct IssueLicenseKeyInput {
    /// Who gets it.
    pub account_id: ID,
    /// On how many devices it may be used at a time, 1 to 10,000; as configured, where it is left out.
    pub max_devices: Option<i32>,
    /// Makes this request the same as another: the same key and input again, within 30 days, give the first answer and
    /// nothing else. 1 to 255 bytes.
    pub idempotency_key: String,
}

/// The licence that was issued.
#[derive(SimpleObject)]
pub struct IssueLicenseKeyPayload {
    /// The licence; null if there are user errors.
    pub license_key: Option<LicenseKey>,
    /// What its owner types into the application. Shown this once. Null where there are user errors, and for a request
    /// that was made before: `replaceLicenseKey` gives a new one.
    pub key: Option<String>,
    /// Why no licence was issued; empty where one was.
    pub user_errors: Vec<IssueLicenseKeyUserError>,
}

user_error! {
    /// Why no licence was issued.
    IssueLicenseKeyUserError with
    /// The rules that can refuse a licence.
    IssueLicenseKeyErrorCode {
        /// There is no such account.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// The number of devices is out of range.
        MaxDevicesInvalid = "MAX_DEVICES_INVALID",
    }
}

/// Which licence's key to show.
#[derive(InputObject)]
pub struct RevealLicenseKeyInput {
    /// The licence's id.
    pub license_key_id: ID,
}

/// The licence whose key is shown.
#[derive(SimpleObject)]
pub struct RevealLicenseKeyPayload {
    /// The licence; null if there are user errors.
    pub license_key: Option<LicenseKey>,
    /// What its owner types into the application. Shown this once. Null if there are user errors.
    pub key: Option<String>,
    /// Why no key is shown; empty where one is.
    pub user_errors: Vec<RevealLicenseKeyUserError>,
}

user_error! {
    /// Why a licence's key is not shown.
    RevealLicenseKeyUserError with
    /// The rules that can refuse to show a licence's key.
    RevealLicenseKeyErrorCode {
        /// There is no such licence.
        NotFound = "NOT_FOUND",
        /// The key was shown before; `replaceLicenseKey` gives a new one in its place.
        KeyAlreadyShown = "KEY_ALREADY_SHOWN",
        /// The licence was revoked.
        LicenseRevoked = "LICENSE_REVOKED",
    }
}

/// Which licence's key to replace.
#[derive(InputObject)]
pub struct ReplaceLicenseKeyInput {
    /// The licence's id.
    pub license_key_id: ID,
}

/// The licence that has a new key.
#[derive(SimpleObject)]
pub struct ReplaceLicenseKeyPayload {
    /// The licence; null if there are user errors.
    pub license_key: Option<LicenseKey>,
    /// The new key. Shown this once. Null if there are user errors.
    pub key: Option<String>,
    /// Why there is no new key; empty where there is one.
    pub user_errors: Vec<ReplaceLicenseKeyUserError>,
}

user_error! {
    /// Why a licence's key was not replaced.
    ReplaceLicenseKeyUserError with
    /// The rules that can refuse to replace a licence's key.
    ReplaceLicenseKeyErrorCode {
        /// There is no such licence.
        NotFound = "NOT_FOUND",
        /// The licence was revoked.
        LicenseRevoked = "LICENSE_REVOKED",
    }
}

/// Which licence to revoke.
#[derive(InputObject)]
pub struct RevokeLicenseKeyInput {
    /// The licence's id.
    pub license_key_id: ID,
    /// Why, for the audit log: up to 500 characters.
    pub reason: Option<String>,
}

/// The licence that was revoked.
#[derive(SimpleObject)]
pub struct RevokeLicenseKeyPayload {
    /// The licence; null if there are user errors.
    pub license_key: Option<LicenseKey>,
    /// Why it was not revoked; empty where it was.
    pub user_errors: Vec<RevokeLicenseKeyUserError>,
}

user_error! {
    /// Why a licence was not revoked.
    RevokeLicenseKeyUserError with
    /// The rules that can refuse to revoke a licence.
    RevokeLicenseKeyErrorCode {
        /// There is no such licence.
        NotFound = "NOT_FOUND",
        /// The reason is too long.
        ReasonInvalid = "REASON_INVALID",
    }
}

/// A device that asks for a place.
#[derive(InputObject)]
pub struct RegisterDeviceInput {
    /// The licence key, in capital or small letters, with or without dashes.
    pub key: String,
    /// What the application knows the device by: 1 to 200 characters, the same each time, and of no other device.
    pub fingerprint: String,
    /// What its owner calls it: up to 200 characters.
    pub name: Option<String>,
    /// What it runs: up to 200 characters.
    pub os: Option<String>,
    /// The version of the application: up to 200 characters.
    pub app_version: Option<String>,
}

/// A device's place on a licence.
#[derive(SimpleObject)]
pub struct DeviceRegistrationResult {
    /// What the application knows the device by.
    pub fingerprint: String,
    /// When it got its place.
    pub registered_at: Instant,
    /// How many devices have a place now, this one included.
    pub devices_used: i64,
    /// How many may have one.
    pub max_devices: i64,
}

impl From<Registration> for DeviceRegistrationResult {
    fn from(Registration { device, devices_used, max_devices }: Registration) -> Self {
        let registered_at = device.first_seen_at.into();
        DeviceRegistrationResult { fingerprint: device.fingerprint, registered_at, devices_used, max_devices }
    }
}

/// The device that was registered.
#[derive(SimpleObject)]
pub struct RegisterDevicePayload {
    /// Its place; null if there are user errors.
    pub registration: Option<DeviceRegistrationResult>,
    /// Why it got no place; empty where it has one.
    pub user_errors: Vec<RegisterDeviceUserError>,
}

user_error! {
    /// Why a device got no place.
    RegisterDeviceUserError with
    /// The rules that can refuse a device.
    RegisterDeviceErrorCode {
        /// There is no licence with this key.
        LicenseInvalid = "LICENSE_INVALID",
        /// The licence was revoked.
        LicenseRevoked = "LICENSE_REVOKED",
        /// As many devices as may have a place have one.
        DeviceLimitReached = "DEVICE_LIMIT_REACHED",
        /// The fingerprint is empty or too long.
        FingerprintInvalid = "FINGERPRINT_INVALID",
        /// A text about the device is too long.
        TextTooLong = "TEXT_TOO_LONG",
    }
}

/// Which device's place to free.
#[derive(InputObject)]
pub struct RevokeDeviceInput {
    /// The device's id.
    pub device_id: ID,
}

/// The device whose place was freed.
#[derive(SimpleObject)]
pub struct RevokeDevicePayload {
    /// The device; null if there are user errors.
    pub device: Option<Device>,
    /// Why its place was not freed; empty where it was.
    pub user_errors: Vec<RevokeDeviceUserError>,
}

user_error! {
    /// Why a device's place was not freed.
    RevokeDeviceUserError with
    /// The rules that can refuse to free a place.
    RevokeDeviceErrorCode {
        /// There is no such device.
        NotFound = "NOT_FOUND",
    }
}
