//! Mutations of licences and devices.

use super::device::Device;
use super::license_key::LicenseKey;
use super::payloads::{
    DeviceRegistrationResult, IssueLicenseKeyInput, IssueLicenseKeyPayload, RegisterDeviceInput, RegisterDevicePayload,
    ReplaceLicenseKeyInput, ReplaceLicenseKeyPayload, RevealLicenseKeyInput, RevealLicenseKeyPayload,
    RevokeDeviceInput, RevokeDevicePayload, RevokeLicenseKeyInput, RevokeLicenseKeyPayload,
};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{ContextExt, local_id, optional_text, split_refusal, text};
use crate::licences::{self, NewDevice, NewLicence};
use async_graphql::{Context, Object, Result};
use std::sync::Arc;

/// The mutation roots of licences.
#[derive(Default)]
pub struct LicenceMutation;

#[Object]
impl LicenceMutation {
    /// Issues a licence and shows its key, only this once: repeated with the same idempotency key, it returns the
    /// licence without the key. Requires the scope `keys:write`.
    async fn issue_license_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account and the number of devices.")] input: IssueLicenseKeyInput,
    ) -> Result<Option<IssueLicenseKeyPayload>> {
        let new = NewLicence {
            account_id: local_id::<Account>(&input.account_id)?,
            max_devices: input.max_devices.map_or(ctx.app().config.licences.max_devices, i64::from),
        };
        let issued = licences::issue(ctx.app(), ctx.viewer(), new, &input.idempotency_key).await;
        let (issued, user_errors) = split_refusal(issued)?;
        let (license_key, key) = issued.map(|(row, secret)| (LicenseKey(Arc::new(row)), secret)).unzip();
        Ok(Some(IssueLicenseKeyPayload { license_key, key: key.flatten().map(|secret| secret.expose()), user_errors }))
    }

    /// Creates the key of a licence that has none yet, and shows it, only this once. Open to members of its account,
    /// and with the scope `keys:write`.
    async fn reveal_license_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The licence.")] input: RevealLicenseKeyInput,
    ) -> Result<Option<RevealLicenseKeyPayload>> {
        let id = local_id::<LicenseKey>(&input.license_key_id)?;
        let (shown, user_errors) = split_refusal(licences::reveal(ctx.app(), ctx.viewer(), id).await)?;
        let (license_key, key) = shown.map(|(row, secret)| (LicenseKey(Arc::new(row)), secret.expose())).unzip();
        Ok(Some(RevealLicenseKeyPayload { license_key, key, user_errors }))
    }

    /// Replaces the key of a licence and shows the new one, only this once. The old key stops working; registered
    /// devices stay. Open to members of its account, and with the scope `keys:write`.
    async fn replace_license_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The licence.")] input: ReplaceLicenseKeyInput,
    ) -> Result<Option<ReplaceLicenseKeyPayload>> {
        let id = local_id::<LicenseKey>(&input.license_key_id)?;
        let (shown, user_errors) = split_refusal(licences::replace(ctx.app(), ctx.viewer(), id).await)?;
        let (license_key, key) = shown.map(|(row, secret)| (LicenseKey(Arc::new(row)), secret.expose())).unzip();
        Ok(Some(ReplaceLicenseKeyPayload { license_key, key, user_errors }))
    }

    /// Revokes a licence permanently, effective at the next check; a later payment does not restore it. Revoking it
    /// again changes nothing. Requires the scope `keys:write`.
    async fn revoke_license_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The licence and the reason.")] input: RevokeLicenseKeyInput,
    ) -> Result<Option<RevokeLicenseKeyPayload>> {
        let id = local_id::<LicenseKey>(&input.license_key_id)?;
        let reason = optional_text("reason", input.reason)?;
        let (row, user_errors) = split_refusal(licences::revoke(ctx.app(), ctx.viewer(), id, reason).await)?;
        Ok(Some(RevokeLicenseKeyPayload { license_key: row.map(|row| LicenseKey(Arc::new(row))), user_errors }))
    }

    /// Registers a device on the licence of a key. Registering it again only updates the time it was last seen. Open to
    /// everyone: the key is the credential. Shares the rate limits of `licenseStatus`.
    async fn register_device(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key and the device.")] input: RegisterDeviceInput,
    ) -> Result<Option<RegisterDevicePayload>> {
        let new = NewDevice {
            fingerprint: text("fingerprint", input.fingerprint)?,
            name: optional_text("name", input.name)?,
            os: optional_text("os", input.os)?,
            app_version: optional_text("appVersion", input.app_version)?,
        };
        let registered = licences::register_device(ctx.app(), ctx.viewer(), &input.key, new).await;
        let (registration, user_errors) = split_refusal(registered)?;
        Ok(Some(RegisterDevicePayload { registration: registration.map(DeviceRegistrationResult::from), user_errors }))
    }

    /// Revokes a device, so that another can take its place on the licence. Revoking it again changes nothing. Open to
    /// members of the licence's account, and with the scope `keys:write`.
    async fn revoke_device(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The device.")] input: RevokeDeviceInput,
    ) -> Result<Option<RevokeDevicePayload>> {
        let id = local_id::<Device>(&input.device_id)?;
        let (row, user_errors) = split_refusal(licences::revoke_device(ctx.app(), ctx.viewer(), id).await)?;
        Ok(Some(RevokeDevicePayload { device: row.map(|row| Device(Arc::new(row))), user_errors }))
    }
}
