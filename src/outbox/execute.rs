//! The execution of a call: send it, then record the answer.

use super::operation::{CallState, Initiator, Operation, is_repeatable};
use super::outcome::Outcome;
use super::record::{abandon, block, change_key, defer, finish, record_refusal, record_success};
use super::request::sent_key;
use super::store;
use crate::app::App;
use crate::detached;
use crate::error::{Error, Result};
use crate::inbox;
use crate::providers::stripe::{CallError, Change, Changed, RefusalCode, Refused};
use chrono::TimeDelta;
use entity::outbox_calls::Model;
use uuid::Uuid;

/// The time that Stripe remembers a key for certain, less an hour. A call without an outcome by then is never sent
/// again; reconciliation shows whether the change was made.
const KEY_LIFETIME: TimeDelta = TimeDelta::hours(23);

/// Executes a committed call, or returns its outcome if it was executed before.
///
/// No answer is [`Error::ProviderUnavailable`]. A call whose key Stripe may have forgotten is [`Error::Unresolved`].
pub async fn execute(app: &App, call_id: Uuid) -> Result<Outcome> {
    let outcome = resume(app, call_id, Initiator::Caller).await?;
    outcome.ok_or_else(|| Error::internal(anyhow::anyhow!("A call had no outcome for its caller.")))
}

/// Executes a call for `initiator`. Returns `None` to the worker for a call that it must not send.
///
/// Of several executions of one call in this process, each waits for the one before, and finds its outcome.
pub(super) async fn resume(app: &App, call_id: Uuid, initiator: Initiator) -> Result<Option<Outcome>> {
    let _alone = app.detached.lock(call_id).await;
    let call = store::call(app.db.read(), call_id).await?;
    match (CallState::of(&call)?, initiator) {
        (CallState::Done, _) => return Outcome::done(&call).map(Some),
        (CallState::Refused, _) => return Ok(Some(Outcome::refused(&call))),
        (CallState::Pending, Initiator::Worker) if !call.persistent => {
            // Its caller is gone, and nobody is charged behind their back.
            abandon(app, &call).await?;
            return Ok(None);
        }
        (CallState::Pending, _) | (CallState::Abandoned, Initiator::Caller) => {}
        (CallState::Abandoned | CallState::Unresolved, Initiator::Worker) => return Ok(None),
        (CallState::Unresolved, Initiator::Caller) => return Err(Error::Unresolved),
    }
    if app.now().fixed_offset() - call.created_at > KEY_LIFETIME {
        return unresolved(app, &call, initiator).await;
    }
    let (call, sent) = match send(app, &call).await {
        Err(CallError::ErrorRepeated) if is_repeatable(&call) => {
            let call = change_key(app, call).await?;
            let sent = send(app, &call).await;
            (call, sent)
        }
        sent => (call, sent),
    };
    match sent {
        Ok(changed) => record_success(app, call, changed).await.map(Some),
        Err(CallError::NotFound) => {
            let refused = Refused { status: 404, code: RefusalCode::ResourceMissing, ..Refused::default() };
            record_refusal(app, call, refused).await.map(Some)
        }
        Err(CallError::Refused(refused)) if refused.is_final() => {
            refresh_refused(app, &call).await?;
            record_refusal(app, call, refused).await.map(Some)
        }
        Err(CallError::Refused(refused)) => Err(block(app, call, &refused).await?),
        Err(error @ (CallError::ErrorRepeated | CallError::Unavailable(_))) => {
            match settled_elsewhere(app, call_id).await? {
                Some(outcome) => Ok(Some(outcome)),
                None if error == CallError::ErrorRepeated && call.persistent => unresolved(app, &call, initiator).await,
                None => Err(defer(app, call, &error.to_string()).await?),
            }
        }
    }
}

/// Records that the outcome of a call is unknown and will remain so.
async fn unresolved(app: &App, call: &Model, initiator: Initiator) -> Result<Option<Outcome>> {
    tracing::error!(call = %call.id, operation = call.operation, "the outcome of a call to Stripe is unknown");
    finish(app, call, CallState::Unresolved).await?;
    if initiator == Initiator::Worker { Ok(None) } else { Err(Error::Unresolved) }
}

/// Brings our records up to date before a refusal is recorded, where those who find it go by the records: a checkout that
/// cannot be ended any more may be paid, and then there is a plan.
async fn refresh_refused(app: &App, call: &Model) -> Result<()> {
    let Some(Operation::ExpireCheckout) = Operation::of(call) else { return Ok(()) };
    match call.path.strip_prefix("checkout/sessions/").and_then(|path| path.strip_suffix("/expire")) {
        Some(session) => inbox::refresh(app, "checkout/sessions", session, &["subscription"]).await,
        None => Ok(()),
    }
}

/// Returns the outcome of a call that another node finished in the meantime.
async fn settled_elsewhere(app: &App, call_id: Uuid) -> Result<Option<Outcome>> {
    let call = store::call(app.db.read(), call_id).await?;
    match CallState::of(&call)? {
        CallState::Done => Outcome::done(&call).map(Some),
        CallState::Refused => Ok(Some(Outcome::refused(&call))),
        CallState::Pending | CallState::Abandoned | CallState::Unresolved => Ok(None),
    }
}

/// Sends a call. A replayed answer is replaced by the object as it is now, since it may have changed in the meantime.
async fn send(app: &App, call: &Model) -> Result<Changed, CallError> {
    let Some(client) = &app.stripe else { return Err(CallError::Unavailable("no key is configured".to_owned())) };
    let change = Change {
        deletes: call.method == "DELETE",
        path: call.path.clone(),
        params: call.params.clone(),
        idempotency_key: sent_key(call),
        // Nobody is charged after their caller was told that it failed.
        answer_before: if call.persistent { None } else { detached::deadline() },
    };
    let changed = client.change(&change).await?;
    let collection = inbox::collection_of(&changed.object).filter(|_| changed.replayed);
    let (Some(collection), Some(id)) = (collection, changed.object["id"].as_str()) else { return Ok(changed) };
    match client.get(collection, id, &[]).await {
        Ok(now) => Ok(Changed { object: now.object, at: now.at, replayed: true }),
        // The object was deleted since, so the replayed answer is the last state of it.
        Err(CallError::NotFound) => Ok(Changed { at: None, ..changed }),
        Err(error) => Err(error),
    }
}
