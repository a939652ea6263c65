//! Queries on the number of active users by day, and on the days that have to be counted again.

use crate::analytics::derived::row_id;
use crate::analytics::store::marks::MARKED_DAYS;
use crate::analytics::store::people::{ALIAS, PERSON};
use crate::analytics::store::{day_list, listed_days, replace};
use crate::auth::Scope;
use crate::db::{Txn, Visible, insert_new, unrestricted_only};
use crate::error::Result;
use chrono::{Days, NaiveDate};
use entity::{active_users_daily, active_users_marks};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter, QueryResult, Select, Statement,
    Value,
};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The days of the two windows of activity.
const WEEK: u64 = 7;
const MONTH: u64 = 30;

impl Visible for active_users_marks::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(unrestricted_only(scope))
    }
}

/// The people who are active on one day, and the difference that the day makes to those of the week and of the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromQueryResult)]
pub(super) struct Activity {
    /// The day; `None` for the sums of all days before a range.
    pub(super) day: Option<NaiveDate>,
    /// True for visitors who are not known to be users, false for users.
    pub(super) are_visitors: bool,
    pub(super) daily: i64,
    pub(super) weekly_change: i64,
    pub(super) monthly_change: i64,
}

/// Returns the days before `to` whose rows may differ from the facts: an event changes the windows of the days after it.
pub(super) async fn marked(db: &impl ConnectionTrait, to: NaiveDate) -> Result<BTreeSet<NaiveDate>> {
    let sql = format!(
        "SELECT d.day, TRUE AS is_event FROM ({MARKED_DAYS}) AS d WHERE d.day < $1 \
         UNION ALL SELECT day, FALSE FROM active_users_marks WHERE day < $1"
    );
    let rows = Statement::from_sql_and_values(db.get_database_backend(), sql, [Value::from(to)]);
    let mut days = BTreeSet::new();
    for row in db.query_all_raw(rows).await? {
        let day: NaiveDate = row.try_get("", "day")?;
        match row.try_get("", "is_event")? {
            true => days.extend(windows(day).filter(|day| *day < to)),
            false => days.extend([day]),
        }
    }
    Ok(days)
}

/// Returns the days whose windows an event on `day` changes.
fn windows(day: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    (0..=MONTH).filter_map(move |after| day.checked_add_days(Days::new(after)))
}

/// Returns the stored rows of `[from, to)` and the sums of those before, without the days in `except`.
pub(super) async fn stored(
    db: &impl ConnectionTrait,
    from: NaiveDate,
    to: NaiveDate,
    except: &BTreeSet<NaiveDate>,
) -> Result<Vec<Activity>> {
    let backend = db.get_database_backend();
    let sql = format!(
        "WITH wanted AS ({}) SELECT CASE WHEN day >= $2 THEN day END AS day, are_visitors, \
         CAST(SUM(daily_count) AS BIGINT) AS daily, CAST(SUM(weekly_change) AS BIGINT) AS weekly_change, \
         CAST(SUM(monthly_change) AS BIGINT) AS monthly_change FROM active_users_daily \
         WHERE day < $3 AND day NOT IN (SELECT day FROM wanted) GROUP BY 1, 2",
        listed_days(backend)
    );
    read(db, Statement::from_sql_and_values(backend, sql, [day_list(except), from.into(), to.into()])).await
}

/// Counts these days from the days on which people have events. Days on which nothing changes have no row.
///
/// The newest day of a person before a day decides: without one in the window, the person is new on the day; if it is as old
/// as the window is long, the person left the window.
pub(super) async fn counted(db: &impl ConnectionTrait, days: &BTreeSet<NaiveDate>) -> Result<Vec<Activity>> {
    if days.is_empty() {
        return Ok(Vec::new());
    }
    let backend = db.get_database_backend();
    let (before, between): (fn(u64) -> String, &str) = match backend {
        DbBackend::Postgres => (|count| format!("(w.day - {count})"), "(day - before)"),
        _ => (|count| format!("date(w.day, '-{count} days')"), "CAST(julianday(day) - julianday(before) AS INTEGER)"),
    };
    let offset = |count: u64| {
        format!(
            "SELECT w.day, {count} AS ago, {PERSON} FROM wanted w CROSS JOIN visitor_days e {ALIAS} WHERE e.day = {}",
            if count == 0 { "w.day".to_owned() } else { before(count) }
        )
    };
    let change = |length: u64| {
        format!(
            "CAST(SUM(CASE WHEN is_active = 1 AND (before IS NULL OR {between} >= {length}) THEN 1 ELSE 0 END) \
             - SUM(CASE WHEN {between} = {length} THEN 1 ELSE 0 END) AS BIGINT)"
        )
    };
    let sql = format!(
        "WITH wanted AS ({}), people AS (SELECT day, user_id, anonymous_id, MAX(CASE WHEN ago = 0 THEN 1 ELSE 0 END) \
         AS is_active FROM ({} UNION ALL {} UNION ALL {}) AS o GROUP BY day, user_id, anonymous_id), \
         newest AS (SELECT p.day, p.user_id, p.is_active, (SELECT MAX(n.day) FROM ({NEWEST}) AS n) AS before FROM people p) \
         SELECT day, user_id IS NULL AS are_visitors, CAST(SUM(is_active) AS BIGINT) AS daily, {} AS weekly_change, \
         {} AS monthly_change FROM newest GROUP BY day, user_id IS NULL",
        listed_days(backend),
        offset(0),
        offset(WEEK),
        offset(MONTH),
        change(WEEK),
        change(MONTH),
    );
    read(db, Statement::from_sql_and_values(backend, sql, [day_list(days)])).await
}

/// The newest day of a person `p` before the day, of each of the names that the person has.
const NEWEST: &str = "SELECT MAX(v.day) AS day FROM visitor_days v WHERE v.user_id = p.user_id AND v.day < p.day \
     UNION ALL SELECT MAX(v.day) FROM visitor_days v WHERE v.anonymous_id = p.anonymous_id AND v.day < p.day \
     UNION ALL SELECT (SELECT MAX(v.day) FROM visitor_days v WHERE v.anonymous_id = a.anonymous_id AND v.day < p.day) \
     FROM identity_aliases a WHERE a.user_id = p.user_id";

/// Marks the days whose windows events on `days` change.
pub(in crate::analytics) async fn mark(txn: &Txn, days: &BTreeSet<NaiveDate>) -> Result<()> {
    let days: BTreeSet<NaiveDate> = days.iter().copied().flat_map(windows).collect();
    let marks = days.into_iter().map(|day| active_users_marks::ActiveModel { id: Set(txn.new_id()), day: Set(day) });
    insert_new::<active_users_marks::Entity>(txn, marks.collect()).await?;
    Ok(())
}

/// Deletes the marks of at most `limit` days, and returns these days.
async fn take(txn: &Txn, limit: usize) -> Result<BTreeSet<NaiveDate>> {
    let sql = format!(
        "DELETE FROM active_users_marks WHERE id IN (SELECT id FROM active_users_marks ORDER BY day LIMIT {limit}) \
         RETURNING day"
    );
    let taken = txn.query_all_raw(Statement::from_string(txn.get_database_backend(), sql)).await?;
    taken.iter().map(|row| Ok(row.try_get("", "day")?)).collect()
}

/// Makes the rows of at most `limit` marked days again, and returns the number of days and of rows that differ from before.
pub(in crate::analytics) async fn make(txn: &Txn, limit: usize) -> Result<(usize, usize)> {
    use active_users_daily::{Column, Entity};
    let days = take(txn, limit).await?;
    let mut wanted = BTreeMap::new();
    for row in counted(txn, &days).await? {
        let Some(day) = row.day else { continue };
        let id = row_id("active_users_daily", &[&day.to_string(), &row.are_visitors.to_string()]);
        let row = active_users_daily::Model {
            id,
            day,
            are_visitors: row.are_visitors,
            daily_count: row.daily,
            weekly_change: row.weekly_change,
            monthly_change: row.monthly_change,
        };
        wanted.insert(id, row);
    }
    let rows = Entity::visible(Scope::Everything).filter(Column::Day.is_in(days.iter().copied())).all(txn).await?;
    let known: BTreeMap<Uuid, active_users_daily::Model> = rows.into_iter().map(|row| (row.id, row)).collect();
    Ok((days.len(), replace::<Entity>(txn, Column::Id, known, wanted).await?))
}

async fn read(db: &impl ConnectionTrait, statement: Statement) -> Result<Vec<Activity>> {
    let rows: Vec<QueryResult> = db.query_all_raw(statement).await?;
    rows.iter().map(|row| Ok(Activity::from_query_result(row, "")?)).collect()
}
