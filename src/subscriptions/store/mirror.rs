//! Queries on subscriptions for the projection and for `billing`: no caller is involved.

use crate::auth::Scope;
use crate::db::{ROW_LOCK, Txn, Visible};
use crate::error::{Error, Result};
use crate::subscriptions::values::SubscriptionStatus;
use chrono::{DateTime, Utc};
use entity::{
    invoices, payments, scheduled_changes, subscription_items, subscription_prices, subscription_versions,
    subscriptions,
};
use sea_orm::prelude::DateTimeWithTimeZone;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, JoinType, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, RelationTrait, Select,
};
use std::ops::RangeInclusive;
use uuid::Uuid;

/// Returns our id of a provider's subscription; `None` if it is not mirrored yet.
pub async fn find_id(txn: &Txn, provider: &str, external_id: &str) -> Result<Option<Uuid>> {
    let rows = of_provider(provider, external_id).select_only().column(subscriptions::Column::Id);
    Ok(rows.into_tuple().one(txn).await?)
}

/// Returns the mirror of a provider's subscription.
pub async fn by_external_id(
    db: &impl ConnectionTrait,
    provider: &str,
    external_id: &str,
) -> Result<Option<subscriptions::Model>> {
    Ok(of_provider(provider, external_id).one(db).await?)
}

/// Returns the subscription with this id, which must exist.
pub async fn find(db: &DatabaseConnection, id: Uuid) -> Result<subscriptions::Model> {
    let rows = subscriptions::Entity::visible(Scope::Everything).filter(subscriptions::Column::Id.eq(id));
    rows.one(db).await?.ok_or_else(|| Error::internal(anyhow::anyhow!("The subscription is missing after its commit.")))
}

/// Returns the item with this id, for any caller.
pub async fn item(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<subscription_items::Model>> {
    let rows = subscription_items::Entity::visible(Scope::Everything).filter(subscription_items::Column::Id.eq(id));
    Ok(rows.one(db).await?)
}

/// Returns the items of a subscription.
pub async fn items_of(db: &impl ConnectionTrait, subscription_id: Uuid) -> Result<Vec<subscription_items::Model>> {
    use subscription_items::{Column, Entity};
    Ok(Entity::visible(Scope::Everything).filter(Column::SubscriptionId.eq(subscription_id)).all(db).await?)
}

/// Returns the subscription with this id, for any caller.
pub async fn by_id(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<subscriptions::Model>> {
    let rows = subscriptions::Entity::visible(Scope::Everything).filter(subscriptions::Column::Id.eq(id));
    Ok(rows.one(db).await?)
}

/// Returns whether an account has a subscription that has not ended and does not wait for its first payment.
pub async fn has_plan(db: &impl ConnectionTrait, account_id: Uuid) -> Result<bool> {
    use subscriptions::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::AccountId.eq(account_id));
    let over = [SubscriptionStatus::Canceled, SubscriptionStatus::IncompleteExpired, SubscriptionStatus::Incomplete];
    Ok(rows.filter(Column::Status.is_not_in(over)).one(db).await?.is_some())
}

/// Locks the mirror of a provider's subscription until the commit.
pub(crate) async fn lock_subscription(
    txn: &Txn,
    provider: &str,
    external_id: &str,
) -> Result<Option<subscriptions::Model>> {
    Ok(of_provider(provider, external_id).lock(ROW_LOCK).one(txn).await?)
}

fn of_provider(provider: &str, external_id: &str) -> Select<subscriptions::Entity> {
    use subscriptions::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::Provider.eq(provider));
    rows.filter(Column::ExternalId.eq(external_id))
}

/// Locks the subscription with this id until the commit.
pub(crate) async fn lock_by_id(txn: &Txn, id: Uuid) -> Result<Option<subscriptions::Model>> {
    let rows = subscriptions::Entity::visible(Scope::Everything).filter(subscriptions::Column::Id.eq(id));
    Ok(rows.lock(ROW_LOCK).one(txn).await?)
}

/// Returns the time at which more than zero was first paid for a subscription: by a payment, or for an invoice that was
/// paid in another way, such as out of band.
pub(crate) async fn first_paid_at(txn: &Txn, subscription_id: Uuid) -> Result<Option<DateTimeWithTimeZone>> {
    use payments::Column;
    // unscoped: no caller is involved
    let rows = payments::Entity::find()
        .filter(Column::SubscriptionId.eq(subscription_id))
        .filter(Column::PaidAt.is_not_null())
        .filter(Column::ReceivedMinor.gt(0))
        .order_by_asc(Column::PaidAt);
    let by_payment = rows.one(txn).await?.and_then(|payment| payment.paid_at);
    let invoice = first_paid_invoice(txn, subscription_id).await?.and_then(|invoice| invoice.paid_at);
    Ok(by_payment.into_iter().chain(invoice).min())
}

/// Returns the first invoice of a subscription that was paid with more than zero and has no payment.
async fn first_paid_invoice(txn: &Txn, subscription_id: Uuid) -> Result<Option<invoices::Model>> {
    use invoices::Column;
    let payment = Query::select()
        .column(payments::Column::Id)
        .from(payments::Entity)
        .and_where(payments::Column::InvoiceId.into_expr().equals((invoices::Entity, Column::Id)))
        .and_where(payments::Column::PaidAt.is_not_null())
        .to_owned();
    // unscoped: no caller is involved
    let rows = invoices::Entity::find()
        .filter(Column::SubscriptionId.eq(subscription_id))
        .filter(Column::PaidAt.is_not_null())
        .filter(Column::PaidMinor.gt(0))
        .filter(Expr::exists(payment).not())
        .order_by_asc(Column::PaidAt);
    Ok(rows.one(txn).await?)
}

/// Locks the items of a subscription, and those with one of these ids.
pub(crate) async fn items(
    txn: &Txn,
    subscription_id: Uuid,
    external_ids: &[String],
) -> Result<Vec<subscription_items::Model>> {
    use subscription_items::{Column, Entity};
    let ours = Column::SubscriptionId.eq(subscription_id).or(Column::ExternalId.is_in(external_ids));
    Ok(Entity::visible(Scope::Everything).filter(ours).lock(ROW_LOCK).all(txn).await?)
}

/// Deletes an item that is no longer billed; the history keeps its past.
pub(crate) async fn delete_item(txn: &Txn, id: Uuid) -> Result<()> {
    subscription_items::Entity::delete_by_id(id).exec(txn).await?;
    Ok(())
}

/// Returns the scheduled changes of a subscription.
pub(crate) async fn scheduled(txn: &Txn, subscription_id: Uuid) -> Result<Vec<scheduled_changes::Model>> {
    use scheduled_changes::{Column, Entity};
    // unscoped: no caller is involved
    Ok(Entity::find().filter(Column::SubscriptionId.eq(subscription_id)).all(txn).await?)
}

/// Deletes a change that is no longer scheduled.
pub(crate) async fn delete_scheduled(txn: &Txn, id: Uuid) -> Result<()> {
    scheduled_changes::Entity::delete_by_id(id).exec(txn).await?;
    Ok(())
}

/// Returns the recorded states of a subscription in a span, in the order of recording: the last one with an effective
/// time is valid.
pub(crate) async fn versions(
    txn: &Txn,
    subscription_id: Uuid,
    span: RangeInclusive<DateTime<Utc>>,
) -> Result<Vec<subscription_versions::Model>> {
    use subscription_versions::{Column, Entity};
    let rows = Entity::visible(Scope::Everything)
        .filter(Column::SubscriptionId.eq(subscription_id))
        .filter(Column::EffectiveAt.between(span.start().fixed_offset(), span.end().fixed_offset()))
        .order_by_asc(Column::EffectiveAt)
        .order_by_asc(Column::RecordedAt)
        .order_by_asc(Column::Id);
    Ok(rows.all(txn).await?)
}

/// Records the prices that a subscription has or had.
pub(crate) async fn note_prices(txn: &Txn, subscription_id: Uuid, price_external_ids: &[String]) -> Result<()> {
    use subscription_prices::{ActiveModel, Column, Entity};
    if price_external_ids.is_empty() {
        return Ok(());
    }
    let rows = price_external_ids.iter().map(|price_external_id| ActiveModel {
        id: Set(txn.new_id()),
        subscription_id: Set(subscription_id),
        price_external_id: Set(price_external_id.clone()),
    });
    let once = OnConflict::columns([Column::PriceExternalId, Column::SubscriptionId]).do_nothing().to_owned();
    Entity::insert_many(rows).on_conflict(once).exec_without_returning(txn).await?;
    Ok(())
}

/// Returns the provider's ids of the subscriptions that have or had a price, in their order, from the first one after
/// `after`.
pub async fn with_price(
    db: &DatabaseConnection,
    provider: &str,
    price_external_id: &str,
    after: &str,
    limit: u64,
) -> Result<Vec<String>> {
    use subscriptions::{Column, Entity};
    // unscoped: no caller is involved
    let past = subscription_prices::Entity::find()
        .select_only()
        .column(subscription_prices::Column::SubscriptionId)
        .filter(subscription_prices::Column::PriceExternalId.eq(price_external_id));
    let present = subscription_items::Entity::visible(Scope::Everything)
        .select_only()
        .column(subscription_items::Column::SubscriptionId)
        .filter(subscription_items::Column::PriceExternalId.eq(price_external_id));
    let either = Column::Id.in_subquery(past.into_query()).or(Column::Id.in_subquery(present.into_query()));
    let rows = Entity::visible(Scope::Everything).filter(Column::Provider.eq(provider)).filter(either);
    let rows = rows.filter(Column::ExternalId.gt(after)).select_only().column(Column::ExternalId);
    Ok(rows.order_by_asc(Column::ExternalId).limit(limit).into_tuple().all(db).await?)
}

/// Returns the provider's ids of the subscriptions that bill a price, in their order, from the first one after `after`.
pub async fn billing_for(
    db: &DatabaseConnection,
    provider: &str,
    price_external_id: &str,
    after: &str,
    limit: u64,
) -> Result<Vec<String>> {
    use subscriptions::{Column, Entity, Relation};
    // unscoped: no caller is involved
    let rows = Entity::find().join(JoinType::InnerJoin, Relation::SubscriptionItems.def());
    let rows = rows.filter(subscription_items::Column::PriceExternalId.eq(price_external_id));
    let rows = rows.filter(Column::Provider.eq(provider)).filter(Column::ExternalId.gt(after));
    let rows = rows.select_only().column(Column::ExternalId).distinct().order_by_asc(Column::ExternalId).limit(limit);
    Ok(rows.into_tuple().all(db).await?)
}
