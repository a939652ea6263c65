//! Keyset paging: a page starts after a row, not at an offset, so that every page of a list costs the same.

use super::dialect::{each, limited};
use super::order::{Order, Position};
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, FromQueryResult, Order as Direction, QueryFilter,
    QueryOrder, QueryTrait, Select, Value,
};
use std::collections::HashMap;
use uuid::Uuid;

/// The rows of a page without `first` or `last`.
const DEFAULT_PAGE_SIZE: u64 = 20;
const MAX_PAGE_SIZE: u64 = 100;

/// A range of time, with `from` and without `to`; an end that is `None` is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Between {
    /// The first instant of the range.
    pub from: Option<DateTime<Utc>>,
    /// The first instant after the range.
    pub to: Option<DateTime<Utc>>,
}

/// The four paging arguments of a Relay connection, unchecked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct PageArgs {
    /// The number of rows from the start, or after `after`.
    pub first: Option<i32>,
    /// The cursor after which a forward page starts.
    pub after: Option<String>,
    /// The number of rows from the end, or before `before`.
    pub last: Option<i32>,
    /// The cursor before which a backward page ends.
    pub before: Option<String>,
}

/// A requested page, checked.
#[derive(Debug, Clone)]
pub(super) struct Page {
    size: u64,
    backward: bool,
    position: Option<Position>,
}

/// The rows of a page, in the order of the list.
#[derive(Debug, Clone)]
pub struct Slice<M> {
    /// The rows, at most as many as requested.
    pub rows: Vec<M>,
    /// True if there are rows before the first; for a forward page, if it started after a cursor.
    pub has_previous_page: bool,
    /// True if there are rows after the last; for a backward page, if it ended before a cursor.
    pub has_next_page: bool,
}

impl<M> Slice<M> {
    /// Converts every row.
    pub fn map<T>(self, convert: impl FnMut(M) -> T) -> Slice<T> {
        let Slice { rows, has_previous_page, has_next_page } = self;
        Slice { rows: rows.into_iter().map(convert).collect(), has_previous_page, has_next_page }
    }
}

impl Page {
    /// Checks the arguments against the order of the list.
    pub(super) fn new<E: EntityTrait>(args: &PageArgs, order: &Order<E>) -> Result<Page> {
        let backward = args.last.is_some() || args.before.is_some();
        if backward && (args.first.is_some() || args.after.is_some()) {
            return Err(Error::bad_input("Pass `first` with `after`, or `last` with `before`, but not both pairs."));
        }
        let (size, cursor) = if backward { (args.last, &args.before) } else { (args.first, &args.after) };
        let size = match size.map(u64::try_from) {
            None => DEFAULT_PAGE_SIZE,
            Some(Ok(size)) if size <= MAX_PAGE_SIZE => size,
            Some(_) => {
                return Err(Error::bad_input(format!("`first` and `last` must be between 0 and {MAX_PAGE_SIZE}.")));
            }
        };
        let position = cursor.as_deref().map(|cursor| order.parse(cursor)).transpose()?;
        Ok(Page { size, backward, position })
    }

    /// Reads the page of one list.
    pub(super) async fn fetch<E: EntityTrait>(
        &self,
        db: &DatabaseConnection,
        select: Select<E>,
        order: &Order<E>,
    ) -> Result<Slice<E::Model>> {
        let select = self.bound(select, order);
        let statement = limited(db.get_database_backend(), select.into_query(), self.size + 1);
        let rows = db.query_all_raw(statement).await?;
        let rows = rows.iter().map(|row| E::Model::from_query_result(row, "")).collect::<Result<Vec<_>, _>>()?;
        Ok(self.slice(rows))
    }

    /// Reads this page of the list of each parent, in one statement. `select` refers to the parent by
    /// [`parent_key`](super::dialect::parent_key).
    pub(super) async fn fetch_each<E: EntityTrait>(
        &self,
        db: &DatabaseConnection,
        parents: &[Uuid],
        select: Select<E>,
        order: &Order<E>,
    ) -> Result<HashMap<Uuid, Slice<E::Model>>> {
        let select = self.bound(select, order).into_query();
        let mut found = each::<E>(db, parents, select, Some(self.size + 1)).await?;
        let mut slices = HashMap::with_capacity(parents.len());
        for parent in parents {
            let mut rows = found.remove(parent).unwrap_or_default();
            rows.sort_unstable_by_key(order.key);
            if order.descending != self.backward {
                rows.reverse();
            }
            slices.insert(*parent, self.slice(rows));
        }
        Ok(slices)
    }

    /// Keeps the rows beyond the position, nearest first.
    fn bound<E: EntityTrait>(&self, select: Select<E>, order: &Order<E>) -> Select<E> {
        let descending = order.descending != self.backward;
        let direction = if descending { Direction::Desc } else { Direction::Asc };
        let here: Vec<SimpleExpr> = order.column.into_iter().chain(order.id).map(|column| column.into_expr()).collect();
        let mut select = select;
        if let Some(Position { value, id }) = &self.position {
            let id = order.id.map(|_| Value::from(*id));
            let there = value.clone().into_iter().chain(id).map(Expr::value);
            let (here, there) = (Expr::tuple(here.clone()), Expr::tuple(there));
            select = select.filter(if descending { here.lt(there) } else { here.gt(there) });
        }
        here.into_iter().fold(select, |select, column| select.order_by(column, direction.clone()))
    }

    fn slice<M>(&self, mut rows: Vec<M>) -> Slice<M> {
        let size = usize::try_from(self.size).expect("a page has at most 100 rows");
        let more = rows.len() > size;
        rows.truncate(size);
        let behind_a_cursor = self.position.is_some();
        if self.backward {
            rows.reverse();
            return Slice { rows, has_previous_page: more, has_next_page: behind_a_cursor };
        }
        Slice { rows, has_previous_page: behind_a_cursor, has_next_page: more }
    }
}
