//! Queries on errors and their groups.

use super::new_error::NewError;
use super::values::ErrorSeverity;
use crate::auth::Scope;
use crate::db::{
    ChildListing, Listing, Order, ROW_LOCK, Txn, Visible, insert_new, insert_new_ids, update_all, whole_rows,
};
use crate::error::Result;
use crate::order;
use chrono::{DateTime, NaiveDate, Utc};
use entity::{error_events, error_groups};
use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Select, Statement, Value,
};
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// An error with its user and group.
#[derive(Debug, Clone)]
pub(super) struct ErrorRow {
    pub(super) id: Uuid,
    pub(super) user_id: Option<Uuid>,
    pub(super) fingerprint: String,
    /// The message without its variable parts.
    pub(super) general: String,
    pub(super) error: NewError,
    pub(super) occurred_at: DateTime<Utc>,
}

/// Inserts errors, except those whose dedupe keys their users have, and counts them in their groups. Returns the ids of the
/// new ones.
pub(super) async fn insert(txn: &Txn, rows: Vec<ErrorRow>) -> Result<HashSet<Uuid>> {
    let mut groups = lock_groups(txn, &rows).await?;
    let errors = rows.iter().filter_map(|row| {
        let error = &row.error;
        Some(error_events::ActiveModel {
            id: Set(row.id),
            error_group_id: Set(groups.get(&row.fingerprint)?.id),
            severity: Set(error.severity.to_string()),
            message: Set(error.message.clone()),
            stack: Set(error.stack.clone()),
            release: Set(error.release.clone()),
            page: Set(error.page.clone()),
            user_id: Set(row.user_id),
            dedupe_key: Set(error.dedupe_key.clone()),
            properties: Set(error.properties.clone()),
            occurred_at: Set(row.occurred_at.fixed_offset()),
            day: Set(row.occurred_at.date_naive()),
            recorded_at: Set(txn.now().fixed_offset()),
        })
    });
    let new = insert_new_ids::<error_events::Entity>(txn, errors.collect()).await?;
    let mut changed: BTreeMap<Uuid, error_groups::Model> = BTreeMap::new();
    for row in rows.iter().filter(|row| new.contains(&row.id)) {
        if let Some(group) = groups.get_mut(&row.fingerprint) {
            let at = row.occurred_at.fixed_offset();
            let is_first = group.error_count == 0;
            group.first_seen_at = if is_first { at } else { Ord::min(group.first_seen_at, at) };
            group.last_seen_at = if is_first { at } else { Ord::max(group.last_seen_at, at) };
            group.severity = Ord::max(ErrorSeverity::parse(&group.severity)?, row.error.severity).to_string();
            group.error_count += 1;
            changed.insert(group.id, group.clone());
        }
    }
    update_all::<error_groups::Entity>(txn, whole_rows(changed.into_values().collect())).await?;
    Ok(new)
}

/// Locks the groups of errors until the commit, in one order, and makes those that are missing. Returns them by fingerprint.
async fn lock_groups(txn: &Txn, errors: &[ErrorRow]) -> Result<HashMap<String, error_groups::Model>> {
    use error_groups::{ActiveModel, Column, Entity};
    let by_fingerprint: BTreeMap<&str, &ErrorRow> = errors.iter().rev().map(|row| (&*row.fingerprint, row)).collect();
    let rows = by_fingerprint.values().map(|row| ActiveModel {
        id: Set(txn.new_id()),
        fingerprint: Set(row.fingerprint.clone()),
        error_type: Set(row.error.error_type.clone()),
        message: Set(row.general.clone()),
        severity: Set(ErrorSeverity::Info.to_string()),
        error_count: Set(0),
        first_seen_at: Set(row.occurred_at.fixed_offset()),
        last_seen_at: Set(row.occurred_at.fixed_offset()),
        resolved_at: Set(None),
    });
    insert_new::<Entity>(txn, rows.collect()).await?;
    let rows = Entity::visible(Scope::Everything).filter(Column::Fingerprint.is_in(by_fingerprint.into_keys()));
    let rows = rows.order_by_asc(Column::Id).lock(ROW_LOCK).all(txn).await?;
    Ok(rows.into_iter().map(|group| (group.fingerprint.clone(), group)).collect())
}

/// Locks the group with this id until the commit.
pub(super) async fn lock_group(txn: &Txn, id: Uuid) -> Result<Option<error_groups::Model>> {
    let rows = error_groups::Entity::visible(Scope::Everything).filter(error_groups::Column::Id.eq(id));
    Ok(rows.lock(ROW_LOCK).one(txn).await?)
}

/// Returns true for a group without an error that is later than its resolution.
pub fn is_resolved(group: &error_groups::Model) -> bool {
    group.resolved_at.is_some_and(|at| group.last_seen_at <= at)
}

/// Groups of errors, last seen first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ErrorGroups {
    /// Only resolved ones, or only open ones.
    pub is_resolved: Option<bool>,
    /// Only those of this severity.
    pub severity: Option<ErrorSeverity>,
}

impl Listing for ErrorGroups {
    type Entity = error_groups::Entity;

    fn filter(&self, mut rows: Select<error_groups::Entity>) -> Select<error_groups::Entity> {
        use error_groups::Column;
        let resolved = || Expr::col(Column::LastSeenAt).lte(Expr::col(Column::ResolvedAt));
        rows = match self.is_resolved {
            Some(true) => rows.filter(resolved()),
            Some(false) => rows.filter(Column::ResolvedAt.is_null().or(resolved().not())),
            None => rows,
        };
        match self.severity {
            Some(severity) => rows.filter(Column::Severity.eq(severity)),
            None => rows,
        }
    }

    fn order(&self) -> Order<error_groups::Entity> {
        order!(error_groups, last_seen_at, LastSeenAt, true)
    }
}

/// The errors of a group, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupErrors;

impl Listing for GroupErrors {
    type Entity = error_events::Entity;

    fn filter(&self, rows: Select<error_events::Entity>) -> Select<error_events::Entity> {
        rows
    }

    fn order(&self) -> Order<error_events::Entity> {
        order!(error_events, occurred_at, OccurredAt, true)
    }
}

impl ChildListing for GroupErrors {
    type Of = ();

    fn belongs_to((): (), group: SimpleExpr) -> SimpleExpr {
        error_events::Column::ErrorGroupId.into_expr().eq(group)
    }
}

/// The errors of one day.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub(super) struct OfDay {
    pub(super) day: NaiveDate,
    pub(super) errors: i64,
    pub(super) critical: i64,
    pub(super) affected_users: i64,
    pub(super) active_users: i64,
}

/// Returns the errors of the days in `[from, to)` that have any, oldest first.
pub(super) async fn by_day(db: &DatabaseConnection, from: NaiveDate, to: NaiveDate) -> Result<Vec<OfDay>> {
    use crate::analytics::store::people::ALIAS;
    let sql = format!(
        "WITH errors AS (SELECT day, COUNT(*) AS errors, \
         CAST(SUM(CASE WHEN severity = $3 THEN 1 ELSE 0 END) AS BIGINT) AS critical, \
         COUNT(DISTINCT user_id) AS affected_users FROM error_events WHERE day >= $1 AND day < $2 GROUP BY day), \
         active AS (SELECT day, user_id FROM error_events WHERE day >= $1 AND day < $2 AND user_id IS NOT NULL \
         UNION SELECT e.day, COALESCE(e.user_id, a.user_id) FROM visitor_days e {ALIAS} \
         WHERE e.day >= $1 AND e.day < $2 AND (e.user_id IS NOT NULL OR a.user_id IS NOT NULL)) \
         SELECT errors.day, errors, critical, affected_users, COALESCE(active_users, 0) AS active_users FROM errors \
         LEFT JOIN (SELECT day, COUNT(*) AS active_users FROM active GROUP BY day) AS c ON c.day = errors.day \
         ORDER BY errors.day"
    );
    let values: [Value; 3] = [from.into(), to.into(), ErrorSeverity::Critical.into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    rows.iter().map(|row| Ok(OfDay::from_query_result(row, "")?)).collect()
}
