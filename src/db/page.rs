//! Keyset paging: a page starts after a row, never at an offset, so that it costs the same anywhere in a list.

use super::dialect::{each, limited};
use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, FromQueryResult, Order as Direction, QueryFilter,
    QueryOrder, QueryTrait, Select, Value,
};
use std::collections::HashMap;
use uuid::Uuid;

/// How many rows a page has when nothing is asked.
const DEFAULT_SIZE: u64 = 20;
/// How many rows a page may have.
const LARGEST: u64 = 100;

/// A value that rows are sorted by; ties are broken by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// An instant, in microseconds since 1970.
    Time(i64),
    /// A whole number.
    Int(i64),
}

impl<Tz: chrono::TimeZone> From<DateTime<Tz>> for Key {
    fn from(at: DateTime<Tz>) -> Self {
        Key::Time(at.timestamp_micros())
    }
}

impl From<i64> for Key {
    fn from(number: i64) -> Self {
        Key::Int(number)
    }
}

impl Key {
    fn value(self) -> Option<Value> {
        match self {
            Key::Time(at) => DateTime::<Utc>::from_timestamp_micros(at).map(|at| at.fixed_offset().into()),
            Key::Int(number) => Some(number.into()),
        }
    }
}

/// An order of a list: by one column and then by id, both in the same direction, as an index has them.
pub struct Order<E: EntityTrait> {
    /// Names the list and the order, so that a cursor of another is told apart, e.g. `payments.created_at`.
    pub name: &'static str,
    /// The column that sorts.
    pub column: E::Column,
    /// The id that breaks ties.
    pub id: E::Column,
    /// Where a row stands in this order.
    pub key: fn(&E::Model) -> (Key, Uuid),
    /// Newest or largest first.
    pub descending: bool,
}

impl<E: EntityTrait> Order<E> {
    /// The same order the other way round.
    pub fn reversed(self) -> Self {
        Order { descending: !self.descending, ..self }
    }

    /// The cursor of `row` in this order.
    pub fn cursor(&self, row: &E::Model) -> String {
        let (key, id) = (self.key)(row);
        let key = match key {
            Key::Time(at) => format!("t{at}"),
            Key::Int(number) => format!("i{number}"),
        };
        URL_SAFE_NO_PAD.encode(format!("{}|{key}|{}", self.name, id.simple()))
    }

    fn parse(&self, cursor: &str) -> Result<Position> {
        let foreign = || Error::bad_input("the cursor is not one of this list in this order; take it from pageInfo");
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| foreign())?;
        let text = std::str::from_utf8(&bytes).map_err(|_| foreign())?;
        let mut parts = text.split('|');
        let (Some(name), Some(key), Some(id), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(foreign());
        };
        let number = key.get(1..).and_then(|digits| digits.parse().ok()).ok_or_else(foreign)?;
        let key = match key.as_bytes()[0] {
            b't' => Key::Time(number),
            b'i' => Key::Int(number),
            _ => return Err(foreign()),
        };
        let value = key.value().ok_or_else(foreign)?;
        let id = Uuid::try_parse(id).map_err(|_| foreign())?;
        if name == self.name { Ok(Position { value, id }) } else { Err(foreign()) }
    }
}

#[derive(Debug, Clone)]
struct Position {
    value: Value,
    id: Uuid,
}

/// The four arguments of a Relay connection, as they were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct PageArgs {
    /// How many rows from the start, or after `after`.
    pub first: Option<i32>,
    /// The cursor that a forward page starts behind.
    pub after: Option<String>,
    /// How many rows from the end, or before `before`.
    pub last: Option<i32>,
    /// The cursor that a backward page ends in front of.
    pub before: Option<String>,
}

/// A page that was asked for, checked.
#[derive(Debug, Clone)]
pub struct Page {
    size: u64,
    backward: bool,
    position: Option<Position>,
}

/// The rows of a page in the order of the list, and whether there are more on either side.
#[derive(Debug, Clone)]
pub struct Slice<M> {
    /// At most as many rows as asked for.
    pub rows: Vec<M>,
    /// There are rows before the first; without a full look back, whether the page started behind a cursor.
    pub has_previous_page: bool,
    /// There are rows after the last; for a backward page, whether it ended in front of a cursor.
    pub has_next_page: bool,
}

impl Page {
    /// Checks the arguments against the order of the list.
    pub fn new<E: EntityTrait>(args: &PageArgs, order: &Order<E>) -> Result<Page> {
        let backward = args.last.is_some() || args.before.is_some();
        if backward && (args.first.is_some() || args.after.is_some()) {
            return Err(Error::bad_input("use first with after, or last with before, not both pairs"));
        }
        let (size, cursor) = if backward { (args.last, &args.before) } else { (args.first, &args.after) };
        let size = match size.map(u64::try_from) {
            None => DEFAULT_SIZE,
            Some(Ok(size)) if size <= LARGEST => size,
            Some(_) => return Err(Error::bad_input(format!("a page has 0 to {LARGEST} rows"))),
        };
        let position = cursor.as_deref().map(|cursor| order.parse(cursor)).transpose()?;
        Ok(Page { size, backward, position })
    }

    /// Reads the page of one list.
    pub async fn fetch<E: EntityTrait>(
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

    /// Reads this page of the list of each parent, in one statement. `select` names the parent by
    /// [`parent_key`](super::parent_key).
    pub async fn fetch_each<E: EntityTrait>(
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

    /// The rows behind the position, nearest first.
    fn bound<E: EntityTrait>(&self, select: Select<E>, order: &Order<E>) -> Select<E> {
        let descending = order.descending != self.backward;
        let direction = if descending { Direction::Desc } else { Direction::Asc };
        let select = match &self.position {
            None => select,
            Some(Position { value, id }) => {
                let here = Expr::tuple([order.column.into_expr(), order.id.into_expr()]);
                let there: SimpleExpr = Expr::tuple([Expr::value(value.clone()), Expr::value(*id)]);
                select.filter(if descending { here.lt(there) } else { here.gt(there) })
            }
        };
        select.order_by(order.column, direction.clone()).order_by(order.id, direction)
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
