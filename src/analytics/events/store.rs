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
use sea_orm::{ColumnTrait, DatabaseConnection, QueryFilter, Statement, StreamTrait, Value};
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
