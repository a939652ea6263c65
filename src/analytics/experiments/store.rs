//! Queries on experiments, their assignments and their conversions.

use crate::auth::{Permission, Scope};
use crate::db::{Listing, Order, ROW_LOCK, Txn, Visible, unrestricted_only};
use crate::error::Result;
use crate::order;
use chrono::{DateTime, FixedOffset, Utc};
use entity::{experiment_assignments, experiments, identity_aliases};
use sea_orm::sea_query::{ExprTrait, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Select, Statement, Value,
};
use std::collections::HashMap;
use uuid::Uuid;

impl Visible for experiments::Entity {
    const GUARD: Option<Permission> = Some(Permission::AnalyticsRead);
    const OPEN_TO: &'static [Permission] = &[Permission::AnalyticsRead];

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(unrestricted_only(scope))
    }
}

impl Visible for experiment_assignments::Entity {
    const GUARD: Option<Permission> = Some(Permission::AnalyticsRead);
    const OPEN_TO: &'static [Permission] = &[Permission::AnalyticsRead];

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(unrestricted_only(scope))
    }
}

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

/// A unit of an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Person {
    /// A user.
    User(Uuid),
    /// A visitor who is no user as far as is known.
    Visitor(String),
}

impl Person {
    pub(super) fn user_id(&self) -> Option<Uuid> {
        match self {
            Person::User(id) => Some(*id),
            Person::Visitor(_) => None,
        }
    }

    pub(super) fn anonymous_id(&self) -> Option<&str> {
        match self {
            Person::User(_) => None,
            Person::Visitor(id) => Some(id),
        }
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

/// A person's part of an assignment or event, as a user if that is known.
#[derive(Debug, PartialEq, Eq, Hash, FromQueryResult)]
struct Key {
    user_id: Option<Uuid>,
    anonymous_id: Option<String>,
}

#[derive(Debug, FromQueryResult)]
struct Unit {
    #[sea_orm(nested)]
    key: Key,
    variant: String,
    assigned_at: DateTime<FixedOffset>,
    window_ends_at: DateTime<FixedOffset>,
}

#[derive(Debug, FromQueryResult)]
struct Hit {
    #[sea_orm(nested)]
    key: Key,
    occurred_at: DateTime<FixedOffset>,
}

/// The assignments of an experiment, the first ones first.
const UNITS: &str = "SELECT COALESCE(a.user_id, i.user_id) AS user_id, \
    CASE WHEN i.user_id IS NULL THEN a.anonymous_id END AS anonymous_id, a.variant AS variant, \
    a.assigned_at AS assigned_at, a.window_ends_at AS window_ends_at \
    FROM experiment_assignments a LEFT JOIN identity_aliases i ON i.anonymous_id = a.anonymous_id \
    WHERE a.experiment_id = $1 ORDER BY a.assigned_at, a.id";

/// The events of one name in a range of time.
const HITS: &str = "SELECT COALESCE(e.user_id, i.user_id) AS user_id, \
    CASE WHEN i.user_id IS NULL THEN e.anonymous_id END AS anonymous_id, e.occurred_at AS occurred_at \
    FROM analytics_events e LEFT JOIN identity_aliases i ON i.anonymous_id = e.anonymous_id \
    WHERE e.name = $1 AND e.occurred_at >= $2 AND e.occurred_at <= $3";

/// Returns the units of each variant that has some, as of `now`. Of the assignments of one person the first counts. They are
/// joined here, because SQLite joins them in a time that grows with the product of both.
pub(super) async fn counts(
    db: &DatabaseConnection,
    experiment: &experiments::Model,
    now: DateTime<Utc>,
) -> Result<HashMap<String, Count>> {
    let backend = db.get_database_backend();
    let units = Statement::from_sql_and_values(backend, UNITS, [experiment.id.into()]);
    let event: Value = experiment.conversion_event.clone().into();
    let range: [Value; 3] = [event, experiment.created_at.into(), now.fixed_offset().into()];
    let hits = Statement::from_sql_and_values(backend, HITS, range);
    let mut firsts: HashMap<Key, (Unit, bool)> = HashMap::new();
    for row in db.query_all_raw(units).await? {
        let unit = Unit::from_query_result(&row, "")?;
        let key = Key { user_id: unit.key.user_id, anonymous_id: unit.key.anonymous_id.clone() };
        firsts.entry(key).or_insert((unit, false));
    }
    for row in db.query_all_raw(hits).await? {
        let hit = Hit::from_query_result(&row, "")?;
        if let Some((unit, has_converted)) = firsts.get_mut(&hit.key) {
            *has_converted |= (unit.assigned_at..=unit.window_ends_at).contains(&hit.occurred_at);
        }
    }
    let mut counts: HashMap<String, Count> = HashMap::new();
    for (unit, has_converted) in firsts.into_values() {
        let count = counts.entry(unit.variant).or_default();
        count.unit_count += 1;
        count.conversion_count += u32::from(has_converted);
        count.closed_count += u32::from(unit.window_ends_at < now);
    }
    Ok(counts)
}
