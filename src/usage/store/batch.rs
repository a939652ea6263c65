//! Queries for many events at once: one statement each, whatever their number.

use crate::auth::Scope;
use crate::db::{ROW_LOCK, Txn, Visible, find_matching, in_list, stored_instant};
use crate::error::Result;
use crate::usage::windows::Window;
use entity::{accounts, devices, meters, rate_cards, usage_daily, usage_events};
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, QueryFilter, QueryOrder, QuerySelect, Statement};
use serde_json::json;
use std::collections::{BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// Locks these accounts until the commit, in the order of their ids, so that nobody else records usage of theirs
/// meanwhile. Returns those that exist.
pub(in crate::usage) async fn lock_accounts(txn: &Txn, ids: &BTreeSet<Uuid>) -> Result<HashSet<Uuid>> {
    use accounts::{Column, Entity};
    let ids: Vec<Uuid> = ids.iter().copied().collect();
    let rows = Entity::visible(Scope::Everything).filter(in_list(txn, Column::Id.into_expr(), &ids));
    let ids = rows.select_only().column(Column::Id).order_by_asc(Column::Id).lock(ROW_LOCK);
    Ok(ids.into_tuple::<Uuid>().all(txn).await?.into_iter().collect())
}

/// Returns the accounts of these devices.
pub(in crate::usage) async fn devices(txn: &Txn, ids: &BTreeSet<Uuid>) -> Result<HashMap<Uuid, Uuid>> {
    use devices::{Column, Entity};
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = ids.iter().copied().collect();
    let rows = Entity::visible(Scope::Everything).filter(in_list(txn, Column::Id.into_expr(), &ids));
    let rows = rows.select_only().column(Column::Id).column(Column::AccountId);
    Ok(rows.into_tuple::<(Uuid, Uuid)>().all(txn).await?.into_iter().collect())
}

/// Returns the meters with these codes.
pub(in crate::usage) async fn meters_by_code(txn: &Txn, codes: &BTreeSet<&str>) -> Result<Vec<meters::Model>> {
    let key = |code: &&str| meters::ActiveModel { code: Set((*code).to_owned()), ..Default::default() };
    find_matching::<meters::Entity>(txn, codes.iter().map(key).collect()).await
}

/// Returns the rate cards of these meters.
pub(in crate::usage) async fn cards_of(txn: &Txn, meters: &[Uuid]) -> Result<Vec<rate_cards::Model>> {
    let of = in_list(txn, rate_cards::Column::MeterId.into_expr(), meters);
    Ok(rate_cards::Entity::visible(Scope::Everything).filter(of).all(txn).await?)
}

/// Returns the recorded events that equal one of `keys` in meter, account and dedupe key.
pub(in crate::usage) async fn recorded_events(
    txn: &Txn,
    keys: Vec<usage_events::ActiveModel>,
) -> Result<Vec<usage_events::Model>> {
    find_matching::<usage_events::Entity>(txn, keys).await
}

/// Returns the daily sums that equal one of `keys` in account, meter, day and dimension.
pub(in crate::usage) async fn daily_sums(
    txn: &Txn,
    keys: Vec<usage_daily::ActiveModel>,
) -> Result<Vec<usage_daily::Model>> {
    find_matching::<usage_daily::Entity>(txn, keys).await
}

/// A value that a unique meter may have counted in a span of time before.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::usage) struct Seen {
    /// The account.
    pub(in crate::usage) account_id: Uuid,
    /// The meter.
    pub(in crate::usage) meter_id: Uuid,
    /// The span of time.
    pub(in crate::usage) span: Window,
    /// The value.
    pub(in crate::usage) value: String,
}

/// Returns which of these values were recorded in their span of time before, in events that were not corrected.
pub(in crate::usage) async fn seen_values(txn: &Txn, values: Vec<Seen>) -> Result<HashSet<Seen>> {
    const ON_POSTGRES: &str = "SELECT k.n FROM jsonb_to_recordset($1::jsonb) AS k(n bigint, account uuid, meter uuid, \
        value text, since timestamptz, until timestamptz) WHERE ";
    const ON_SQLITE: &str = "SELECT k.n FROM (SELECT value->>'n' AS n, unhex(value->>'account') AS account, \
        unhex(value->>'meter') AS meter, value->>'value' AS value, value->>'since' AS since, value->>'until' AS until \
        FROM json_each($1)) AS k WHERE ";
    const IS_SEEN: &str = "EXISTS (SELECT 1 FROM usage_events u WHERE u.account_id = k.account AND u.meter_id = k.meter \
        AND u.unique_value = k.value AND u.occurred_at >= k.since AND (k.until IS NULL OR u.occurred_at < k.until) \
        AND u.corrects_id IS NULL AND NOT EXISTS (SELECT 1 FROM usage_events c WHERE c.corrects_id = u.id))";
    if values.is_empty() {
        return Ok(HashSet::new());
    }
    let backend = txn.get_database_backend();
    let start = if backend == DbBackend::Postgres { ON_POSTGRES } else { ON_SQLITE };
    let keys = values.iter().enumerate().map(|(number, seen)| {
        json!({
            "n": number, "account": seen.account_id.simple().to_string(), "meter": seen.meter_id.simple().to_string(),
            "value": seen.value, "since": stored_instant(seen.span.start), "until": seen.span.end.map(stored_instant),
        })
    });
    let list = serde_json::Value::from_iter(keys).to_string();
    let statement = Statement::from_sql_and_values(backend, format!("{start}{IS_SEEN}"), [list.into()]);
    let mut found = HashSet::new();
    for row in txn.query_all_raw(statement).await? {
        let number: i64 = row.try_get("", "n")?;
        found.extend(usize::try_from(number).ok().and_then(|number| values.get(number)).cloned());
    }
    Ok(found)
}
