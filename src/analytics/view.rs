//! One state of the movements: the stored ones of most customers, and the computed ones of those that are marked.

use super::derived::{arr_change, in_daily};
use super::range::Range;
use super::recompute::computed;
use super::store::{facts, marks, movements as stored, totals};
use super::values::{DiscountPolicy, MovementKind};
use crate::app::App;
use crate::error::Result;
use crate::money;
use chrono::NaiveDate;
use entity::{mrr_daily, mrr_movements};
use sea_orm::DatabaseTransaction;
use std::collections::BTreeMap;

/// Customers whose facts are read at a time.
const BATCH: usize = 1_000;

/// A snapshot of the movements. Its figures do not depend on the time at which a job ran.
pub(super) struct View {
    pub(super) snapshot: DatabaseTransaction,
    /// Movements that are stored and do not count.
    stale: Vec<mrr_movements::Model>,
    /// Movements that count in their place, by id.
    pub(super) fresh: BTreeMap<uuid::Uuid, mrr_movements::Model>,
}

/// Recurring revenue at the end of a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Annual recurring revenue in minor units.
    pub arr_minor: i64,
    /// Number of customers whose annual recurring revenue is more than zero.
    pub customers: i64,
}

impl View {
    /// Begins a snapshot, and computes the movements of marked customers.
    pub(super) async fn open(app: &App) -> Result<View> {
        let snapshot = app.db.snapshot().await?;
        let marked = marks::customers(&snapshot).await?;
        let (mut stale, mut fresh) = (Vec::new(), BTreeMap::new());
        for batch in marked.chunks(BATCH) {
            stale.extend(stored::of_customers(&snapshot, batch).await?);
            fresh.extend(computed(facts::lines(&snapshot, batch).await?)?);
        }
        Ok(View { snapshot, stale, fresh })
    }

    /// Returns the marked customers' movements with the number by which each changes the stored sums: 1 or −1.
    pub(super) fn changes(&self, policy: DiscountPolicy) -> impl Iterator<Item = (&mrr_movements::Model, i64)> {
        let fresh = self.fresh.values().map(|row| (row, 1));
        let all = fresh.chain(self.stale.iter().map(|row| (row, -1)));
        all.filter(move |(row, _)| row.discounts == policy.as_str())
    }

    /// Returns the recurring revenue at the end of the day before `day`, by currency.
    pub(super) async fn before(&self, policy: DiscountPolicy, day: NaiveDate) -> Result<BTreeMap<String, Standing>> {
        let mut found: BTreeMap<String, Standing> = BTreeMap::new();
        for row in totals::before(&self.snapshot, policy, day).await? {
            found.insert(row.currency, Standing { arr_minor: row.arr_minor, customers: row.customers });
        }
        for (row, sign) in self.changes(policy).filter(|(row, _)| row.day < day) {
            let standing = found.entry(row.currency.clone()).or_default();
            standing.arr_minor = money::add(standing.arr_minor, sign * arr_change(row)?)?;
            standing.customers += sign * customer_change(row)?;
        }
        found.retain(|_, standing| *standing != Standing::default());
        Ok(found)
    }

    /// Returns the sums of the movements of each day in `range`; of one day and currency there may be several.
    pub(super) async fn daily(&self, policy: DiscountPolicy, range: Range) -> Result<Vec<mrr_daily::Model>> {
        let mut rows = totals::daily(&self.snapshot, policy, range).await?;
        for (row, sign) in self.changes(policy).filter(|(row, _)| range.contains(row.day)) {
            rows.push(in_daily(row, sign, sign * arr_change(row)?)?);
        }
        Ok(rows)
    }
}

/// Returns the change of the number of paying customers that a movement is.
pub(super) fn customer_change(row: &mrr_movements::Model) -> Result<i64> {
    Ok(match MovementKind::parse(&row.kind)? {
        MovementKind::New | MovementKind::Reactivation => 1,
        MovementKind::Churn => -1,
        MovementKind::Expansion | MovementKind::Contraction => 0,
    })
}
