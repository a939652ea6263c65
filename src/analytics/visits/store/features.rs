//! Events by name and day: from the table where a day is not marked, and from the events where it is.

use crate::analytics::derived::row_id;
use crate::analytics::range::Range;
use crate::analytics::store::marks::MARKED_DAYS;
use crate::analytics::store::people::ALIAS;
use crate::analytics::store::{day_list, listed_days, replace};
use crate::auth::Scope;
use crate::db::{Txn, Visible};
use crate::error::Result;
use chrono::NaiveDate;
use entity::feature_daily;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, FromQueryResult, QueryFilter, Statement, Value};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The events of one name on one day, and the number of persons who have one.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub(in crate::analytics) struct NameDay {
    pub(in crate::analytics) day: NaiveDate,
    pub(in crate::analytics) name: String,
    pub(in crate::analytics) events: i64,
    pub(in crate::analytics) people: i64,
}

/// Returns the events of these names in `range`, by day and name, in one statement, so that a day is never counted twice.
/// Days without any have no row.
pub(in crate::analytics) async fn name_days(
    db: &impl ConnectionTrait,
    names: &[String],
    range: Range,
) -> Result<Vec<NameDay>> {
    let backend = db.get_database_backend();
    let places: Vec<String> = (3..3 + names.len()).map(|place| format!("${place}")).collect();
    let names_are = |column: &str| format!("{column} IN ({})", places.join(", "));
    let sql = format!(
        "WITH marked AS (SELECT d.day FROM ({MARKED_DAYS}) AS d WHERE d.day >= $1 AND d.day < $2) \
         SELECT day, name, event_count AS events, people_count AS people FROM feature_daily \
         WHERE {} AND day >= $1 AND day < $2 AND day NOT IN (SELECT day FROM marked) \
         UNION ALL SELECT d.day, d.name, d.events, d.people FROM ({}) AS d ORDER BY 1, 2",
        names_are("name"),
        // An index has the instant behind the name.
        counts(&format!("{} AND {}", names_are("e.name"), is_on(backend, "e.occurred_at")))
    );
    let values = [Value::from(range.from), range.to.into()].into_iter().chain(names.iter().cloned().map(Value::from));
    read(db, Statement::from_sql_and_values(backend, sql, values)).await
}

/// Returns the counts of the events `e` on the days `m` in `marked` that a condition joins.
fn counts(joined: &str) -> String {
    // SQLite joins in the order that CROSS JOIN states.
    format!(
        "SELECT m.day AS day, e.name AS name, COUNT(*) AS events, COUNT(DISTINCT COALESCE(e.user_id, a.user_id)) + \
         COUNT(DISTINCT CASE WHEN e.user_id IS NULL AND a.user_id IS NULL THEN e.anonymous_id END) AS people \
         FROM marked m CROSS JOIN analytics_events e {ALIAS} WHERE {joined} GROUP BY m.day, e.name"
    )
}

/// Returns the condition that an instant is on the day `m`.
fn is_on(backend: DbBackend, at: &str) -> String {
    match backend {
        DbBackend::Postgres => format!(
            "{at} >= CAST(m.day AS timestamp) AT TIME ZONE 'UTC' \
             AND {at} < CAST(m.day + 1 AS timestamp) AT TIME ZONE 'UTC'"
        ),
        _ => format!("{at} >= m.day AND {at} < date(m.day, '+1 days')"),
    }
}

async fn read(db: &impl ConnectionTrait, statement: Statement) -> Result<Vec<NameDay>> {
    let rows = db.query_all_raw(statement).await?;
    rows.iter().map(|row| Ok(NameDay::from_query_result(row, "")?)).collect()
}

/// Makes the rows of these days again, and returns the number of rows that differ from before.
pub(in crate::analytics::visits) async fn make_days(txn: &Txn, days: &BTreeSet<NaiveDate>) -> Result<usize> {
    use feature_daily::{Column, Entity};
    let backend = txn.get_database_backend();
    let sql = format!("WITH marked AS ({}) {}", listed_days(backend), counts("e.day = m.day"));
    let list = day_list(days);
    let mut wanted: BTreeMap<Uuid, feature_daily::Model> = BTreeMap::new();
    for NameDay { day, name, events, people } in read(txn, Statement::from_sql_and_values(backend, sql, [list])).await?
    {
        let id = row_id("feature_daily", &[&day.to_string(), &name]);
        wanted.insert(id, feature_daily::Model { id, day, name, event_count: events, people_count: people });
    }
    let rows = Entity::visible(Scope::Everything).filter(Column::Day.is_in(days.iter().copied())).all(txn).await?;
    let known = rows.into_iter().map(|row| (row.id, row)).collect();
    replace::<Entity>(txn, Column::Id, known, wanted).await
}
