//! Queries on sessions and on the events that they follow from.

pub(super) mod features;
pub(super) mod marks;
pub(super) mod pages;

use super::session::Happening;
use crate::analytics::person::Person;
use crate::auth::Scope;
use crate::db::{Txn, Visible, columns, in_list, insert_all, whole_rows};
use crate::error::Result;
use chrono::{DateTime, FixedOffset, NaiveDate, Utc};
use entity::{identity_aliases, session_daily, visitor_sessions};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter, QueryResult, Statement, Value,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The days of people, as rows `g` of a statement: the number of the person in a list, the user or the visitor, the day, and
/// the day after.
fn given(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => {
            "SELECT CAST(r->>0 AS bigint) AS number, CAST(r->>1 AS uuid) AS user_id, r->>2 AS anonymous_id, \
             CAST(r->>3 AS date) AS day, CAST(r->>4 AS date) AS next_day FROM jsonb_array_elements($1::jsonb) AS d(r)"
        }
        _ => {
            "SELECT json_extract(value, '$[0]') AS number, unhex(json_extract(value, '$[1]')) AS user_id, \
             json_extract(value, '$[2]') AS anonymous_id, json_extract(value, '$[3]') AS day, \
             json_extract(value, '$[4]') AS next_day FROM json_each($1)"
        }
    }
}

/// Returns a statement over [`given`] that is one selection for users and one for visitors: `PERSON` in it stands for the
/// column that names the person, and `OTHER` for the other one.
fn by_person(backend: DbBackend, select: &str, days: &[(usize, &Person, NaiveDate)]) -> Statement {
    let rows = days.iter().map(|(number, person, day)| {
        let user = person.user_id().map(|id| id.simple().to_string());
        json!([number, user, person.anonymous_id(), day, day.succ_opt().unwrap_or(*day)])
    });
    let rows = Value::from(json!(rows.collect::<Vec<_>>()).to_string());
    let [users, visitors] = [("user_id", "anonymous_id"), ("anonymous_id", "user_id")]
        .map(|(column, other)| select.replace("PERSON", column).replace("OTHER", other));
    let sql = format!("WITH g AS ({}) {users} UNION ALL {visitors}", given(backend));
    Statement::from_sql_and_values(backend, sql, [rows])
}

/// Returns the users whom these visitors turned out to be, by visitor.
pub(super) async fn users_of(db: &impl ConnectionTrait, visitors: &[&str]) -> Result<BTreeMap<String, Uuid>> {
    let list = match db.get_database_backend() {
        DbBackend::Postgres => "SELECT value FROM jsonb_array_elements_text($1::jsonb) AS d(value)",
        _ => "SELECT value FROM json_each($1)",
    };
    let sql = format!("SELECT anonymous_id, user_id FROM identity_aliases WHERE anonymous_id IN ({list})");
    let visitors = Value::from(json!(visitors).to_string());
    let rows = Statement::from_sql_and_values(db.get_database_backend(), sql, [visitors]);
    let rows = db.query_all_raw(rows).await?;
    rows.iter().map(|row| Ok((row.try_get("", "anonymous_id")?, row.try_get("", "user_id")?))).collect()
}

/// Returns the visitors who turned out to be these users, with their users.
pub(super) async fn visitors_of(db: &impl ConnectionTrait, users: &[Uuid]) -> Result<Vec<(Uuid, String)>> {
    use identity_aliases::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(in_list(db, Expr::col(Column::UserId), users));
    Ok(rows.all(db).await?.into_iter().map(|alias| (alias.user_id, alias.anonymous_id)).collect())
}

/// Returns the stored sessions of people that started on these days.
pub(super) async fn sessions_on(
    db: &impl ConnectionTrait,
    days: &[(usize, &Person, NaiveDate)],
) -> Result<Vec<(usize, visitor_sessions::Model)>> {
    let select = format!(
        "SELECT g.number, {} FROM g CROSS JOIN visitor_sessions s WHERE s.PERSON = g.PERSON AND s.day = g.day",
        session_columns()
    );
    read_sessions(db, by_person(db.get_database_backend(), &select, days)).await
}

/// Returns the stored sessions of people that started on the day after one of these days, or as the last one before it.
pub(super) async fn sessions_beside(
    db: &impl ConnectionTrait,
    days: &[(usize, &Person, NaiveDate)],
) -> Result<Vec<(usize, visitor_sessions::Model)>> {
    let columns = session_columns();
    let select = format!(
        "SELECT g.number, {columns} FROM g CROSS JOIN visitor_sessions s WHERE s.PERSON = g.PERSON AND s.day = g.next_day \
         UNION ALL SELECT g.number, {columns} FROM g CROSS JOIN visitor_sessions s WHERE s.id = (SELECT b.id \
         FROM visitor_sessions b WHERE b.PERSON = g.PERSON AND b.day < g.day ORDER BY b.day DESC, b.started_at DESC LIMIT 1)"
    );
    read_sessions(db, by_person(db.get_database_backend(), &select, days)).await
}

fn session_columns() -> String {
    let names = columns::<visitor_sessions::Entity>();
    names.split(", ").map(|name| format!("s.{name}")).collect::<Vec<_>>().join(", ")
}

async fn read_sessions(
    db: &impl ConnectionTrait,
    statement: Statement,
) -> Result<Vec<(usize, visitor_sessions::Model)>> {
    let rows = db.query_all_raw(statement).await?;
    rows.iter().map(|row| Ok((number(row)?, visitor_sessions::Model::from_query_result(row, "")?))).collect()
}

fn number(row: &QueryResult) -> Result<usize> {
    Ok(usize::try_from(row.try_get::<i64>("", "number")?).unwrap_or(usize::MAX))
}

/// Returns the events of people on these days.
pub(super) async fn events_on(
    db: &impl ConnectionTrait,
    days: &[(usize, &Person, NaiveDate)],
) -> Result<Vec<(usize, Happening)>> {
    let backend = db.get_database_backend();
    // SQLite joins in the order that CROSS JOIN states. The index has the day, the user and the visitor.
    let select = format!(
        "SELECT g.number, e.id, e.occurred_at, {} AS path, e.referrer FROM g CROSS JOIN analytics_events e \
         WHERE e.day = g.day AND e.PERSON = g.PERSON AND e.OTHER IS NULL",
        pages::path(backend, "e.page")
    );
    let rows = db.query_all_raw(by_person(backend, &select, days)).await?;
    let event = |row: &QueryResult| {
        let at: DateTime<FixedOffset> = row.try_get("", "occurred_at")?;
        let (id, path, referrer) = (row.try_get("", "id")?, row.try_get("", "path")?, row.try_get("", "referrer")?);
        Ok((number(row)?, Happening { at: at.with_timezone(&Utc), id, path, referrer }))
    };
    rows.iter().map(event).collect()
}

/// Deletes and inserts sessions.
pub(super) async fn replace(txn: &Txn, gone: &BTreeSet<Uuid>, added: Vec<visitor_sessions::Model>) -> Result<()> {
    use visitor_sessions::{Column, Entity};
    if !gone.is_empty() {
        let gone: Vec<Uuid> = gone.iter().copied().collect();
        Entity::delete_many().filter(in_list(txn, Expr::col(Column::Id), &gone)).exec(txn).await?;
    }
    insert_all::<Entity>(txn, whole_rows(added)).await
}

/// Returns the sums of the days in `[from, to)`.
pub(super) async fn daily(
    db: &impl ConnectionTrait,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<session_daily::Model>> {
    use session_daily::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::Day.gte(from)).filter(Column::Day.lt(to));
    Ok(rows.all(db).await?)
}

/// Returns the days that have sessions or sums.
pub(super) async fn days(db: &impl ConnectionTrait) -> Result<Vec<NaiveDate>> {
    let sql = "SELECT day FROM visitor_sessions UNION SELECT day FROM session_daily ORDER BY day";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    rows.iter().map(|row| Ok(row.try_get("", "day")?)).collect()
}

/// Returns the sessions that started on a day.
pub(super) async fn sessions_of_day(db: &impl ConnectionTrait, day: NaiveDate) -> Result<Vec<visitor_sessions::Model>> {
    use visitor_sessions::{Column, Entity};
    Ok(Entity::visible(Scope::Everything).filter(Column::Day.eq(day)).all(db).await?)
}

/// Replaces the sums of a day.
pub(super) async fn replace_day(txn: &Txn, day: NaiveDate, row: Option<session_daily::Model>) -> Result<()> {
    use session_daily::{Column, Entity};
    Entity::delete_many().filter(Column::Day.eq(day)).exec(txn).await?;
    insert_all::<Entity>(txn, whole_rows(row.into_iter().collect())).await
}
