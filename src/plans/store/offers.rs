//! Queries on the products on sale: no caller is involved.

use crate::auth::Scope;
use crate::db::Visible;
use crate::error::Result;
use crate::plans::values::{AllowanceCadence, VersionStatus};
use entity::{credit_allowances, credit_units, prices, product_versions, products, provider_prices};
use sea_orm::{ColumnTrait, ConnectionTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationTrait};
use uuid::Uuid;

/// Returns a price with its product if it is on sale: of a published version of an active product.
pub async fn on_sale(db: &impl ConnectionTrait, price_id: Uuid) -> Result<Option<(prices::Model, products::Model)>> {
    let found = prices::Entity::visible(Scope::Everything)
        .join(JoinType::InnerJoin, prices::Relation::ProductVersions.def())
        .join(JoinType::InnerJoin, product_versions::Relation::Products.def())
        .filter(prices::Column::Id.eq(price_id))
        .filter(prices::Column::Active.eq(true))
        .filter(product_versions::Column::Status.eq(VersionStatus::Published))
        .filter(products::Column::Active.eq(true))
        .select_also(products::Entity)
        .one(db)
        .await?;
    Ok(found.and_then(|(price, product)| Some((price, product?))))
}

/// Returns the provider's price that sells a price of ours; the newest of several.
pub async fn sold_as(
    db: &impl ConnectionTrait,
    provider: &str,
    price_id: Uuid,
) -> Result<Option<provider_prices::Model>> {
    use provider_prices::Column;
    let rows = provider_prices::Entity::visible(Scope::Everything).filter(Column::PriceId.eq(price_id));
    let rows = rows.filter(Column::Provider.eq(provider)).filter(Column::Active.eq(true));
    Ok(rows.order_by_desc(Column::CreatedAt).order_by_desc(Column::ExternalId).one(db).await?)
}

/// Returns the unit's code and the amount of the credits that a version grants once on purchase.
pub async fn credits_of_pack(db: &impl ConnectionTrait, version_id: Uuid) -> Result<Option<(String, i64)>> {
    use credit_allowances::Column;
    let rows = credit_allowances::Entity::visible(Scope::Everything)
        .filter(Column::ProductVersionId.eq(version_id))
        .filter(Column::Cadence.eq(AllowanceCadence::Once))
        .join(JoinType::InnerJoin, credit_allowances::Relation::CreditUnits.def())
        .order_by_asc(Column::Id)
        .select_only()
        .column(credit_units::Column::Code)
        .column(Column::Amount);
    Ok(rows.into_tuple().one(db).await?)
}
