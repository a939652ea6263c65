//! Keyset paging: a page starts after a row, never at an offset, so that it costs the same anywhere in a list.

use super::dialect::{each, limited};
use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Datelike, Utc};
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
    /// Nothing but the id, which sorts by the time of its making.
    Id,
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
    fn write(self) -> String {
        match self {
            Key::Time(at) => format!("t{at}"),
            Key::Int(number) => format!("i{number}"),
            Key::Id => String::new(),
        }
    }

    /// Reads what [`write`](Key::write) wrote of the kind `kind`, as the value to compare with.
    fn read(text: &str, kind: &str) -> Option<Option<Value>> {
        if kind.is_empty() {
            return text.is_empty().then_some(None);
        }
        let number: i64 = text.strip_prefix(kind)?.parse().ok()?;
        match kind {
            "t" => {
                let at = DateTime::<Utc>::from_timestamp_micros(number)?;
                // What both engines store: years of four digits.
                (1970..=9999).contains(&at.year()).then(|| Some(at.fixed_offset().into()))
            }
            _ => Some(Some(number.into())),
        }
    }
}

/// An order of a list: by one column and then by id, both in the same direction, as an index has them.
pub struct Order<E: EntityTrait> {
    /// Names the list and the order, so that a cursor of another is told apart, e.g. `payments.created_at`.
    pub name: &'static str,
    /// The column that sorts; `None` to sort by id alone.
    pub column: Option<E::Column>,
    /// How its values are marked in cursors; empty to sort by id alone.
    pub kind: &'static str,
    /// The id that breaks ties; `None` where there are none.
    pub id: Option<E::Column>,
    /// Where a row stands in this order.
    pub key: fn(&E::Model) -> (Key, Uuid),
    /// Newest or largest first.
    pub descending: bool,
}

/// An [`Order`] by one column of an entity module: `order!(payments, created_at, CreatedAt, descending)`.
/// Where no two rows of a list have the same value, `unique` leaves the id out.
#[macro_export]
macro_rules! order {
    ($table:ident, id, $descending:expr) => {
        $crate::db::Order {
            name: concat!(stringify!($table), ".id"),
            column: None,
            kind: "",
            id: Some(::entity::$table::Column::Id),
            key: |row: &::entity::$table::Model| ($crate::db::Key::Id, row.id),
            descending: $descending,
        }
    };
    ($table:ident, unique $field:ident, $column:ident, $descending:expr) => {
        $crate::db::Order { id: None, ..$crate::order!($table, $field, $column, $descending) }
    };
    ($table:ident, $field:ident, $column:ident, $descending:expr) => {
        $crate::db::Order {
            name: concat!(stringify!($table), ".", stringify!($field)),
            column: Some(::entity::$table::Column::$column),
            kind: $crate::db::kind_of(|row: &::entity::$table::Model| row.$field),
            id: Some(::entity::$table::Column::Id),
            key: |row: &::entity::$table::Model| (row.$field.into(), row.id),
            descending: $descending,
        }
    };
}

/// How the values of a field are marked in cursors.
pub fn kind_of<M, F: Sorted>(_: fn(&M) -> F) -> &'static str {
    F::KIND
}

/// A type that rows can be sorted by.
pub trait Sorted: Into<Key> {
    /// Its mark in cursors.
    const KIND: &'static str;
}

impl<Tz: chrono::TimeZone> Sorted for DateTime<Tz> {
    const KIND: &'static str = "t";
}

impl Sorted for i64 {
    const KIND: &'static str = "i";
}

impl<E: EntityTrait> Order<E> {
    /// The cursor of `row` in this order.
    pub fn cursor(&self, row: &E::Model) -> String {
        let (key, id) = (self.key)(row);
        URL_SAFE_NO_PAD.encode(format!("{}|{}|{}", self.name, key.write(), id.simple()))
    }

    /// Puts rows that came in any order into this one.
    pub(super) fn sort(&self, rows: &mut [E::Model]) {
        rows.sort_unstable_by_key(self.key);
        if self.descending {
            rows.reverse();
        }
    }

    fn parse(&self, cursor: &str) -> Result<Position> {
        let foreign = || Error::bad_input("the cursor is not one of this list in this order; take it from pageInfo");
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| foreign())?;
        let text = std::str::from_utf8(&bytes).map_err(|_| foreign())?;
        let mut parts = text.split('|');
        let (Some(name), Some(key), Some(id), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(foreign());
        };
        let value = Key::read(key, self.kind).ok_or_else(foreign)?;
        let id = Uuid::try_parse(id).map_err(|_| foreign())?;
        if name == self.name { Ok(Position { value, id }) } else { Err(foreign()) }
    }
}

#[derive(Debug, Clone)]
struct Position {
    value: Option<Value>,
    id: Uuid,
}

/// A span of time: from `from` on, up to but not including `to`; an end that is `None` is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Between {
    /// The first instant inside.
    pub from: Option<DateTime<Utc>>,
    /// The first instant after.
    pub to: Option<DateTime<Utc>>,
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
pub(super) struct Page {
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

impl<M> Slice<M> {
    /// The same slice with every row turned into something else.
    pub fn map<T>(self, turn: impl FnMut(M) -> T) -> Slice<T> {
        let Slice { rows, has_previous_page, has_next_page } = self;
        Slice { rows: rows.into_iter().map(turn).collect(), has_previous_page, has_next_page }
    }
}

impl Page {
    /// Checks the arguments against the order of the list.
    pub(super) fn new<E: EntityTrait>(args: &PageArgs, order: &Order<E>) -> Result<Page> {
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

    /// Reads this page of the list of each parent, in one statement. `select` names the parent by
    /// [`parent_key`](super::parent_key).
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

    /// The rows behind the position, nearest first.
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
