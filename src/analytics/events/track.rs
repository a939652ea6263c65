//! Recording events: those of a request together, in one transaction and a constant number of statements.

use super::consent::ConsentRule;
use super::event::{NewEvent, Recorder, user_not_found};
use super::page;
use super::store::{self, EventRow};
use crate::accounts;
use crate::analytics::batch::{Placed, Tracked, check_each, in_order, tracked};
use crate::analytics::person::Person;
use crate::analytics::store::consents;
use crate::app::App;
use crate::auth::Viewer;
use crate::error::{Error, Result};
use crate::usage::event_time;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The maximum number of events in one request.
const MAX_EVENTS: usize = 1_000;

/// An event that passed the checks.
struct Checked {
    person: Person,
    event: NewEvent,
    occurred_at: DateTime<Utc>,
}

/// Records events, each for itself: one that is refused, also as malformed, keeps none of the others from being recorded.
/// Users record their own, pages with a publishable key those of visitors; others need the permission to record events.
/// Returns the outcomes in the order of the events.
pub async fn track(app: &App, viewer: &Viewer, events: Vec<Result<NewEvent>>) -> Result<Vec<Result<Tracked>>> {
    let recorder = Recorder::of(viewer)?;
    match viewer.page() {
        Some(page) => page::admit(app, viewer, page, events.len())?,
        None if events.len() > MAX_EVENTS => {
            let message = "At most 1,000 events can be recorded at once: send the others in another request.";
            return Err(Error::refused("TOO_MANY_EVENTS", &["events"], message));
        }
        None => {}
    }
    let now = app.now();
    let (checked, refused) = check_each(events, |event| {
        let event = event?;
        event.check()?;
        let occurred_at = event_time(event.occurred_at, now)?;
        if viewer.page().is_some() {
            page::check(&event, occurred_at, now)?;
        }
        let person = recorder.person(event.user_id, event.anonymous_id.as_deref())?;
        Ok(Checked { person, event, occurred_at })
    })?;
    Ok(in_order(record(app, ConsentRule::of(app, viewer), checked).await?, refused))
}

/// Records events, and returns the outcome at each place.
async fn record(app: &App, rule: ConsentRule, checked: Placed<Checked>) -> Result<Placed<Result<Tracked>>> {
    if checked.is_empty() {
        return Ok(Vec::new());
    }
    let written = app.db.write(move |txn| {
        Box::pin(async move {
            let users: BTreeSet<Uuid> = checked.iter().filter_map(|(_, checked)| checked.person.user_id()).collect();
            let users = accounts::existing_users(txn, &users).await?;
            let persons: BTreeSet<Person> = checked.iter().map(|(_, checked)| checked.person.clone()).collect();
            let decisions = consents::newest(txn, &persons).await?;
            let (mut outcomes, mut rows) = (Vec::with_capacity(checked.len()), Vec::with_capacity(checked.len()));
            for (place, Checked { person, event, occurred_at }) in checked {
                let is_known = person.user_id().is_none_or(|user| users.contains(&user));
                let refusal = if is_known { rule.check(&decisions, &person) } else { Err(user_not_found()) };
                match refusal {
                    Err(error) => outcomes.push((place, Err(error))),
                    // The ids are in the order of the request, which decides between events of one instant.
                    Ok(()) => rows.push((place, EventRow { id: txn.new_id(), person, event, occurred_at })),
                }
            }
            let (places, rows): (Vec<usize>, Vec<EventRow>) = rows.into_iter().unzip();
            let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
            let recorded = store::insert(txn, rows).await?;
            outcomes.extend(tracked(places.into_iter().zip(ids), &recorded));
            Ok(outcomes)
        })
    });
    written.await
}
