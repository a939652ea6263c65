//! Calls to Stripe that a verb makes before its own.

use super::admission::Admission;
use super::refusal::{error_of_call, error_of_refusal};
use crate::app::App;
use crate::auth::Viewer;
use crate::error::Result;
use crate::outbox::{self, Done, OutboxEntry, Outcome, ProviderRequest};
use crate::providers::stripe::RefusalCode;
use serde_json::Value;

/// Makes a prerequisite call (such as creating the customer) that is safe to leave behind.
pub(in crate::billing) async fn call_prerequisite(
    app: &App,
    viewer: &Viewer,
    request: ProviderRequest,
) -> Result<Done> {
    match try_call(app, viewer, request).await? {
        Outcome::Done(done) => Ok(done),
        Outcome::Refused(refused) => Err(error_of_refusal(refused)),
    }
}

/// Like [`call_prerequisite`], but returns a refusal instead of failing.
pub(in crate::billing) async fn try_call(app: &App, viewer: &Viewer, request: ProviderRequest) -> Result<Outcome> {
    outbox::client(app)?;
    Admission::of(app, viewer).admit(viewer)?;
    let (actor, takeover_after) = (viewer.actor().to_owned(), outbox::takeover_after(app));
    let call_id = app.db.write(move |txn| {
        Box::pin(async move { OutboxEntry { actor: &actor, request, takeover_after }.insert(txn).await })
    });
    outbox::execute(app, call_id.await?).await
}

/// Like [`call_prerequisite`], for an object with an id of ours. Returns `None` if Stripe has it already.
pub(in crate::billing) async fn create_if_missing(
    app: &App,
    viewer: &Viewer,
    request: ProviderRequest,
) -> Result<Option<Done>> {
    match try_call(app, viewer, request).await? {
        Outcome::Done(done) => Ok(Some(done)),
        Outcome::Refused(refused) if refused.code == RefusalCode::ResourceAlreadyExists => Ok(None),
        Outcome::Refused(refused) => Err(error_of_refusal(refused)),
    }
}

/// Asks Stripe for something that leaves nothing behind, such as a preview.
pub(in crate::billing) async fn ask(app: &App, viewer: &Viewer, path: &str, params: &Value) -> Result<Value> {
    let client = outbox::client(app)?;
    Admission::of(app, viewer).admit(viewer)?;
    client.ask(path, params).await.map_err(error_of_call)
}

/// Returns a key under which all callers of one day share one call. Stripe forgets a key after a day.
pub(in crate::billing) fn daily_key(app: &App, name: &str) -> String {
    format!("{name}-{}", app.now().format("%Y%m%d"))
}
