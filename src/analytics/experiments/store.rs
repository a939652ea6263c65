//! Queries on experiments, their assignments and their conversions.

use crate::analytics::person::Person;
use crate::analytics::store::people::{ALIAS, PERSON, person};
use crate::auth::Scope;
use crate::db::{Listing, Order, ROW_LOCK, Txn, Visible};
use crate::error::Result;
use crate::order;
use chrono::{DateTime, FixedOffset, Utc};
use entity::{experiment_assignments, experiments, identity_aliases};
use sea_orm::sea_query::{ExprTrait, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, QueryFilter, QueryOrder, QuerySelect, Select, Statement, Value,
};
use std::collections::HashMap;
use uuid::Uuid;

/// Experiments, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Experiments;

impl Listing for Experiments {
    type Entity = experiments::Entity;

    fn filter(&self, rows: Select<experiments::Entity>) -> Select<experiments::Entity> {
        rows
    }

    fn order(&self) -> Order<experiments::Entity> {
        order!(experiments, created_at, CreatedAt, true)
    }
}

/// Returns the experiment with this code.
pub(super) async fn experiment_by_code(db: &impl ConnectionTrait, code: &str) -> Result<Option<experiments::Model>> {
    let rows = experiments::Entity::visible(Scope::Everything).filter(experiments::Column::Code.eq(code));
    Ok(rows.one(db).await?)
}

/// Locks the experiment with this id until the commit.
pub(super) async fn lock_experiment(txn: &Txn, id: Uuid) -> Result<Option<experiments::Model>> {
    let rows = experiments::Entity::visible(Scope::Everything).filter(experiments::Column::Id.eq(id));
    Ok(rows.lock(ROW_LOCK).one(txn).await?)
}

/// Returns the experiment with this id, which does not end before the commit. Others may assign at once.
pub(super) async fn hold_experiment(txn: &Txn, id: Uuid) -> Result<Option<experiments::Model>> {
    let rows = experiments::Entity::visible(Scope::Everything).filter(experiments::Column::Id.eq(id));
    Ok(rows.lock_shared().one(txn).await?)
}

/// Returns the user whom a visitor turned out to be, or else the visitor.
pub(super) async fn identify(db: &impl ConnectionTrait, person: Person) -> Result<Person> {
    let Person::Visitor(id) = &person else { return Ok(person) };
    let rows = identity_aliases::Entity::visible(Scope::Everything);
    let alias = rows.filter(identity_aliases::Column::AnonymousId.eq(id)).one(db).await?;
    Ok(alias.map_or(person, |alias| Person::User(alias.user_id)))
}

/// Returns the first assignment of a person: of a user also those of visitors whom the user turned out to be.
pub(super) async fn assignment_of(
    db: &impl ConnectionTrait,
    experiment_id: Uuid,
    person: &Person,
) -> Result<Option<experiment_assignments::Model>> {
    use experiment_assignments::{Column, Entity};
    let is_theirs = match person {
        Person::Visitor(id) => Column::AnonymousId.eq(id),
        Person::User(id) => {
            let visitors = Query::select()
                .column(identity_aliases::Column::AnonymousId)
                .from(identity_aliases::Entity)
                .and_where(identity_aliases::Column::UserId.eq(*id))
                .take();
            Column::UserId.eq(*id).or(Column::AnonymousId.in_subquery(visitors))
        }
    };
    let rows = Entity::visible(Scope::Everything).filter(Column::ExperimentId.eq(experiment_id)).filter(is_theirs);
    Ok(rows.order_by_asc(Column::AssignedAt).order_by_asc(Column::Id).one(db).await?)
}

/// The units of a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Count {
    pub(super) unit_count: u32,
    pub(super) conversion_count: u32,
    /// Units whose window is over.
    pub(super) closed_count: u32,
}

/// An assignment, and whether the unit has converted.
struct Unit {
    variant: String,
    assigned_at: DateTime<FixedOffset>,
    window_ends_at: DateTime<FixedOffset>,
    has_converted: bool,
}

/// Returns the units of each variant that has some, as of `now`. Of the assignments of one person the first counts. They are
/// joined here, because SQLite joins them in a time that grows with the product of both.
pub(super) async fn counts(
    db: &DatabaseConnection,
    experiment: &experiments::Model,
    now: DateTime<Utc>,
) -> Result<HashMap<String, Count>> {
    let backend = db.get_database_backend();
    // The first ones first.
    let units = format!(
        "SELECT {PERSON}, e.variant, e.assigned_at, e.window_ends_at FROM experiment_assignments e {ALIAS} \
         WHERE e.experiment_id = $1 ORDER BY e.assigned_at, e.id"
    );
    let units = Statement::from_sql_and_values(backend, units, [experiment.id.into()]);
    let events = format!(
        "SELECT {PERSON}, e.occurred_at FROM analytics_events e {ALIAS} \
         WHERE e.name = $1 AND e.occurred_at >= $2 AND e.occurred_at <= $3"
    );
    let event: Value = experiment.conversion_event.clone().into();
    let range: [Value; 3] = [event, experiment.created_at.into(), now.fixed_offset().into()];
    let events = Statement::from_sql_and_values(backend, events, range);
    let mut firsts: HashMap<Person, Unit> = HashMap::new();
    for row in db.query_all_raw(units).await? {
        let unit = Unit {
            variant: row.try_get("", "variant")?,
            assigned_at: row.try_get("", "assigned_at")?,
            window_ends_at: row.try_get("", "window_ends_at")?,
            has_converted: false,
        };
        firsts.entry(person(&row)?).or_insert(unit);
    }
    for row in db.query_all_raw(events).await? {
        if let Some(unit) = firsts.get_mut(&person(&row)?) {
            let at: DateTime<FixedOffset> = row.try_get("", "occurred_at")?;
            unit.has_converted |= (unit.assigned_at..=unit.window_ends_at).contains(&at);
        }
    }
    let mut counts: HashMap<String, Count> = HashMap::new();
    for unit in firsts.into_values() {
        let count = counts.entry(unit.variant).or_default();
        count.unit_count += 1;
        count.conversion_count += u32::from(unit.has_converted);
        count.closed_count += u32::from(unit.window_ends_at < now);
    }
    Ok(counts)
}
