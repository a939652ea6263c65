//! Reads the allowances of the plans that accounts have.

use super::wallets::Key;
use crate::credits::schedule::Schedule;
use crate::db::in_list;
use crate::error::{Error, Result};
use crate::plans::{AllowanceCadence, OnPlanChange};
use chrono::{DateTime, Utc};
use entity::{credit_allowances, subscriptions};
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ConnectionTrait, JoinType, QueryResult};
use std::collections::HashMap;
use uuid::Uuid;

/// The newest grant of the allowance to the subscription.
const GRANTED: &str = "(SELECT MAX(g.starts_at) FROM credit_grants g WHERE g.subscription_id = s.id \
     AND g.credit_unit_id = a.credit_unit_id AND g.allowance_id = a.id)";
/// The key of the newest grant of a daily allowance to the subscription, which ends with the day.
const GRANTED_KEY: &str = "(SELECT MAX(g.business_key) FROM credit_grants g WHERE g.subscription_id = s.id \
     AND g.credit_unit_id = a.credit_unit_id AND g.allowance_id = a.id AND a.cadence = 'day')";
/// The instant from which the subscription has the version that it has now.
pub(super) const SINCE: &str = "(SELECT MIN(v.effective_at) FROM subscription_versions v WHERE v.subscription_id = s.id \
     AND NOT EXISTS (SELECT 1 FROM subscription_versions w WHERE w.subscription_id = s.id \
     AND w.effective_at >= v.effective_at \
     AND (w.product_version_id IS NULL OR w.product_version_id <> s.product_version_id)))";
/// The items of the subscription that are add-ons of the allowance's version.
const ITEMS: &str = "FROM subscription_items i JOIN prices r ON r.id = i.price_id \
     WHERE i.subscription_id = s.id AND i.kind = 'addon' AND r.product_version_id = a.product_version_id";
/// Allowances of plans; those of add-ons stay.
pub(super) const OF_PLAN: &str = "EXISTS (SELECT 1 FROM product_versions v JOIN products p ON p.id = v.product_id \
     WHERE v.id = o.product_version_id AND p.kind = 'plan')";
/// Statuses and states of subscriptions whose allowances are granted: those that are paid for, or on trial.
pub(super) const GIVES: &str = "s.status IN ('trialing', 'active') AND s.paused_at IS NULL";

/// Returns the allowances of the plans of these accounts and of their add-ons, by account and unit.
pub(in crate::credits) async fn schedules(
    db: &impl ConnectionTrait,
    accounts: &[Uuid],
) -> Result<HashMap<Key, Vec<Schedule>>> {
    let mut select = Query::select();
    for column in ["s.account_id", "s.started_at", "s.current_period_start", "s.current_period_end", "s.cancel_at"] {
        select.expr(Expr::cust(column));
    }
    for column in
        ["credit_unit_id", "amount", "cadence", "expires_after_days", "rollover_cap", "priority", "on_plan_change"]
    {
        select.expr(Expr::cust(format!("a.{column}")));
    }
    // unscoped: grants are made for no caller
    let select = select
        .expr_as(Expr::cust("s.id"), "subscription_id")
        .expr_as(Expr::cust("a.id"), "allowance_id")
        .expr_as(Expr::cust("(SELECT time_zone FROM accounts c WHERE c.id = s.account_id)"), "time_zone")
        .expr_as(Expr::cust(GRANTED), "granted")
        .expr_as(Expr::cust(GRANTED_KEY), "granted_key")
        .expr_as(Expr::cust(SINCE), "since")
        .expr_as(Expr::cust("COALESCE(a.product_version_id <> s.product_version_id, TRUE)"), "is_addon")
        .expr_as(Expr::cust(format!("(SELECT MIN(i.created_at) {ITEMS})")), "added_at")
        .expr_as(Expr::cust(format!("(SELECT CAST(SUM(COALESCE(i.quantity, 1)) AS bigint) {ITEMS})")), "quantity")
        .from_as(subscriptions::Entity, "s")
        .join_as(
            JoinType::InnerJoin,
            credit_allowances::Entity,
            "a",
            Expr::cust(format!("a.product_version_id = s.product_version_id OR EXISTS (SELECT 1 {ITEMS})")),
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
    let (is_addon, amount): (bool, i64) = (row.try_get("", "is_addon")?, row.try_get("", "amount")?);
    let quantity: Option<i64> = row.try_get("", "quantity")?;
    let since: Option<DateTime<Utc>> = row.try_get("", if is_addon { "added_at" } else { "since" })?;
    let since = since.unwrap_or(started_at).max(started_at);
    let replaced = OnPlanChange::parse(&row.try_get::<String>("", "on_plan_change")?)? == OnPlanChange::Replace;
    let is_replaced = replaced && !is_addon;
    let newest: Option<DateTime<Utc>> = row.try_get("", "granted")?;
    let granted = newest.filter(|granted| !is_replaced || *granted >= since);
    let granted_day = key.as_deref().and_then(|key| key.rsplit(':').next()?.split('@').next()?.parse().ok());
    Ok(Schedule {
        allowance_id: row.try_get("", "allowance_id")?,
        subscription_id: row.try_get("", "subscription_id")?,
        cadence: AllowanceCadence::parse(&row.try_get::<String>("", "cadence")?)?,
        amount: amount.saturating_mul(if is_addon { quantity.unwrap_or(1) } else { 1 }),
        priority: row.try_get("", "priority")?,
        expires_after_days: days.and_then(|days| days.try_into().ok()),
        rollover_cap: row.try_get("", "rollover_cap")?,
        is_replaced,
        since,
        noticed: started_at,
        period: (period_start.unwrap_or(started_at), row.try_get("", "current_period_end")?),
        until: row.try_get("", "cancel_at")?,
        zone: zone.parse().map_err(|_| Error::internal(anyhow::anyhow!("{zone:?} is no time zone")))?,
        granted,
        granted_day: granted.and(granted_day),
        again: newest.is_some() && granted.is_none(),
        used_before: 0,
    })
}
