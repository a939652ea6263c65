//! Grants of earlier plans of a subscription, which a change of plan replaces.

use super::schedules::{GIVES, OF_PLAN, SINCE};
use super::wallets::Key;
use crate::credits::schedule::Schedule;
use crate::db::in_list;
use crate::error::Result;
use crate::plans::AllowanceCadence;
use chrono::{DateTime, Utc};
use entity::{credit_allowances, credit_grants, subscriptions};
use sea_orm::sea_query::{Expr, Query, SelectStatement};
use sea_orm::{ConnectionTrait, JoinType, QueryResult};
use std::collections::HashMap;
use uuid::Uuid;

/// Credits of a grant that were used or are held: those that are gone, less those that expired or were revoked.
const USED: &str = "CAST(g.amount - g.remaining - COALESCE((SELECT SUM(e.amount) FROM ledger_entries e \
     WHERE e.grant_id = g.id AND e.bucket IN ('expired', 'revoked')), 0) AS bigint)";

/// Selects from the grants that the subscription had before its present plan began, and that a change of plan replaces.
fn earlier_grants() -> SelectStatement {
    let earlier =
        format!("(o.product_version_id <> s.product_version_id OR g.starts_at < COALESCE({SINCE}, s.started_at))");
    // unscoped: grants are made and end for no caller
    Query::select()
        .from_as(credit_grants::Entity, "g")
        .join_as(JoinType::InnerJoin, subscriptions::Entity, "s", Expr::cust("s.id = g.subscription_id"))
        .join_as(JoinType::InnerJoin, credit_allowances::Entity, "o", Expr::cust("o.id = g.allowance_id"))
        .and_where(Expr::cust("g.started AND o.on_plan_change = 'replace'"))
        .and_where(Expr::cust(OF_PLAN))
        .and_where(Expr::cust(earlier))
        .take()
}

/// Returns the grants of these accounts that an earlier plan of their subscription included and that have not ended at
/// `now`, with the instant at which the plan changed.
pub(in crate::credits) async fn replaced(
    db: &impl ConnectionTrait,
    accounts: &[Uuid],
    now: DateTime<Utc>,
) -> Result<HashMap<Uuid, DateTime<Utc>>> {
    let select = earlier_grants()
        .expr_as(Expr::cust("g.id"), "id")
        .expr_as(Expr::cust(format!("COALESCE({SINCE}, s.started_at)")), "since")
        .and_where(in_list(db, Expr::cust("g.account_id"), accounts))
        .and_where(Expr::cust_with_values("(g.expires_at IS NULL OR g.expires_at > $1)", [now.fixed_offset()]))
        .and_where(Expr::cust(GIVES))
        .take();
    let read = |row: QueryResult| Ok((row.try_get("", "id")?, row.try_get("", "since")?));
    db.query_all(&select).await?.into_iter().map(read).collect()
}

/// Credits of a grant that were used.
struct Used {
    subscription_id: Uuid,
    unit_id: Uuid,
    cadence: AllowanceCadence,
    starts_at: DateTime<Utc>,
    amount: i64,
}

/// Notes the credits that were used of earlier plans, for allowances that begin with a change of plan. Those that are held
/// count, and those that have expired or were revoked do not.
pub(in crate::credits) async fn note_used(
    db: &impl ConnectionTrait,
    found: &mut HashMap<Key, Vec<Schedule>>,
) -> Result<()> {
    let begins = |schedule: &&mut Schedule| schedule.granted.is_none() && schedule.is_replaced;
    let begin = found.values_mut().flatten().filter(begins).map(|schedule| schedule.subscription_id);
    let begin: Vec<Uuid> = begin.collect();
    if begin.is_empty() {
        return Ok(());
    }
    let mut used = used_credits(db, &begin).await?;
    for ((_, unit_id), schedules) in found {
        for schedule in schedules.iter_mut().filter(begins) {
            let Some(at) = schedule.next() else { continue };
            let start = (schedule.cadence != AllowanceCadence::Once).then(|| schedule.start_of_period(at));
            let counts = |used: &&mut Used| {
                (used.subscription_id, used.unit_id) == (schedule.subscription_id, *unit_id)
                    && is_alike(used.cadence, schedule.cadence)
                    && start.is_none_or(|start| used.starts_at >= start)
            };
            for part in used.iter_mut().filter(counts) {
                // The excess over one allowance counts against the next one of the plan.
                let taken = part.amount.min(schedule.amount - schedule.used_before);
                part.amount -= taken;
                schedule.used_before += taken;
            }
        }
    }
    Ok(())
}

/// Returns true if the use of one allowance counts against the other: allowances of days, those of longer periods, and those
/// that are granted once are apart.
fn is_alike(one: AllowanceCadence, other: AllowanceCadence) -> bool {
    let length = |cadence| match cadence {
        AllowanceCadence::Day => 0,
        AllowanceCadence::Billing | AllowanceCadence::Month => 1,
        AllowanceCadence::Once => 2,
    };
    length(one) == length(other)
}

async fn used_credits(db: &impl ConnectionTrait, subscriptions: &[Uuid]) -> Result<Vec<Used>> {
    let mut select = earlier_grants();
    for column in ["g.subscription_id", "g.credit_unit_id", "o.cadence", "g.starts_at"] {
        select.expr(Expr::cust(column));
    }
    let select = select
        .expr_as(Expr::cust(USED), "used")
        .and_where(in_list(db, Expr::cust("g.subscription_id"), subscriptions))
        .take();
    let read = |row: QueryResult| {
        Ok(Used {
            subscription_id: row.try_get("", "subscription_id")?,
            unit_id: row.try_get("", "credit_unit_id")?,
            cadence: AllowanceCadence::parse(&row.try_get::<String>("", "cadence")?)?,
            starts_at: row.try_get("", "starts_at")?,
            amount: row.try_get("", "used")?,
        })
    };
    db.query_all(&select).await?.into_iter().map(read).collect()
}
