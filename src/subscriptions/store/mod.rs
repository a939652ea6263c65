//! Every query on subscriptions and their history.

pub(super) mod discounts;
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
use crate::subscriptions::values::SubscriptionStatus;
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

/// The holder of subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holder {
    /// An account.
    Account,
    /// All accounts that a user is a member of.
    User,
}

/// Subscriptions, by time of creation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subscriptions {
    /// Only these statuses; empty for all.
    pub statuses: Vec<SubscriptionStatus>,
    /// Only plans with these codes; empty for all.
    pub plans: Vec<String>,
    /// Only the one with this id at its provider.
    pub external_id: Option<String>,
    /// Time of creation.
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

/// A subscription and its plan.
pub type WithPlan = (subscriptions::Model, products::Model);

/// Returns the subscription that gives each holder their current plan, with that plan, in one statement.
///
/// A holder has a plan while a subscription to it is trialing, active or past due. Of several the one to the plan of
/// the highest rank counts, and of those the newest. A subscription without a known plan gives none.
pub async fn current(
    db: &DatabaseConnection,
    viewer: &Viewer,
    of: Holder,
    holders: &[Uuid],
) -> Result<HashMap<Uuid, WithPlan>> {
    // This is the condition of the partial index that serves the query.
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

/// Items of a subscription.
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

/// Scheduled changes of a subscription, soonest first.
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

/// The states of a subscription, by effective time.
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
