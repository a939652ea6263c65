//! Every query on recent changes.

use super::change::{Change, Kind};
use crate::db::{Db, Txn, in_list};
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use entity::{account_members, changes};
use sea_orm::sea_query::{ArrayType, Expr, ExprTrait, Order, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, QueryFilter, QuerySelect, Statement,
    Value,
};
use std::collections::{BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// The changes that one transaction deletes.
const PURGE_BATCH: u64 = 1_000;

/// The place in the log of changes up to which a reader has read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Watermark {
    /// The first position that was not read.
    next: i64,
    /// The positions before it whose transactions had not ended, on PostgreSQL.
    open: Vec<i64>,
}

impl Watermark {
    /// Reads a snapshot of PostgreSQL: the oldest transaction that has not ended, the next one, and those between that
    /// have not ended either.
    fn of_snapshot(snapshot: &str) -> Result<Watermark> {
        let unreadable = || Error::internal(anyhow::anyhow!("the snapshot {snapshot} cannot be read"));
        let mut parts = snapshot.split(':').skip(1);
        let next = parts.next().and_then(|next| next.parse().ok()).ok_or_else(unreadable)?;
        let open = parts.next().ok_or_else(unreadable)?.split(',').filter(|id| !id.is_empty());
        let open = open.map(|id| id.parse().map_err(|_| unreadable())).collect::<Result<_>>()?;
        Ok(Watermark { next, open })
    }
}

/// Inserts changes, at the next position: frequent ones of a kind as one row, of which each subject is told once.
pub(super) async fn insert(txn: &Txn, changes: &[Change]) -> Result<()> {
    let mut rows: Vec<[Value; 4]> = Vec::new();
    for change in changes.iter().filter(|change| !change.kind().is_frequent()) {
        let none = serde_json::Value::Null;
        rows.push([change.kind().name().into(), change.subject().into(), change.account().into(), json(none)]);
    }
    for kind in [Kind::BalanceChanged, Kind::EntitlementsChanged] {
        let of_kind = changes.iter().filter(|change| change.kind() == kind);
        let subjects: BTreeSet<(Uuid, Option<Uuid>)> =
            of_kind.map(|change| (change.subject(), change.account())).collect();
        if !subjects.is_empty() {
            let none: Option<Uuid> = None;
            rows.push([kind.name().into(), txn.new_id().into(), none.into(), json(serde_json::json!(subjects))]);
        }
    }
    let backend = txn.get_database_backend();
    let position = match backend {
        DbBackend::Postgres => "DEFAULT",
        _ => "(SELECT COALESCE(MAX(position), 0) + 1 FROM changes)",
    };
    let mut values: Vec<Value> = vec![txn.now().fixed_offset().into()];
    let mut places = Vec::with_capacity(rows.len());
    for row in rows {
        let at = values.len();
        places.push(format!("(${}, ${}, ${}, ${}, ${}, $1, {position})", at + 1, at + 2, at + 3, at + 4, at + 5));
        values.push(txn.new_id().into());
        values.extend(row);
    }
    let sql = format!(
        "INSERT INTO changes (id, kind, subject_id, account_id, subjects, at, position) VALUES {}",
        places.join(", ")
    );
    txn.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    Ok(())
}

/// Returns a value of a JSON column; null for JSON's null.
fn json(value: serde_json::Value) -> Value {
    Value::Json((value != serde_json::Value::Null).then(|| Box::new(value)))
}

/// Returns the watermark before which every change is committed or will be found open.
pub(super) async fn watermark(db: &DatabaseConnection) -> Result<Watermark> {
    let backend = db.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => "SELECT CAST(pg_current_snapshot() AS text) AS snapshot",
        _ => "SELECT COALESCE(MAX(position), 0) + 1 AS next FROM changes",
    };
    let row = db.query_one_raw(Statement::from_string(backend, sql)).await?;
    let row = row.ok_or_else(|| Error::internal(anyhow::anyhow!("the watermark of changes has no row")))?;
    match backend {
        DbBackend::Postgres => Watermark::of_snapshot(&row.try_get::<String>("", "snapshot")?),
        _ => Ok(Watermark { next: row.try_get("", "next")?, open: Vec::new() }),
    }
}

/// Returns the changes that became visible since `mark`, and the next watermark. Each change is returned once: on
/// PostgreSQL those of transactions that had not ended then, and of later ones; on SQLite those after the position.
// unscoped: read once for all watchers; each of them then reads the row in their own scope
pub(super) async fn changes_since(db: &DatabaseConnection, mark: &Watermark) -> Result<(Vec<Change>, Watermark)> {
    const POSTGRES: &str = "SELECT CAST(pg_current_snapshot() AS text) AS snapshot, c.kind, c.subject_id, c.account_id, \
        c.subjects FROM (SELECT 1) AS one LEFT JOIN (SELECT id, kind, subject_id, account_id, subjects, at FROM changes \
        WHERE position >= $1 AND position < CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint) \
        OR position = ANY($2)) AS c ON TRUE ORDER BY c.at, c.id";
    const SQLITE: &str = "SELECT kind, subject_id, account_id, subjects, position FROM changes WHERE position >= $1 \
        ORDER BY position, at, id";
    let backend = db.get_database_backend();
    let statement = match backend {
        DbBackend::Postgres => {
            let open = mark.open.iter().copied().map(Value::from).collect();
            let open = Value::Array(ArrayType::BigInt, Some(Box::new(open)));
            Statement::from_sql_and_values(backend, POSTGRES, [mark.next.into(), open])
        }
        _ => Statement::from_sql_and_values(backend, SQLITE, [mark.next.into()]),
    };
    let (mut changes, mut next) = (Vec::new(), mark.clone());
    for row in db.query_all_raw(statement).await? {
        next = match backend {
            DbBackend::Postgres => Watermark::of_snapshot(&row.try_get::<String>("", "snapshot")?)?,
            _ => Watermark { next: row.try_get::<i64>("", "position")? + 1, open: Vec::new() },
        };
        let Some(kind) = row.try_get::<Option<String>>("", "kind")? else { continue };
        // A newer version may record changes of other kinds.
        match row.try_get::<Option<serde_json::Value>>("", "subjects")? {
            Some(subjects) => {
                let subjects: Vec<(Uuid, Option<Uuid>)> = serde_json::from_value(subjects).map_err(Error::internal)?;
                changes.extend(subjects.into_iter().filter_map(|(id, account)| Change::read(&kind, id, account)));
            }
            None => changes.extend(Change::read(&kind, row.try_get("", "subject_id")?, row.try_get("", "account_id")?)),
        }
    }
    Ok((changes, next))
}

/// Returns the users who are members of each of these accounts now.
// unscoped: saves the other watchers a read, and is shown to nobody
pub(super) async fn members(db: &DatabaseConnection, accounts: &[Uuid]) -> Result<HashMap<Uuid, HashSet<Uuid>>> {
    use account_members::{Column, Entity};
    let account = Expr::col((Entity, Column::AccountId));
    let pairs: Vec<(Uuid, Uuid)> = Entity::find()
        .select_only()
        .columns([Column::AccountId, Column::UserId])
        .filter(in_list(db, account, accounts))
        .filter(Column::LeftAt.into_expr().is_null())
        .into_tuple()
        .all(db)
        .await?;
    let mut members: HashMap<Uuid, HashSet<Uuid>> = HashMap::new();
    for (account, user) in pairs {
        members.entry(account).or_default().insert(user);
    }
    Ok(members)
}

/// Deletes the changes before `before` in batches, and returns their number.
pub(super) async fn purge(db: &Db, before: DateTime<Utc>) -> Result<u64> {
    use changes::{Column, Entity};
    let mut purged = 0;
    loop {
        let oldest = Query::select()
            .column(Column::Id)
            .from(Entity)
            .and_where(Column::At.lt(before.fixed_offset()))
            // The newest one stays: positions must not begin again.
            .and_where(Expr::cust("(position IS NULL OR position < (SELECT MAX(position) FROM changes))"))
            .order_by(Column::At, Order::Asc)
            .limit(PURGE_BATCH)
            .take();
        let deletion = Entity::delete_many().filter(Column::Id.in_subquery(oldest));
        let batch = db.write(move |txn| Box::pin(async move { Ok(deletion.exec(txn).await?.rows_affected) })).await?;
        purged += batch;
        if batch < PURGE_BATCH {
            return Ok(purged);
        }
    }
}
