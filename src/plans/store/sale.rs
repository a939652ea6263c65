//! What of the catalogue can be sold, and by which prices at the providers.

use crate::auth::Scope;
use crate::db::{Txn, Visible};
use crate::error::Result;
use entity::{prices, product_versions, products, provider_prices};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

/// A price that is on sale, with the product that it is of; `None` for one that is not, or is a draft.
pub async fn on_sale(txn: &Txn, price_id: Uuid) -> Result<Option<(prices::Model, products::Model)>> {
    let price = prices::Entity::visible(Scope::Public).filter(prices::Column::Id.eq(price_id)).one(txn).await?;
    let Some(price) = price.filter(|price| price.active) else { return Ok(None) };
    let version = product_versions::Entity::visible(Scope::Public)
        .filter(product_versions::Column::Id.eq(price.product_version_id))
        .filter(product_versions::Column::Status.eq("published"));
    let Some(version) = version.one(txn).await? else { return Ok(None) };
    let product = products::Entity::visible(Scope::Public).filter(products::Column::Id.eq(version.product_id));
    Ok(product.one(txn).await?.filter(|product| product.active).map(|product| (price, product)))
}

/// What a price is at a provider: of several, the newest that is sold there.
pub async fn sold_as(txn: &Txn, provider: &str, price_id: Uuid) -> Result<Option<provider_prices::Model>> {
    use provider_prices::{Column, Entity};
    let rows = Entity::visible(Scope::Everything)
        .filter(Column::PriceId.eq(price_id))
        .filter(Column::Provider.eq(provider))
        .filter(Column::Active.eq(true))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::ExternalId);
    Ok(rows.one(txn).await?)
}
