//! Balances of accounts whose plans include credits.

use super::wallets;
use crate::auth::Scope;
use crate::credits::wallet::{Moment, Wallet};
use crate::db::{Txn, Visible, insert_new, whole_rows};
use crate::error::Result;
use entity::{balances, credit_allowances, prices, subscription_items, subscriptions};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, JoinType, QueryFilter, QuerySelect, QueryTrait, RelationTrait};
use uuid::Uuid;

/// Inserts an empty balance for each unit of the allowances of an account's plans and add-ons that it holds nothing of.
pub(in crate::credits) async fn insert_missing(txn: &Txn, account_id: Uuid) -> Result<()> {
    use credit_allowances::{Column, Entity};
    let versions = subscriptions::Entity::visible(Scope::Everything)
        .select_only()
        .column(subscriptions::Column::ProductVersionId)
        .filter(subscriptions::Column::AccountId.eq(account_id))
        .filter(Expr::cust("status IN ('trialing', 'active', 'past_due')"));
    let of_plans = Column::ProductVersionId.in_subquery(versions.into_query());
    let addons = subscription_items::Entity::visible(Scope::Everything)
        .select_only()
        .column(prices::Column::ProductVersionId)
        .join(JoinType::InnerJoin, subscription_items::Relation::Prices.def())
        .filter(subscription_items::Column::AccountId.eq(account_id))
        .filter(subscription_items::Column::Kind.eq("addon"));
    let of_addons = Column::ProductVersionId.in_subquery(addons.into_query());
    let units = Entity::visible(Scope::Everything).filter(of_plans.or(of_addons));
    let units: Vec<Uuid> = units.select_only().column(Column::CreditUnitId).distinct().into_tuple().all(txn).await?;
    let new_id = || txn.new_id();
    let at = Moment { now: txn.now(), new_id: &new_id };
    let rows = units.into_iter().map(|unit_id| Wallet::empty(account_id, unit_id, at)).collect();
    insert_new::<balances::Entity>(txn, whole_rows(rows)).await?;
    Ok(())
}

/// Makes all balances of an account due, and returns them.
pub(in crate::credits) async fn make_due(txn: &Txn, account_id: Uuid) -> Result<Vec<balances::Model>> {
    use balances::{Column, Entity};
    wallets::lock_balances(txn, &[account_id]).await?;
    let now = Expr::value(txn.now().fixed_offset());
    let later = Column::NextDueAt.is_null().or(Column::NextDueAt.into_expr().gt(now.clone()));
    let change = Entity::update_many().filter(Column::AccountId.eq(account_id));
    change.filter(later).col_expr(Column::NextDueAt, now).exec(txn).await?;
    let rows = Entity::visible(Scope::Everything).filter(Column::AccountId.eq(account_id));
    Ok(rows.all(txn).await?)
}
