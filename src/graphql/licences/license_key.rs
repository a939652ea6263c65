//! Licences of a desktop application, and the devices they are used on.

use crate::graphql::accounts::account::Account;
use crate::graphql::common::{
    Connection, ContextExt, DateTimeRange, Instant, Row, Word, global_id, listed, local_id, optional_text, page_args,
    text, to_exactly_one, to_one, under,
};
use crate::graphql::payments::payment::{Payment, Provider};
use crate::licences::{self as feature, Reason, State};
use crate::{order_input, words};
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use entity::{devices, license_keys};

pub struct LicenseKey(pub(crate) Row<license_keys::Entity>);

words! {
    /// Where a licence stands.
    LicenseKeyStatus {
        /// It is good.
        Active = "active",
        /// It was revoked.
        Revoked = "revoked",
    }
}

words! {
    /// Why a licence was issued.
    LicenseKeySource {
        /// It was bought.
        Purchase = "purchase",
        /// An admin issued it by hand.
        Admin = "admin",
        /// The account was there before there were licences.
        Backfill = "backfill",
    }
}

/// A licence to use a desktop application. The key itself is shown once, and kept as a hash.
#[Object]
impl LicenseKey {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<LicenseKey>(self.0.id)
    }

    /// Whose it is.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// What the key begins with, which is no secret; null until the key is shown for the first time.
    async fn key_prefix(&self) -> Option<&str> {
        self.0.prefix.as_deref()
    }

    /// Where it stands.
    async fn license_status(&self) -> Result<LicenseKeyStatus> {
        Ok(LicenseKeyStatus::read(&self.0.status)?)
    }

    /// On how many devices it may be used at a time.
    async fn max_devices(&self) -> i64 {
        self.0.max_devices
    }

    /// Why it was issued.
    async fn license_source(&self) -> Result<LicenseKeySource> {
        Ok(LicenseKeySource::read(&self.0.source)?)
    }

    /// The payment it was bought with; null where it was not bought, or the payment is not known yet.
    async fn purchase(&self, ctx: &Context<'_>) -> Result<Option<Payment>> {
        to_one(ctx, self.0.payment_id).await
    }

    /// Where it was bought; null where it was not.
    async fn order_provider(&self) -> Result<Option<Provider>> {
        Ok(Provider::read_option(self.0.provider.as_deref())?)
    }

    /// The order's id at the provider; null where it was not bought.
    async fn order_external_id(&self) -> Option<&str> {
        self.0.order_external_id.as_deref()
    }

    /// The product's id at the provider; null where it was not bought.
    async fn licensed_product_external_id(&self) -> Option<&str> {
        self.0.product_external_id.as_deref()
    }

    /// When it was issued; for a purchase, when it was paid for.
    async fn issued_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// When it was revoked; null where it is good.
    async fn revoked_at(&self) -> Option<Instant> {
        self.0.revoked_at.map(Instant::from)
    }

    /// When an application last asked whether it is good, to the minute; null where none did.
    async fn last_verified_at(&self) -> Option<Instant> {
        self.0.last_verified_at.map(Instant::from)
    }

    /// The devices that have a place on it, first to come first.
    async fn devices(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(default = false, desc = "Also those whose place was freed.")] include_revoked: bool,
    ) -> Result<Connection<Device>> {
        let list = feature::Devices { include_revoked };
        under(ctx, (), self.0.id, list, page_args(first, after, last, before)).await
    }
}

pub struct Device(pub(crate) Row<devices::Entity>);

/// A machine that has, or had, a place on a licence.
#[Object]
impl Device {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Device>(self.0.id)
    }

    /// Whose licence it is on.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The licence.
    async fn license_key(&self, ctx: &Context<'_>) -> Result<LicenseKey> {
        to_exactly_one(ctx, self.0.license_key_id).await
    }

    /// What the application knows it by.
    async fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }

    /// What its owner calls it; null where the application did not say.
    async fn display_name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// What it runs; null where the application did not say.
    async fn os(&self) -> Option<&str> {
        self.0.os.as_deref()
    }

    /// The version of the application; null where it did not say.
    async fn app_version(&self) -> Option<&str> {
        self.0.app_version.as_deref()
    }

    /// When it got its place.
    async fn first_seen_at(&self) -> Instant {
        self.0.first_seen_at.into()
    }

    /// When the application last registered or asked for the status, to the minute.
    async fn last_seen_at(&self) -> Instant {
        self.0.last_seen_at.into()
    }

    /// When its place was freed; null where it has it still.
    async fn revoked_at(&self) -> Option<Instant> {
        self.0.revoked_at.map(Instant::from)
    }
}

/// Which licences to list.
#[derive(InputObject, Default)]
pub struct LicenseKeyFilter {
    /// In one of these statuses.
    status: Option<Vec<LicenseKeyStatus>>,
    /// Issued for this reason alone.
    source: Option<LicenseKeySource>,
    /// The one whose key begins like this, e.g. `TG-7K2QX-9W4TB`.
    key_prefix: Option<String>,
    /// Issued in this span.
    issued_at: Option<DateTimeRange>,
}

order_input! {
    /// The order of a list of licences.
    LicenseKeyOrder by
    /// The fields that licences can be ordered by.
    LicenseKeyOrderField {
        /// When they were issued.
        IssuedAt,
    }
}

impl LicenseKeyFilter {
    pub(crate) fn list(
        filter: Option<Self>,
        order: Option<LicenseKeyOrder>,
    ) -> crate::error::Result<feature::LicenseKeys> {
        let filter = filter.unwrap_or_default();
        Ok(feature::LicenseKeys {
            statuses: Word::words(filter.status),
            source: filter.source.map(Word::word),
            prefix: optional_text("keyPrefix", filter.key_prefix)?,
            issued: DateTimeRange::between(filter.issued_at),
            descending: LicenseKeyOrder::descending(order, true),
        })
    }
}

/// Where the licence of a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "State")]
pub enum LicenseState {
    /// It is good.
    Active,
    /// It was revoked.
    Revoked,
    /// There is none with this key.
    Unknown,
}

/// Why an application may not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Reason")]
pub enum LicenseReason {
    /// There is no licence with this key.
    UnknownKey,
    /// The licence was revoked.
    LicenseRevoked,
    /// The device has no place, and there is one to be had by `registerDevice`.
    DeviceNotRegistered,
    /// The device has no place, and there is none left until one is freed by `revokeDevice`.
    DeviceLimitReached,
}

/// What whoever has a key may know of its licence; never whose it is.
#[derive(SimpleObject)]
pub struct LicenseStatus {
    /// Whether the application may run on this device: the licence is good, and the device has a place.
    valid: bool,
    /// Where the licence stands. A wrong key and one that was mistyped are unknown alike.
    status: LicenseState,
    /// Why the application may not run; null where it may.
    reason: Option<LicenseReason>,
    /// Whether the device has a place.
    device_registered: bool,
    /// How many devices have a place; null for an unknown key.
    devices_used: Option<i64>,
    /// How many may have one; null for an unknown key.
    max_devices: Option<i64>,
    /// The code of the plan that the licence's owner has at present; null where there is none, and for a licence that is
    /// not good.
    plan: Option<String>,
    /// When this was so.
    checked_at: Instant,
}

/// What can be asked about licences.
#[derive(Default)]
pub struct LicenceQuery;

#[Object]
impl LicenceQuery {
    /// Returns a licence by its id; null if it does not exist or the caller may not see it.
    async fn license_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the licence key.")] id: ID,
    ) -> Result<Option<LicenseKey>> {
        ctx.viewer().require_signed_in()?;
        to_one(ctx, Some(local_id::<LicenseKey>(&id)?)).await
    }

    /// The licences that the caller may see: all of them for admins and with the scope `keys:write`, else those of one's
    /// accounts.
    async fn license_keys(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the licences.")] filter: Option<LicenseKeyFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<LicenseKeyOrder>,
    ) -> Result<Connection<LicenseKey>> {
        listed(ctx, LicenseKeyFilter::list(filter, order_by)?, page_args(first, after, last, before)).await
    }

    /// Whether a desktop application may run with this key on this device. Open to everyone: the key is the credential.
    /// How often one address may ask, and how often one key may be asked for, is limited; over that the answer is the
    /// error `RATE_LIMITED`, with the status 429 and the seconds to wait in `Retry-After` and in
    /// `extensions.retryAfterSeconds`.
    async fn license_status(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key, in capital or small letters, with or without dashes.")] key: String,
        #[graphql(desc = "What the application knows the device by.")] fingerprint: String,
    ) -> Result<LicenseStatus> {
        let fingerprint = text("fingerprint", fingerprint)?;
        let found = feature::status(ctx.app(), ctx.viewer(), &key, &fingerprint).await?;
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
