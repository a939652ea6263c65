//! One purchase of a plan after another.
//!
//! A person has one trial and an account one plan. Both can be decided on only when it is known what became of what the
//! person began to buy before: so a purchase of a plan first finishes the calls that nobody finished, and closes the
//! checkouts that are open. One that turns out to be paid is in our records before the next is decided on.

use super::order::{Order, ensure, place};
use crate::accounts;
use crate::app::App;
use crate::auth::Viewer;
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::gifts::REDEEM;
use crate::inbox;
use crate::outbox::{self, Call, Done};
use chrono::{DateTime, TimeDelta, Utc};
use entity::outbox_calls::Model;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

/// How long a checkout is open.
pub(super) const OPEN: TimeDelta = TimeDelta::hours(23);
/// What buys a plan.
pub(super) const CHECKOUT: &str = "checkout.subscribe";
/// The same without a checkout.
pub(super) const CREATE: &str = "subscriptions.create";
/// What gives a plan, once it is done: what is to be finished before a purchase.
pub(super) const PURCHASES: &[&str] = &[CHECKOUT, CREATE, REDEEM];
/// The same for who redeems a gift. Redemptions keep apart from each other by themselves, and one that is asked for again
/// goes on where it was.
pub(super) const BEFORE_GIFTS: &[&str] = &[CHECKOUT, CREATE];
/// How often it is tried again when the same person begins another purchase meanwhile.
const TRIES: usize = 4;

/// Places an order for a plan of a person, after what they began of `earlier` is finished.
pub(super) async fn place_alone<I, F>(
    app: &App,
    viewer: &Viewer,
    (person, earlier): (Uuid, &'static [&'static str]),
    order: Order<'_, I>,
    prepare: F,
) -> Result<Done>
where
    I: Serialize,
    F: for<'c> FnOnce(&'c Txn) -> BoxFuture<'c, Result<Call>> + Clone + Send + 'static,
{
    let since = app.now() - OPEN;
    for _ in 0..TRIES {
        for call in outbox::of_person(app.db.read(), person, earlier, since).await? {
            close(app, viewer, call).await?;
        }
        let prepare = prepare.clone();
        let placed = place(app, viewer, order, move |txn| {
            Box::pin(async move {
                // Two who come at the same moment see each other only one after the other.
                accounts::lock_user(txn, person).await?;
                if is_open(txn, (person, earlier), since).await? { Err(under_way()) } else { prepare(txn).await }
            })
        });
        match placed.await {
            Err(Error::Refused(refusal)) if refusal.code == UNDER_WAY => {}
            outcome => return outcome,
        }
    }
    Err(under_way())
}

const UNDER_WAY: &str = "PURCHASE_UNDER_WAY";

fn under_way() -> Error {
    Error::refused(UNDER_WAY, &[], "another purchase of a plan is under way; try again in a moment")
}

async fn is_open(txn: &Txn, (person, earlier): (Uuid, &[&str]), since: DateTime<Utc>) -> Result<bool> {
    for call in outbox::of_person(txn, person, earlier, since).await? {
        match (&*call.state, &*call.operation) {
            ("pending" | "abandoned", _) => return Ok(true),
            ("done", CHECKOUT) if !outbox::is_settled(txn, &closing_key(&call)).await? => return Ok(true),
            _ => {}
        }
    }
    Ok(false)
}

/// Finishes one earlier purchase.
async fn close(app: &App, viewer: &Viewer, call: Model) -> Result<()> {
    let session = match outbox::carry_out(app, call.id).await {
        Ok(outbox::Outcome::Done(done)) => done.object_id,
        Ok(outbox::Outcome::Refused(_)) | Err(Error::Unresolved) => return Ok(()),
        Err(error) => return Err(error),
    };
    let call = Model { object_id: Some(session.clone()), ..call };
    let key = closing_key(&call);
    if call.operation != CHECKOUT || outbox::is_settled(app.db.read(), &key).await? {
        return Ok(());
    }
    let expire = Call {
        account_id: call.account_id,
        operation: "checkout.expire",
        deletes: false,
        path: format!("checkout/sessions/{session}/expire"),
        params: json!({}),
        key: Some(key),
        persistent: true,
    };
    match ensure(app, viewer, expire).await {
        Ok(_) => Ok(()),
        // It is not open any more. Paid or not, what it brought is known before it goes on.
        Err(Error::Refused(_)) => inbox::refresh(app, "checkout/sessions", &session, &["subscription"]).await,
        Err(error) => Err(error),
    }
}

fn closing_key(call: &Model) -> String {
    format!("expire-{}", call.object_id.as_deref().unwrap_or_default())
}
