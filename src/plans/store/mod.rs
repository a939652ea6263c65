//! Every query on the catalogue.

pub(super) mod mirror;

mod offers;
mod provider_prices;
mod sold;

pub use offers::{credits_of_pack, on_sale, sold_as};
pub use provider_prices::{ProviderPrices, ProviderPricesOf};
pub use sold::{Sold, SoldThere, products_there, sold, version_by_id};

use crate::auth::{Permission, Scope};
use crate::db::{ChildListing, Listing, Order, Txn, Visible};
use crate::error::Result;
use crate::order;
use crate::plans::values::VersionStatus;
use entity::{credit_allowances, credit_units, features, prices, product_features, product_versions, products};
use sea_orm::sea_query::{Expr, ExprTrait, LockType, Query, SelectStatement, SimpleExpr};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use std::collections::HashMap;
use uuid::Uuid;

/// Who writes the catalogue sees the drafts.
const WRITERS: &[Permission] = &[Permission::CatalogueWrite];

/// What has been published is public, also when it is no longer sold: someone may hold it. Drafts are not.
fn published(scope: Scope, version: impl ColumnTrait) -> SimpleExpr {
    if scope == Scope::Everything {
        return Expr::cust("TRUE");
    }
    let versions = Query::select()
        .column(product_versions::Column::Id)
        .from(product_versions::Entity)
        .and_where(product_versions::Column::Status.ne(VersionStatus::Draft))
        .take();
    version.in_subquery(versions)
}

impl Visible for products::Entity {
    const OPEN_TO: &'static [Permission] = WRITERS;

    fn visible(scope: Scope) -> Select<Self> {
        if scope == Scope::Everything {
            return Self::find();
        }
        Self::find().filter(
            products::Column::Id.in_subquery(
                Query::select()
                    .column(product_versions::Column::ProductId)
                    .from(product_versions::Entity)
                    .and_where(product_versions::Column::Status.ne(VersionStatus::Draft))
                    .take(),
            ),
        )
    }
}

impl Visible for product_versions::Entity {
    const OPEN_TO: &'static [Permission] = WRITERS;

    fn visible(scope: Scope) -> Select<Self> {
        let rows = Self::find();
        if scope == Scope::Everything {
            rows
        } else {
            rows.filter(product_versions::Column::Status.ne(VersionStatus::Draft))
        }
    }
}

impl Visible for prices::Entity {
    const OPEN_TO: &'static [Permission] = WRITERS;

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(published(scope, prices::Column::ProductVersionId))
    }
}

impl Visible for product_features::Entity {
    const OPEN_TO: &'static [Permission] = WRITERS;

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(published(scope, product_features::Column::ProductVersionId))
    }
}

impl Visible for credit_allowances::Entity {
    const OPEN_TO: &'static [Permission] = WRITERS;

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(published(scope, credit_allowances::Column::ProductVersionId))
    }
}

impl Visible for features::Entity {
    fn visible(_: Scope) -> Select<Self> {
        Self::find()
    }
}

impl Visible for credit_units::Entity {
    fn visible(_: Scope) -> Select<Self> {
        Self::find()
    }
}

/// What is on offer, lowest rank first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Plans {
    /// These kinds alone.
    pub kinds: Vec<&'static str>,
    /// Whether it is sold at present; `None` for either.
    pub active: Option<bool>,
    /// This code alone.
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

/// The plan that a version is one of.
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
    /// The version on sale alone.
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

/// Lists the parts of a version: a listing without filter, by one column, that hangs on `product_version_id`.
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
    /// The prices of a version, smallest amount first.
    Prices, prices, unit_amount_minor, UnitAmountMinor
);
part_of_version!(
    /// The credits that a version grants, in the order in which they are spent.
    Allowances, credit_allowances, priority, Priority
);

/// What a version grants, in the order in which it was written down.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Features;

/// The ids of the versions of the plans with these codes.
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

/// The credit unit with this code.
pub async fn credit_unit(db: &impl ConnectionTrait, code: &str) -> Result<Option<credit_units::Model>> {
    Ok(credit_units::Entity::visible(Scope::Public).filter(credit_units::Column::Code.eq(code)).one(db).await?)
}

/// The plan with this id, locked until the commit.
pub(super) async fn lock_plan(txn: &Txn, id: Uuid) -> Result<Option<products::Model>> {
    let rows = products::Entity::visible(Scope::Everything).filter(products::Column::Id.eq(id));
    Ok(rows.lock(LockType::Update).one(txn).await?)
}

/// The version with this id, locked until the commit.
pub(super) async fn lock_version(txn: &Txn, id: Uuid) -> Result<Option<product_versions::Model>> {
    let rows = product_versions::Entity::visible(Scope::Everything).filter(product_versions::Column::Id.eq(id));
    Ok(rows.lock(LockType::Update).one(txn).await?)
}

/// The highest version number of a plan so far.
pub(super) async fn newest_version(txn: &Txn, product_id: Uuid) -> Result<Option<product_versions::Model>> {
    Ok(product_versions::Entity::visible(Scope::Everything)
        .filter(product_versions::Column::ProductId.eq(product_id))
        .order_by_desc(product_versions::Column::Number)
        .one(txn)
        .await?)
}

/// Whether a version has a price.
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

/// The features with these codes, by code.
pub(super) async fn features_by_code(
    db: &impl ConnectionTrait,
    codes: impl Iterator<Item = &str>,
) -> Result<HashMap<String, features::Model>> {
    let rows = features::Entity::visible(Scope::Everything).filter(features::Column::Code.is_in(codes)).all(db).await?;
    Ok(rows.into_iter().map(|feature| (feature.code.clone(), feature)).collect())
}

/// The credit units with these codes, by code.
pub(super) async fn units_by_code(
    db: &impl ConnectionTrait,
    codes: impl Iterator<Item = &str>,
) -> Result<HashMap<String, credit_units::Model>> {
    let rows = credit_units::Entity::visible(Scope::Everything);
    let rows = rows.filter(credit_units::Column::Code.is_in(codes)).all(db).await?;
    Ok(rows.into_iter().map(|unit| (unit.code.clone(), unit)).collect())
}
