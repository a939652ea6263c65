//! Queries on the catalogue.

pub(super) mod mirror;

mod offers;
mod provider_prices;
mod sold;
mod visible;

pub use offers::{credits_of_pack, on_sale, sold_as};
pub use provider_prices::{ProviderPrices, ProviderPricesOf};
pub use sold::{Sold, SoldThere, products_there, sold, version_by_id};

use crate::auth::Scope;
use crate::db::{ChildListing, Listing, Order, ROW_LOCK, Txn, Visible};
use crate::error::Result;
use crate::order;
use crate::plans::values::{ProductKind, VersionStatus};
use entity::{credit_allowances, credit_units, features, prices, product_features, product_versions, products};
use sea_orm::sea_query::{ExprTrait, Query, SelectStatement, SimpleExpr};
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// Products, by rank.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Plans {
    /// Only these kinds.
    pub kinds: Vec<ProductKind>,
    /// Only those on sale, or only those not on sale; `None` for both.
    pub active: Option<bool>,
    /// Only the one with this code.
    pub code: Option<String>,
    /// Highest rank first.
    pub descending: bool,
}

impl Listing for Plans {
    type Entity = products::Entity;

    fn filter(&self, rows: Select<products::Entity>) -> Select<products::Entity> {
        let mut rows = rows.filter(products::Column::Kind.is_in(self.kinds.iter().copied()));
        if let Some(active) = self.active {
            rows = rows.filter(products::Column::Active.eq(active));
        }
        if let Some(code) = &self.code {
            rows = rows.filter(products::Column::Code.eq(code));
        }
        rows
    }

    fn order(&self) -> Order<products::Entity> {
        order!(products, rank, Rank, self.descending)
    }
}

/// The plan of a version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PlanOfVersion;

impl Listing for PlanOfVersion {
    type Entity = products::Entity;

    fn filter(&self, rows: Select<products::Entity>) -> Select<products::Entity> {
        rows
    }

    fn order(&self) -> Order<products::Entity> {
        order!(products, id, false)
    }
}

impl ChildListing for PlanOfVersion {
    type Of = ();

    fn belongs_to((): (), version: SimpleExpr) -> SimpleExpr {
        let plan = Query::select()
            .column(product_versions::Column::ProductId)
            .from(product_versions::Entity)
            .and_where(product_versions::Column::Id.into_expr().eq(version))
            .take();
        products::Column::Id.in_subquery(plan)
    }
}

/// The versions of a plan, newest first: all of them, or the one on sale.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Versions {
    /// Only the version on sale.
    pub current: bool,
}

impl Listing for Versions {
    type Entity = product_versions::Entity;

    fn filter(&self, rows: Select<product_versions::Entity>) -> Select<product_versions::Entity> {
        if self.current { rows.filter(product_versions::Column::Status.eq(VersionStatus::Published)) } else { rows }
    }

    fn order(&self) -> Order<product_versions::Entity> {
        order!(product_versions, number, Number, true)
    }
}

impl ChildListing for Versions {
    type Of = ();

    fn belongs_to((): (), plan: SimpleExpr) -> SimpleExpr {
        product_versions::Column::ProductId.into_expr().eq(plan)
    }
}

/// Defines the list of one kind of a version's parts: without filter, by one column, under `product_version_id`.
macro_rules! part_of_version {
    ($(#[$doc:meta])* $name:ident, $table:ident, $field:ident, $column:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $name;

        impl Listing for $name {
            type Entity = $table::Entity;

            fn filter(&self, rows: Select<$table::Entity>) -> Select<$table::Entity> {
                rows
            }

            fn order(&self) -> Order<$table::Entity> {
                order!($table, $field, $column, false)
            }
        }

        impl ChildListing for $name {
            type Of = ();

            fn belongs_to((): (), version: SimpleExpr) -> SimpleExpr {
                $table::Column::ProductVersionId.into_expr().eq(version)
            }
        }
    };
}

part_of_version!(
    /// Prices of a version, smallest amount first.
    Prices, prices, unit_amount_minor, UnitAmountMinor
);
part_of_version!(
    /// Credit allowances of a version, in the order of spending.
    Allowances, credit_allowances, priority, Priority
);

/// Features that a version grants, in the order of definition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Features;

/// Selects the ids of the versions of the plans with these codes.
pub fn versions_of_plans(codes: &[String]) -> SelectStatement {
    let plans = Query::select()
        .column(products::Column::Id)
        .from(products::Entity)
        .and_where(products::Column::Code.is_in(codes))
        .take();
    Query::select()
        .column(product_versions::Column::Id)
        .from(product_versions::Entity)
        .and_where(product_versions::Column::ProductId.in_subquery(plans))
        .take()
}

/// Returns the credit unit with this code.
pub async fn credit_unit(db: &impl ConnectionTrait, code: &str) -> Result<Option<credit_units::Model>> {
    Ok(credit_units::Entity::visible(Scope::Public).filter(credit_units::Column::Code.eq(code)).one(db).await?)
}

/// Returns the ids of the credit units with these codes, by code.
pub async fn unit_ids<'c>(
    db: &impl ConnectionTrait,
    codes: impl Iterator<Item = &'c str>,
) -> Result<HashMap<String, Uuid>> {
    let codes: BTreeSet<&str> = codes.collect();
    if codes.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = credit_units::Entity::visible(Scope::Public).filter(credit_units::Column::Code.is_in(codes));
    Ok(rows.all(db).await?.into_iter().map(|row| (row.code, row.id)).collect())
}

/// Locks the plan with this id until the commit.
pub(super) async fn lock_plan(txn: &Txn, id: Uuid) -> Result<Option<products::Model>> {
    let rows = products::Entity::visible(Scope::Everything).filter(products::Column::Id.eq(id));
    Ok(rows.lock(ROW_LOCK).one(txn).await?)
}

/// Locks the version with this id until the commit.
pub(super) async fn lock_version(txn: &Txn, id: Uuid) -> Result<Option<product_versions::Model>> {
    let rows = product_versions::Entity::visible(Scope::Everything).filter(product_versions::Column::Id.eq(id));
    Ok(rows.lock(ROW_LOCK).one(txn).await?)
}

/// Returns the version of a plan with the highest number.
pub(super) async fn newest_version(txn: &Txn, product_id: Uuid) -> Result<Option<product_versions::Model>> {
    Ok(product_versions::Entity::visible(Scope::Everything)
        .filter(product_versions::Column::ProductId.eq(product_id))
        .order_by_desc(product_versions::Column::Number)
        .one(txn)
        .await?)
}

/// Returns whether a version has a price.
pub(super) async fn has_price(txn: &Txn, version_id: Uuid) -> Result<bool> {
    let rows = prices::Entity::visible(Scope::Everything).filter(prices::Column::ProductVersionId.eq(version_id));
    Ok(rows.one(txn).await?.is_some())
}

impl Listing for Features {
    type Entity = product_features::Entity;

    fn filter(&self, rows: Select<product_features::Entity>) -> Select<product_features::Entity> {
        rows
    }

    fn order(&self) -> Order<product_features::Entity> {
        order!(product_features, id, false)
    }
}

impl ChildListing for Features {
    type Of = ();

    fn belongs_to((): (), version: SimpleExpr) -> SimpleExpr {
        product_features::Column::ProductVersionId.into_expr().eq(version)
    }
}

/// Returns the features with these codes, by code.
pub(super) async fn features_by_code(
    db: &impl ConnectionTrait,
    codes: impl Iterator<Item = &str>,
) -> Result<HashMap<String, features::Model>> {
    let rows = features::Entity::visible(Scope::Everything).filter(features::Column::Code.is_in(codes)).all(db).await?;
    Ok(rows.into_iter().map(|feature| (feature.code.clone(), feature)).collect())
}

/// Returns the credit units with these codes, by code.
pub(super) async fn units_by_code(
    db: &impl ConnectionTrait,
    codes: impl Iterator<Item = &str>,
) -> Result<HashMap<String, credit_units::Model>> {
    let rows = credit_units::Entity::visible(Scope::Everything);
    let rows = rows.filter(credit_units::Column::Code.is_in(codes)).all(db).await?;
    Ok(rows.into_iter().map(|unit| (unit.code.clone(), unit)).collect())
}
