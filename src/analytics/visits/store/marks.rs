//! The marks of people and days. Triggers insert them, in the transaction of each event and alias.

use crate::analytics::person::Person;
use crate::auth::Scope;
use crate::db::{Txn, Visible, unrestricted_only};
use crate::error::Result;
use chrono::NaiveDate;
use entity::activity_marks;
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryResult, Select, Statement, Value};
use std::collections::BTreeSet;

impl Visible for activity_marks::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(unrestricted_only(scope))
    }
}

/// A person's day whose sessions have to be made again.
pub(in crate::analytics::visits) type MarkedDay = (Person, NaiveDate);

/// Replaces the marks of at most `limit` visitors who turned out to be users by marks of their days, and returns their number.
pub(in crate::analytics::visits) async fn spread_visitors(txn: &Txn, limit: usize) -> Result<usize> {
    let backend = txn.get_database_backend();
    let taken = format!(
        "DELETE FROM activity_marks WHERE id IN (SELECT id FROM activity_marks WHERE day IS NULL ORDER BY anonymous_id \
         LIMIT {limit}) RETURNING anonymous_id"
    );
    let taken = txn.query_all_raw(Statement::from_string(backend, taken)).await?;
    let visitors =
        taken.iter().map(|row| Ok(row.try_get("", "anonymous_id")?)).collect::<Result<BTreeSet<String>>>()?;
    if visitors.is_empty() {
        return Ok(0);
    }
    let (id, list) = match backend {
        DbBackend::Postgres => {
            ("gen_random_uuid()", "SELECT value FROM jsonb_array_elements_text($1::jsonb) AS d(value)")
        }
        _ => ("randomblob(16)", "SELECT value FROM json_each($1)"),
    };
    let days = format!("SELECT DISTINCT day, anonymous_id FROM analytics_events WHERE anonymous_id IN ({list})");
    for marks in [
        format!(
            "INSERT INTO activity_marks (id, day, anonymous_id) SELECT {id}, d.day, d.anonymous_id FROM ({days}) AS d"
        ),
        format!(
            "INSERT INTO activity_marks (id, day) SELECT {id}, d.day FROM (SELECT DISTINCT day FROM ({days}) AS e) AS d"
        ),
    ] {
        let list = Value::from(serde_json::json!(visitors).to_string());
        txn.execute_raw(Statement::from_sql_and_values(backend, marks, [list])).await?;
    }
    Ok(visitors.len())
}

/// Deletes at most `limit` marks of people, and returns them and their number. A later statement of the transaction sees at
/// least the events that were marked; the mark of an event that it does not see is not deleted.
pub(in crate::analytics::visits) async fn take_people(txn: &Txn, limit: usize) -> Result<(BTreeSet<MarkedDay>, usize)> {
    let sql = format!(
        "DELETE FROM activity_marks WHERE id IN (SELECT id FROM activity_marks WHERE day IS NOT NULL \
         AND (user_id IS NOT NULL OR anonymous_id IS NOT NULL) ORDER BY day, user_id, anonymous_id LIMIT {limit}) \
         RETURNING day, user_id, anonymous_id"
    );
    let taken = txn.query_all_raw(Statement::from_string(txn.get_database_backend(), sql)).await?;
    Ok((taken.iter().map(marked_day).collect::<Result<_>>()?, taken.len()))
}

/// Deletes the marks of at most `limit` days before `today`, and returns these days.
pub(in crate::analytics::visits) async fn take_days(
    txn: &Txn,
    today: NaiveDate,
    limit: usize,
) -> Result<BTreeSet<NaiveDate>> {
    let sql = format!(
        "DELETE FROM activity_marks WHERE user_id IS NULL AND anonymous_id IS NULL AND day IN (SELECT DISTINCT day \
         FROM activity_marks WHERE user_id IS NULL AND anonymous_id IS NULL AND day < $1 ORDER BY day LIMIT {limit}) \
         RETURNING day"
    );
    let taken = Statement::from_sql_and_values(txn.get_database_backend(), sql, [Value::from(today)]);
    txn.query_all_raw(taken).await?.iter().map(|row| Ok(row.try_get("", "day")?)).collect()
}

/// Returns the marks of people from `from` on, the days of visitors who turned out to be users included.
pub(in crate::analytics::visits) async fn people(db: &impl ConnectionTrait, from: NaiveDate) -> Result<Vec<MarkedDay>> {
    let sql = "SELECT day, user_id, anonymous_id FROM activity_marks WHERE day >= $1 \
         AND (user_id IS NOT NULL OR anonymous_id IS NOT NULL) \
         UNION SELECT e.day, e.user_id, e.anonymous_id FROM activity_marks m \
         JOIN analytics_events e ON e.anonymous_id = m.anonymous_id WHERE m.day IS NULL AND e.day >= $1";
    let rows = Statement::from_sql_and_values(db.get_database_backend(), sql, [Value::from(from)]);
    db.query_all_raw(rows).await?.iter().map(marked_day).collect()
}

/// Counts the marks of people and of visitors, and those of days before `today`.
pub(in crate::analytics::visits) async fn count(db: &impl ConnectionTrait, today: NaiveDate) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS marks FROM activity_marks WHERE user_id IS NOT NULL OR anonymous_id IS NOT NULL \
         OR day < $1";
    let row = Statement::from_sql_and_values(db.get_database_backend(), sql, [Value::from(today)]);
    db.query_one_raw(row).await?.map_or(Ok(0), |row| Ok(row.try_get("", "marks")?))
}

/// Marks every day of everybody, also those that have rows for nothing.
pub(in crate::analytics::visits) async fn mark_all(txn: &Txn) -> Result<()> {
    let backend = txn.get_database_backend();
    let id = match backend {
        DbBackend::Postgres => "gen_random_uuid()",
        _ => "randomblob(16)",
    };
    for sql in [
        format!(
            "INSERT INTO activity_marks (id, day, user_id, anonymous_id) SELECT {id}, d.day, d.user_id, d.anonymous_id \
             FROM (SELECT day, user_id, anonymous_id FROM visitor_days \
             UNION SELECT day, user_id, anonymous_id FROM visitor_sessions) AS d"
        ),
        format!(
            "INSERT INTO activity_marks (id, day) SELECT {id}, d.day \
             FROM (SELECT day FROM visitor_days UNION SELECT day FROM feature_daily \
             UNION SELECT day FROM active_users_daily) AS d"
        ),
    ] {
        txn.execute_raw(Statement::from_string(backend, sql)).await?;
    }
    Ok(())
}

fn marked_day(row: &QueryResult) -> Result<MarkedDay> {
    let person = match row.try_get::<Option<_>>("", "user_id")? {
        Some(id) => Person::User(id),
        None => Person::Visitor(row.try_get("", "anonymous_id")?),
    };
    Ok((person, row.try_get("", "day")?))
}
