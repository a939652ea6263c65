//! Queries on counters.

use crate::db::{columns, stored_instant};
use crate::error::Result;
use crate::usage::slot::Slot;
use entity::usage_counters::{Entity, Model};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};
use std::collections::HashSet;

/// Returns the counter of each slot, or else the last one before its window, in one statement; with a lock on each until
/// the commit, in the order of their ids.
pub(in crate::usage) async fn latest(db: &impl ConnectionTrait, slots: &[Slot], lock: bool) -> Result<Vec<Model>> {
    const LAST: &str = "SELECT u.id FROM usage_counters u WHERE u.account_id = k.account AND u.meter_id = k.meter \
        AND u.limit_window = k.kind AND u.window_start <= k.start ORDER BY u.window_start DESC LIMIT 1";
    const POSTGRES: &str = "jsonb_to_recordset($1::jsonb) AS k(account uuid, meter uuid, kind text, start timestamptz)";
    const SQLITE: &str = "(SELECT unhex(value->>'account') AS account, unhex(value->>'meter') AS meter, \
        value->>'kind' AS kind, value->>'start' AS start FROM json_each($1)) AS k";
    let different: HashSet<_> =
        slots.iter().map(|slot| (slot.account_id, slot.meter_id, slot.limit.window, slot.window.start)).collect();
    if different.is_empty() {
        return Ok(Vec::new());
    }
    let list = different.into_iter().map(|(account, meter, kind, start)| {
        serde_json::json!({
            "account": account.simple().to_string(), "meter": meter.simple().to_string(),
            "kind": kind.as_str(), "start": stored_instant(start),
        })
    });
    let list = serde_json::Value::Array(list.collect()).to_string();
    let columns = columns::<Entity>();
    let backend = db.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => {
            let lock = if lock { " FOR NO KEY UPDATE" } else { "" };
            format!(
                "SELECT {columns} FROM usage_counters WHERE id = ANY(ARRAY(SELECT ({LAST}) FROM {POSTGRES})) \
                 ORDER BY id{lock}"
            )
        }
        _ => format!("SELECT {columns} FROM usage_counters WHERE id IN (SELECT ({LAST}) FROM {SQLITE})"),
    };
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, sql, [list.into()])).await?;
    rows.iter().map(|row| Ok(Model::from_query_result(row, "")?)).collect()
}
