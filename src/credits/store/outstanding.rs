//! The credits that accounts hold, by the way in which they came.

use crate::auth::Scope;
use crate::credits::values::{GrantSource, HoldState, LedgerBucket};
use crate::db::{Visible, in_list};
use crate::error::Result;
use chrono::{DateTime, Utc};
use entity::{credit_holds, ledger_entries};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, FromQueryResult, QueryFilter, QueryOrder, Statement, Value};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// The way in which credits came.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, FromQueryResult)]
pub(in crate::credits) struct Origin {
    pub(in crate::credits) credit_unit_id: Uuid,
    pub(in crate::credits) source: String,
    /// The grant, of transferred credits.
    pub(in crate::credits) transfer_id: Option<Uuid>,
    /// The currency of the payment, of bought credits.
    pub(in crate::credits) currency: Option<String>,
    /// The money received by the payment and the credits granted for it; `None` if it was not for these credits alone.
    pub(in crate::credits) received_minor: Option<i64>,
    pub(in crate::credits) granted: Option<i64>,
}

/// Credits by their origin.
pub(in crate::credits) type ByOrigin = BTreeMap<Origin, i64>;

/// The columns of an origin, of the grant `g` and its payment `p`.
fn columns() -> String {
    let (purchase, transfer) = (GrantSource::Purchase, GrantSource::Transfer);
    let alone = format!(
        "p.stream = 'credits' AND p.status = 'succeeded' AND NOT EXISTS (SELECT 1 FROM credit_grants o \
         WHERE o.payment_id = p.id AND o.id <> g.id AND o.source = '{purchase}')"
    );
    format!(
        "g.credit_unit_id AS credit_unit_id, g.source AS source, CASE WHEN g.source = '{transfer}' THEN g.id END AS transfer_id, \
         p.currency AS currency, CASE WHEN {alone} THEN p.received_minor END AS received_minor, \
         CASE WHEN {alone} THEN g.amount END AS granted"
    )
}

/// The payment of a grant that was bought.
fn payment() -> String {
    format!("LEFT JOIN payments p ON p.id = g.payment_id AND g.source = '{}'", GrantSource::Purchase)
}

/// Returns the credits left of the grants that have begun, without those that are held.
pub(in crate::credits) async fn remaining(db: &impl ConnectionTrait) -> Result<ByOrigin> {
    let sql = format!(
        "SELECT {}, CAST(SUM(g.remaining) AS BIGINT) AS amount FROM credit_grants g {} \
         WHERE g.remaining > 0 AND g.started GROUP BY 1, 2, 3, 4, 5, 6",
        columns(),
        payment()
    );
    sums(db, Statement::from_string(db.get_database_backend(), sql)).await
}

/// Returns the changes after an instant of the credits that accounts hold.
pub(in crate::credits) async fn changes_after(db: &impl ConnectionTrait, at: DateTime<Utc>) -> Result<ByOrigin> {
    let sql = format!(
        "SELECT {}, CAST(SUM(e.amount) AS BIGINT) AS amount FROM ledger_entries e JOIN credit_grants g ON g.id = e.grant_id {} \
         WHERE e.effective_at > $1 AND e.bucket IN ('{}', '{}') GROUP BY 1, 2, 3, 4, 5, 6",
        columns(),
        payment(),
        LedgerBucket::Available,
        LedgerBucket::Held
    );
    let values: [Value; 1] = [at.fixed_offset().into()];
    sums(db, Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await
}

async fn sums(db: &impl ConnectionTrait, statement: Statement) -> Result<ByOrigin> {
    let rows = db.query_all_raw(statement).await?;
    rows.iter().map(|row| Ok((Origin::from_query_result(row, "")?, row.try_get("", "amount")?))).collect()
}

/// Returns the origins of these grants.
pub(in crate::credits) async fn origins(db: &impl ConnectionTrait, grants: &[Uuid]) -> Result<HashMap<Uuid, Origin>> {
    if grants.is_empty() {
        return Ok(HashMap::new());
    }
    let (backend, list) = (db.get_database_backend(), serde_json::json!(grants).to_string());
    let ids = match backend {
        DbBackend::Postgres => "SELECT CAST(value AS uuid) FROM jsonb_array_elements_text($1::jsonb) AS d(value)",
        _ => "SELECT unhex(value, '-') FROM json_each($1)",
    };
    let sql = format!("SELECT g.id AS id, {} FROM credit_grants g {} WHERE g.id IN ({ids})", columns(), payment());
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, sql, [Value::from(list)])).await?;
    rows.iter().map(|row| Ok((row.try_get("", "id")?, Origin::from_query_result(row, "")?))).collect()
}

/// Returns the business keys of these grants.
pub(in crate::credits) async fn business_keys(
    db: &impl ConnectionTrait,
    grants: &[Uuid],
) -> Result<Vec<(Uuid, String)>> {
    use entity::credit_grants::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(in_list(db, Expr::col((Entity, Column::Id)), grants));
    Ok(rows.all(db).await?.into_iter().map(|grant| (grant.id, grant.business_key)).collect())
}

/// Returns the grants that each of these transfers took credits of, in their order.
pub(in crate::credits) async fn transferred(
    db: &impl ConnectionTrait,
    transfers: &[Uuid],
) -> Result<HashMap<Uuid, Vec<Uuid>>> {
    use ledger_entries::{Column, Entity};
    let rows = Entity::visible(Scope::Everything)
        .filter(in_list(db, Expr::col((Entity, Column::TxnId)), transfers))
        .filter(Column::Bucket.eq(LedgerBucket::Issued))
        .filter(Column::Amount.gt(0))
        .order_by_asc(Column::TxnId)
        .order_by_asc(Column::Seq);
    let mut found: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for entry in rows.all(db).await? {
        found.entry(entry.txn_id).or_default().extend(entry.grant_id);
    }
    Ok(found)
}

/// Returns the holds that are open.
pub(in crate::credits) async fn open_holds(db: &impl ConnectionTrait) -> Result<Vec<credit_holds::Model>> {
    use credit_holds::{Column, Entity};
    Ok(Entity::visible(Scope::Everything).filter(Column::State.eq(HoldState::Open)).all(db).await?)
}
