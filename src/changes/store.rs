//! Every query on recent changes.

use super::change::Change;
use crate::db::{Db, in_list};
use crate::error::Result;
use chrono::{DateTime, Utc};
use entity::{account_members, changes};
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// The changes that one transaction deletes.
const PURGE_BATCH: u64 = 1_000;

/// A recorded change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recorded {
    pub(super) id: Uuid,
    pub(super) at: DateTime<Utc>,
    /// The change; `None` for a kind that a newer version recorded.
    pub(super) change: Option<Change>,
}

/// Returns the changes since `from`, oldest first.
// unscoped: read once for all watchers; each of them then reads the row in their own scope
pub(super) async fn changes_since(db: &DatabaseConnection, from: DateTime<Utc>) -> Result<Vec<Recorded>> {
    use changes::{Column, Entity};
    let rows = Entity::find().filter(Column::At.gte(from.fixed_offset())).order_by_asc(Column::At);
    let rows = rows.order_by_asc(Column::Id).all(db).await?;
    let recorded = |row: changes::Model| Recorded {
        id: row.id,
        at: row.at.to_utc(),
        change: Change::read(&row.kind, row.subject_id, row.account_id),
    };
    Ok(rows.into_iter().map(recorded).collect())
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
