//! The time as of which figures were reported.

use crate::error::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};

/// How far the clock of a reporter may be ahead.
const MAX_AHEAD: TimeDelta = TimeDelta::minutes(5);

/// Returns the time as of which figures are: `now` unless they say so, and at most five minutes ahead of it.
pub(super) fn report_time(reported_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let reported_at = reported_at.unwrap_or(now);
    if reported_at > now + MAX_AHEAD {
        let message = "`reportedAt` must not be more than 5 minutes in the future: check the sender's clock.";
        return Err(Error::refused("REPORTED_AT_INVALID", &["reportedAt"], message));
    }
    Ok(reported_at)
}
