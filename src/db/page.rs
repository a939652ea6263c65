//! Keyset paging: a page starts after a row, not at an offset, so that every page of a list costs the same.

use super::dialect::limited;
use super::order::{Key, Keys, Position};
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::SelectStatement;
use sea_orm::{ConnectionTrait, QueryResult};
use uuid::Uuid;

/// The rows of a page without `first` or `last`.
pub const DEFAULT_PAGE_SIZE: u32 = 20;
/// The largest number of items on a page.
pub const MAX_PAGE_SIZE: u64 = 100;

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
    keys: Keys,
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
    pub(super) fn new(args: &PageArgs, keys: Keys) -> Result<Page> {
        let backward = args.last.is_some() || args.before.is_some();
        if backward && (args.first.is_some() || args.after.is_some()) {
            return Err(Error::bad_input("Pass `first` with `after`, or `last` with `before`, but not both pairs."));
        }
        let (size, cursor) = if backward { (args.last, &args.before) } else { (args.first, &args.after) };
        let size = match size.map(u64::try_from) {
            None => u64::from(DEFAULT_PAGE_SIZE),
            Some(Ok(size)) if size <= MAX_PAGE_SIZE => size,
            Some(_) => {
                return Err(Error::bad_input(format!("`first` and `last` must be between 0 and {MAX_PAGE_SIZE}.")));
            }
        };
        let position = cursor.as_deref().map(|cursor| keys.position(cursor)).transpose()?;
        Ok(Page { size, backward, position, keys })
    }

    /// Reads the page of the list that `select` selects, nearest row to the cursor first, and one row more if there is
    /// one.
    pub(super) async fn fetch(&self, db: &impl ConnectionTrait, select: SelectStatement) -> Result<Vec<QueryResult>> {
        let statement = limited(db.get_database_backend(), self.bound(select), self.limit());
        Ok(db.query_all_raw(statement).await?)
    }

    /// Sorts `select` and keeps the rows beyond the cursor, nearest first.
    pub(super) fn bound(&self, select: SelectStatement) -> SelectStatement {
        self.keys.apply(select, self.position.as_ref(), self.backward)
    }

    /// Returns whether a row is beyond the cursor.
    pub(super) fn holds(&self, row: (Key, Uuid)) -> bool {
        self.position.as_ref().is_none_or(|position| self.keys.is_beyond(row, position, self.backward))
    }

    /// Returns the number of rows to read: one more than the page has.
    pub(super) fn limit(&self) -> u64 {
        self.size + 1
    }

    /// Returns whether the page is read from its end.
    pub(super) fn is_backward(&self) -> bool {
        self.backward
    }

    /// Makes the page of the rows that were read, nearest to the cursor first.
    pub(super) fn slice<M>(&self, mut rows: Vec<M>) -> Slice<M> {
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
