//! The orders of lists, and the cursors that name a position in one.

use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, SelectStatement, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, Order as Direction, Value};
use uuid::Uuid;

/// A value that rows are sorted by; ties are broken by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// An instant, in microseconds since 1970.
    Time(i64),
    /// A UTC day, in days since 1970.
    Day(i64),
    /// A whole number.
    Int(i64),
    /// The id alone, which sorts by the time of its creation.
    Id,
}

impl<Tz: chrono::TimeZone> From<DateTime<Tz>> for Key {
    fn from(at: DateTime<Tz>) -> Self {
        Key::Time(at.timestamp_micros())
    }
}

impl From<NaiveDate> for Key {
    fn from(day: NaiveDate) -> Self {
        Key::Day((day - NaiveDate::default()).num_days())
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
            Key::Day(day) => format!("d{day}"),
            Key::Int(number) => format!("i{number}"),
            Key::Id => String::new(),
        }
    }

    /// Reads the text of [`write`](Key::write) with the tag `tag`.
    fn read(text: &str, tag: &str) -> Option<Key> {
        if tag.is_empty() {
            return text.is_empty().then_some(Key::Id);
        }
        let number: i64 = text.strip_prefix(tag)?.parse().ok()?;
        let key = match tag {
            "t" => Key::Time(number),
            "d" => Key::Day(number),
            _ => return Some(Key::Int(number)),
        };
        // Both engines store years of four digits.
        key.day().is_some_and(|day| (1970..=9999).contains(&day.year())).then_some(key)
    }

    /// Returns the UTC day of an instant or day that a date can be.
    fn day(self) -> Option<NaiveDate> {
        match self {
            Key::Time(at) => Some(DateTime::<Utc>::from_timestamp_micros(at)?.date_naive()),
            Key::Day(day) => NaiveDate::default().checked_add_signed(TimeDelta::try_days(day)?),
            Key::Int(_) | Key::Id => None,
        }
    }

    /// Returns the value to compare a column with; `None` for the id alone.
    fn value(self) -> Option<Value> {
        match self {
            Key::Time(at) => DateTime::<Utc>::from_timestamp_micros(at).map(|at| at.fixed_offset().into()),
            Key::Day(_) => self.day().map(Value::from),
            Key::Int(number) => Some(number.into()),
            Key::Id => None,
        }
    }
}

/// The order of a list: by one column and then by id, both in one direction, as in an index.
pub struct Order<E: EntityTrait> {
    /// The name of the list and the order, which tells a cursor of another list apart, such as `payments.created_at`.
    pub name: &'static str,
    /// The column to sort by; `None` to sort by id alone.
    pub column: Option<E::Column>,
    /// The tag of its values in cursors; empty to sort by id alone.
    pub tag: &'static str,
    /// The id that breaks ties; `None` where there are none.
    pub id: Option<E::Column>,
    /// Returns the position of a row in this order.
    pub key: fn(&E::Model) -> (Key, Uuid),
    /// Newest or largest first.
    pub descending: bool,
}

/// Creates an [`Order`] by one column of an entity module: `order!(payments, created_at, CreatedAt, descending)`.
/// `unique` leaves the id out, for a column without duplicates.
#[macro_export]
macro_rules! order {
    ($table:ident, id, $descending:expr) => {
        $crate::db::Order {
            name: concat!(stringify!($table), ".id"),
            column: None,
            tag: "",
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
            tag: $crate::db::cursor_tag(|row: &::entity::$table::Model| row.$field),
            id: Some(::entity::$table::Column::Id),
            key: |row: &::entity::$table::Model| (row.$field.into(), row.id),
            descending: $descending,
        }
    };
}

/// Returns the tag of a field's values in cursors.
pub fn cursor_tag<M, F: Sorted>(_: fn(&M) -> F) -> &'static str {
    F::CURSOR_TAG
}

/// A type that rows can be sorted by.
pub trait Sorted: Into<Key> {
    /// The tag of its values in cursors.
    const CURSOR_TAG: &'static str;
}

impl<Tz: chrono::TimeZone> Sorted for DateTime<Tz> {
    const CURSOR_TAG: &'static str = "t";
}

impl Sorted for NaiveDate {
    const CURSOR_TAG: &'static str = "d";
}

impl Sorted for i64 {
    const CURSOR_TAG: &'static str = "i";
}

impl<E: EntityTrait> Order<E> {
    /// Returns the cursor of `row` in this order.
    pub fn cursor(&self, row: &E::Model) -> String {
        let (key, id) = (self.key)(row);
        URL_SAFE_NO_PAD.encode(format!("{}|{}|{}", self.name, key.write(), id.simple()))
    }

    /// Sorts rows into this order.
    pub(super) fn sort(&self, rows: &mut [E::Model]) {
        rows.sort_unstable_by_key(self.key);
        if self.descending {
            rows.reverse();
        }
    }

    /// Returns the part of the order that does not depend on its table.
    pub(super) fn keys(&self) -> Keys {
        let columns = self.column.into_iter().chain(self.id).map(|column| column.into_expr()).collect();
        let Order { name, tag, descending, .. } = *self;
        Keys { name, tag, columns, has_id: self.id.is_some(), descending }
    }
}

/// The columns and cursors of an order. Reading a page needs no more, so that it is compiled once for all tables.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    name: &'static str,
    tag: &'static str,
    columns: Vec<SimpleExpr>,
    has_id: bool,
    descending: bool,
}

impl Keys {
    /// Reads a cursor; an error if it belongs to another order.
    pub(super) fn position(&self, cursor: &str) -> Result<Position> {
        let foreign = || {
            Error::bad_input("The cursor belongs to another list or order: pass one from the `pageInfo` of this list.")
        };
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| foreign())?;
        let text = std::str::from_utf8(&bytes).map_err(|_| foreign())?;
        let mut parts = text.split('|');
        let (Some(name), Some(key), Some(id), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(foreign());
        };
        let key = Key::read(key, self.tag).ok_or_else(foreign)?;
        let id = Uuid::try_parse(id).map_err(|_| foreign())?;
        if name == self.name { Ok(Position { key, id }) } else { Err(foreign()) }
    }

    /// Returns whether a row is beyond `position`, backwards if asked.
    pub(super) fn is_beyond(&self, row: (Key, Uuid), position: &Position, backward: bool) -> bool {
        let position = (position.key, position.id);
        if self.descending != backward { row < position } else { row > position }
    }

    /// Sorts `select`, backwards if asked, and keeps the rows beyond `position`.
    pub(super) fn apply(
        &self,
        mut select: SelectStatement,
        position: Option<&Position>,
        backward: bool,
    ) -> SelectStatement {
        let descending = self.descending != backward;
        let direction = if descending { Direction::Desc } else { Direction::Asc };
        if let Some(Position { key, id }) = position {
            let id = self.has_id.then(|| Value::from(*id));
            let there = Expr::tuple(key.value().into_iter().chain(id).map(Expr::value));
            let here = Expr::tuple(self.columns.clone());
            select.cond_where(if descending { here.lt(there) } else { here.gt(there) });
        }
        for column in &self.columns {
            select.order_by_expr(column.clone(), direction.clone());
        }
        select
    }
}

/// A position in an order: that of a row.
#[derive(Debug, Clone)]
pub(super) struct Position {
    key: Key,
    id: Uuid,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_holds_a_day_or_an_instant_that_both_engines_store() {
        let leap: NaiveDate = "2024-02-29".parse().unwrap();
        let key = Key::from(leap);
        assert_eq!((key.write(), Key::read("d19782", "d")), ("d19782".to_owned(), Some(key)));
        assert_eq!(key.value(), Some(Value::from(leap)));
        // Outside of 1970 to 9999, of another kind, or no number.
        for (text, tag) in [
            ("d-1", "d"),
            ("d2932897", "d"),
            ("d9223372036854775807", "d"),
            ("t-1", "t"),
            ("t9223372036854775807", "t"),
            ("i1", "d"),
            ("d", "d"),
            ("x", ""),
        ] {
            assert_eq!(Key::read(text, tag), None, "{text}");
        }
        let last: NaiveDate = "9999-12-31".parse().unwrap();
        assert_eq!(Key::read("d2932896", "d"), Some(Key::from(last)));
        assert_eq!(Key::read("i-7", "i"), Some(Key::Int(-7)));
    }
}
