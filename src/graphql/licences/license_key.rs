//! Licences of a desktop application.

use super::device::Device;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{
    Connection, ContextExt, DateTimeRange, Instant, Row, StoredEnum, child_page, global_id, local_id, optional_text,
    page, page_args, to_exactly_one, to_one,
};
use crate::graphql::payments::payment::{Payment, Provider};
use crate::licences;
use crate::{order_input, stored_enum};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::license_keys;

pub struct LicenseKey(pub(crate) Row<license_keys::Entity>);

stored_enum! {
    /// The status of a licence.
    LicenseKeyStatus: crate::licences::LicenseStatus {
        /// Valid.
        Active,
        /// Revoked.
        Revoked,
    }
}

stored_enum! {
    /// The reason for issuing a licence.
    LicenseKeySource: crate::licences::LicenseSource {
        /// Bought.
        Purchase,
        /// Issued by hand by an admin.
        Admin,
        /// Issued to an account from before licences were introduced.
        Backfill,
    }
}

/// A licence to use a desktop application. Its key is shown once and stored as a hash. Visible to the account's
/// members, and to callers with the scope `billing:read` or `keys:write`.
#[Object]
impl LicenseKey {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<LicenseKey>(self.0.id)
    }

    /// The account that holds the licence.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The start of the key, which is not secret; null until the key is shown for the first time.
    async fn key_prefix(&self) -> Option<&str> {
        self.0.prefix.as_deref()
    }

    /// The status of the licence.
    async fn license_status(&self) -> Result<LicenseKeyStatus> {
        Ok(LicenseKeyStatus::read(&self.0.status)?)
    }

    /// The number of devices that may use the licence at a time.
    async fn max_devices(&self) -> i64 {
        self.0.max_devices
    }

    /// The reason for issuing the licence.
    async fn license_source(&self) -> Result<LicenseKeySource> {
        Ok(LicenseKeySource::read(&self.0.source)?)
    }

    /// The payment that bought the licence; null if it was not bought, or if the payment is not known yet.
    async fn purchase(&self, ctx: &Context<'_>) -> Result<Option<Payment>> {
        to_one(ctx, self.0.payment_id).await
    }

    /// The provider that sold the licence; null if it was not bought.
    async fn order_provider(&self) -> Result<Option<Provider>> {
        Ok(Provider::read_option(self.0.provider.as_deref())?)
    }

    /// The order's id at the provider; null if the licence was not bought.
    async fn order_external_id(&self) -> Option<&str> {
        self.0.order_external_id.as_deref()
    }

    /// The product's id at the provider; null if the licence was not bought.
    async fn licensed_product_external_id(&self) -> Option<&str> {
        self.0.product_external_id.as_deref()
    }

    /// Time of issue; for a purchase, the time of payment.
    async fn issued_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// Time of revocation; null for a valid licence.
    async fn revoked_at(&self) -> Option<Instant> {
        self.0.revoked_at.map(Instant::from)
    }

    /// Time of the last check by an application, to the minute; null if there was none.
    async fn last_verified_at(&self) -> Option<Instant> {
        self.0.last_verified_at.map(Instant::from)
    }

    /// The devices registered on the licence, in the order of registration.
    async fn devices(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(default = false, desc = "Includes devices that were revoked.")] include_revoked: bool,
    ) -> Result<Connection<Device>> {
        let list = licences::Devices { include_revoked };
        child_page(ctx, (), self.0.id, list, page_args(first, after, last, before)).await
    }
}

/// Conditions on licences; a licence must meet all that are given.
#[derive(InputObject, Default)]
pub struct LicenseKeyFilter {
    /// Licences in one of these statuses.
    status: Option<Vec<LicenseKeyStatus>>,
    /// Licences issued for this reason.
    source: Option<LicenseKeySource>,
    /// The licence whose key starts with this text, e.g. `TG-7K2QX-9W4TB`.
    key_prefix: Option<String>,
    /// Licences issued in this span.
    issued_at: Option<DateTimeRange>,
}

order_input! {
    /// The order of a list of licences.
    LicenseKeyOrder by
    /// The fields that licences can be ordered by.
    LicenseKeyOrderField {
        /// Time of issue.
        IssuedAt,
    }
}

impl LicenseKeyFilter {
    pub(crate) fn list(
        filter: Option<Self>,
        order: Option<LicenseKeyOrder>,
    ) -> crate::error::Result<licences::LicenseKeys> {
        let filter = filter.unwrap_or_default();
        Ok(licences::LicenseKeys {
            statuses: StoredEnum::stored_list(filter.status),
            source: filter.source.map(StoredEnum::stored),
            prefix: optional_text("keyPrefix", filter.key_prefix)?,
            issued: DateTimeRange::between(filter.issued_at),
            descending: LicenseKeyOrder::descending(order, true),
        })
    }
}

/// The query roots of licences.
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

    /// Licences that the caller may see: those of their accounts, or all with the scope `billing:read` or `keys:write`.
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
        page(ctx, LicenseKeyFilter::list(filter, order_by)?, page_args(first, after, last, before)).await
    }
}
