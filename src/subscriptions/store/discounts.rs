//! Queries on the discounts of subscriptions, and on the changes of annual revenue that they cause.

use crate::auth::Scope;
use crate::db::{ChildListing, Listing, Order, Txn, Visible, in_accounts_of};
use crate::error::Result;
use crate::order;
use entity::{subscription_arr_changes, subscription_discounts, subscription_versions, subscriptions};
use sea_orm::sea_query::{ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationTrait, Select};
use std::collections::HashMap;
use uuid::Uuid;

impl Visible for subscription_discounts::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, subscription_discounts::Column::AccountId))
    }
}

impl Visible for subscription_arr_changes::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, subscription_arr_changes::Column::AccountId))
    }
}

/// Discounts of a subscription, present and past.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Discounts;

impl Listing for Discounts {
    type Entity = subscription_discounts::Entity;

    fn filter(&self, rows: Select<subscription_discounts::Entity>) -> Select<subscription_discounts::Entity> {
        rows
    }

    fn order(&self) -> Order<subscription_discounts::Entity> {
        order!(subscription_discounts, id, false)
    }
}

impl ChildListing for Discounts {
    type Of = ();

    fn belongs_to((): (), subscription: SimpleExpr) -> SimpleExpr {
        subscription_discounts::Column::SubscriptionId.into_expr().eq(subscription)
    }
}

/// Changes of the annual revenue of a state while it lasts, earliest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ArrChanges;

impl Listing for ArrChanges {
    type Entity = subscription_arr_changes::Entity;

    fn filter(&self, rows: Select<subscription_arr_changes::Entity>) -> Select<subscription_arr_changes::Entity> {
        rows
    }

    fn order(&self) -> Order<subscription_arr_changes::Entity> {
        order!(subscription_arr_changes, effective_at, EffectiveAt, false)
    }
}

impl ChildListing for ArrChanges {
    type Of = ();

    fn belongs_to((): (), version: SimpleExpr) -> SimpleExpr {
        subscription_arr_changes::Column::SubscriptionVersionId.into_expr().eq(version)
    }
}

/// Locks the discounts of a subscription until the commit.
pub(crate) async fn of_subscription(txn: &Txn, subscription_id: Uuid) -> Result<Vec<subscription_discounts::Model>> {
    use subscription_discounts::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::SubscriptionId.eq(subscription_id));
    Ok(rows.lock_exclusive().all(txn).await?)
}

/// Returns true if a provider's subscription has or had a discount.
pub async fn had_discounts(txn: &Txn, provider: &str, external_id: &str) -> Result<bool> {
    use subscription_discounts::{Column, Entity, Relation};
    let rows = Entity::visible(Scope::Everything).join(JoinType::InnerJoin, Relation::Subscriptions.def());
    let rows = rows.filter(subscriptions::Column::Provider.eq(provider));
    let rows = rows.filter(subscriptions::Column::ExternalId.eq(external_id));
    let found: Option<Uuid> = rows.select_only().column(Column::Id).into_tuple().one(txn).await?;
    Ok(found.is_some())
}

/// Deletes a discount that no state shows.
pub(crate) async fn delete(txn: &Txn, id: Uuid) -> Result<()> {
    subscription_discounts::Entity::delete_by_id(id).exec(txn).await?;
    Ok(())
}

/// Returns the later values of the states of a subscription, by version and time.
pub(crate) async fn arr_changes(
    txn: &Txn,
    subscription_id: Uuid,
) -> Result<HashMap<Uuid, Vec<subscription_arr_changes::Model>>> {
    use subscription_arr_changes::{Column, Entity};
    let rows = Entity::visible(Scope::Everything)
        .inner_join(subscription_versions::Entity)
        .filter(subscription_versions::Column::SubscriptionId.eq(subscription_id))
        .order_by_asc(Column::EffectiveAt);
    let mut found: HashMap<Uuid, Vec<_>> = HashMap::new();
    for row in rows.all(txn).await? {
        found.entry(row.subscription_version_id).or_default().push(row);
    }
    Ok(found)
}

/// Returns the provider's ids of the subscriptions with a discount that has this id at the provider, or is of the
/// coupon with this id.
pub async fn discounted_by(txn: &Txn, provider: &str, external_id: &str) -> Result<Vec<String>> {
    use subscription_discounts::Column;
    // unscoped: no caller is involved
    let rows = subscriptions::Entity::find()
        .inner_join(subscription_discounts::Entity)
        .filter(subscriptions::Column::Provider.eq(provider))
        .filter(Column::CouponExternalId.eq(external_id).or(Column::ExternalId.eq(external_id)))
        .select_only()
        .column(subscriptions::Column::ExternalId)
        .distinct()
        .order_by_asc(subscriptions::Column::ExternalId);
    Ok(rows.into_tuple().all(txn).await?)
}
