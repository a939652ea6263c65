//! Idempotency keys: a request that is repeated under its key has one effect and one response.

use super::bulk::{self, Part, postgres_part, sqlite_parts};
use super::errors::{is_duplicate, overtaken};
use super::handle::Db;
use super::txn::Txn;
use crate::error::{Error, Result};
use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use entity::idempotency_keys::{ActiveModel, Column, Entity, Model};
use futures_util::future::BoxFuture;
use sea_orm::sea_query::{Expr, OnConflict, Query};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, Order, QueryFilter, Statement};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use uuid::Uuid;

const MAX_KEY_BYTES: usize = 255;
/// The least time for which a response is kept.
const RETENTION: TimeDelta = TimeDelta::days(30);
/// The responses that one transaction purges.
const PURGE_BATCH: u64 = 1_000;

/// Work whose response is stored.
type Work = Box<dyn for<'c> FnOnce(&'c Txn) -> BoxFuture<'c, Result<Value>> + Send>;

/// A caller's key for one request, with a hash that tells that request from others.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    caller: String,
    key: String,
    request_hash: String,
}

impl IdempotencyKey {
    /// Creates the key of the request `operation` with `input`, made by `caller` under `key`; an error if `key` is not
    /// 1 to 255 bytes long.
    pub fn new(caller: &str, key: &str, operation: &str, input: &impl Serialize) -> Result<Self> {
        if key.is_empty() || key.len() > MAX_KEY_BYTES || key.contains('\0') {
            return Err(Error::bad_input("`idempotencyKey` must be 1 to 255 bytes long, without NUL."));
        }
        let input = serde_json::to_vec(input).map_err(Error::internal)?;
        let digest = Sha256::new().chain_update(operation).chain_update([0]).chain_update(input).finalize();
        let request_hash = hex::encode(digest);
        Ok(IdempotencyKey { caller: caller.to_owned(), key: key.to_owned(), request_hash })
    }
}

impl IdempotencyKey {
    /// Returns the caller and the key.
    pub(super) fn name(&self) -> KeyName {
        (self.caller.clone(), self.key.clone())
    }

    /// Returns true if both keys are of one request with one input.
    pub(super) fn is_same_request(&self, other: &IdempotencyKey) -> bool {
        self.request_hash == other.request_hash
    }
}

/// A caller, and a key of theirs.
pub(super) type KeyName = (String, String);

/// A response that is stored under a key.
pub(super) struct StoredResponse {
    request_hash: String,
    response: Value,
}

impl StoredResponse {
    /// Returns the response to the request with `key`; an error if the response is that to another request.
    pub(super) fn response_to(&self, key: Option<&IdempotencyKey>) -> Result<Value> {
        match key.is_some_and(|key| key.request_hash == self.request_hash) {
            true => Ok(self.response.clone()),
            false => Err(Error::IdempotencyKeyReused),
        }
    }
}

/// Returns the responses that are stored under these keys.
pub(super) async fn stored_responses(txn: &Txn, keys: &[&IdempotencyKey]) -> Result<HashMap<KeyName, StoredResponse>> {
    const COLUMNS: &str = "SELECT i.caller, i.key, i.request_hash, i.answer FROM";
    const EQUAL: &str = "i.caller = r.caller AND i.key = r.key";
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let backend = txn.get_database_backend();
    let parts = match backend {
        DbBackend::Postgres => {
            let list = keys.iter().map(|key| serde_json::json!({"caller": key.caller, "key": key.key}));
            let list = Value::from_iter(list).to_string();
            vec![postgres_part(&[("caller", "text"), ("key", "text")], list, keys.len())]
        }
        _ => {
            let rows = keys.iter().map(|key| vec![key.caller.as_str().into(), key.key.as_str().into()]);
            sqlite_parts(&["caller", "key"], rows.collect())
        }
    };
    let mut found = HashMap::new();
    for Part { rows, values } in parts {
        // The keys come first, so that SQLite looks each of them up in the index.
        let sql = format!("{COLUMNS} {rows} CROSS JOIN idempotency_keys i WHERE {EQUAL}");
        for row in txn.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await? {
            let stored =
                StoredResponse { request_hash: row.try_get("", "request_hash")?, response: row.try_get("", "answer")? };
            found.insert((row.try_get("", "caller")?, row.try_get("", "key")?), stored);
        }
    }
    Ok(found)
}

/// Stores responses under their keys; an error that ends with a repetition if another transaction has used one of them.
pub(super) async fn store_responses(txn: &Txn, responses: Vec<(&IdempotencyKey, Value)>) -> Result<()> {
    let mut rows: Vec<ActiveModel> = responses
        .into_iter()
        .map(|(key, response)| ActiveModel {
            id: Set(txn.new_id()),
            caller: Set(key.caller.clone()),
            key: Set(key.key.clone()),
            request_hash: Set(key.request_hash.clone()),
            answer: Set(response),
            created_at: Set(txn.now().fixed_offset()),
        })
        .collect();
    // In one order everywhere, so that two transactions never wait for each other.
    rows.sort_by(|one, other| {
        (one.caller.as_ref(), one.key.as_ref()).cmp(&(other.caller.as_ref(), other.key.as_ref()))
    });
    let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    match bulk::insert_new::<Entity>(txn, rows).await? {
        inserted if inserted == count => Ok(()),
        _ => Err(overtaken()),
    }
}

impl Db {
    /// Runs `work` as [`Db::write`] does, unless a request with this key was run before: then returns its response. An
    /// error is not stored, so that the request can be tried again.
    ///
    /// The key is claimed before the work, in the same transaction: of two requests at the same time the second waits
    /// for the first and gets its response.
    pub async fn run_idempotent<T, F>(&self, key: IdempotencyKey, work: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: for<'c> FnOnce(&'c Txn) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let work: Work = Box::new(move |txn| {
            let response = work(txn);
            Box::pin(async move { serde_json::to_value(response.await?).map_err(Error::internal) })
        });
        let response = self.write(move |txn| Box::pin(run(txn, key, work))).await?;
        serde_json::from_value(response).map_err(Error::internal)
    }
}

async fn run(txn: &Txn, key: IdempotencyKey, work: Work) -> Result<Value> {
    let Some(id) = claim(txn, &key).await? else {
        let found = find(txn, &key).await?;
        let vanished = || Error::internal(anyhow::anyhow!("an idempotency key vanished inside a transaction"));
        return found.map(|row| row.answer).ok_or_else(vanished);
    };
    let response = work(txn).await?;
    let row = Entity::update_many().filter(Column::Id.eq(id));
    row.col_expr(Column::Answer, Expr::value(response.clone())).exec(txn).await?;
    Ok(response)
}

/// Inserts the key and returns its id; `None` if it is there already.
async fn claim(txn: &Txn, key: &IdempotencyKey) -> Result<Option<Uuid>> {
    let id = txn.new_id();
    let row = ActiveModel {
        id: Set(id),
        caller: Set(key.caller.clone()),
        key: Set(key.key.clone()),
        request_hash: Set(key.request_hash.clone()),
        answer: Set(serde_json::json!({})),
        created_at: Set(txn.now().fixed_offset()),
    };
    let ours = OnConflict::columns([Column::Caller, Column::Key]).do_nothing().to_owned();
    match Entity::insert(row).on_conflict(ours).exec_without_returning(txn).await {
        Ok(inserted) => Ok((inserted == 1).then_some(id)),
        Err(error) if is_duplicate(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Returns the response stored under `key`; `None` if no such request was run, and an error if another request was.
pub async fn stored_response<T: DeserializeOwned>(
    db: &impl ConnectionTrait,
    key: &IdempotencyKey,
) -> Result<Option<T>> {
    let found = find(db, key).await?;
    found.map(|row| serde_json::from_value(row.answer).map_err(Error::internal)).transpose()
}

async fn find(db: &impl ConnectionTrait, key: &IdempotencyKey) -> Result<Option<Model>> {
    let of_caller = Entity::find().filter(Column::Caller.eq(&*key.caller));
    let found = of_caller.filter(Column::Key.eq(&*key.key)).one(db).await?;
    match found {
        Some(row) if row.request_hash != key.request_hash => Err(Error::IdempotencyKeyReused),
        found => Ok(found),
    }
}

/// Deletes the responses that are older than 30 days, in batches, and returns their number.
pub async fn purge(db: &Db, now: DateTime<Utc>) -> Result<u64> {
    let until = (now - RETENTION).fixed_offset();
    let mut purged = 0;
    loop {
        let batch = db.write(move |txn| Box::pin(purge_batch(txn, until))).await?;
        purged += batch;
        if batch < PURGE_BATCH {
            return Ok(purged);
        }
    }
}

async fn purge_batch(txn: &Txn, until: DateTime<FixedOffset>) -> Result<u64> {
    let oldest = Query::select()
        .column(Column::Id)
        .from(Entity)
        .and_where(Column::CreatedAt.lt(until))
        .order_by(Column::CreatedAt, Order::Asc)
        .limit(PURGE_BATCH)
        .take();
    Ok(Entity::delete_many().filter(Column::Id.in_subquery(oldest)).exec(txn).await?.rows_affected)
}
