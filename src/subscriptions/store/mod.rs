//! Every query on subscriptions and their history.

pub(super) mod mirror;

use crate::auth::{Scope, Viewer};
use crate::db::{
    Between, ChildListing, Listing, Order, Visible, accounts_of, in_accounts_of, in_list, rows_for, within,
};
use crate::error::Result;
use crate::order;
use crate::plans::versions_of_plans;
use entity::{
    account_members, accounts, product_versions, products, subscription_items, subscription_versions, subscriptions,
};
use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, RelationTrait, Select,
};
use std::collections::HashMap;
use uuid::Uuid;

impl Visible for subscriptions::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, subscriptions::Column::AccountId))
    }
}

impl Visible for subscription_items::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, subscription_items::Column::AccountId))
    }
}

impl Visible for subscription_versions::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, subscription_versions::Column::AccountId))
    }
}

/// Whose subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holder {
    /// Those of an account.
    Account,
    /// Those of every account that a user is a member of.
    User,
}

/// Subscriptions, by the time of their making.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subscriptions {
    /// These statuses alone; empty for all.
    pub statuses: Vec<&'static str>,
    /// Plans with these codes alone; empty for all.
    pub plans: Vec<String>,
    /// Made in this span.
    pub created: Between,
    /// Newest first.
    pub descending: bool,
}

impl Listing for Subscriptions {
    type Entity = subscriptions::Entity;

    fn filter(&self, mut rows: Select<subscriptions::Entity>) -> Select<subscriptions::Entity> {
        use subscriptions::Column;
        if !self.statuses.is_empty() {
            rows = rows.filter(Column::Status.is_in(self.statuses.iter().copied()));
        }
        if !self.plans.is_empty() {
            rows = rows.filter(Column::ProductVersionId.in_subquery(versions_of_plans(&self.plans)));
        }
        within(rows, Column::CreatedAt, &self.created)
    }

    fn order(&self) -> Order<subscriptions::Entity> {
        order!(subscriptions, created_at, CreatedAt, self.descending)
    }
}

impl ChildListing for Subscriptions {
    type Of = Holder;

    fn belongs_to(of: Holder, holder: SimpleExpr) -> SimpleExpr {
        held_by(of, holder)
    }
}

fn held_by(of: Holder, holder: SimpleExpr) -> SimpleExpr {
    match of {
        Holder::Account => subscriptions::Column::AccountId.into_expr().eq(holder),
        Holder::User => subscriptions::Column::AccountId.in_subquery(accounts_of(holder)),
    }
}

/// A subscription and the plan that it is to, where that is known here.
pub type WithPlan = (subscriptions::Model, Option<products::Model>);

/// The subscriptions that give each holder a plan at present (trialing, active or past due), newest first, each with
/// its plan, in one statement.
pub async fn current(
    db: &DatabaseConnection,
    viewer: &Viewer,
    of: Holder,
    holders: &[Uuid],
) -> Result<HashMap<Uuid, Vec<WithPlan>>> {
    // In the words of the partial index that serves it.
    const CURRENT: &str = "\"subscriptions\".\"status\" IN ('trialing', 'active', 'past_due')";
    let mut rows = rows_for::<subscriptions::Entity>(viewer)?.filter(Expr::cust(CURRENT));
    let holder = match of {
        Holder::Account => Expr::col((subscriptions::Entity, subscriptions::Column::AccountId)),
        Holder::User => {
            rows = rows
                .join(JoinType::InnerJoin, subscriptions::Relation::Accounts.def())
                .join(JoinType::InnerJoin, accounts::Relation::AccountMembers.def())
                .filter(account_members::Column::LeftAt.is_null());
            Expr::col((account_members::Entity, account_members::Column::UserId))
        }
    };
    let query = rows
        .join(JoinType::LeftJoin, subscriptions::Relation::ProductVersions.def())
        .join(JoinType::LeftJoin, product_versions::Relation::Products.def())
        .filter(in_list(db, holder.clone(), holders))
        .order_by_desc(subscriptions::Column::CreatedAt)
        .order_by_desc(subscriptions::Column::Id)
        .select_also(products::Entity)
        .into_query()
        .expr_as(holder, "parent_key")
        .take();
    let mut found: HashMap<Uuid, Vec<WithPlan>> = HashMap::with_capacity(holders.len());
    for row in db.query_all(&query).await? {
        let subscription = subscriptions::Model::from_query_result(&row, "A_")?;
        let plan = products::Model::from_query_result_optional(&row, "B_")?;
        found.entry(row.try_get("", "parent_key")?).or_default().push((subscription, plan));
    }
    Ok(found)
}

/// Of the subscriptions that give a holder a plan, newest first, the one that counts: to the plan of the highest rank, and
/// of those the newest.
pub fn highest<T>(candidates: &[T], rank: impl Fn(&T) -> Option<i64>) -> Option<&T> {
    // Of equal ones the last is the highest.
    candidates.iter().rev().max_by_key(|candidate| rank(candidate))
}

/// What a subscription bills for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Items;

impl Listing for Items {
    type Entity = subscription_items::Entity;

    fn filter(&self, rows: Select<subscription_items::Entity>) -> Select<subscription_items::Entity> {
        rows
    }

    fn order(&self) -> Order<subscription_items::Entity> {
        order!(subscription_items, id, false)
    }
}

impl ChildListing for Items {
    type Of = ();

    fn belongs_to((): (), subscription: SimpleExpr) -> SimpleExpr {
        subscription_items::Column::SubscriptionId.into_expr().eq(subscription)
    }
}

/// Every state that a subscription has been in, by the time it took effect.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct History {
    /// Newest first.
    pub descending: bool,
}

impl Listing for History {
    type Entity = subscription_versions::Entity;

    fn filter(&self, rows: Select<subscription_versions::Entity>) -> Select<subscription_versions::Entity> {
        rows
    }

    fn order(&self) -> Order<subscription_versions::Entity> {
        order!(subscription_versions, effective_at, EffectiveAt, self.descending)
    }
}

impl ChildListing for History {
    type Of = ();

    fn belongs_to((): (), subscription: SimpleExpr) -> SimpleExpr {
        subscription_versions::Column::SubscriptionId.into_expr().eq(subscription)
    }
}

/// The ids at `provider` of the subscriptions that bill for a price there, by id, those after `after`.
pub async fn billing_for(
    db: &DatabaseConnection,
    provider: &str,
    price_external_id: &str,
    after: &str,
    most: u64,
) -> Result<Vec<String>> {
    use subscriptions::Column;
    // unscoped: the mirror is made for nobody in particular
    let rows =
        subscriptions::Entity::find().join(JoinType::InnerJoin, subscriptions::Relation::SubscriptionItems.def());
    let rows = rows.filter(subscription_items::Column::PriceExternalId.eq(price_external_id));
    let rows = rows.filter(Column::Provider.eq(provider)).filter(Column::ExternalId.gt(after));
    let rows = rows.select_only().column(Column::ExternalId).distinct().order_by_asc(Column::ExternalId).limit(most);
    Ok(rows.into_tuple().all(db).await?)
}
