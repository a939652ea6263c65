//! Records that events could not be applied.

use super::kinds::ObjectKind;
use super::state::EventState;
use super::store::Store;
use crate::app::App;
use crate::error::{Error, Result};
use crate::jobs::{MAX_ATTEMPTS, retry_delay};
use crate::providers::Provider;
use entity::inbox_events;
use sea_orm::ActiveValue::Set;

/// The maximum length of a stored error, in characters.
const MAX_ERROR_CHARS: usize = 2_000;

/// Records `error` on the pending events of an object, and parks those that were tried too often.
pub(super) async fn record(
    app: &App,
    provider: Provider,
    kind: ObjectKind,
    object_id: &str,
    error: &Error,
) -> Result<()> {
    let error = format!("{error:#}: {:?}", std::error::Error::source(error));
    let error: String = error.chars().filter(|char| *char != '\0').take(MAX_ERROR_CHARS).collect();
    let object_id = object_id.to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let store = Store { txn, provider };
                for event in store.pending(kind, &object_id).await? {
                    let attempts = event.attempts + 1;
                    let parked = attempts >= MAX_ATTEMPTS;
                    let state = if parked { EventState::Parked } else { EventState::Failed };
                    let next = (txn.now() + retry_delay(attempts)).fixed_offset();
                    let outcome = inbox_events::ActiveModel {
                        state: Set(state.as_str().to_owned()),
                        error: Set(Some(error.clone())),
                        next_attempt_at: Set((!parked).then_some(next)),
                        ..Default::default()
                    };
                    store.finish(&[event.id], outcome).await?;
                }
                Ok(())
            })
        })
        .await
}
