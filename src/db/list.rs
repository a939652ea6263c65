//! Lists of rows: a filter, an order and, for lists under a parent, the relation to it.

use super::dialect;
use super::order::Order;
use super::page::{Between, Page, PageArgs, Slice};
use super::visible::{Visible, rows_for};
use crate::auth::Viewer;
use crate::error::Result;
use sea_orm::sea_query::{Expr, Func, SimpleExpr};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbErr, FromQueryResult, QueryFilter, QuerySelect, QueryTrait, Select,
};
use std::collections::HashMap;
use std::hash::Hash;
use uuid::Uuid;

/// A list that clients page through: a filter and an order over one table, for everyone or for each of many parents.
pub trait Listing: Clone + Eq + Hash + Send + Sync + 'static {
    /// The table of the rows.
    type Entity: Visible;

    /// Applies the filter to `rows`.
    fn filter(&self, rows: Select<Self::Entity>) -> Select<Self::Entity>;

    /// Returns the order of the list.
    fn order(&self) -> Order<Self::Entity>;
}

/// A list under a parent, such as the payments of an account.
pub trait ChildListing: Listing {
    /// The kinds of parent, if there are several; else `()`.
    type Of: Copy + Eq + Hash + Send + Sync + 'static;

    /// Returns the condition that a row belongs to `parent`, an expression for the id of a parent of the kind `of`.
    fn belongs_to(of: Self::Of, parent: SimpleExpr) -> SimpleExpr;
}

/// Returns a page of the rows that `viewer` may see.
pub async fn page<L: Listing>(
    db: &DatabaseConnection,
    viewer: &Viewer,
    list: &L,
    args: &PageArgs,
) -> Result<Slice<<L::Entity as sea_orm::EntityTrait>::Model>> {
    let page = Page::new(args, list.order().keys())?;
    let rows = page.fetch(db, list.filter(rows_for(viewer)?).into_query()).await?;
    let rows = rows.iter().map(|row| FromQueryResult::from_query_result(row, ""));
    Ok(page.slice(rows.collect::<Result<_, DbErr>>()?))
}

/// Like [`page`], of the rows of the table and of `others`, which match the filter and are not among them.
pub async fn page_with<L: Listing>(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    list: &L,
    args: &PageArgs,
    others: impl Iterator<Item = <L::Entity as sea_orm::EntityTrait>::Model>,
) -> Result<Slice<<L::Entity as sea_orm::EntityTrait>::Model>> {
    let order = list.order();
    let page = Page::new(args, order.keys())?;
    let rows = page.fetch(db, list.filter(rows_for(viewer)?).into_query()).await?;
    let rows = rows.iter().map(|row| FromQueryResult::from_query_result(row, ""));
    let mut rows = rows.collect::<Result<Vec<_>, DbErr>>()?;
    rows.extend(others.filter(|row| page.holds((order.key)(row))));
    order.sort(&mut rows);
    if page.is_backward() {
        rows.reverse();
    }
    Ok(page.slice(rows))
}

/// Returns the same page of the list of each parent, in one statement.
pub async fn page_each<L: ChildListing>(
    db: &DatabaseConnection,
    viewer: &Viewer,
    list: &L,
    args: &PageArgs,
    of: L::Of,
    parents: &[Uuid],
) -> Result<HashMap<Uuid, Slice<<L::Entity as sea_orm::EntityTrait>::Model>>> {
    let order = list.order();
    let page = Page::new(args, order.keys())?;
    let children = page.bound(children(viewer, list, of)?.into_query());
    let mut found = dialect::each::<L::Entity>(db, parents, children, Some(page.limit())).await?;
    let mut slices = HashMap::with_capacity(parents.len());
    for parent in parents {
        let mut rows = found.remove(parent).unwrap_or_default();
        order.sort(&mut rows);
        if page.is_backward() {
            rows.reverse();
        }
        slices.insert(*parent, page.slice(rows));
    }
    Ok(slices)
}

/// Returns all rows of the list of each parent, in its order, in one statement. For lists that are short by nature.
pub async fn all_each<L: ChildListing>(
    db: &DatabaseConnection,
    viewer: &Viewer,
    list: &L,
    of: L::Of,
    parents: &[Uuid],
) -> Result<HashMap<Uuid, Vec<<L::Entity as sea_orm::EntityTrait>::Model>>> {
    let order = list.order();
    let mut found = dialect::each::<L::Entity>(db, parents, children(viewer, list, of)?.into_query(), None).await?;
    for rows in found.values_mut() {
        order.sort(rows);
    }
    Ok(found)
}

/// Returns the number of rows that `viewer` may see.
pub async fn count<L: Listing>(db: &impl ConnectionTrait, viewer: &Viewer, list: &L) -> Result<i64> {
    let rows = list.filter(rows_for(viewer)?).select_only().expr_as(Func::count(Expr::cust("*")), "n");
    let row = db.query_one(rows.as_query()).await?;
    Ok(row.map(|row| row.try_get("", "n")).transpose()?.unwrap_or_default())
}

/// Returns the number of rows in the list of each parent, in one statement.
pub async fn count_each<L: ChildListing>(
    db: &DatabaseConnection,
    viewer: &Viewer,
    list: &L,
    of: L::Of,
    parents: &[Uuid],
) -> Result<HashMap<Uuid, i64>> {
    let rows = children(viewer, list, of)?.select_only().expr_as(Func::count(Expr::cust("*")), "n").into_query();
    dialect::scalar_each(db, parents, rows).await
}

fn children<L: ChildListing>(viewer: &Viewer, list: &L, of: L::Of) -> Result<Select<L::Entity>> {
    Ok(list.filter(rows_for(viewer)?).filter(L::belongs_to(of, dialect::parent_key())))
}

/// Keeps the rows whose `column` is in `[from, to)`; an end that is `None` is open.
pub fn within<E: sea_orm::EntityTrait>(mut rows: Select<E>, column: E::Column, range: &Between) -> Select<E> {
    use sea_orm::ColumnTrait;
    if let Some(from) = range.from {
        rows = rows.filter(column.gte(from.fixed_offset()));
    }
    if let Some(to) = range.to {
        rows = rows.filter(column.lt(to.fixed_offset()));
    }
    rows
}
