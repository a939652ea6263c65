//! Queries on events, on the users that visitors turned out to be, and on days of activity.

use super::event::NewEvent;
use crate::analytics::person::Person;
use crate::analytics::store::people::{ALIAS, PERSON, person};
use crate::auth::Scope;
use crate::db::{Txn, Visible, insert_new, insert_new_ids};
use crate::error::{Error, Result};
use chrono::{DateTime, NaiveDate, Utc};
use entity::{analytics_events, identity_aliases, visitor_days};
use futures_util::{Stream, TryStreamExt};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, FromQueryResult, QueryFilter, Statement, StreamTrait,
    Value,
};
use std::collections::{BTreeSet, HashSet};
use uuid::Uuid;

/// An event with its person.
pub(super) struct EventRow {
    pub(super) id: Uuid,
    pub(super) person: Person,
    pub(super) event: NewEvent,
    pub(super) occurred_at: DateTime<Utc>,
}

/// Inserts events and their days, except those whose dedupe keys their persons have. Returns the ids of the new ones.
pub(super) async fn insert(txn: &Txn, mut events: Vec<EventRow>) -> Result<HashSet<Uuid>> {
    // In one order, so that requests at once do not wait for each other in a circle.
    events.sort_by(|a, b| (&a.person, &a.event.dedupe_key, a.id).cmp(&(&b.person, &b.event.dedupe_key, b.id)));
    let days: Vec<(Uuid, NaiveDate, Person)> =
        events.iter().map(|row| (row.id, row.occurred_at.date_naive(), row.person.clone())).collect();
    let rows = events.into_iter().map(|row| {
        let EventRow { id, person, event, occurred_at } = row;
        analytics_events::ActiveModel {
            id: Set(id),
            name: Set(event.name),
            user_id: Set(person.user_id()),
            anonymous_id: Set(person.anonymous_id().map(str::to_owned)),
            dedupe_key: Set(event.dedupe_key),
            properties: Set(event.properties),
            page: Set(event.page),
            referrer: Set(event.referrer),
            occurred_at: Set(occurred_at.fixed_offset()),
            day: Set(occurred_at.date_naive()),
            recorded_at: Set(txn.now().fixed_offset()),
        }
    });
    let new = insert_new_ids::<analytics_events::Entity>(txn, rows.collect()).await?;
    let days = days.into_iter().filter(|(id, ..)| new.contains(id)).map(|(_, day, person)| (day, person));
    let days: BTreeSet<(NaiveDate, Person)> = days.collect();
    let days = days.into_iter().map(|(day, person)| {
        let (user_id, anonymous_id) = (Set(person.user_id()), Set(person.anonymous_id().map(str::to_owned)));
        visitor_days::ActiveModel { id: Set(txn.new_id()), day: Set(day), user_id, anonymous_id }
    });
    insert_new::<visitor_days::Entity>(txn, days.collect()).await?;
    Ok(new)
}

/// Inserts the user of a visitor, unless the visitor has one. Returns the user that the visitor is.
pub(super) async fn insert_alias(txn: &Txn, anonymous_id: &str, user_id: Uuid) -> Result<Uuid> {
    use identity_aliases::{ActiveModel, Column, Entity};
    let alias = ActiveModel {
        id: Set(txn.new_id()),
        anonymous_id: Set(anonymous_id.to_owned()),
        user_id: Set(user_id),
        created_at: Set(txn.now().fixed_offset()),
    };
    insert_new::<Entity>(txn, vec![alias]).await?;
    let found = Entity::visible(Scope::Everything).filter(Column::AnonymousId.eq(anonymous_id)).one(txn).await?;
    found.map(|alias| alias.user_id).ok_or_else(|| Error::internal(anyhow::anyhow!("An alias vanished.")))
}

/// The persons who were active on one day, and those whose windows of activity begin or end with it: a window reaches
/// from a day of activity over the next 7 or 30 days, and windows of one person that meet are one.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub(super) struct Activity {
    pub(super) day: NaiveDate,
    /// True for visitors who are not known to be users, false for users.
    pub(super) are_visitors: bool,
    pub(super) daily: i64,
    pub(super) weeks_begun: i64,
    pub(super) weeks_ended: i64,
    pub(super) months_begun: i64,
    pub(super) months_ended: i64,
}

/// Returns the activity of the days in `[from, to)` that have any: of users, and of visitors who are not known to be users.
pub(super) async fn activity(db: &DatabaseConnection, from: NaiveDate, to: NaiveDate) -> Result<Vec<Activity>> {
    let backend = db.get_database_backend();
    let days_between = |earlier: &str, later: &str| match backend {
        DbBackend::Postgres => format!("{later} - {earlier}"),
        _ => format!("CAST(julianday({later}) - julianday({earlier}) AS INTEGER)"),
    };
    let (before, after) = ("LAG(day) OVER w", "LEAD(day) OVER w");
    let (before, after) = (days_between(before, "day"), days_between("day", after));
    let sum = |gap: &str, days: u32| {
        format!("CAST(SUM(CASE WHEN {gap} IS NULL OR {gap} >= {days} THEN 1 ELSE 0 END) AS BIGINT)")
    };
    let sql = format!(
        "WITH days AS (SELECT DISTINCT e.day, {PERSON} FROM visitor_days e {ALIAS} \
         WHERE e.day >= $1 AND e.day < $2), \
         gaps AS (SELECT day, user_id IS NULL AS are_visitors, {before} AS since, {after} AS until FROM days \
         WINDOW w AS (PARTITION BY user_id, anonymous_id ORDER BY day)) \
         SELECT day, are_visitors, COUNT(*) AS daily, {} AS weeks_begun, {} AS weeks_ended, {} AS months_begun, {} AS months_ended \
         FROM gaps GROUP BY day, are_visitors",
        sum("since", 7),
        sum("until", 7),
        sum("since", 30),
        sum("until", 30),
    );
    read(db, Statement::from_sql_and_values(backend, sql, [Value::from(from), to.into()])).await
}

/// An event of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) person: Person,
    pub(super) name: String,
    pub(super) occurred_at: DateTime<Utc>,
}

/// Returns the events of these names from `from` until before `to`, person by person, each in their order.
pub(super) async fn steps<'d>(
    db: &'d DatabaseConnection,
    names: &[String],
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<impl Stream<Item = Result<Step>> + use<'d>> {
    let (places, mut values) = named(names, 2);
    values.splice(0..0, [Value::from(from.fixed_offset()), to.fixed_offset().into()]);
    let sql = format!(
        "SELECT {PERSON}, e.name, e.occurred_at FROM analytics_events e {ALIAS} \
         WHERE e.name IN ({places}) AND e.occurred_at >= $1 AND e.occurred_at < $2 \
         ORDER BY 1, 2, e.occurred_at, e.id"
    );
    let rows = db.stream_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    Ok(rows.map_err(Error::from).and_then(|row| async move {
        let (name, occurred_at) = (row.try_get("", "name")?, row.try_get("", "occurred_at")?);
        Ok(Step { person: person(&row)?, name, occurred_at })
    }))
}

/// Returns the places of names in a statement, from the one after `before` on, and their values.
fn named(names: &[String], before: usize) -> (String, Vec<Value>) {
    let places: Vec<String> = (1..=names.len()).map(|at| format!("${}", before + at)).collect();
    (places.join(", "), names.iter().cloned().map(Value::from).collect())
}

async fn read<T: FromQueryResult>(db: &DatabaseConnection, statement: Statement) -> Result<Vec<T>> {
    let rows = db.query_all_raw(statement).await?;
    rows.iter().map(|row| Ok(T::from_query_result(row, "")?)).collect()
}
