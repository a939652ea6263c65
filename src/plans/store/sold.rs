//! The offer of a plan, compared with a payment provider's catalogue.

use crate::auth::Scope;
use crate::db::Visible;
use crate::error::Result;
use crate::plans::values::{AllowanceCadence, VersionStatus};
use entity::{credit_allowances, credit_units, prices, product_versions, products, provider_prices};
use sea_orm::{ColumnTrait, ConnectionTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationTrait};
use std::collections::BTreeSet;
use uuid::Uuid;

/// A plan with its offer and a provider's prices for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sold {
    /// The plan.
    pub plan: products::Model,
    /// The version on sale; `None` if none is.
    pub version: Option<product_versions::Model>,
    /// The prices of that version that are on sale.
    pub prices: Vec<prices::Model>,
    /// The credits that the version grants once, with the code of their unit.
    pub credits: Vec<(String, i64)>,
    /// The prices of the plan at the provider, newest last.
    pub there: Vec<SoldThere>,
    /// The ids of products at the provider that have prices of other plans too.
    pub shared: Vec<String>,
}

/// A price at a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct SoldThere {
    /// The price at the provider.
    pub row: provider_prices::Model,
    /// The price of ours that it sells; `None` if it is not one amount per unit.
    pub own: Option<prices::Model>,
}

impl Sold {
    /// Returns the prices on sale that the provider does not have.
    pub fn missing(&self) -> impl Iterator<Item = &prices::Model> {
        let is_there = |price: &prices::Model| self.there.iter().any(|there| there.row.price_id == Some(price.id));
        self.prices.iter().filter(move |price| !is_there(price))
    }

    /// Returns the provider's prices on sale whose versions are not on sale any more.
    pub fn outdated(&self) -> impl Iterator<Item = &SoldThere> {
        let version_id = self.version.as_ref().map(|version| version.id);
        self.there.iter().filter(move |there| there.row.active && Some(there.row.product_version_id) != version_id)
    }

    /// Returns the id of the product at the provider: that of the newest price on sale, or else of the newest of all.
    pub fn product_there(&self) -> Option<&str> {
        let newest = self.there.iter().rev();
        let found = newest.clone().find(|there| there.row.active).or(newest.clone().next())?;
        Some(&found.row.product_external_id)
    }
}

/// Returns a plan with the prices of `provider` for it; `None` if there is no such plan.
pub async fn sold(db: &impl ConnectionTrait, provider: &str, plan_id: Uuid) -> Result<Option<Sold>> {
    let plans = products::Entity::visible(Scope::Everything).filter(products::Column::Id.eq(plan_id));
    let Some(plan) = plans.one(db).await? else { return Ok(None) };
    let version = {
        use product_versions::{Column, Entity};
        let rows = Entity::visible(Scope::Everything).filter(Column::ProductId.eq(plan_id));
        rows.filter(Column::Status.eq(VersionStatus::Published)).one(db).await?
    };
    let (mut on_sale, mut credits) = (Vec::new(), Vec::new());
    if let Some(version) = &version {
        use prices::{Column, Entity};
        let rows = Entity::visible(Scope::Everything).filter(Column::ProductVersionId.eq(version.id));
        on_sale = rows.filter(Column::Active.eq(true)).order_by_asc(Column::Id).all(db).await?;
        credits = credits_of(db, version.id).await?;
    }
    let rows = provider_prices::Entity::visible(Scope::Everything)
        .inner_join(product_versions::Entity)
        .find_also_related(prices::Entity)
        .filter(product_versions::Column::ProductId.eq(plan_id))
        .filter(provider_prices::Column::Provider.eq(provider))
        .order_by_asc(provider_prices::Column::CreatedAt)
        .order_by_asc(provider_prices::Column::ExternalId);
    let there: Vec<_> = rows.all(db).await?.into_iter().map(|(row, own)| SoldThere { row, own }).collect();
    let shared = {
        use provider_prices::{Column, Entity};
        let products = there.iter().map(|there| there.row.product_external_id.as_str());
        let rows = Entity::visible(Scope::Everything).inner_join(product_versions::Entity);
        let rows = rows.filter(Column::Provider.eq(provider)).filter(Column::ProductExternalId.is_in(products));
        rows.filter(product_versions::Column::ProductId.ne(plan_id)).all(db).await?
    };
    let shared = shared.into_iter().map(|row| row.product_external_id).collect();
    Ok(Some(Sold { plan, version, prices: on_sale, credits, there, shared }))
}

async fn credits_of(db: &impl ConnectionTrait, version_id: Uuid) -> Result<Vec<(String, i64)>> {
    use credit_allowances::{Column, Entity};
    let rows = Entity::visible(Scope::Everything)
        .find_also_related(credit_units::Entity)
        .filter(Column::ProductVersionId.eq(version_id))
        .filter(Column::Cadence.eq(AllowanceCadence::Once))
        .order_by_asc(Column::Priority)
        .order_by_asc(Column::Id);
    let rows = rows.all(db).await?;
    Ok(rows.into_iter().filter_map(|(allowance, unit)| Some((unit?.code, allowance.amount))).collect())
}

/// Returns the ids of the products at `provider` for the plan with this code.
pub async fn products_there(db: &impl ConnectionTrait, provider: &str, code: &str) -> Result<BTreeSet<String>> {
    use provider_prices::{Column, Entity};
    let rows = Entity::visible(Scope::Everything)
        .inner_join(product_versions::Entity)
        .join(JoinType::InnerJoin, product_versions::Relation::Products.def())
        .filter(Column::Provider.eq(provider))
        .filter(products::Column::Code.eq(code));
    Ok(rows.all(db).await?.into_iter().map(|row| row.product_external_id).collect())
}

/// Returns the version with this id.
pub async fn version_by_id(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<product_versions::Model>> {
    let rows = product_versions::Entity::visible(Scope::Everything).filter(product_versions::Column::Id.eq(id));
    Ok(rows.one(db).await?)
}
