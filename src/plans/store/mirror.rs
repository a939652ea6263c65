//! Queries on the catalogue for the projection: no caller is involved.

use crate::auth::Scope;
use crate::db::{ROW_LOCK, Txn, Visible};
use crate::error::Result;
use crate::plans::observed::{KnownPrice, ObservedPrice};
use crate::plans::values::{ProductKind, VersionStatus};
use entity::{prices, product_versions, products, provider_prices};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Locks the mirror of a provider's price until the commit.
pub(crate) async fn lock_provider_price(
    txn: &Txn,
    provider: &str,
    external_id: &str,
) -> Result<Option<provider_prices::Model>> {
    use provider_prices::{Column, Entity};
    // unscoped: mirrors a provider, no caller is involved
    let rows = Entity::find().filter(Column::Provider.eq(provider)).filter(Column::ExternalId.eq(external_id));
    Ok(rows.lock(ROW_LOCK).one(txn).await?)
}

/// Locks the product with this code until the commit.
pub(crate) async fn lock_product(txn: &Txn, code: &str) -> Result<Option<products::Model>> {
    let rows = products::Entity::visible(Scope::Everything).filter(products::Column::Code.eq(code));
    Ok(rows.lock(ROW_LOCK).one(txn).await?)
}

/// Locks the product of a version until the commit.
pub(crate) async fn lock_product_of(txn: &Txn, version_id: Uuid) -> Result<Option<products::Model>> {
    let version = product_versions::Entity::visible(Scope::Everything)
        .filter(product_versions::Column::Id.eq(version_id))
        .one(txn)
        .await?;
    let Some(version) = version else { return Ok(None) };
    let rows = products::Entity::visible(Scope::Everything).filter(products::Column::Id.eq(version.product_id));
    Ok(rows.lock(ROW_LOCK).one(txn).await?)
}

/// Returns the price, of any provider, that names a product: the newest one on sale, or else the newest of all.
pub(crate) async fn price_that_has_the_say(txn: &Txn, product_id: Uuid) -> Result<Option<provider_prices::Model>> {
    use provider_prices::Column;
    // unscoped: mirrors providers, no caller is involved
    let rows = provider_prices::Entity::find()
        .inner_join(product_versions::Entity)
        .filter(product_versions::Column::ProductId.eq(product_id))
        .order_by_desc(Column::Active)
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::ExternalId);
    Ok(rows.one(txn).await?)
}

/// Returns the versions of a product, by number.
pub(crate) async fn versions_of(txn: &Txn, product_id: Uuid) -> Result<Vec<product_versions::Model>> {
    let rows = product_versions::Entity::visible(Scope::Everything)
        .filter(product_versions::Column::ProductId.eq(product_id))
        .order_by_asc(product_versions::Column::Number);
    Ok(rows.all(txn).await?)
}

/// Returns the prices of a version with the terms of `price`, oldest first.
pub(crate) async fn prices_like(
    txn: &Txn,
    version_id: Uuid,
    price: &ObservedPrice,
    amount: i64,
) -> Result<Vec<prices::Model>> {
    use prices::Column;
    let rows = prices::Entity::visible(Scope::Everything)
        .filter(Column::ProductVersionId.eq(version_id))
        .filter(Column::Currency.eq(&price.currency))
        .filter(Column::Interval.eq(price.interval))
        .filter(Column::IntervalCount.eq(price.interval_count))
        .filter(Column::UnitAmountMinor.eq(amount))
        .order_by_asc(Column::Id);
    Ok(rows.all(txn).await?)
}

/// Returns the price with this id, of a version that is or was on sale.
pub(crate) async fn published_price(txn: &Txn, id: Uuid) -> Result<Option<prices::Model>> {
    let rows = prices::Entity::visible(Scope::Everything)
        .inner_join(product_versions::Entity)
        .filter(prices::Column::Id.eq(id))
        .filter(product_versions::Column::Status.ne(VersionStatus::Draft));
    Ok(rows.one(txn).await?)
}

/// Returns those of these prices that `provider` sells.
pub(crate) async fn prices_taken(txn: &Txn, provider: &str, ids: impl Iterator<Item = Uuid>) -> Result<HashSet<Uuid>> {
    use provider_prices::{Column, Entity};
    // unscoped: mirrors a provider, no caller is involved
    let rows = Entity::find().filter(Column::Provider.eq(provider)).filter(Column::PriceId.is_in(ids));
    Ok(rows.all(txn).await?.into_iter().filter_map(|row| row.price_id).collect())
}

/// Returns whether some provider sells a price now.
pub(crate) async fn is_sold(txn: &Txn, price_id: Uuid) -> Result<bool> {
    use provider_prices::{Column, Entity};
    // unscoped: mirrors providers, no caller is involved
    let rows = Entity::find().filter(Column::PriceId.eq(price_id)).filter(Column::Active.eq(true));
    Ok(rows.one(txn).await?.is_some())
}

/// Locks the price with this id until the commit.
pub(crate) async fn price(txn: &Txn, id: Uuid) -> Result<Option<prices::Model>> {
    let rows = prices::Entity::visible(Scope::Everything).filter(prices::Column::Id.eq(id));
    Ok(rows.lock(ROW_LOCK).one(txn).await?)
}

/// Returns the products behind prices of a provider, by their ids there.
pub(crate) async fn known_prices(
    txn: &Txn,
    provider: &str,
    external_ids: &[String],
) -> Result<HashMap<String, KnownPrice>> {
    // unscoped: mirrors a provider, no caller is involved
    let rows = provider_prices::Entity::find()
        .inner_join(product_versions::Entity)
        .join(sea_orm::JoinType::InnerJoin, sea_orm::RelationTrait::def(&product_versions::Relation::Products))
        .filter(provider_prices::Column::Provider.eq(provider))
        .filter(provider_prices::Column::ExternalId.is_in(external_ids))
        .select_only()
        .columns([provider_prices::Column::ExternalId])
        .columns([provider_prices::Column::ProductVersionId, provider_prices::Column::PriceId])
        .columns([products::Column::Kind, products::Column::Rank]);
    let rows: Vec<(String, Uuid, Option<Uuid>, String, i64)> = rows.into_tuple().all(txn).await?;
    let known = rows.into_iter().map(|(external_id, product_version_id, price_id, kind, rank)| {
        let kind = ProductKind::parse(&kind)?;
        Ok((external_id, KnownPrice { product_version_id, price_id, kind, rank }))
    });
    known.collect()
}
