//! What the providers sell, as the projection looks for it: no caller is involved.

use crate::auth::Scope;
use crate::db::{Txn, Visible};
use crate::error::Result;
use crate::plans::values::{ProductKind, VersionStatus};
use crate::plans::{KnownPrice, ObservedPrice};
use entity::{prices, product_versions, products, provider_prices};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// The mirror of a provider's price, locked until the commit.
pub(crate) async fn lock_provider_price(
    txn: &Txn,
    provider: &str,
    external_id: &str,
) -> Result<Option<provider_prices::Model>> {
    use provider_prices::{Column, Entity};
    // unscoped: a provider speaks of it, no caller
    let rows = Entity::find().filter(Column::Provider.eq(provider)).filter(Column::ExternalId.eq(external_id));
    Ok(rows.lock_exclusive().one(txn).await?)
}

/// The product with this code, locked until the commit.
pub(crate) async fn lock_product(txn: &Txn, code: &str) -> Result<Option<products::Model>> {
    let rows = products::Entity::visible(Scope::Everything).filter(products::Column::Code.eq(code));
    Ok(rows.lock_exclusive().one(txn).await?)
}

/// The product that a version is one of, locked until the commit.
pub(crate) async fn lock_product_of(txn: &Txn, version_id: Uuid) -> Result<Option<products::Model>> {
    let version = product_versions::Entity::visible(Scope::Everything)
        .filter(product_versions::Column::Id.eq(version_id))
        .one(txn)
        .await?;
    let Some(version) = version else { return Ok(None) };
    let rows = products::Entity::visible(Scope::Everything).filter(products::Column::Id.eq(version.product_id));
    Ok(rows.lock_exclusive().one(txn).await?)
}

/// The price, of any provider, that says what a product is: the newest of those that are sold, or else of all.
pub(crate) async fn price_that_has_the_say(txn: &Txn, product_id: Uuid) -> Result<Option<provider_prices::Model>> {
    use provider_prices::Column;
    // unscoped: providers speak of them, no caller
    let rows = provider_prices::Entity::find()
        .inner_join(product_versions::Entity)
        .filter(product_versions::Column::ProductId.eq(product_id))
        .order_by_desc(Column::Active)
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::ExternalId);
    Ok(rows.one(txn).await?)
}

/// The versions of a product, by number.
pub(crate) async fn versions_of(txn: &Txn, product_id: Uuid) -> Result<Vec<product_versions::Model>> {
    let rows = product_versions::Entity::visible(Scope::Everything)
        .filter(product_versions::Column::ProductId.eq(product_id))
        .order_by_asc(product_versions::Column::Number);
    Ok(rows.all(txn).await?)
}

/// The prices of a version that ask for the same as `price`, in the order in which they came to be here.
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

/// The price with this id, of a version that is or was on sale.
pub(crate) async fn published_price(txn: &Txn, id: Uuid) -> Result<Option<prices::Model>> {
    let rows = prices::Entity::visible(Scope::Everything)
        .inner_join(product_versions::Entity)
        .filter(prices::Column::Id.eq(id))
        .filter(product_versions::Column::Status.ne(VersionStatus::Draft));
    Ok(rows.one(txn).await?)
}

/// Those of these prices that some price of `provider` stands for.
pub(crate) async fn prices_taken(txn: &Txn, provider: &str, ids: impl Iterator<Item = Uuid>) -> Result<HashSet<Uuid>> {
    use provider_prices::{Column, Entity};
    // unscoped: a provider speaks of them, no caller
    let rows = Entity::find().filter(Column::Provider.eq(provider)).filter(Column::PriceId.is_in(ids));
    Ok(rows.all(txn).await?.into_iter().filter_map(|row| row.price_id).collect())
}

/// Whether some provider sells the price at present.
pub(crate) async fn is_sold(txn: &Txn, price_id: Uuid) -> Result<bool> {
    use provider_prices::{Column, Entity};
    // unscoped: providers speak of it, no caller
    let rows = Entity::find().filter(Column::PriceId.eq(price_id)).filter(Column::Active.eq(true));
    Ok(rows.one(txn).await?.is_some())
}

/// The price with this id, locked until the commit.
pub(crate) async fn price(txn: &Txn, id: Uuid) -> Result<Option<prices::Model>> {
    let rows = prices::Entity::visible(Scope::Everything).filter(prices::Column::Id.eq(id));
    Ok(rows.lock_exclusive().one(txn).await?)
}

/// What prices of a provider stand for, by their ids there.
pub(crate) async fn known_prices(
    txn: &Txn,
    provider: &str,
    external_ids: &[String],
) -> Result<HashMap<String, KnownPrice>> {
    // unscoped: a provider speaks of them, no caller
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
