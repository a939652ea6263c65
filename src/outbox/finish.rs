//! The worker's share of the calls: those whose caller did not finish them.

use super::execute::resume;
use super::operation::Initiator;
use super::record::postpone;
use super::store;
use crate::app::App;
use crate::error::{Error, Result};
use std::time::{Duration, Instant};

/// The calls that are read at a time.
const BATCH: u64 = 100;
/// The failures in a row after which the rest waits for the next run, since Stripe is unavailable.
const MAX_FAILURES: usize = 3;
/// The longest run, well below the time limit of a job.
const MAX_RUN: Duration = Duration::from_secs(120);

/// Finishes the calls that are due, the longest due first. A call that fails is due again later, and none is forgotten.
pub(super) async fn finish_due(app: &App) -> Result<()> {
    let (begin, mut failures) = (Instant::now(), 0);
    loop {
        let due = store::due_calls(app.db.read(), app.now(), BATCH).await?;
        for call in &due {
            match resume(app, call.id, Initiator::Worker).await {
                Ok(_) => failures = 0,
                Err(Error::ProviderUnavailable { .. }) => failures += 1,
                Err(error @ Error::Unavailable("The database", _)) => return Err(error),
                Err(error) => {
                    let cause = format!("{:#}", anyhow::Error::from(error));
                    tracing::error!(call = %call.id, operation = call.operation, cause, "a call to Stripe is not finished");
                    postpone(app, call).await?;
                }
            }
            if failures == MAX_FAILURES || begin.elapsed() > MAX_RUN {
                return Ok(());
            }
        }
        if due.is_empty() {
            return Ok(());
        }
    }
}
