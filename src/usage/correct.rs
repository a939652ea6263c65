//! Corrections: an event that was wrong is taken back by a negative one.

use super::count;
use super::daily;
use super::event::CORRECTION_PREFIX;
use super::store;
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::credits::{self, Reversal};
use crate::db::{Combined, IdempotencyKey, Txn};
use crate::error::{Error, Result};
use entity::usage_events::{ActiveModel, Entity, Model};
use futures_util::future::BoxFuture;
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

/// The maximum length of a reason.
const MAX_REASON_CHARS: usize = 500;

/// A correction to be made.
#[derive(Debug, Clone, Serialize)]
pub struct NewCorrection {
    /// The event that was wrong.
    pub event_id: Uuid,
    /// A reason for people to read.
    pub reason: Option<String>,
}

/// Takes an event back with a negative one at the same time of usage, and returns the credits that it cost. Returns the
/// negative event. A repetition with the same key and input returns the first one.
pub async fn correct(app: &App, viewer: &Viewer, new: NewCorrection, idempotency_key: &str) -> Result<Model> {
    viewer.require(Permission::CreditsWrite)?;
    if new.reason.as_ref().is_some_and(|reason| reason.chars().count() > MAX_REASON_CHARS) {
        return Err(Error::refused("REASON_INVALID", &["reason"], "`reason` must have at most 500 characters."));
    }
    let key = IdempotencyKey::new(viewer.actor(), idempotency_key, "usage.correct", &new)?;
    let account_id = store::event(app.db.read(), new.event_id).await?.map_or(Uuid::nil(), |event| event.account_id);
    let operation = Correct { account_id, new, actor: viewer.actor().to_owned() };
    let id = app.db.combine(operation, Some(key)).await?;
    let made = store::event(app.db.read(), id).await?;
    made.ok_or_else(|| Error::internal(anyhow::anyhow!("The correction is missing after its commit.")))
}

/// A correction that waits to be made.
#[derive(Debug)]
struct Correct {
    account_id: Uuid,
    new: NewCorrection,
    /// The caller, in the form of the audit log.
    actor: String,
}

impl Combined for Correct {
    type Outcome = Uuid;

    fn account(&self) -> Uuid {
        self.account_id
    }

    fn execute<'t>(txn: &'t Txn, operations: Vec<&'t Self>) -> BoxFuture<'t, Result<Vec<Result<Uuid>>>> {
        Box::pin(async move {
            // In one order everywhere, so that two transactions never wait for each other.
            let accounts = operations.iter().map(|operation| operation.account_id).collect();
            store::lock_accounts(txn, &accounts).await?;
            let mut outcomes = Vec::with_capacity(operations.len());
            // They are rare enough to be made one by one.
            for operation in operations {
                outcomes.push(match insert(txn, &operation.actor, &operation.new).await {
                    Err(error) if !matches!(error, Error::Refused(_)) => return Err(error),
                    outcome => outcome,
                });
            }
            Ok(outcomes)
        })
    }
}

/// Makes a correction under the lock of the account. It changes nothing before the last rule that can refuse it.
async fn insert(txn: &Txn, actor: &str, new: &NewCorrection) -> Result<Uuid> {
    let missing = || Error::refused("NOT_FOUND", &["usageEventId"], "Usage event not found.");
    let event = store::event(txn, new.event_id).await?.ok_or_else(missing)?;
    if event.corrects_id.is_some() {
        let message = "The event is a correction itself: record the usage again with `recordUsage`.";
        return Err(Error::refused("IS_CORRECTION", &["usageEventId"], message));
    }
    if store::correction_of(txn, event.id).await?.is_some() {
        let message = "The event was corrected before: record the usage again with `recordUsage` if it was right.";
        return Err(Error::refused("ALREADY_CORRECTED", &["usageEventId"], message));
    }
    let meter = store::meter_by_id(txn, event.meter_id).await?;
    let meter = meter.ok_or_else(|| Error::internal(anyhow::anyhow!("The meter of an event is missing.")))?;
    // Counters are locked before balances, as where usage is recorded.
    let counters = count::lock(txn, &event).await?;
    let ledger_txn_id = return_credits(txn, &event, actor, new.reason.clone()).await?;
    let id = txn.new_id();
    let row = ActiveModel {
        id: Set(id),
        account_id: Set(event.account_id),
        meter_id: Set(event.meter_id),
        user_id: Set(event.user_id),
        device_id: Set(event.device_id),
        dedupe_key: Set(format!("{CORRECTION_PREFIX}{}", event.id)),
        // The day and the windows that had the usage lose it.
        occurred_at: Set(event.occurred_at),
        recorded_at: Set(txn.now().fixed_offset()),
        value: Set(-event.value),
        unique_value: Set(event.unique_value.clone()),
        dimensions: Set(event.dimensions.clone()),
        ref_type: Set(event.ref_type.clone()),
        ref_id: Set(event.ref_id.clone()),
        credits: Set(-event.credits),
        credit_unit_id: Set(event.credit_unit_id),
        ledger_txn_id: Set(ledger_txn_id),
        rate_card_id: Set(event.rate_card_id),
        verified: Set(false),
        proof: Set(None),
        content_hash: Set(event.content_hash.clone()),
        corrects_id: Set(Some(event.id)),
        recorded_by: Set(actor.to_owned()),
    };
    Entity::insert(row).exec_without_returning(txn).await?;
    daily::subtract(txn, &meter, &event).await?;
    count::subtract(txn, counters, &meter, &event).await?;
    let after = json!({"correctsId": event.id, "value": -event.value, "credits": -event.credits, "reason": new.reason});
    let entry = AuditEntry::new("usage.correct", "UsageEvent", id).account(event.account_id).after(after);
    txn.audit(actor, entry).await?;
    Ok(id)
}

/// Returns the credits that an event cost to their grants. Returns the ledger transaction, if there is one.
async fn return_credits(txn: &Txn, event: &Model, actor: &str, reason: Option<String>) -> Result<Option<Uuid>> {
    let (Some(transaction_id), Some(credit_unit_id)) = (event.ledger_txn_id, event.credit_unit_id) else {
        return Ok(None);
    };
    let account_id = event.account_id;
    let reversal = Reversal { account_id, credit_unit_id, transaction_id, actor: actor.to_owned(), reason };
    credits::reverse(txn, reversal).await
}
