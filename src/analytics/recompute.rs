//! Makes the rows of marked customers and days again, and of everybody.

use super::derived::{self, arr_change, in_cohort, in_daily, movement_row};
use super::movements::movements;
use super::store::{cash, facts, marks, movements as stored, totals};
use super::visits::{self, RecomputedVisits};
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::db::Txn;
use crate::error::Result;
use entity::{mrr_cohorts, mrr_daily, mrr_movements};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

/// Customers of one transaction. On SQLite nobody else writes meanwhile.
const CUSTOMERS: usize = 200;
/// Days of one transaction.
const DAYS: usize = 50;

/// The work of a recomputation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recomputed {
    /// Customers whose movements were made again.
    pub customers: usize,
    /// Days whose cash was summed again.
    pub days: usize,
    /// Rows of movements that were missing, or different, or too many.
    pub movement_rows: usize,
    /// Rows of daily cash that were missing, or different, or too many.
    pub cash_rows: usize,
    /// Rows of sums of movements that were wrong although the movements were right; only known after a rebuild.
    pub total_rows: usize,
    /// The work on sessions and on the use of features; only after a rebuild.
    pub visits: RecomputedVisits,
}

/// The number of customers, people and days that were made, and of all that are to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Customers, people and days done.
    pub done: u64,
    /// Customers, people and days in total.
    pub total: u64,
}

/// Makes the rows of marked customers and days again, in steps that are committed one by one, until those that were marked
/// at the start are made or `limit` has passed.
pub(super) async fn recompute_marked(app: &App, limit: Duration) -> Result<Recomputed> {
    let start = app.clock.steady();
    let mut done = Recomputed::default();
    while app.clock.steady().saturating_sub(start) < limit && step(app, &mut done).await? {}
    Ok(done)
}

/// Makes all rows again, of everybody, and corrects those that differ. It may be interrupted and run again, while
/// servers run.
pub async fn rebuild(app: &App, viewer: &Viewer, progress: impl Fn(Progress) + Send) -> Result<Recomputed> {
    viewer.require(Permission::AnalyticsRead)?;
    app.db.write(|txn| Box::pin(async move { marks::mark_all(txn).await })).await?;
    let mut done = Recomputed::default();
    loop {
        let marked = marks::count(app.db.read()).await?;
        let finished = u64::try_from(done.customers + done.days).unwrap_or(u64::MAX);
        let left = u64::try_from(marked.customers + marked.days).unwrap_or_default();
        progress(Progress { done: finished, total: finished.saturating_add(left) });
        if !step(app, &mut done).await? {
            break;
        }
    }
    done.total_rows = app
        .db
        .write(|txn| {
            Box::pin(async move {
                marks::lock(txn).await?;
                totals::sum_all(txn).await
            })
        })
        .await?;
    let finished = u64::try_from(done.customers + done.days).unwrap_or(u64::MAX);
    let show = move |made: u64, left: u64| {
        let done = finished.saturating_add(made);
        progress(Progress { done, total: done.saturating_add(left) });
    };
    done.visits = visits::rebuild(app, show).await?;
    Ok(done)
}

/// Makes the rows of a batch of marked customers and days, and returns whether there can be more. A batch that is not full
/// has all that were marked before it; those that are marked meanwhile, as today is by every payment, do not prolong the
/// work.
async fn step(app: &App, done: &mut Recomputed) -> Result<bool> {
    let (customers, movement_rows) = app.db.write(|txn| Box::pin(make_customers(txn))).await?;
    let (days, cash_rows) = app.db.write(|txn| Box::pin(make_days(txn))).await?;
    done.customers += customers;
    done.movement_rows += movement_rows;
    done.days += days;
    done.cash_rows += cash_rows;
    Ok(customers >= CUSTOMERS || days >= DAYS)
}

async fn make_days(txn: &Txn) -> Result<(usize, usize)> {
    marks::lock(txn).await?;
    let days = marks::take_days(txn, DAYS).await?;
    if days.is_empty() {
        return Ok((0, 0));
    }
    Ok((days.len(), cash::make_days(txn, &days).await?))
}

async fn make_customers(txn: &Txn) -> Result<(usize, usize)> {
    marks::lock(txn).await?;
    let accounts = marks::take_customers(txn, CUSTOMERS).await?;
    if accounts.is_empty() {
        return Ok((0, 0));
    }
    let mut wanted = computed(facts::lines(txn, &accounts).await?)?;
    let mut gone = Vec::new();
    for row in stored::of_customers(txn, &accounts).await? {
        match wanted.get(&row.id) == Some(&row) {
            true => {
                wanted.remove(&row.id);
            }
            false => gone.push(row),
        }
    }
    let differing = wanted.len() + gone.iter().filter(|row| !wanted.contains_key(&row.id)).count();
    let added: Vec<mrr_movements::Model> = wanted.into_values().collect();
    let changes = || added.iter().map(|row| (row, 1)).chain(gone.iter().map(|row| (row, -1)));
    let daily = changes().map(|(row, sign)| in_daily(row, sign, sign * arr_change(row)?));
    let cohorts = changes().map(|(row, sign)| in_cohort(row, sign, sign * arr_change(row)?));
    let (daily, cohorts) =
        (derived::collect::<mrr_daily::Entity>(daily)?, derived::collect::<mrr_cohorts::Entity>(cohorts)?);
    totals::apply::<mrr_daily::Entity>(txn, daily).await?;
    totals::apply::<mrr_cohorts::Entity>(txn, cohorts).await?;
    let gone: Vec<Uuid> = gone.iter().map(|row| row.id).collect();
    stored::replace(txn, &gone, added).await?;
    Ok((accounts.len(), differing))
}

/// Returns the rows of movements that follow from the facts, by id.
pub(super) fn computed(
    lines: BTreeMap<Uuid, Vec<super::movements::Line>>,
) -> Result<BTreeMap<Uuid, mrr_movements::Model>> {
    let mut rows = BTreeMap::new();
    for (account_id, lines) in lines {
        for movement in movements(&lines)? {
            let row = movement_row(account_id, movement);
            rows.insert(row.id, row);
        }
    }
    Ok(rows)
}
