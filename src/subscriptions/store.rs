//! Every query on subscriptions and their history.

use crate::auth::Scope;
use crate::db::{Between, ChildListing, Listing, Order, Visible, accounts_of, in_accounts_of, within};
use crate::order;
use crate::plans::versions_of_plans;
use entity::{subscription_items, subscription_versions, subscriptions};
use sea_orm::sea_query::{ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};

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

/// The subscriptions that give their holder a plan at present: trialing, active or past due.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Current;

impl Listing for Current {
    type Entity = subscriptions::Entity;

    fn filter(&self, rows: Select<subscriptions::Entity>) -> Select<subscriptions::Entity> {
        // In the words of the partial index that serves it.
        rows.filter(sea_orm::sea_query::Expr::cust(
            "\"subscriptions\".\"status\" IN ('trialing', 'active', 'past_due')",
        ))
    }

    fn order(&self) -> Order<subscriptions::Entity> {
        order!(subscriptions, created_at, CreatedAt, true)
    }
}

impl ChildListing for Current {
    type Of = Holder;

    fn belongs_to(of: Holder, holder: SimpleExpr) -> SimpleExpr {
        held_by(of, holder)
    }
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
