//! Rows of licences: their initial state, and those that a caller may change.

use super::values::{LicenseSource, LicenseStatus, RevokedBy};
use crate::auth::{Permission, Scope, Viewer};
use crate::db::{Visible, rows_for};
use crate::error::{Error, Result};
use entity::license_keys::{ActiveModel, Model};
use sea_orm::{ActiveValue::Set, Select};
use uuid::Uuid;

/// Builds the row of a new licence, without a key.
pub(super) fn new_row(
    id: Uuid,
    account_id: Uuid,
    max_devices: i64,
    source: LicenseSource,
    at: chrono::DateTime<chrono::Utc>,
) -> ActiveModel {
    ActiveModel {
        id: Set(id),
        account_id: Set(account_id),
        prefix: Set(None),
        hash: Set(None),
        status: Set(LicenseStatus::Active.to_string()),
        max_devices: Set(max_devices),
        source: Set(source.to_string()),
        payment_id: Set(None),
        provider: Set(None),
        order_external_id: Set(None),
        product_external_id: Set(None),
        unit_number: Set(1),
        created_at: Set(at.fixed_offset()),
        revoked_at: Set(None),
        revoked_by: Set(None),
        last_verified_at: Set(None),
    }
}

/// Returns whether an admin revoked a licence, which no provider undoes.
pub(super) fn is_revoked_by_admin(licence: &Model) -> Result<bool> {
    let by = licence.revoked_by.as_deref().map(RevokedBy::parse).transpose()?;
    Ok(by == Some(RevokedBy::Admin))
}

/// Selects the rows that `viewer` may change: all with `keys:write`, else those of the accounts that they belong to.
/// The permission to see more rows does not include changing them.
pub(super) fn rows_to_change<E: Visible>(viewer: &Viewer) -> Result<Select<E>> {
    viewer.require_signed_in()?;
    if viewer.permissions().contains(Permission::KeysWrite) {
        return rows_for::<E>(viewer);
    }
    match viewer.user_id() {
        Some(user_id) => Ok(E::visible(Scope::User(user_id))),
        None => Err(Error::Forbidden("This needs a user's own token, or the scope `keys:write`.".into())),
    }
}
