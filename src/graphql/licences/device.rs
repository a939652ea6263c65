//! Devices registered on licences.

use super::license_key::LicenseKey;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{Instant, Row, global_id, to_exactly_one};
use async_graphql::{Context, ID, Object, Result};
use entity::devices;

pub struct Device(pub(crate) Row<devices::Entity>);

/// A device that is, or was, registered on a licence. Visible like its licence.
#[Object]
impl Device {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Device>(self.0.id)
    }

    /// The account that holds the licence.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The licence.
    async fn license_key(&self, ctx: &Context<'_>) -> Result<LicenseKey> {
        to_exactly_one(ctx, self.0.license_key_id).await
    }

    /// The application's identifier for the device.
    async fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }

    /// The device's name; null if the application gave none.
    async fn display_name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// The operating system; null if the application gave none.
    async fn os(&self) -> Option<&str> {
        self.0.os.as_deref()
    }

    /// The version of the application; null if it gave none.
    async fn app_version(&self) -> Option<&str> {
        self.0.app_version.as_deref()
    }

    /// Time of registration.
    async fn first_seen_at(&self) -> Instant {
        self.0.first_seen_at.into()
    }

    /// Time at which the application last registered the device or checked the licence, to the minute.
    async fn last_seen_at(&self) -> Instant {
        self.0.last_seen_at.into()
    }

    /// Time of revocation; null while the device is registered.
    async fn revoked_at(&self) -> Option<Instant> {
        self.0.revoked_at.map(Instant::from)
    }
}
