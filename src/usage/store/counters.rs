//! Queries on counters.

use crate::db::{columns, stored_instant};
use crate::error::Result;
use crate::plans::LimitWindow;
use crate::usage::slot::{Place, Slot};
use chrono::{DateTime, TimeDelta, Utc};
use entity::usage_counters::{Entity, Model};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};
use serde_json::{Value, json};
use std::collections::HashSet;
use uuid::Uuid;

/// The kinds of windows, each with a length that none exceeds; `None` where there are few windows.
const KINDS: [(LimitWindow, Option<TimeDelta>); 5] = [
    (LimitWindow::Hour, Some(TimeDelta::hours(1))),
    (LimitWindow::Day, Some(TimeDelta::days(3))),
    (LimitWindow::Month, Some(TimeDelta::days(34))),
    (LimitWindow::Billing, None),
    (LimitWindow::Lifetime, None),
];

/// Returns the counter of each slot, or else the last one before its window, and all counters whose windows contain one of
/// `places`, in one statement; with a lock on each until the commit, in the order of their ids.
pub(in crate::usage) async fn find(
    db: &impl ConnectionTrait,
    slots: &[Slot],
    places: &HashSet<Place>,
    lock: bool,
) -> Result<Vec<Model>> {
    const LAST: &str = "SELECT u.id FROM usage_counters u WHERE u.account_id = k.account AND u.meter_id = k.meter \
        AND u.limit_window = k.kind AND u.window_start <= k.until ORDER BY u.window_start DESC LIMIT 1";
    const CONTAINING: &str = "u.account_id = k.account AND u.meter_id = k.meter AND u.limit_window = k.kind \
        AND u.window_start >= k.since AND u.window_start <= k.until AND (u.resets_at IS NULL OR u.resets_at > k.until)";
    let different: HashSet<_> =
        slots.iter().map(|slot| (slot.account_id, slot.meter_id, slot.limit.window, slot.window.start)).collect();
    let last = different.into_iter().map(|(account, meter, kind, start)| key(account, meter, kind, (start, start)));
    let containing = places.iter().flat_map(|place| {
        KINDS.map(|(kind, length)| {
            let since = length.map_or(DateTime::UNIX_EPOCH, |length| place.at - length);
            key(place.account_id, place.meter_id, kind, (since, place.at))
        })
    });
    let (last, containing): (Vec<Value>, Vec<Value>) = (last.collect(), containing.collect());
    if last.is_empty() && containing.is_empty() {
        return Ok(Vec::new());
    }
    let columns = columns::<Entity>();
    let backend = db.get_database_backend();
    let keys = |parameter| match backend {
        DbBackend::Postgres => format!(
            "jsonb_to_recordset({parameter}::jsonb) AS k(account uuid, meter uuid, kind text, since timestamptz, \
             until timestamptz)"
        ),
        _ => format!(
            "(SELECT unhex(value->>'account') AS account, unhex(value->>'meter') AS meter, value->>'kind' AS kind, \
             value->>'since' AS since, value->>'until' AS until FROM json_each({parameter})) AS k"
        ),
    };
    let (of_slots, of_places) = (keys("$1"), keys("$2"));
    let ids = format!(
        "SELECT ({LAST}) FROM {of_slots} UNION SELECT u.id FROM {of_places} CROSS JOIN usage_counters u \
         WHERE {CONTAINING}"
    );
    let sql = match backend {
        DbBackend::Postgres => {
            let lock = if lock { " FOR NO KEY UPDATE" } else { "" };
            format!("SELECT {columns} FROM usage_counters WHERE id = ANY(ARRAY({ids})) ORDER BY id{lock}")
        }
        _ => format!("SELECT {columns} FROM usage_counters WHERE id IN ({ids})"),
    };
    let lists = [last, containing].map(|list| Value::Array(list).to_string().into());
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, sql, lists)).await?;
    rows.iter().map(|row| Ok(Model::from_query_result(row, "")?)).collect()
}

fn key(account: Uuid, meter: Uuid, kind: LimitWindow, (since, until): (DateTime<Utc>, DateTime<Utc>)) -> Value {
    json!({
        "account": account.simple().to_string(), "meter": meter.simple().to_string(), "kind": kind.as_str(),
        "since": stored_instant(since), "until": stored_instant(until),
    })
}
