//! Every query on subscriptions and their history.

pub(super) mod mirror;
pub(super) mod trials;

use crate::auth::{Scope, Viewer};
use crate::db::{
    Between, ChildListing, Listing, Order, Visible, accounts_of, has_external_id, in_accounts_of, in_list, rows_for,
    within,
};
use crate::error::Result;
use crate::order;
use crate::plans::{ProductKind, versions_of_plans};
use entity::{
    account_members, accounts, product_versions, products, scheduled_changes, subscription_items,
    subscription_versions, subscriptions,
};
use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, FromQueryResult, JoinType, QueryFilter, QuerySelect,
    QueryTrait, RelationTrait, Select,
};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
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

impl Visible for scheduled_changes::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, scheduled_changes::Column::AccountId))
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
    /// Known by this id at its provider alone.
    pub external_id: Option<String>,
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
        if let Some(external_id) = &self.external_id {
            rows = rows.filter(has_external_id(Column::Provider, Column::ExternalId, external_id));
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

/// A subscription and the plan that it gives.
pub type WithPlan = (subscriptions::Model, products::Model);

/// The subscription that gives each holder their plan at present, with that plan, in one statement.
///
/// A plan is held while a subscription to it is trialing, active or past due. Of several the one to the plan of the
/// highest rank counts, and of those the newest. One whose plan is not known here gives none.
pub async fn current(
    db: &DatabaseConnection,
    viewer: &Viewer,
    of: Holder,
    holders: &[Uuid],
) -> Result<HashMap<Uuid, WithPlan>> {
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
        .join(JoinType::InnerJoin, subscriptions::Relation::ProductVersions.def())
        .join(JoinType::InnerJoin, product_versions::Relation::Products.def())
        .filter(products::Column::Kind.eq(ProductKind::Plan))
        .filter(in_list(db, holder.clone(), holders))
        .select_also(products::Entity)
        .into_query()
        .expr_as(holder, "parent_key")
        .take();
    let mut found: HashMap<Uuid, WithPlan> = HashMap::with_capacity(holders.len());
    let place = |(subscription, plan): &WithPlan| (plan.rank, subscription.created_at, subscription.id);
    for row in db.query_all(&query).await? {
        let subscription = subscriptions::Model::from_query_result(&row, "A_")?;
        let candidate = (subscription, products::Model::from_query_result(&row, "B_")?);
        match found.entry(row.try_get("", "parent_key")?) {
            Entry::Vacant(free) => {
                free.insert(candidate);
            }
            Entry::Occupied(mut taken) if place(taken.get()) < place(&candidate) => {
                taken.insert(candidate);
            }
            Entry::Occupied(_) => {}
        }
    }
    Ok(found)
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

/// What is to become of a subscription, soonest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ScheduledChanges;

impl Listing for ScheduledChanges {
    type Entity = scheduled_changes::Entity;

    fn filter(&self, rows: Select<scheduled_changes::Entity>) -> Select<scheduled_changes::Entity> {
        rows
    }

    fn order(&self) -> Order<scheduled_changes::Entity> {
        order!(scheduled_changes, effective_at, EffectiveAt, false)
    }
}

impl ChildListing for ScheduledChanges {
    type Of = ();

    fn belongs_to((): (), subscription: SimpleExpr) -> SimpleExpr {
        scheduled_changes::Column::SubscriptionId.into_expr().eq(subscription)
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
