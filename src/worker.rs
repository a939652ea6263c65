//! The list of all jobs and schedules, and of what a process writes beside them.

use crate::accounts::{UserAppeared, record_key_use};
use crate::analytics::{RecomputeRevenue, RecomputeVisits, WriteReports};
use crate::app::App;
use crate::billing::{PublishPlan, PushPlan};
use crate::changes::PurgeChanges;
use crate::config::Config;
use crate::credits::SettleBalances;
use crate::db::Txn;
use crate::error::Result;
use crate::inbox::{ApplyObject, ReapplyPrice, ReconcileEvents, ReconcileList, SweepObjects, WakeWaiting};
use crate::jobs::{PurgeIdempotencyKeys, Worker};
use crate::last_use::Used;
use crate::licences::{record_check, record_seen};
use crate::outbox::FinishCalls;
use crate::rate_limits::PurgeRateLimits;
use crate::security;
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// Interval at which times of last use are written.
const LAST_USE_INTERVAL: Duration = Duration::from_secs(5);
/// Maximum number of times of last use in one transaction.
const LAST_USE_BATCH: usize = 200;

/// Returns the worker of `tollgate serve`. Reports are left to the nodes that have a directory for them.
pub fn worker(config: &Config) -> Worker {
    let worker = Worker::new()
        .on_demand::<ApplyObject>()
        .on_demand::<ReapplyPrice>()
        .on_demand::<UserAppeared>()
        .on_demand::<ReconcileList>()
        .on_demand::<PublishPlan>()
        .on_demand::<PushPlan>()
        .every::<ReconcileEvents>(TimeDelta::hours(1))
        .every::<SweepObjects>(TimeDelta::days(1))
        .every::<WakeWaiting>(TimeDelta::minutes(1))
        .every::<FinishCalls>(TimeDelta::minutes(1))
        .every::<SettleBalances>(TimeDelta::minutes(1))
        .every::<RecomputeRevenue>(TimeDelta::minutes(1))
        .every::<RecomputeVisits>(TimeDelta::minutes(1))
        .every::<PurgeIdempotencyKeys>(TimeDelta::hours(1))
        .every::<PurgeRateLimits>(TimeDelta::hours(1))
        .every::<PurgeChanges>(TimeDelta::hours(1));
    match config.reports_directory {
        Some(_) => worker.every::<WriteReports>(TimeDelta::hours(1)),
        None => worker,
    }
}

/// Writes security events and times of last use until `stop` completes, and then what is left.
pub async fn flush_until(app: &App, stop: impl Future<Output = ()> + Clone) {
    tokio::join!(security::flush_until(app, stop.clone()), async {
        let mut stop = std::pin::pin!(stop);
        while tokio::time::timeout(LAST_USE_INTERVAL, &mut stop).await.is_err() {
            flush_last_use(app).await;
        }
        flush_last_use(app).await;
    });
}

/// Writes the times of last use that are in memory. Those that cannot be written are kept for the next time.
pub async fn flush_last_use(app: &App) {
    loop {
        let batch = app.last_use.take(LAST_USE_BATCH);
        if batch.is_empty() {
            return;
        }
        let uses = batch.clone();
        if let Err(error) = app.db.write(move |txn| Box::pin(write_last_use(txn, uses))).await {
            let cause = format!("{:#}", anyhow::Error::from(error));
            tracing::warn!(cause, "Times of last use could not be written yet.");
            app.last_use.put_back(batch);
            return;
        }
    }
}

async fn write_last_use(txn: &Txn, uses: Vec<(Used, DateTime<Utc>)>) -> Result<()> {
    for (used, at) in uses {
        match used {
            Used::ApiKey(id) => record_key_use(txn, id, at).await?,
            Used::License(id) => record_check(txn, id, at).await?,
            Used::Device(id) => record_seen(txn, id, at).await?,
        }
    }
    Ok(())
}
