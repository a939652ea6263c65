//! The ends of an execution, each recorded in the call's row.

use super::operation::CallState;
use super::outcome::{Done, Outcome};
use super::store;
use super::undo::undo;
use crate::app::App;
use crate::error::{Error, Result};
use crate::inbox;
use crate::jobs::retry_delay;
use crate::providers::stripe::{Changed, Refused};
use chrono::TimeDelta;
use entity::outbox_calls::{ActiveModel, Model};
use sea_orm::ActiveValue::{NotSet, Set};

/// The longest delay between two tries of the worker: a call can be sent for less than a day.
const MAX_DELAY: TimeDelta = TimeDelta::minutes(15);

/// Applies the answer through the inbox, then records the call as done.
///
/// The inbox comes first: a process that is killed between the two sends the call again, and Stripe repeats its answer.
pub(super) async fn record_success(app: &App, call: Model, changed: Changed) -> Result<Outcome> {
    let text = |name: &str| changed.object[name].as_str().map(str::to_owned);
    let result = ActiveModel {
        object_kind: Set(text("object")),
        object_id: Set(text("id")),
        url: Set(text("url")),
        ..Default::default()
    };
    inbox::apply_answer(app, changed.object.clone(), changed.at).await?;
    let (object_id, url) = (text("id"), text("url"));
    update(app, &call, tried(app, &call, CallState::Done, result)).await?;
    let object_id = object_id.ok_or_else(|| Error::internal(anyhow::anyhow!("Stripe answered without an id.")))?;
    Ok(Outcome::Done(Done { object_id, url, object: Some(changed.object) }))
}

/// Records a refusal, and reverts the local changes that were made for the call.
pub(super) async fn record_refusal(app: &App, call: Model, refused: Refused) -> Result<Outcome> {
    let result = ActiveModel {
        error_code: Set(Some(refused.code.as_str().to_owned())),
        decline_code: Set(refused.decline_code.clone()),
        error_param: Set(refused.param.clone()),
        ..Default::default()
    };
    let (change, code) = (tried(app, &call, CallState::Refused, result), refused.code.as_str().to_owned());
    let recorded = app.db.write(move |txn| {
        Box::pin(async move {
            if store::update_open(txn, call.id, change).await? {
                undo(txn, &call, &code).await?;
            }
            Ok(())
        })
    });
    recorded.await?;
    Ok(Outcome::Refused(refused))
}

/// Records a try without an answer. Returns the error for the caller, which says whether the worker tries again.
pub(super) async fn defer(app: &App, call: Model, reason: &str) -> Result<Error> {
    tracing::warn!(call = %call.id, operation = call.operation, reason, "a call to Stripe is deferred");
    finish(app, &call, if call.persistent { CallState::Pending } else { CallState::Abandoned }).await?;
    Ok(Error::ProviderUnavailable { will_retry: call.persistent })
}

/// Records a try that Stripe refused because of the API key, which an operator has to mend. Returns the error for the
/// caller, as [`defer`] does; the refusal stays visible in the call until another try succeeds.
pub(super) async fn block(app: &App, call: Model, refused: &Refused) -> Result<Error> {
    tracing::error!(call = %call.id, operation = call.operation, %refused, "Stripe refuses the API key: mend it or its rights");
    let state = if call.persistent { CallState::Pending } else { CallState::Abandoned };
    let code = Some(refused.code.as_str().to_owned()).filter(|code| !code.is_empty());
    let result = ActiveModel {
        error_code: Set(Some(code.unwrap_or_else(|| refused.status.to_string()))),
        error_param: Set(refused.param.clone()),
        ..Default::default()
    };
    update(app, &call, tried(app, &call, state, result)).await?;
    Ok(Error::ProviderUnavailable { will_retry: call.persistent })
}

/// Gives a call another key, under which it is sent from now on. Several executions at once give it the same one.
pub(super) async fn change_key(app: &App, call: Model) -> Result<Model> {
    let key_changes = call.key_changes + 1;
    tracing::warn!(call = %call.id, operation = call.operation, key_changes, "Stripe repeats an error; the call gets another key");
    update(app, &call, ActiveModel { key_changes: Set(key_changes), ..Default::default() }).await?;
    Ok(Model { key_changes, ..call })
}

/// Gives up a call without a try.
pub(super) async fn abandon(app: &App, call: &Model) -> Result<()> {
    tracing::warn!(call = %call.id, operation = call.operation, "a call to Stripe is given up, as its caller is gone");
    let change = ActiveModel {
        state: Set(CallState::Abandoned.to_string()),
        settled_at: Set(Some(app.now().fixed_offset())),
        due_at: Set(None),
        ..Default::default()
    };
    update(app, call, change).await
}

/// Makes a call due later, after a failure that is not Stripe's.
pub(super) async fn postpone(app: &App, call: &Model) -> Result<()> {
    let change = tried(app, call, CallState::Pending, ActiveModel::default());
    update(app, call, change).await
}

/// Records a try that changed nothing but the state.
pub(super) async fn finish(app: &App, call: &Model, state: CallState) -> Result<()> {
    update(app, call, tried(app, call, state, ActiveModel::default())).await
}

async fn update(app: &App, call: &Model, change: ActiveModel) -> Result<()> {
    let id = call.id;
    app.db.write(move |txn| Box::pin(async move { store::update_open(txn, id, change).await.map(drop) })).await
}

/// Adds one more try, and the state after it, to a change of a call. A pending call is due again after a delay that grows.
fn tried(app: &App, call: &Model, state: CallState, change: ActiveModel) -> ActiveModel {
    let (now, attempts) = (app.now(), call.attempts + 1);
    let is_pending = state == CallState::Pending;
    let due_at = is_pending.then(|| (now + retry_delay(attempts).min(MAX_DELAY)).fixed_offset());
    let change = if matches!(change.error_code, NotSet) {
        ActiveModel { error_code: Set(None), error_param: Set(None), ..change }
    } else {
        change
    };
    ActiveModel {
        state: Set(state.as_str().to_owned()),
        attempts: Set(attempts),
        tried_at: Set(Some(now.fixed_offset())),
        settled_at: Set(if is_pending { None } else { Some(now.fixed_offset()) }),
        due_at: Set(due_at),
        ..change
    }
}
