//! Queries on rate limits.

use super::place::Place;
use crate::auth::{Permission, Scope};
use crate::db::{Db, Listing, Order, ROW_LOCK, Txn, Visible, columns, stored_instant, unrestricted_only};
use crate::error::Result;
use crate::order;
use chrono::{DateTime, Utc};
use entity::{rate_limit_counters, rate_limit_rules};
use sea_orm::sea_query::Query;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, Order as Direction, QueryFilter,
    QuerySelect, Select, Statement,
};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// The counters that one transaction purges.
const PURGE_BATCH: u64 = 1_000;

impl Visible for rate_limit_rules::Entity {
    /// Callers who define rules or use them see them.
    const OPEN_TO: &'static [Permission] = &[Permission::CatalogueWrite, Permission::CreditsWrite];

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(unrestricted_only(scope))
    }
}

/// Rules of rate limits, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RateLimits;

impl Listing for RateLimits {
    type Entity = rate_limit_rules::Entity;

    fn filter(&self, rows: Select<rate_limit_rules::Entity>) -> Select<rate_limit_rules::Entity> {
        rows
    }

    fn order(&self) -> Order<rate_limit_rules::Entity> {
        order!(rate_limit_rules, created_at, CreatedAt, true)
    }
}

/// Locks the rule with this id until the commit.
pub(super) async fn lock_rule(txn: &Txn, id: Uuid) -> Result<Option<rate_limit_rules::Model>> {
    let rows = rate_limit_rules::Entity::visible(Scope::Everything).filter(rate_limit_rules::Column::Id.eq(id));
    Ok(rows.lock(ROW_LOCK).one(txn).await?)
}

/// Returns the rules with these codes, by code.
pub(super) async fn rules_named(
    txn: &Txn,
    codes: impl Iterator<Item = &str>,
) -> Result<HashMap<String, rate_limit_rules::Model>> {
    use rate_limit_rules::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::Code.is_in(codes)).all(txn).await?;
    Ok(rows.into_iter().map(|rule| (rule.code.clone(), rule)).collect())
}

/// Returns the counters of these windows with a lock on each until the commit, in the order of their ids.
pub(super) async fn lock_counters(txn: &Txn, places: &BTreeSet<Place>) -> Result<Vec<rate_limit_counters::Model>> {
    use rate_limit_counters::{Entity, Model};
    const SQLITE: &str = "(SELECT unhex(value->>'rule') AS rule, value->>'identifier' AS identifier, \
        value->>'start' AS start FROM json_each($1)) AS k";
    const POSTGRES: &str = "jsonb_to_recordset($1::jsonb) AS k(rule uuid, identifier text, start timestamptz)";
    const SAME: &str = "c.rule_id = k.rule AND c.identifier = k.identifier AND c.window_start = k.start";
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let list = places.iter().map(|place| {
        let rule = place.rule_id.simple().to_string();
        serde_json::json!({"rule": rule, "identifier": place.identifier, "start": stored_instant(place.start)})
    });
    let list = serde_json::Value::Array(list.collect()).to_string();
    let columns = columns::<Entity>();
    let backend = txn.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => format!(
            "SELECT {columns} FROM rate_limit_counters WHERE id = ANY(ARRAY(SELECT c.id FROM {POSTGRES} \
             JOIN rate_limit_counters c ON {SAME})) ORDER BY id FOR NO KEY UPDATE"
        ),
        _ => format!(
            "SELECT {columns} FROM rate_limit_counters WHERE id IN (SELECT c.id FROM {SQLITE} \
             CROSS JOIN rate_limit_counters c ON {SAME})"
        ),
    };
    let rows = txn.query_all_raw(Statement::from_sql_and_values(backend, sql, [list.into()])).await?;
    rows.iter().map(|row| Ok(Model::from_query_result(row, "")?)).collect()
}

/// Deletes the counters of windows that ended before `until`, in batches, and returns their number.
pub(super) async fn purge(db: &Db, until: DateTime<Utc>) -> Result<u64> {
    let mut purged = 0;
    loop {
        let batch = db.write(move |txn| Box::pin(purge_batch(txn, until))).await?;
        purged += batch;
        if batch < PURGE_BATCH {
            return Ok(purged);
        }
    }
}

async fn purge_batch(txn: &Txn, until: DateTime<Utc>) -> Result<u64> {
    use rate_limit_counters::{Column, Entity};
    let oldest = Query::select()
        .column(Column::Id)
        .from(Entity)
        .and_where(Column::ResetsAt.lt(until.fixed_offset()))
        .order_by(Column::ResetsAt, Direction::Asc)
        .limit(PURGE_BATCH)
        .take();
    Ok(Entity::delete_many().filter(Column::Id.in_subquery(oldest)).exec(txn).await?.rows_affected)
}
