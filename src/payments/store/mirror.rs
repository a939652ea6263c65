//! Queries on money for the projection: no caller is involved.

use crate::auth::Scope;
use crate::db::{ROW_LOCK, Txn, Visible};
use crate::error::Result;
use crate::payments::values::PaymentStatus;
use entity::{disputes, invoices, payments, refunds};
use sea_orm::{ColumnTrait, DatabaseConnection, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// Defines a function that locks the row mirroring a provider's object.
macro_rules! mirrored {
    ($(#[$doc:meta])* $name:ident, $table:ident) => {
        $(#[$doc])*
        pub(crate) async fn $name(txn: &Txn, provider: &str, external_id: &str) -> Result<Option<$table::Model>> {
            use $table::{Column, Entity};
            let rows = Entity::visible(Scope::Everything).filter(Column::Provider.eq(provider));
            Ok(rows.filter(Column::ExternalId.eq(external_id)).lock(ROW_LOCK).one(txn).await?)
        }
    };
}

mirrored!(
    /// Locks the mirror of an invoice until the commit.
    lock_invoice, invoices
);
mirrored!(
    /// Locks the mirror of a payment until the commit.
    lock_payment, payments
);
mirrored!(
    /// Locks the mirror of a refund until the commit.
    lock_refund, refunds
);
mirrored!(
    /// Locks the mirror of a dispute until the commit.
    lock_dispute, disputes
);

/// Returns the mirror of a payment.
pub async fn by_external_id(
    db: &DatabaseConnection,
    provider: &str,
    external_id: &str,
) -> Result<Option<payments::Model>> {
    use payments::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::Provider.eq(provider));
    Ok(rows.filter(Column::ExternalId.eq(external_id)).one(db).await?)
}

/// Returns the first payment of an account that brought money.
pub(crate) async fn first_payment(txn: &Txn, account_id: Uuid) -> Result<Option<payments::Model>> {
    use payments::{Column, Entity};
    let rows = Entity::visible(Scope::Everything)
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::Status.eq(PaymentStatus::Succeeded))
        .filter(Column::ReceivedMinor.gt(0))
        .order_by_asc(Column::PaidAt)
        .order_by_asc(Column::ExternalId);
    Ok(rows.one(txn).await?)
}

/// Returns the ids at the provider of the payments for a subscription.
pub async fn for_subscription(txn: &Txn, subscription_id: Uuid) -> Result<Vec<String>> {
    use payments::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::SubscriptionId.eq(subscription_id));
    let rows = rows.select_only().column(Column::ExternalId).order_by_asc(Column::ExternalId);
    Ok(rows.into_tuple().all(txn).await?)
}

/// Returns the mirror of an invoice.
pub(crate) async fn invoice(txn: &Txn, provider: &str, external_id: &str) -> Result<Option<invoices::Model>> {
    use invoices::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::Provider.eq(provider));
    Ok(rows.filter(Column::ExternalId.eq(external_id)).one(txn).await?)
}

/// Returns the newest invoice that names this payment of the provider.
pub(crate) async fn invoice_paid_by(
    txn: &Txn,
    provider: &str,
    payment_external_id: &str,
) -> Result<Option<invoices::Model>> {
    use invoices::{Column, Entity};
    let rows = Entity::visible(Scope::Everything)
        .filter(Column::Provider.eq(provider))
        .filter(Column::PaymentExternalId.eq(payment_external_id))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::ExternalId);
    Ok(rows.one(txn).await?)
}
