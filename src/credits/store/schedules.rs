//! Reads the allowances of the plans that accounts have.

use super::wallets::Key;
use crate::auth::Scope;
use crate::credits::schedule::Schedule;
use crate::db::{Visible, in_list};
use crate::error::{Error, Result};
use crate::plans::AllowanceCadence;
use chrono::{DateTime, TimeDelta, Utc};
use entity::{credit_allowances, subscriptions};
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, JoinType, QueryFilter, QueryResult, QuerySelect};
use std::collections::HashMap;
use uuid::Uuid;

/// The newest grant of the allowance to the subscription.
const GRANTED: &str = "(SELECT MAX(g.starts_at) FROM credit_grants g WHERE g.subscription_id = s.id \
     AND g.credit_unit_id = a.credit_unit_id AND g.allowance_id = a.id)";
/// The key of the newest grant of a daily allowance to the subscription, which ends with the day.
const GRANTED_KEY: &str = "(SELECT MAX(g.business_key) FROM credit_grants g WHERE g.subscription_id = s.id \
     AND g.credit_unit_id = a.credit_unit_id AND g.allowance_id = a.id AND a.cadence = 'day')";
/// The instant from which the subscription has the version that it has now.
const SINCE: &str = "(SELECT MIN(v.effective_at) FROM subscription_versions v WHERE v.subscription_id = s.id \
     AND NOT EXISTS (SELECT 1 FROM subscription_versions w WHERE w.subscription_id = s.id \
     AND w.effective_at >= v.effective_at \
     AND (w.product_version_id IS NULL OR w.product_version_id <> s.product_version_id)))";
/// Credits of replaced allowances that were used in the present billing period.
const USED: &str = "(SELECT CAST(COALESCE(SUM(g.amount - g.remaining), 0) AS bigint) FROM credit_grants g \
     JOIN credit_allowances o ON o.id = g.allowance_id WHERE g.subscription_id = s.id \
     AND g.credit_unit_id = a.credit_unit_id AND o.product_version_id <> a.product_version_id \
     AND o.on_plan_change = 'replace' AND o.cadence <> 'day' AND g.starts_at >= s.current_period_start)";
/// Statuses and states of subscriptions whose allowances are granted: those that are paid for, or on trial.
const GIVES: &str = "s.status IN ('trialing', 'active') AND s.paused_at IS NULL";

/// Returns the allowances of the plans of these accounts, by account and unit.
pub(in crate::credits) async fn schedules(
    db: &impl ConnectionTrait,
    accounts: &[Uuid],
) -> Result<HashMap<Key, Vec<Schedule>>> {
    let mut select = Query::select();
    for column in ["s.account_id", "s.started_at", "s.current_period_start", "s.current_period_end", "s.cancel_at"] {
        select.expr(Expr::cust(column));
    }
    for column in ["a.credit_unit_id", "a.amount", "a.cadence", "a.expires_after_days", "a.rollover_cap", "a.priority"]
    {
        select.expr(Expr::cust(column));
    }
    // unscoped: grants are made for no caller
    let select = select
        .expr_as(Expr::cust("s.id"), "subscription_id")
        .expr_as(Expr::cust("a.id"), "allowance_id")
        .expr_as(Expr::cust("(SELECT time_zone FROM accounts c WHERE c.id = s.account_id)"), "time_zone")
        .expr_as(Expr::cust(GRANTED), "granted")
        .expr_as(Expr::cust(GRANTED_KEY), "granted_key")
        .expr_as(Expr::cust(SINCE), "since")
        .expr_as(Expr::cust(USED), "used")
        .from_as(subscriptions::Entity, "s")
        .join_as(
            JoinType::InnerJoin,
            credit_allowances::Entity,
            "a",
            Expr::cust("a.product_version_id = s.product_version_id"),
        )
        .and_where(in_list(db, Expr::cust("s.account_id"), accounts))
        .and_where(Expr::cust(GIVES))
        .take();
    let mut found: HashMap<Key, Vec<Schedule>> = HashMap::new();
    for row in db.query_all(&select).await? {
        let key = (row.try_get("", "account_id")?, row.try_get("", "credit_unit_id")?);
        found.entry(key).or_default().push(read(&row)?);
    }
    Ok(found)
}

fn read(row: &QueryResult) -> Result<Schedule> {
    let zone: String = row.try_get("", "time_zone")?;
    let started_at: DateTime<Utc> = row.try_get("", "started_at")?;
    let period_start: Option<DateTime<Utc>> = row.try_get("", "current_period_start")?;
    let days: Option<i64> = row.try_get("", "expires_after_days")?;
    let key: Option<String> = row.try_get("", "granted_key")?;
    Ok(Schedule {
        allowance_id: row.try_get("", "allowance_id")?,
        subscription_id: row.try_get("", "subscription_id")?,
        cadence: AllowanceCadence::parse(&row.try_get::<String>("", "cadence")?)?,
        amount: row.try_get("", "amount")?,
        priority: row.try_get("", "priority")?,
        expires_after: days.and_then(TimeDelta::try_days),
        rollover_cap: row.try_get("", "rollover_cap")?,
        since: row.try_get::<Option<DateTime<Utc>>>("", "since")?.unwrap_or(started_at),
        noticed: started_at,
        period: (period_start.unwrap_or(started_at), row.try_get("", "current_period_end")?),
        until: row.try_get("", "cancel_at")?,
        zone: zone.parse().map_err(|_| Error::internal(anyhow::anyhow!("{zone:?} is no time zone")))?,
        granted: row.try_get("", "granted")?,
        granted_day: key.as_deref().and_then(|key| key.rsplit(':').next()?.parse().ok()),
        replaces: Vec::new(),
        used_before: row.try_get("", "used")?,
    })
}

/// Returns those of these allowances whose rest ends when the subscription changes to another plan.
pub(in crate::credits) async fn replaceable(db: &impl ConnectionTrait, allowances: &[Uuid]) -> Result<Vec<Uuid>> {
    use credit_allowances::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(in_list(db, Column::Id.into_expr(), allowances));
    let rows = rows.filter(Column::OnPlanChange.eq("replace"));
    Ok(rows.select_only().column(Column::Id).into_tuple().all(db).await?)
}
