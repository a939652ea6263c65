//! Queries on entitlements.

use crate::auth::{Permission, Scope};
use crate::credits::settled;
use crate::db::{ChildListing, Listing, Order, ROW_LOCK, Txn, Visible, in_accounts_of, in_list, insert_new, overtaken};
use crate::error::Result;
use crate::order;
use crate::plans::{ProductKind, VersionStatus};
use chrono::{DateTime, Utc};
use entity::{
    accounts, balances, entitlement_overrides, features, meters, product_features, product_versions, products,
};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SimpleExpr};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect,
    RelationTrait, Select,
};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

impl Visible for entitlement_overrides::Entity {
    /// Callers who set overrides see them.
    const OPEN_TO: &'static [Permission] = &[Permission::BillingWrite];

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, entitlement_overrides::Column::AccountId))
    }
}

/// Overrides of an account, newest first: those in force, expired and revoked ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Overrides {
    /// Only those of the feature with this code.
    pub feature: Option<String>,
    /// Only those that are not revoked, or only revoked ones; `None` for both.
    pub revoked: Option<bool>,
}

impl Listing for Overrides {
    type Entity = entitlement_overrides::Entity;

    fn filter(&self, mut rows: Select<entitlement_overrides::Entity>) -> Select<entitlement_overrides::Entity> {
        use entitlement_overrides::Column;
        if let Some(code) = &self.feature {
            let feature = Query::select()
                .column(features::Column::Id)
                .from(features::Entity)
                .and_where(features::Column::Code.eq(code))
                .take();
            rows = rows.filter(Column::FeatureId.in_subquery(feature));
        }
        match self.revoked {
            Some(true) => rows.filter(Column::RevokedAt.is_not_null()),
            Some(false) => rows.filter(Column::RevokedAt.is_null()),
            None => rows,
        }
    }

    fn order(&self) -> Order<entitlement_overrides::Entity> {
        order!(entitlement_overrides, created_at, CreatedAt, true)
    }
}

impl ChildListing for Overrides {
    type Of = ();

    fn belongs_to((): (), account: SimpleExpr) -> SimpleExpr {
        entitlement_overrides::Column::AccountId.into_expr().eq(account)
    }
}

/// Locks the account with this id until the commit. Returns whether there is one.
pub(super) async fn lock_account(txn: &Txn, id: Uuid) -> Result<bool> {
    let rows = accounts::Entity::visible(Scope::Everything).filter(accounts::Column::Id.eq(id));
    Ok(rows.lock(ROW_LOCK).one(txn).await?.is_some())
}

/// Returns the overrides of an account and feature that are not revoked, under the lock on the account.
pub(super) async fn overrides_of(
    txn: &Txn,
    account_id: Uuid,
    feature_id: Uuid,
) -> Result<Vec<entitlement_overrides::Model>> {
    use entitlement_overrides::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::AccountId.eq(account_id));
    let rows = rows.filter(Column::FeatureId.eq(feature_id)).filter(Column::RevokedAt.is_null());
    Ok(rows.order_by_asc(Column::Id).lock(ROW_LOCK).all(txn).await?)
}

/// Locks the override with this id until the commit.
pub(super) async fn lock_override(txn: &Txn, id: Uuid) -> Result<Option<entitlement_overrides::Model>> {
    use entitlement_overrides::{Column, Entity};
    Ok(Entity::visible(Scope::Everything).filter(Column::Id.eq(id)).lock(ROW_LOCK).one(txn).await?)
}

/// Returns all features, by code.
pub(super) async fn all_features(db: &impl ConnectionTrait) -> Result<Vec<Arc<features::Model>>> {
    let rows = features::Entity::visible(Scope::Everything).order_by_asc(features::Column::Code).all(db).await?;
    Ok(rows.into_iter().map(Arc::new).collect())
}

/// Returns the features with these codes, each with its meter, by code.
pub(super) async fn features_with_meters(
    db: &impl ConnectionTrait,
    codes: impl Iterator<Item = &str>,
) -> Result<HashMap<String, (Arc<features::Model>, Option<meters::Model>)>> {
    let rows = features::Entity::visible(Scope::Everything).filter(features::Column::Code.is_in(codes));
    let rows = rows.find_also_related(meters::Entity).all(db).await?;
    Ok(rows.into_iter().map(|(feature, meter)| (feature.code.clone(), (Arc::new(feature), meter))).collect())
}

/// Returns the features with these codes, by code.
pub(super) async fn features_named(
    db: &impl ConnectionTrait,
    codes: impl Iterator<Item = &str>,
) -> Result<HashMap<String, Arc<features::Model>>> {
    let rows = features::Entity::visible(Scope::Everything).filter(features::Column::Code.is_in(codes)).all(db).await?;
    Ok(rows.into_iter().map(|feature| (feature.code.clone(), Arc::new(feature))).collect())
}

/// Returns what products on sale grant of these features, with each product, lowest rank first.
pub(super) async fn granting(
    db: &impl ConnectionTrait,
    feature_ids: &[Uuid],
) -> Result<Vec<(product_features::Model, products::Model)>> {
    use product_features::{Column, Entity, Relation};
    let rows = Entity::visible(Scope::Everything)
        .join(JoinType::InnerJoin, Relation::ProductVersions.def())
        .join(JoinType::InnerJoin, product_versions::Relation::Products.def())
        .filter(in_list(db, Expr::col((Entity, Column::FeatureId)), feature_ids))
        .filter(product_versions::Column::Status.eq(VersionStatus::Published))
        .filter(products::Column::Active.eq(true))
        .filter(products::Column::Kind.is_in([ProductKind::Plan, ProductKind::Addon]))
        .select_also(products::Entity)
        .order_by_asc(products::Column::Rank)
        .order_by_asc(products::Column::Id)
        .order_by_asc(Column::Id);
    let rows = rows.all(db).await?;
    Ok(rows.into_iter().filter_map(|(row, product)| Some((row, product?))).collect())
}

/// Gives a feature the meter with its own code, which is created with the aggregation `sum` if there is none.
pub(super) async fn give_meter(txn: &Txn, feature: &features::Model) -> Result<meters::Model> {
    let row = meters::ActiveModel {
        id: Set(txn.new_id()),
        code: Set(feature.code.clone()),
        name: Set(feature.name.clone()),
        aggregation: Set("sum".to_owned()),
        value_path: Set(None),
        group_by: Set(None),
        created_at: Set(txn.now().fixed_offset()),
    };
    insert_new::<meters::Entity>(txn, vec![row]).await?;
    // unscoped: no caller is involved
    let meter = meters::Entity::find().filter(meters::Column::Code.eq(&feature.code)).one(txn).await?;
    let meter = meter.ok_or_else(overtaken)?;
    let update = features::Entity::update_many().col_expr(features::Column::MeterId, Expr::value(meter.id));
    update.filter(features::Column::Id.eq(feature.id)).exec(txn).await?;
    Ok(meter)
}

/// Returns the credits that accounts can spend at an instant, by account and unit.
pub(super) async fn available(
    db: &impl ConnectionTrait,
    account_ids: &[Uuid],
    now: DateTime<Utc>,
) -> Result<HashMap<(Uuid, Uuid), i64>> {
    use balances::{Column, Entity};
    if account_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows =
        Entity::visible(Scope::Everything).filter(in_list(db, Expr::col((Entity, Column::AccountId)), account_ids));
    let rows = settled(db, rows.all(db).await?, now).await?;
    Ok(rows.into_values().map(|row| ((row.account_id, row.credit_unit_id), row.available)).collect())
}
