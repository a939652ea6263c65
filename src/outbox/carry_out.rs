//! Makes a call, and keeps what came of it.

use super::refused::undo;
use super::store;
use crate::app::App;
use crate::error::{Error, Result};
use crate::inbox;
use crate::providers::stripe::{CallError, Change, Changed, Client, RefusalCode, Refused, is_fetchable};
use chrono::TimeDelta;
use entity::outbox_calls::{ActiveModel, Model};
use sea_orm::ActiveValue::{NotSet, Set};
use serde_json::Value;
use uuid::Uuid;

/// How long Stripe remembers a key for sure, less an hour. What is not known by then is for the mirror to tell.
const REMEMBERED: TimeDelta = TimeDelta::hours(23);

/// What a call is in whose outcome is still to be known.
const OPEN: [&str; 2] = ["pending", "abandoned"];

/// What came of a call.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Stripe did it, and our records say so.
    Done(Done),
    /// Stripe says no.
    Refused(Refused),
}

/// A call that Stripe did.
#[derive(Debug, Clone)]
pub struct Done {
    /// The id at Stripe of what it answered with.
    pub object_id: String,
    /// Where the customer goes on; `None` where nowhere.
    pub url: Option<String>,
    /// What it answered with, secrets included; `None` where that was at another time.
    pub object: Option<Value>,
}

/// Who sees to it that a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// Someone who waits for the answer.
    Caller,
    /// A worker, later.
    Worker,
}

/// The connection to Stripe; an error where none is set up.
pub fn client(app: &App) -> Result<&Client> {
    app.stripe.as_ref().ok_or(Error::NotConfigured("stripe_api_key"))
}

/// What an object is at Stripe, with what `expand` has spelled out in it. Nothing of it is kept.
pub async fn look_up(app: &App, collection: &str, id: &str, expand: &[&str]) -> Result<Value> {
    match client(app)?.get_with(collection, id, expand).await {
        Ok(answer) => Ok(answer.object),
        Err(CallError::Unavailable(why)) => Err(Error::Unavailable("Stripe", anyhow::anyhow!(why))),
        Err(error) => Err(Error::internal(error)),
    }
}

/// Makes a call that is written down, or tells what came of it before.
pub async fn carry_out(app: &App, call_id: Uuid) -> Result<Outcome> {
    let outcome = proceed(app, call_id, Asker::Caller).await?;
    outcome.ok_or_else(|| Error::internal(anyhow::anyhow!("a call came to nothing")))
}

/// The same; `None` for a worker who finds nothing to do.
pub(super) async fn proceed(app: &App, call_id: Uuid, asker: Asker) -> Result<Option<Outcome>> {
    let row = store::call(app.db.read(), call_id).await?;
    match (&*row.state, asker) {
        ("pending", _) | ("abandoned", Asker::Caller) => {}
        ("done", _) => return Ok(done(&row, None)),
        ("refused", _) => return Ok(Some(Outcome::Refused(refusal(&row)))),
        (_, Asker::Worker) => return Ok(None),
        _ => return Err(Error::Unresolved),
    }
    if app.now().fixed_offset() - row.created_at > REMEMBERED {
        tracing::error!(%call_id, operation = row.operation, "what became of a call to Stripe is not known");
        settle(app, &row, ActiveModel { state: Set("unresolved".to_owned()), ..Default::default() }).await?;
        return if asker == Asker::Worker { Ok(None) } else { Err(Error::Unresolved) };
    }
    match make(app, &row).await {
        Ok(changed) => keep(app, row, changed).await.map(Some),
        Err(CallError::NotFound) => {
            let refused = Refused { status: 404, code: RefusalCode::ResourceMissing, ..Refused::default() };
            refuse(app, row, refused).await.map(Some)
        }
        Err(CallError::Refused(refused)) if refused.is_final() => refuse(app, row, refused).await.map(Some),
        Err(CallError::Refused(refused)) => {
            settle(app, &row, ActiveModel { state: Set("abandoned".to_owned()), ..Default::default() }).await?;
            Err(Error::internal(anyhow::anyhow!("Stripe refuses us: {refused}")))
        }
        Err(CallError::Unavailable(why)) => Err(put_off(app, row, asker, &why).await?),
    }
}

/// Asks Stripe. An answer from another time is replaced by what is true now.
async fn make(app: &App, row: &Model) -> Result<Changed, CallError> {
    let Some(client) = &app.stripe else { return Err(CallError::Unavailable("no key is configured".to_owned())) };
    let change = Change {
        deletes: row.method == "DELETE",
        path: row.path.clone(),
        params: row.params.clone(),
        idempotency_key: row.idempotency_key.clone(),
    };
    let changed = client.change(&change).await?;
    let name = |name: &str| changed.object[name].as_str().unwrap_or_default();
    if !changed.replayed || !is_fetchable(name("object")) {
        return Ok(changed);
    }
    match client.get(name("object"), name("id")).await {
        Ok(now) => Ok(Changed { object: now.object, at: now.at, replayed: true }),
        // It is gone since: what was answered is the last that was told of it.
        Err(CallError::NotFound) => Ok(Changed { at: None, ..changed }),
        Err(error) => Err(error),
    }
}

async fn keep(app: &App, row: Model, changed: Changed) -> Result<Outcome> {
    let text = |name: &str| changed.object[name].as_str().map(str::to_owned);
    let change = ActiveModel {
        state: Set("done".to_owned()),
        object_kind: Set(text("object")),
        object_id: Set(text("id")),
        url: Set(text("url")),
        ..Default::default()
    };
    // First into the inbox: who is killed in between makes the call again, and is answered the same.
    inbox::apply_answer(app, changed.object.clone(), changed.at).await?;
    settle(app, &row, change).await?;
    let settled = store::call(app.db.read(), row.id).await?;
    done(&settled, Some(changed.object)).ok_or_else(|| Error::internal(anyhow::anyhow!("Stripe answers without an id")))
}

/// Keeps a refusal, and has undone what was done here for what is not to be.
async fn refuse(app: &App, row: Model, refused: Refused) -> Result<Outcome> {
    let change = ActiveModel {
        state: Set("refused".to_owned()),
        error_code: Set(Some(refused.code.as_str().to_owned())),
        decline_code: Set(refused.decline_code.clone()),
        error_param: Set(refused.param.clone()),
        ..Default::default()
    };
    let (change, code) = (settled(app, &row, change), refused.code.as_str().to_owned());
    let kept = app.db.write(move |txn| {
        Box::pin(async move {
            if store::change(txn, row.id, &OPEN, change).await? {
                undo(txn, &row, &code).await?;
            }
            Ok(())
        })
    });
    kept.await?;
    Ok(Outcome::Refused(refused))
}

/// Counts a try in vain, and tells whether there will be others.
async fn put_off(app: &App, row: Model, asker: Asker, why: &str) -> Result<Error> {
    tracing::warn!(call = %row.id, operation = row.operation, why, "a call to Stripe is put off");
    let kept = row.persistent || asker == Asker::Worker;
    let state = if kept { "pending" } else { "abandoned" };
    let change = ActiveModel { state: Set(state.to_owned()), ..Default::default() };
    settle(app, &row, change).await?;
    Ok(Error::ProviderUnavailable { will_retry: kept })
}

async fn settle(app: &App, row: &Model, change: ActiveModel) -> Result<()> {
    let (id, change) = (row.id, settled(app, row, change));
    app.db.write(move |txn| Box::pin(async move { store::change(txn, id, &OPEN, change).await.map(drop) })).await
}

/// A change of a call after one more try of it.
fn settled(app: &App, row: &Model, change: ActiveModel) -> ActiveModel {
    let now = app.now().fixed_offset();
    let pending = change.state == Set("pending".to_owned());
    ActiveModel {
        attempts: Set(row.attempts + 1),
        tried_at: Set(Some(now)),
        settled_at: if pending { NotSet } else { Set(Some(now)) },
        ..change
    }
}

fn done(row: &Model, object: Option<Value>) -> Option<Outcome> {
    let object_id = row.object_id.clone()?;
    Some(Outcome::Done(Done { object_id, url: row.url.clone(), object }))
}

fn refusal(row: &Model) -> Refused {
    let code = row.error_code.as_deref().map(RefusalCode::from).unwrap_or_default();
    let (decline_code, param) = (row.decline_code.clone(), row.error_param.clone());
    Refused { code, decline_code, param, ..Refused::default() }
}
