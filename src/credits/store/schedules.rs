//! Reads the allowances of the plans that accounts have.

use super::wallets::Key;
use crate::credits::schedule::Schedule;
use crate::db::in_list;
use crate::error::{Error, Result};
use crate::plans::AllowanceCadence;
use chrono::{DateTime, TimeDelta, Utc};
use entity::{credit_allowances, credit_grants, subscriptions};
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ConnectionTrait, JoinType, QueryResult};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// The newest grant of the allowance to the subscription.
const GRANTED: &str = "(SELECT MAX(g.starts_at) FROM credit_grants g WHERE g.subscription_id = s.id \
     AND g.credit_unit_id = a.credit_unit_id AND g.allowance_id = a.id)";
/// The newest grant of an allowance that another plan may end, if one has: a part of it expired before its time.
const ENDED: &str = "(SELECT g.id FROM credit_grants g WHERE g.subscription_id = s.id \
     AND g.credit_unit_id = a.credit_unit_id AND g.allowance_id = a.id AND a.on_plan_change = 'replace' \
     AND a.cadence IN ('billing', 'month') AND a.product_version_id = s.product_version_id \
     AND NOT EXISTS (SELECT 1 FROM credit_grants h WHERE h.subscription_id = s.id \
         AND h.credit_unit_id = a.credit_unit_id AND h.allowance_id = a.id AND h.id > g.id) \
     AND EXISTS (SELECT 1 FROM ledger_entries e WHERE e.grant_id = g.id AND e.bucket = 'expired' \
         AND (g.expires_at IS NULL OR e.effective_at < g.expires_at)))";
/// The key of the newest grant of a daily allowance to the subscription, which ends with the day.
const GRANTED_KEY: &str = "(SELECT MAX(g.business_key) FROM credit_grants g WHERE g.subscription_id = s.id \
     AND g.credit_unit_id = a.credit_unit_id AND g.allowance_id = a.id AND a.cadence = 'day')";
/// The instant from which the subscription has the version that it has now.
const SINCE: &str = "(SELECT MIN(v.effective_at) FROM subscription_versions v WHERE v.subscription_id = s.id \
     AND NOT EXISTS (SELECT 1 FROM subscription_versions w WHERE w.subscription_id = s.id \
     AND w.effective_at >= v.effective_at \
     AND (w.product_version_id IS NULL OR w.product_version_id <> s.product_version_id)))";
/// The items of the subscription that are add-ons of the allowance's version.
const ITEMS: &str = "FROM subscription_items i JOIN prices r ON r.id = i.price_id \
     WHERE i.subscription_id = s.id AND i.kind = 'addon' AND r.product_version_id = a.product_version_id";
/// Allowances of plans; those of add-ons stay.
const OF_PLAN: &str = "EXISTS (SELECT 1 FROM product_versions v JOIN products p ON p.id = v.product_id \
     WHERE v.id = o.product_version_id AND p.kind = 'plan')";
/// Statuses and states of subscriptions whose allowances are granted: those that are paid for, or on trial.
const GIVES: &str = "s.status IN ('trialing', 'active') AND s.paused_at IS NULL";

/// Returns the allowances of the plans of these accounts and of their add-ons, by account and unit.
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
        .expr_as(Expr::cust("COALESCE(a.product_version_id <> s.product_version_id, TRUE)"), "is_addon")
        .expr_as(Expr::cust(format!("(SELECT MIN(i.created_at) {ITEMS})")), "added_at")
        .expr_as(Expr::cust(format!("(SELECT CAST(SUM(COALESCE(i.quantity, 1)) AS bigint) {ITEMS})")), "quantity")
        .expr_as(Expr::cust(ENDED), "ended")
        .expr_as(Expr::cust("a.product_version_id"), "version_id")
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
    let mut rows: Vec<(Key, Uuid, Schedule)> = Vec::new();
    for row in db.query_all(&select).await? {
        let key = (row.try_get("", "account_id")?, row.try_get("", "credit_unit_id")?);
        rows.push((key, row.try_get("", "version_id")?, read(&row)?));
    }
    let begins = |schedule: &Schedule| {
        schedule.granted.is_none() && !schedule.is_addon && schedule.cadence != AllowanceCadence::Day
    };
    let begin = rows.iter().filter(|(.., schedule)| begins(schedule)).map(|(.., schedule)| schedule.subscription_id);
    let used = used(db, &begin.collect::<HashSet<_>>().into_iter().collect::<Vec<_>>()).await?;
    let mut found: HashMap<Key, Vec<Schedule>> = HashMap::new();
    for (key, version_id, mut schedule) in rows {
        if begins(&schedule) {
            let earlier = used.get(&(schedule.subscription_id, key.1)).map_or(&[][..], Vec::as_slice);
            // Other allowances of the version are granted beside it.
            let counts = |used: &&Used| used.version_id != version_id || used.allowance_id == schedule.allowance_id;
            schedule.used_before = earlier.iter().filter(counts).map(|used| (used.starts_at, used.amount)).collect();
        }
        found.entry(key).or_default().push(schedule);
    }
    Ok(found)
}

/// The use of a grant of an allowance.
struct Used {
    version_id: Uuid,
    allowance_id: Uuid,
    starts_at: DateTime<Utc>,
    /// The part that was used: spent, held, repaid or transferred.
    amount: i64,
}

/// Returns the use of the grants of these subscriptions in their billing periods, of allowances of plans that a change of
/// plan replaces, by subscription and unit.
async fn used(db: &impl ConnectionTrait, subscriptions: &[Uuid]) -> Result<HashMap<(Uuid, Uuid), Vec<Used>>> {
    const USED: &str = "CAST(g.amount - g.remaining - COALESCE((SELECT SUM(e.amount) FROM ledger_entries e \
         WHERE e.grant_id = g.id AND e.bucket IN ('expired', 'revoked')), 0) AS bigint)";
    const REPLACED: &str = "o.on_plan_change = 'replace' AND o.cadence <> 'day' AND g.starts_at >= \
         (SELECT s.current_period_start FROM subscriptions s WHERE s.id = g.subscription_id)";
    let mut found: HashMap<_, Vec<Used>> = HashMap::new();
    if subscriptions.is_empty() {
        return Ok(found);
    }
    let mut select = Query::select();
    for column in ["g.subscription_id", "g.credit_unit_id", "g.allowance_id", "g.starts_at", "o.product_version_id"] {
        select.expr(Expr::cust(column));
    }
    // unscoped: grants are made for no caller
    let select = select
        .expr_as(Expr::cust(USED), "used")
        .from_as(credit_grants::Entity, "g")
        .join_as(JoinType::InnerJoin, credit_allowances::Entity, "o", Expr::cust("o.id = g.allowance_id"))
        .and_where(in_list(db, Expr::cust("g.subscription_id"), subscriptions))
        .and_where(Expr::cust(REPLACED))
        .and_where(Expr::cust(OF_PLAN))
        .take();
    for row in db.query_all(&select).await? {
        let used = Used {
            version_id: row.try_get("", "product_version_id")?,
            allowance_id: row.try_get("", "allowance_id")?,
            starts_at: row.try_get("", "starts_at")?,
            amount: row.try_get("", "used")?,
        };
        let key = (row.try_get("", "subscription_id")?, row.try_get("", "credit_unit_id")?);
        found.entry(key).or_default().push(used);
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
    let ended: Option<Uuid> = row.try_get("", "ended")?;
    let granted: Option<DateTime<Utc>> = row.try_get("", "granted")?;
    Ok(Schedule {
        allowance_id: row.try_get("", "allowance_id")?,
        subscription_id: row.try_get("", "subscription_id")?,
        cadence: AllowanceCadence::parse(&row.try_get::<String>("", "cadence")?)?,
        amount: amount.saturating_mul(if is_addon { quantity.unwrap_or(1) } else { 1 }),
        priority: row.try_get("", "priority")?,
        expires_after: days.and_then(TimeDelta::try_days),
        rollover_cap: row.try_get("", "rollover_cap")?,
        since: since.unwrap_or(started_at).max(started_at),
        noticed: started_at,
        period: (period_start.unwrap_or(started_at), row.try_get("", "current_period_end")?),
        until: row.try_get("", "cancel_at")?,
        zone: zone.parse().map_err(|_| Error::internal(anyhow::anyhow!("{zone:?} is no time zone")))?,
        // It begins again after another plan has ended it.
        granted: granted.filter(|_| ended.is_none()),
        granted_day: key.as_deref().and_then(|key| key.rsplit(':').next()?.parse().ok()),
        replaces: Vec::new(),
        used_before: Vec::new(),
        ended,
        is_addon,
    })
}

/// Returns those of these allowances whose rest ends when the subscription changes to another plan.
pub(in crate::credits) async fn replaceable(db: &impl ConnectionTrait, allowances: &[Uuid]) -> Result<HashSet<Uuid>> {
    if allowances.is_empty() {
        return Ok(HashSet::new());
    }
    // unscoped: grants are made for no caller
    let select = Query::select()
        .expr_as(Expr::cust("o.id"), "id")
        .from_as(credit_allowances::Entity, "o")
        .and_where(in_list(db, Expr::cust("o.id"), allowances))
        .and_where(Expr::cust("o.on_plan_change = 'replace'"))
        .and_where(Expr::cust(OF_PLAN))
        .take();
    db.query_all(&select).await?.iter().map(|row| Ok(row.try_get("", "id")?)).collect()
}
