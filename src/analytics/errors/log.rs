//! Recording errors: those of a request together, in one transaction and a constant number of statements.

use super::fingerprint::{fingerprint, general};
use super::new_error::NewError;
use super::store::{self, ErrorRow};
use crate::accounts;
use crate::analytics::batch::{Placed, Tracked, check_each, in_order, tracked};
use crate::analytics::events::{Recorder, user_not_found};
use crate::app::App;
use crate::auth::Viewer;
use crate::error::{Error, Result};
use crate::usage::event_time;
use std::collections::BTreeSet;
use uuid::Uuid;

/// The maximum number of errors in one request.
const MAX_ERRORS: usize = 100;

/// Records errors, each for itself: one that is refused keeps none of the others from being recorded. Users record those
/// that happened to them; others need the permission to record events. Returns the outcomes in the order of the errors.
pub async fn log_errors(app: &App, viewer: &Viewer, errors: Vec<Result<NewError>>) -> Result<Vec<Result<Tracked>>> {
    let recorder = Recorder::of(viewer)?;
    if errors.len() > MAX_ERRORS {
        let message = "At most 100 errors can be recorded at once: send the others in another request.";
        return Err(Error::refused("TOO_MANY_ERRORS", &["errors"], message));
    }
    let now = app.now();
    let (checked, refused) = check_each(errors, |error| {
        let error = error?;
        error.check()?;
        let occurred_at = event_time(error.occurred_at, now)?;
        let user_id = error.user_id.or(recorder.own_id());
        user_id.map(|user| recorder.check(user)).transpose()?;
        let fingerprint = fingerprint(&error.error_type, &error.message, error.fingerprint.as_deref());
        let general = general(&error.message);
        Ok(ErrorRow { id: Uuid::nil(), user_id, fingerprint, general, error, occurred_at })
    })?;
    Ok(in_order(record(app, checked).await?, refused))
}

/// Records errors, and returns the outcome at each place.
async fn record(app: &App, checked: Placed<ErrorRow>) -> Result<Placed<Result<Tracked>>> {
    if checked.is_empty() {
        return Ok(Vec::new());
    }
    let written = app.db.write(move |txn| {
        Box::pin(async move {
            let users: BTreeSet<Uuid> = checked.iter().filter_map(|(_, row)| row.user_id).collect();
            let users = accounts::existing_users(txn, &users).await?;
            let is_known = |row: &ErrorRow| row.user_id.is_none_or(|user| users.contains(&user));
            let (known, unknown): (Vec<_>, Vec<_>) = checked.into_iter().partition(|(_, row)| is_known(row));
            let mut outcomes: Vec<_> = unknown.into_iter().map(|(place, _)| (place, Err(user_not_found()))).collect();
            let (places, mut rows): (Vec<usize>, Vec<ErrorRow>) = known.into_iter().unzip();
            rows.iter_mut().for_each(|row| row.id = txn.new_id());
            let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
            let recorded = store::insert(txn, rows).await?;
            outcomes.extend(tracked(places.into_iter().zip(ids), &recorded));
            Ok(outcomes)
        })
    });
    written.await
}
