//! Projects purchased licences, and their refunds, to our rows.

use super::rows::{is_revoked_by_admin, new_row};
use super::store;
use super::values::{LicenseSource, LicenseStatus, RevokedBy};
use crate::db::Mirror;
use crate::error::Result;
use chrono::{DateTime, Utc};
use entity::license_keys::{ActiveModel, Entity, Model};
use sea_orm::ActiveValue::Set;
use uuid::Uuid;

/// Licences for one product of an order at a payment provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedLicences {
    /// The provider: `stripe` or `paddle`.
    pub provider: &'static str,
    /// The order's id at the provider.
    pub order_external_id: String,
    /// The product's id at the provider.
    pub product_external_id: String,
    /// Number of paid units.
    pub units: i64,
    /// Number of refunded units.
    pub revoked_units: i64,
    /// Time of payment.
    pub occurred_at: DateTime<Utc>,
}

/// Updates the licences of an order to those observed: one per unit, without a key until its owner asks for it, and the
/// last `revoked_units` of them revoked.
///
/// A licence is never deleted: if its unit disappears it is revoked, and if the unit returns it is active again. A
/// licence revoked by an admin stays revoked. The rows follow the latest observation; only `created_at` and
/// `revoked_at` record times.
pub async fn project(
    mirror: &mut Mirror<'_>,
    account_id: Uuid,
    payment_id: Option<Uuid>,
    observed: &ObservedLicences,
    max_devices: i64,
) -> Result<()> {
    let ObservedLicences { provider, order_external_id: order, product_external_id: product, .. } = observed;
    let found = store::lock_units(mirror.txn, provider, order, product).await?;
    for row in &found {
        let wanted = ActiveModel {
            payment_id: Set(payment_id.or(row.payment_id)),
            ..standing(row, observed, mirror.txn.now())?
        };
        mirror.write::<Entity>(&label(observed, row.unit_number), Some(row.clone()), wanted).await?;
    }
    let next = found.last().map_or(1, |row| row.unit_number + 1);
    for unit_number in next..=observed.units {
        let (now, at) = (mirror.txn.now().fixed_offset(), observed.occurred_at);
        let revoked = !is_paid(observed, unit_number);
        let row = ActiveModel {
            payment_id: Set(payment_id),
            provider: Set(Some((*provider).to_owned())),
            order_external_id: Set(Some(order.clone())),
            product_external_id: Set(Some(product.clone())),
            unit_number: Set(unit_number),
            status: Set(status_of(revoked).to_string()),
            revoked_at: Set(revoked.then_some(now)),
            revoked_by: Set(revoked.then(|| RevokedBy::Provider.to_string())),
            ..new_row(mirror.txn.new_id(), account_id, max_devices, LicenseSource::Purchase, at)
        };
        mirror.write::<Entity>(&label(observed, unit_number), None, row).await?;
    }
    Ok(())
}

/// Returns whether a unit was paid and not refunded.
fn is_paid(observed: &ObservedLicences, unit_number: i64) -> bool {
    unit_number <= observed.units.saturating_sub(observed.revoked_units)
}

fn label(observed: &ObservedLicences, unit_number: i64) -> String {
    format!("{}/{}/{unit_number}", observed.order_external_id, observed.product_external_id)
}

fn status_of(revoked: bool) -> LicenseStatus {
    if revoked { LicenseStatus::Revoked } else { LicenseStatus::Active }
}

/// Returns the status of a licence according to the observation.
fn standing(row: &Model, observed: &ObservedLicences, now: DateTime<Utc>) -> Result<ActiveModel> {
    let by_admin = is_revoked_by_admin(row)?;
    let revoked = by_admin || !is_paid(observed, row.unit_number);
    let by = if by_admin { RevokedBy::Admin } else { RevokedBy::Provider };
    Ok(ActiveModel {
        status: Set(status_of(revoked).to_string()),
        revoked_at: Set(revoked.then(|| row.revoked_at.unwrap_or(now.fixed_offset()))),
        revoked_by: Set(revoked.then(|| by.to_string())),
        ..Default::default()
    })
}
