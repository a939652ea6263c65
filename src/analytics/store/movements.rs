//! Movements of customers.

use crate::analytics::range::Range;
use crate::analytics::values::{DiscountPolicy, MovementKind};
use crate::app::App;
use crate::auth::Scope;
use crate::db::{Listing, Order, Txn, Visible, in_list, insert_all, whole_rows};
use crate::error::{Error, Result};
use crate::{money, order};
use chrono::NaiveDate;
use entity::{analytics_marks, mrr_movements};
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Select};
use uuid::Uuid;

/// Movements in a range of UTC days up to today, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MovementList {
    range: Range,
    discounts: DiscountPolicy,
    kinds: Vec<MovementKind>,
    currency: Option<String>,
}

impl MovementList {
    /// Returns the list of the days in `[from, to)`, of all kinds if there are none in `kinds`, and of all currencies
    /// without one.
    pub fn new(
        app: &App,
        (from, to): (NaiveDate, NaiveDate),
        discounts: DiscountPolicy,
        kinds: Vec<MovementKind>,
        currency: Option<String>,
    ) -> Result<MovementList> {
        if currency.as_deref().is_some_and(|currency| !money::is_currency(currency)) {
            return Err(Error::bad_input("`currency` must be an ISO 4217 code, such as EUR."));
        }
        let range = Range::new(from, to)?.until(app.now().date_naive());
        Ok(MovementList { range, discounts, kinds, currency })
    }

    /// Returns whether a movement is in the list.
    pub(in crate::analytics) fn has(&self, row: &mrr_movements::Model) -> bool {
        self.range.contains(row.day)
            && row.discounts == self.discounts.as_str()
            && (self.kinds.is_empty() || self.kinds.iter().any(|kind| kind.as_str() == row.kind))
            && self.currency.as_ref().is_none_or(|currency| *currency == row.currency)
    }
}

impl Listing for MovementList {
    type Entity = mrr_movements::Entity;

    /// Keeps the stored movements of customers who are not marked.
    fn filter(&self, mut rows: Select<mrr_movements::Entity>) -> Select<mrr_movements::Entity> {
        use mrr_movements::Column;
        let marked = Query::select()
            .column(analytics_marks::Column::AccountId)
            .from(analytics_marks::Entity)
            .and_where(analytics_marks::Column::AccountId.is_not_null())
            .take();
        rows = rows
            .filter(Column::Discounts.eq(self.discounts))
            .filter(Column::Day.gte(self.range.from))
            .filter(Column::Day.lt(self.range.to))
            .filter(Column::AccountId.not_in_subquery(marked));
        if !self.kinds.is_empty() {
            rows = rows.filter(Column::Kind.is_in(self.kinds.iter().copied()));
        }
        match &self.currency {
            Some(currency) => rows.filter(Column::Currency.eq(currency)),
            None => rows,
        }
    }

    fn order(&self) -> Order<mrr_movements::Entity> {
        order!(mrr_movements, day, Day, true)
    }
}

/// Returns the stored movements of these customers.
pub(in crate::analytics) async fn of_customers(
    db: &impl ConnectionTrait,
    accounts: &[Uuid],
) -> Result<Vec<mrr_movements::Model>> {
    use mrr_movements::{Column, Entity};
    let rows = Entity::visible(Scope::Everything);
    Ok(rows.filter(in_list(db, Expr::col((Entity, Column::AccountId)), accounts)).all(db).await?)
}

/// Deletes the movements with the ids `gone`, and inserts others.
pub(in crate::analytics) async fn replace(txn: &Txn, gone: &[Uuid], added: Vec<mrr_movements::Model>) -> Result<()> {
    use mrr_movements::{Column, Entity};
    if !gone.is_empty() {
        Entity::delete_many().filter(in_list(txn, Expr::col((Entity, Column::Id)), gone)).exec(txn).await?;
    }
    insert_all::<Entity>(txn, whole_rows(added)).await
}
