//! Refunds that are asked for and decided here, as far as they need nobody else.
//!
//! The refundable amount is calculated under the lock on the payment, which every change of its refunds takes first.

use super::store;
use super::values::{PaymentStatus, RefundStatus};
use crate::accounts::authorize_payer_of;
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::changes::{self, Change};
use crate::db::{IdempotencyKey, Txn};
use crate::error::{Error, Result};
use crate::providers::Provider;
use entity::refunds::{ActiveModel, Entity, Model};
use entity::{payments, refunds};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

/// The longest reason that people may give.
const LONGEST_REASON: usize = 500;

/// A refund that is asked for.
#[derive(Debug, Clone, Serialize)]
pub struct RefundRequest {
    /// Of which payment.
    pub payment_id: Uuid,
    /// How much, in the payment's smallest unit; `None` for all that is left.
    pub amount_minor: Option<i64>,
    /// Why, for people.
    pub reason: Option<String>,
}

/// A refund that is not granted.
#[derive(Debug, Clone, Serialize)]
pub struct Denial {
    /// Which one.
    pub refund_id: Uuid,
    /// Why not, for people.
    pub reason: Option<String>,
}

/// Asks for a refund, for an owner or admin of the payment's account. Nothing is sent to the provider before somebody
/// approves it.
pub async fn request_refund(app: &App, viewer: &Viewer, new: RefundRequest, key: &str) -> Result<Model> {
    if viewer.user_id().is_none() {
        viewer.require(Permission::BillingWrite)?;
    }
    checked_reason(new.reason.as_deref())?;
    let key = IdempotencyKey::new(viewer.actor(), key, "refunds.request", &new)?;
    let caller = viewer.clone();
    let work = async move |txn: &Txn| {
        let payment = store::lock_payment_by_id(txn, new.payment_id).await?.ok_or_else(unknown_payment)?;
        authorize_payer_of(txn, &caller, payment.account_id, unknown_payment).await?;
        let left = left(&payment, &store::refunds_of(txn, payment.id).await?, None)?;
        let amount = checked_amount(new.amount_minor.unwrap_or(left), left)?;
        let row = ActiveModel {
            id: Set(txn.new_id()),
            account_id: Set(payment.account_id),
            payment_id: Set(payment.id),
            provider: Set(payment.provider.clone()),
            external_id: Set(None),
            status: Set(RefundStatus::Requested.to_string()),
            currency: Set(payment.currency.clone()),
            amount_minor: Set(amount),
            reason: Set(new.reason),
            requested_by: Set(Some(caller.actor().to_owned())),
            decided_by: Set(None),
            credits_taken_back: Set(0),
            created_at: Set(txn.now().fixed_offset()),
            processed_at: Set(None),
            charge_external_id: Set(payment.charge_external_id.clone()),
            provider_status: Set(None),
            requested_minor: Set(Some(amount)),
            denial_reason: Set(None),
            failure_code: Set(None),
        };
        let refund = Entity::insert(row).exec_with_returning(txn).await?;
        told(txn, caller.actor(), "refunds.request", (None, &refund)).await?;
        Ok(refund.id)
    };
    let id = app.db.run_idempotent(key, move |txn| Box::pin(work(txn))).await?;
    refund(app, id).await
}

/// Says no to a refund that was asked for.
pub async fn deny_refund(app: &App, viewer: &Viewer, denial: Denial, key: &str) -> Result<Model> {
    viewer.require(Permission::BillingWrite)?;
    checked_reason(denial.reason.as_deref())?;
    let key = IdempotencyKey::new(viewer.actor(), key, "refunds.deny", &denial)?;
    let actor = viewer.actor().to_owned();
    let work = async move |txn: &Txn| {
        let (_, asked) = lock_requested(txn, denial.refund_id).await?;
        let change = ActiveModel {
            id: Set(asked.id),
            status: Set(RefundStatus::Denied.to_string()),
            decided_by: Set(Some(actor.clone())),
            denial_reason: Set(denial.reason),
            ..Default::default()
        };
        let refund = Entity::update(change).exec(txn).await?;
        told(txn, &actor, "refunds.deny", (Some(&asked), &refund)).await?;
        Ok(refund.id)
    };
    let id = app.db.run_idempotent(key, move |txn| Box::pin(work(txn))).await?;
    refund(app, id).await
}

/// Approves a requested refund, in the transaction that commits the request to carry it out. `amount_minor` lowers the
/// amount.
pub async fn approve_refund(
    txn: &Txn,
    actor: &str,
    refund_id: Uuid,
    amount_minor: Option<i64>,
) -> Result<(payments::Model, Model)> {
    let (payment, asked) = lock_requested(txn, refund_id).await?;
    let others = left(&payment, &store::refunds_of(txn, payment.id).await?, Some(asked.id))?;
    let amount = checked_amount(amount_minor.unwrap_or(asked.amount_minor), others.min(asked.amount_minor))?;
    let change = ActiveModel {
        id: Set(asked.id),
        status: Set(RefundStatus::Approved.to_string()),
        amount_minor: Set(amount),
        decided_by: Set(Some(actor.to_owned())),
        ..Default::default()
    };
    let refund = Entity::update(change).exec(txn).await?;
    told(txn, actor, "refunds.approve", (Some(&asked), &refund)).await?;
    Ok((payment, refund))
}

/// Marks an approved refund as failed, because the provider refused it with `code`.
pub async fn fail_refund(txn: &Txn, refund_id: Uuid, code: &str) -> Result<()> {
    let Some((_, refund)) = lock(txn, refund_id).await? else { return Ok(()) };
    if RefundStatus::parse(&refund.status)? != RefundStatus::Approved || refund.external_id.is_some() {
        return Ok(());
    }
    let change = ActiveModel {
        id: Set(refund.id),
        status: Set(RefundStatus::Failed.to_string()),
        failure_code: Set(Some(code.to_owned())),
        ..Default::default()
    };
    Entity::update(change).exec(txn).await?;
    changes::record(txn, Change::PaymentRecorded(refund.payment_id, refund.account_id)).await
}

/// The refund with this id, which is known to be there.
pub async fn refund(app: &App, id: Uuid) -> Result<Model> {
    let found = store::refund_by_id(app.db.read(), id).await?;
    found.ok_or_else(|| Error::internal(anyhow::anyhow!("a refund vanished")))
}

/// A refund with its payment, both locked: first the payment, as everyone does.
async fn lock(txn: &Txn, refund_id: Uuid) -> Result<Option<(payments::Model, Model)>> {
    let Some(found) = store::refund_by_id(txn, refund_id).await? else { return Ok(None) };
    let payment = store::lock_payment_by_id(txn, found.payment_id).await?;
    let refund = store::lock_refund_by_id(txn, refund_id).await?;
    Ok(payment.zip(refund))
}

async fn lock_requested(txn: &Txn, refund_id: Uuid) -> Result<(payments::Model, Model)> {
    let unknown = || Error::refused("REFUND_NOT_FOUND", &["refundId"], "there is no such refund");
    let (payment, refund) = lock(txn, refund_id).await?.ok_or_else(unknown)?;
    if Provider::named(&refund.provider) != Some(Provider::Stripe) {
        let message = "its provider is another, which decides by itself";
        return Err(Error::refused("NOT_AT_STRIPE", &["refundId"], message));
    }
    let status = RefundStatus::parse(&refund.status)?;
    if status != RefundStatus::Requested {
        let message = format!("it is {status} already");
        return Err(Error::refused("REFUND_DECIDED", &["refundId"], message));
    }
    Ok((payment, refund))
}

/// How much of a payment can still go back, the refund called `but` left out.
///
/// Refunds made elsewhere are told twice, by the payment's own figure and by rows of their own, and either may be the
/// first to come. So the greater counts: the sum of all rows, or the figure with those that only we know of.
fn left(payment: &payments::Model, refunds: &[refunds::Model], but: Option<Uuid>) -> Result<i64> {
    if Provider::named(&payment.provider) != Some(Provider::Stripe) {
        let message = "its provider is another, which has to be asked for refunds";
        return Err(Error::refused("NOT_AT_STRIPE", &["paymentId"], message));
    }
    if PaymentStatus::parse(&payment.status)? != PaymentStatus::Succeeded {
        return Err(Error::refused("PAYMENT_NOT_SUCCEEDED", &["paymentId"], "no money has arrived that could go back"));
    }
    let (mut all, mut ours) = (0_i64, 0_i64);
    for refund in refunds.iter().filter(|refund| Some(refund.id) != but) {
        // Its money goes back, may go back, or has gone back.
        if let RefundStatus::Requested | RefundStatus::Approved | RefundStatus::Processed =
            RefundStatus::parse(&refund.status)?
        {
            all = all.saturating_add(refund.amount_minor);
            ours = ours.saturating_add(if refund.external_id.is_none() { refund.amount_minor } else { 0 });
        }
    }
    let gone = all.max(payment.refunded_minor.saturating_add(ours));
    Ok(payment.received_minor.min(payment.amount_minor).saturating_sub(gone).max(0))
}

fn checked_amount(amount: i64, left: i64) -> Result<i64> {
    if left == 0 {
        return Err(Error::refused("NOTHING_LEFT", &["amount"], "all of it has gone back, or is to go back"));
    }
    if amount < 1 {
        return Err(Error::refused("AMOUNT_INVALID", &["amount"], "an amount is at least 1"));
    }
    if amount > left {
        return Err(Error::refused("AMOUNT_TOO_LARGE", &["amount"], format!("it is at most {left}")));
    }
    Ok(amount)
}

fn checked_reason(reason: Option<&str>) -> Result<()> {
    if reason.is_some_and(|reason| reason.chars().count() > LONGEST_REASON) {
        return Err(Error::refused("REASON_INVALID", &["reason"], "a reason has at most 500 characters"));
    }
    Ok(())
}

fn unknown_payment() -> Error {
    Error::refused("PAYMENT_NOT_FOUND", &["paymentId"], "there is no such payment of yours")
}

/// Records what was done to a refund, and tells those who watch its payment.
async fn told(txn: &Txn, actor: &str, action: &'static str, (before, after): (Option<&Model>, &Model)) -> Result<()> {
    let shown = |row: &Model| json!({"status": row.status, "amountMinor": row.amount_minor});
    let mut entry = AuditEntry::new(action, "Refund", after.id).account(after.account_id).after(shown(after));
    if let Some(before) = before {
        entry = entry.before(shown(before));
    }
    txn.audit(actor, entry).await?;
    changes::record(txn, Change::PaymentRecorded(after.payment_id, after.account_id)).await
}
