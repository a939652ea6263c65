//! The same request twice has one effect: answers remembered under the caller's idempotency key.

use super::{Db, Txn, is_duplicate};
use crate::error::{Error, Result};
use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use entity::idempotency_keys::{ActiveModel, Column, Entity};
use futures_util::future::BoxFuture;
use sea_orm::sea_query::{OnConflict, Query};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, Order, QueryFilter};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A key is at most this long, in bytes.
const LONGEST_KEY: usize = 255;
/// How long an answer is remembered, at least.
const MEMORY: TimeDelta = TimeDelta::days(30);
/// How many answers one transaction forgets.
const FORGOTTEN_AT_ONCE: u64 = 1_000;

/// What makes a request the same as another: who asks, under which key, for what.
#[derive(Debug, Clone)]
pub struct Once {
    caller: String,
    key: String,
    request_hash: String,
}

impl Once {
    /// The request `operation` with `input`, asked by `caller` under `key`.
    pub fn new(caller: &str, key: &str, operation: &str, input: &impl Serialize) -> Result<Self> {
        if key.is_empty() || key.len() > LONGEST_KEY || key.contains('\0') {
            return Err(Error::bad_input("idempotencyKey is 1 to 255 bytes, without NUL"));
        }
        let input = serde_json::to_vec(input).map_err(Error::internal)?;
        let digest = Sha256::new().chain_update(operation).chain_update([0]).chain_update(input).finalize();
        let request_hash = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Once { caller: caller.to_owned(), key: key.to_owned(), request_hash })
    }
}

/// Does `work` unless the same request was answered before, in which case the first answer is given again.
///
/// The key is claimed before the work, in the same transaction: of two at the same time the second waits for the first
/// and then sees its answer.
pub async fn once<'c, T, F>(txn: &'c Txn, id: Uuid, now: DateTime<Utc>, request: Once, work: F) -> Result<T>
where
    T: Serialize + DeserializeOwned + Send,
    F: FnOnce(&'c Txn) -> BoxFuture<'c, Result<T>> + Send,
{
    if !claim(txn, id, now, &request).await? {
        return remembered(txn, &request).await;
    }
    let answer = work(txn).await?;
    let stored = serde_json::to_value(&answer).map_err(Error::internal)?;
    Entity::update_many()
        .col_expr(Column::Answer, sea_orm::sea_query::Expr::value(stored))
        .filter(Column::Id.eq(id))
        .exec(txn)
        .await?;
    Ok(answer)
}

async fn claim(txn: &Txn, id: Uuid, now: DateTime<Utc>, request: &Once) -> Result<bool> {
    let row = ActiveModel {
        id: Set(id),
        caller: Set(request.caller.clone()),
        key: Set(request.key.clone()),
        request_hash: Set(request.request_hash.clone()),
        answer: Set(serde_json::json!({})),
        created_at: Set(now.fixed_offset()),
    };
    let ours = OnConflict::columns([Column::Caller, Column::Key]).do_nothing().to_owned();
    match Entity::insert(row).on_conflict(ours).exec_without_returning(txn).await {
        Ok(inserted) => Ok(inserted == 1),
        Err(error) if is_duplicate(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn remembered<T: DeserializeOwned>(txn: &Txn, request: &Once) -> Result<T> {
    let found = answered(txn, request).await?;
    found.ok_or_else(|| Error::internal(anyhow::anyhow!("an idempotency key vanished inside a transaction")))
}

/// What the same request was answered before; `None` where it was not asked before.
pub async fn answered<T: DeserializeOwned>(db: &impl ConnectionTrait, request: &Once) -> Result<Option<T>> {
    let of_caller = Entity::find().filter(Column::Caller.eq(&*request.caller));
    let Some(found) = of_caller.filter(Column::Key.eq(&*request.key)).one(db).await? else { return Ok(None) };
    if found.request_hash != request.request_hash {
        return Err(Error::IdempotencyKeyReused);
    }
    serde_json::from_value(found.answer).map(Some).map_err(Error::internal)
}

/// Forgets the answers that are older than 30 days, some at a time, and tells how many they were.
pub async fn forget(db: &Db, now: DateTime<Utc>) -> Result<u64> {
    let until = (now - MEMORY).fixed_offset();
    let mut forgotten = 0;
    loop {
        let gone = db.write(move |txn| Box::pin(forget_some(txn, until))).await?;
        forgotten += gone;
        if gone < FORGOTTEN_AT_ONCE {
            return Ok(forgotten);
        }
    }
}

async fn forget_some(txn: &Txn, until: DateTime<FixedOffset>) -> Result<u64> {
    let oldest = Query::select()
        .column(Column::Id)
        .from(Entity)
        .and_where(Column::CreatedAt.lt(until))
        .order_by(Column::CreatedAt, Order::Asc)
        .limit(FORGOTTEN_AT_ONCE)
        .take();
    Ok(Entity::delete_many().filter(Column::Id.in_subquery(oldest)).exec(txn).await?.rows_affected)
}
