//! Queries on the days of partners.

use super::day::{Key, PartnerDay};
use crate::db::{Txn, find_matching, upsert_all};
use crate::error::Result;
use chrono::{DateTime, NaiveDate, Utc};
use entity::partner_daily::{ActiveModel, Entity};
use sea_orm::{ActiveValue::Set, ConnectionTrait, DatabaseConnection, FromQueryResult, Statement, Value};
use std::collections::HashMap;

/// Replaces what is known unless it is newer, also if it became known since.
const UNLESS_NEWER: &str = " ON CONFLICT (partner_code, day, currency) DO UPDATE SET visit_count = excluded.visit_count, \
     booking_count = excluded.booking_count, revenue_minor = excluded.revenue_minor, reported_at = excluded.reported_at \
     WHERE partner_daily.reported_at <= excluded.reported_at";

/// Records the figures that are not older than the known ones, and returns their keys.
pub(super) async fn record(txn: &Txn, rows: Vec<(PartnerDay, DateTime<Utc>)>) -> Result<Vec<Key>> {
    let keys = rows.iter().map(|(row, _)| ActiveModel {
        partner_code: Set(row.partner.clone()),
        day: Set(row.day),
        currency: Set(row.currency.clone()),
        ..Default::default()
    });
    let known = find_matching::<Entity>(txn, keys.collect()).await?;
    let known: HashMap<Key, _> =
        known.into_iter().map(|row| ((row.partner_code, row.day, row.currency), row.reported_at)).collect();
    let (mut recorded, mut new) = (Vec::new(), Vec::new());
    for (row, reported_at) in rows {
        let key = (row.partner, row.day, row.currency);
        if known.get(&key).is_some_and(|known| *known > reported_at) {
            continue;
        }
        new.push(ActiveModel {
            id: Set(txn.new_id()),
            partner_code: Set(key.0.clone()),
            day: Set(key.1),
            currency: Set(key.2.clone()),
            visit_count: Set(row.visits),
            booking_count: Set(row.bookings),
            revenue_minor: Set(row.revenue_minor),
            reported_at: Set(reported_at.fixed_offset()),
        });
        recorded.push(key);
    }
    upsert_all::<Entity>(txn, new, UNLESS_NEWER).await?;
    Ok(recorded)
}

/// The sums of one partner in one currency.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub(super) struct Sums {
    pub(super) partner: String,
    pub(super) currency: String,
    pub(super) visits: i64,
    pub(super) bookings: i64,
    pub(super) revenue_minor: i64,
}

/// Returns the sums over the days in `[from, to)` of the partners with the most revenue, at most `count` in each currency.
pub(super) async fn sums(db: &DatabaseConnection, from: NaiveDate, to: NaiveDate, count: u32) -> Result<Vec<Sums>> {
    let sql = "WITH sums AS (SELECT partner_code AS partner, currency, CAST(SUM(visit_count) AS BIGINT) AS visits, \
         CAST(SUM(booking_count) AS BIGINT) AS bookings, CAST(SUM(revenue_minor) AS BIGINT) AS revenue_minor \
         FROM partner_daily WHERE day >= $1 AND day < $2 GROUP BY partner_code, currency), \
         ranked AS (SELECT partner, currency, visits, bookings, revenue_minor, ROW_NUMBER() OVER \
         (PARTITION BY currency ORDER BY revenue_minor DESC, partner) AS place FROM sums) \
         SELECT partner, currency, visits, bookings, revenue_minor FROM ranked WHERE place <= $3 ORDER BY currency, place";
    let values: [Value; 3] = [from.into(), to.into(), i64::from(count).into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    rows.iter().map(|row| Ok(Sums::from_query_result(row, "")?)).collect()
}
