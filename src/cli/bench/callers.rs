//! Concurrent callers, each with one call at a time.

use super::figures::{Figures, Samples};
use crate::app::App;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The result of a measurement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub(super) figures: Figures,
    /// Durable commits during the measurement.
    pub(super) commits: u64,
}

/// Runs `callers` tasks for `time`. Each calls `call` with its number and the number of its call, one after the other;
/// `call` returns the number of operations that it made.
pub(super) async fn run<F, C>(app: &App, callers: usize, time: Duration, call: C) -> anyhow::Result<Measured>
where
    F: Future<Output = anyhow::Result<u64>> + Send + 'static,
    C: Fn(usize, usize) -> F + Send + Sync + 'static,
{
    let call = Arc::new(call);
    let mut tasks = JoinSet::new();
    let before = app.db.commits_made();
    let start = Instant::now();
    for caller in 0..callers {
        let call = Arc::clone(&call);
        tasks.spawn(async move {
            let mut samples = Samples::default();
            for number in 0.. {
                let called = Instant::now();
                if called >= start + time {
                    break;
                }
                let operations = call(caller, number).await?;
                samples.add(called.elapsed(), operations);
            }
            anyhow::Ok(samples)
        });
    }
    let mut samples = Samples::default();
    while let Some(finished) = tasks.join_next().await {
        samples.merge(finished??);
    }
    let figures = samples.figures(start.elapsed());
    Ok(Measured { figures, commits: app.db.commits_made() - before })
}
