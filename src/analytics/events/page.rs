//! Limits on the events of pages, whose publishable keys everybody can use.

use super::event::NewEvent;
use crate::app::App;
use crate::auth::{Page, Viewer};
use crate::error::{Error, Result};
use crate::rate_limit::household;
use chrono::{DateTime, TimeDelta, Utc};

/// The maximum number of events in one request.
const MAX_EVENTS: usize = 100;
/// The maximum length of an event's properties as JSON.
const MAX_PROPERTIES_BYTES: usize = 1_024;
/// The age from which on an event is too late: pages send soon, and again after a while without a network.
const MAX_AGE: TimeDelta = TimeDelta::days(1);
/// The part of a key's events per minute that one client address may record.
const ADDRESSES: u32 = 10;

/// Takes the events of a request from those that the address of its client, and all pages with the key, may record in a
/// minute. Malformed events count too.
pub(super) fn admit(app: &App, viewer: &Viewer, page: Page, events: usize) -> Result<()> {
    if events > MAX_EVENTS {
        let message =
            "At most 100 events can be recorded at once with a publishable key: send the others in another request.";
        return Err(Error::refused("TOO_MANY_EVENTS", &["events"], message));
    }
    let count = u32::try_from(events).map_err(Error::internal)?.max(1);
    // The address first: one that floods must not use up the events of others.
    let client = (page.key_id, viewer.address().map(household));
    app.page_events.of_address.take(&client, count, page.events_per_minute / ADDRESSES)?;
    app.page_events.of_key.take(&page.key_id, count, page.events_per_minute)
}

/// Checks what is narrower for pages than for others.
pub(super) fn check(event: &NewEvent, occurred_at: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
    if event.properties.as_ref().is_some_and(|properties| properties.to_string().len() > MAX_PROPERTIES_BYTES) {
        let message = "`properties` must have at most 1,024 bytes as JSON with a publishable key.";
        return Err(Error::refused("PROPERTIES_INVALID", &["properties"], message));
    }
    if occurred_at < now - MAX_AGE {
        let message =
            "`occurredAt` must not be more than a day in the past with a publishable key: leave out what is older.";
        return Err(Error::refused("OCCURRED_AT_INVALID", &["occurredAt"], message));
    }
    Ok(())
}
