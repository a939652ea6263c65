//! The ends of an execution, each recorded in the call's row.

use super::operation::{CallState, Initiator};
use super::outcome::Outcome;
use super::store;
use super::undo::undo;
use crate::app::App;
use crate::error::{Error, Result};
use crate::inbox;
use crate::providers::stripe::{Changed, Refused};
use entity::outbox_calls::{ActiveModel, Model};
use sea_orm::ActiveValue::{NotSet, Set};

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
    update(app, &call, tried(app, &call, CallState::Done, result)).await?;
    Outcome::done(&store::call(app.db.read(), call.id).await?, Some(changed.object))
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
pub(super) async fn defer(app: &App, call: Model, initiator: Initiator, reason: &str) -> Result<Error> {
    tracing::warn!(call = %call.id, operation = call.operation, reason, "a call to Stripe is deferred");
    let will_retry = call.persistent || initiator == Initiator::Worker;
    finish(app, &call, if will_retry { CallState::Pending } else { CallState::Abandoned }).await?;
    Ok(Error::ProviderUnavailable { will_retry })
}

/// Records a try that changed nothing but the state.
pub(super) async fn finish(app: &App, call: &Model, state: CallState) -> Result<()> {
    update(app, call, tried(app, call, state, ActiveModel::default())).await
}

async fn update(app: &App, call: &Model, change: ActiveModel) -> Result<()> {
    let id = call.id;
    app.db.write(move |txn| Box::pin(async move { store::update_open(txn, id, change).await.map(drop) })).await
}

/// Adds one more try, and the state after it, to a change of a call.
fn tried(app: &App, call: &Model, state: CallState, change: ActiveModel) -> ActiveModel {
    let now = app.now().fixed_offset();
    ActiveModel {
        state: Set(state.as_str().to_owned()),
        attempts: Set(call.attempts + 1),
        tried_at: Set(Some(now)),
        settled_at: if state == CallState::Pending { NotSet } else { Set(Some(now)) },
        ..change
    }
}
