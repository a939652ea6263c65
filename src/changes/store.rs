//! Every query on what has changed.

use super::Change;
use crate::db::{Db, in_list};
use crate::error::Result;
use chrono::{DateTime, Utc};
use entity::{account_members, changes};
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// How many changes one transaction deletes.
const FORGOTTEN_AT_ONCE: u64 = 1_000;

/// A change as it was written down.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recorded {
    pub(super) id: Uuid,
    pub(super) at: DateTime<Utc>,
    /// Nothing where another version wrote down what this one does not know.
    pub(super) change: Option<Change>,
}

/// Everything that changed since then, by its time.
// unscoped: read once for all who watch; each of them then reads the subject in their own scope
pub(super) async fn since(db: &DatabaseConnection, from: DateTime<Utc>) -> Result<Vec<Recorded>> {
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

/// The users who are members of each of these accounts at present.
// unscoped: saves those who are no members the look at what is not theirs, and is shown to nobody
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

/// Deletes what changed before then, some at a time; how much that was.
pub(super) async fn forget(db: &Db, before: DateTime<Utc>) -> Result<u64> {
    use changes::{Column, Entity};
    let mut forgotten = 0;
    loop {
        let oldest = Query::select()
            .column(Column::Id)
            .from(Entity)
            .and_where(Column::At.lt(before.fixed_offset()))
            .order_by(Column::At, Order::Asc)
            .limit(FORGOTTEN_AT_ONCE)
            .take();
        let some = Entity::delete_many().filter(Column::Id.in_subquery(oldest));
        let gone = db.write(move |txn| Box::pin(async move { Ok(some.exec(txn).await?.rows_affected) })).await?;
        forgotten += gone;
        if gone < FORGOTTEN_AT_ONCE {
            return Ok(forgotten);
        }
    }
}
