//! Visitors who turn out to be users.

use super::event::{Recorder, check_visitor, user_not_found};
use super::store;
use crate::accounts;
use crate::app::App;
use crate::auth::Viewer;
use crate::error::{Error, Result};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Records that a visitor is a user, for good: all the visitor's events are the user's from now on, also the earlier ones.
/// Users name themselves; others need the permission to record events, and name the user. Returns the user.
pub async fn identify(app: &App, viewer: &Viewer, anonymous_id: String, user_id: Option<Uuid>) -> Result<Uuid> {
    let recorder = Recorder::of(viewer)?;
    let user_id = user_id.or(recorder.own_id()).ok_or_else(user_not_found)?;
    recorder.check(user_id)?;
    check_visitor(&anonymous_id)?;
    let recorded = app.db.write(move |txn| {
        Box::pin(async move {
            if accounts::existing_users(txn, &BTreeSet::from([user_id])).await?.is_empty() {
                return Err(user_not_found());
            }
            store::insert_alias(txn, &anonymous_id, user_id).await
        })
    });
    match recorded.await? {
        known if known == user_id => Ok(user_id),
        _ => Err(Error::refused(
            "ANONYMOUS_ID_TAKEN",
            &["anonymousId"],
            "This visitor is another user: give the visitor a new `anonymousId` after each sign-out.",
        )),
    }
}
