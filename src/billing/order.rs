//! The way of every verb: claimed under the caller's key, written down, carried out.

use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::Viewer;
use crate::db::{IdempotencyKey, Txn, stored_response};
use crate::error::{Error, Refusal, Result};
use crate::outbox::{self, Call, Done, NewCall, Outcome};
use crate::providers::stripe::{CallError, RefusalCode, Refused};
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What is asked for, and what makes it the same as another request.
pub(super) struct Order<'a, I> {
    /// The verb, e.g. `subscriptions.cancel`.
    pub(super) operation: &'static str,
    /// The caller's idempotency key.
    pub(super) key: &'a str,
    /// The input.
    pub(super) input: &'a I,
}

// Not derived, as that would ask for an input that can be copied.
impl<I> Clone for Order<'_, I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I> Copy for Order<'_, I> {}

impl<I> Order<'_, I> {
    /// The key of a call that is made for this order before its own.
    pub(super) fn key_of(&self, viewer: &Viewer, part: &str) -> String {
        let digest = Sha256::new().chain_update(viewer.actor()).chain_update([0]).chain_update(self.key).finalize();
        let digest: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        format!("{part}-{digest}")
    }
}

/// Has Stripe do what `prepare` decides on, once: the same order again is answered as it was the first time.
///
/// `prepare` runs in the transaction that claims the key, so what it finds under its locks still holds when the call is
/// written down.
pub(super) async fn place<I, F>(app: &App, viewer: &Viewer, order: Order<'_, I>, prepare: F) -> Result<Done>
where
    I: Serialize,
    F: for<'c> FnOnce(&'c Txn) -> BoxFuture<'c, Result<Call>> + Send + 'static,
{
    let key = IdempotencyKey::new(viewer.actor(), order.key, order.operation, order.input)?;
    let is_set_up = outbox::client(app).is_ok();
    let (place, actor) = (NewCall::by(app, viewer), viewer.actor().to_owned());
    let placed = app.db.run_idempotent(key, move |txn| {
        Box::pin(async move {
            let call = prepare(txn).await?;
            // Not before it is known that the caller may ask for this.
            if !is_set_up {
                return Err(Error::NotConfigured("stripe_api_key"));
            }
            let (action, account_id, asked) = (call.operation, call.account_id, call.params.clone());
            let id = place.write_down(txn, call).await?;
            let entry = AuditEntry::new(action, "ProviderCall", id).account(account_id);
            txn.audit(&actor, entry.after(asked)).await?;
            Ok(id)
        })
    });
    let call_id: Uuid = placed.await?;
    settled(outbox::carry_out(app, call_id).await?)
}

/// What came of the same order before; `None` where it was not placed before. For verbs that have something done first.
pub(super) async fn again<I: Serialize>(app: &App, viewer: &Viewer, order: &Order<'_, I>) -> Result<Option<Done>> {
    let key = IdempotencyKey::new(viewer.actor(), order.key, order.operation, order.input)?;
    let Some(call_id) = stored_response::<Uuid>(app.db.read(), &key).await? else { return Ok(None) };
    settled(outbox::carry_out(app, call_id).await?).map(Some)
}

/// Has Stripe do what has to be there before, and does no harm by itself.
pub(super) async fn ensure(app: &App, viewer: &Viewer, call: Call) -> Result<Done> {
    settled(attempt(app, viewer, call).await?)
}

/// The same for who knows what to do about a refusal.
pub(super) async fn attempt(app: &App, viewer: &Viewer, call: Call) -> Result<Outcome> {
    outbox::client(app)?;
    let place = NewCall::by(app, viewer);
    let call_id = app.db.write(move |txn| Box::pin(place.write_down(txn, call))).await?;
    outbox::carry_out(app, call_id).await
}

/// The same, where a refusal with this code says that it is there already.
pub(super) async fn ensure_unless(app: &App, viewer: &Viewer, call: Call, there: &RefusalCode) -> Result<()> {
    match attempt(app, viewer, call).await? {
        Outcome::Refused(refused) if refused.code == *there => Ok(()),
        outcome => settled(outcome).map(drop),
    }
}

/// What Stripe answered when it was asked for something that leaves nothing behind.
pub(super) fn asked(answer: Result<Value, CallError>) -> Result<Value> {
    answer.map_err(|error| match error {
        CallError::Unavailable(why) => Error::Unavailable("Stripe", anyhow::anyhow!(why)),
        CallError::NotFound => refusal(Refused { code: RefusalCode::ResourceMissing, ..Refused::default() }),
        CallError::Refused(refused) if refused.is_final() => refusal(refused),
        CallError::Refused(refused) => Error::internal(anyhow::anyhow!("Stripe refuses us: {refused}")),
    })
}

fn settled(outcome: Outcome) -> Result<Done> {
    match outcome {
        Outcome::Done(done) => Ok(done),
        Outcome::Refused(refused) => Err(refusal(refused)),
    }
}

/// The same where neither a card nor a code of the caller's is in play: whatever Stripe says, it refuses.
pub(super) fn without_card(error: Error) -> Error {
    match error {
        Error::Refused(Refusal {
            code: "AUTHENTICATION_REQUIRED" | "CARD_DECLINED" | "PROMO_CODE_INVALID", ..
        }) => Error::refused("PROVIDER_REFUSED", &[], "Stripe refuses"),
        other => other,
    }
}

/// Stripe's refusal in our terms.
pub(super) fn refusal(refused: Refused) -> Error {
    let param = refused.param.as_deref().unwrap_or_default();
    let (code, message) = match &refused.code {
        RefusalCode::AuthenticationRequired => (
            "AUTHENTICATION_REQUIRED",
            "the card's bank wants the customer to confirm; let them pay in a checkout".into(),
        ),
        _ if refused.is_card_declined() => ("CARD_DECLINED", "the card was declined; use another".into()),
        code if code.is_about_promo_code() || param.starts_with("discounts") || param == "promotion_code" => (
            "PROMO_CODE_INVALID",
            "the promotion code cannot be used: it has ended, is used up, or is for others".into(),
        ),
        code if *code == RefusalCode::ResourceAlreadyExists || param == "code" => {
            ("CODE_TAKEN", "something at Stripe has this code already".into())
        }
        code => ("PROVIDER_REFUSED", format!("Stripe refuses: {code}").into()),
    };
    Error::Refused(Refusal { code, field: &[], message, decline_code: refused.decline_code })
}
