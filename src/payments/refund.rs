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
use futures_util::future::BoxFuture;
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

/// The failure code of an approved refund that was denied before the provider carried it out.
const WITHDRAWN: &str = "withdrawn";
/// Maximum length of a reason.
const MAX_REASON_CHARS: usize = 500;

/// A request for a refund.
#[derive(Debug, Clone, Serialize)]
pub struct RefundRequest {
    /// The payment.
    pub payment_id: Uuid,
    /// The amount in minor units of the payment's currency; `None` for all that is left.
    pub amount_minor: Option<i64>,
    /// A reason for people to read.
    pub reason: Option<String>,
}

/// A decision against a refund.
#[derive(Debug, Clone, Serialize)]
pub struct Denial {
    /// The refund.
    pub refund_id: Uuid,
    /// A reason for people to read.
    pub reason: Option<String>,
}

/// Requests a refund, for an owner or admin of the payment's account. Nothing is sent to the provider before somebody
/// approves it.
pub async fn request_refund(app: &App, viewer: &Viewer, new: RefundRequest, key: &str) -> Result<Model> {
    if viewer.user_id().is_none() {
        viewer.require(Permission::BillingWrite)?;
    }
    check_reason(new.reason.as_deref())?;
    let key = IdempotencyKey::new(viewer.actor(), key, "refunds.request", &new)?;
    let caller = viewer.clone();
    let work = async move |txn: &Txn| {
        let found = store::payment_by_id(txn, new.payment_id).await?.ok_or_else(unknown_payment)?;
        // The person and the account before the payment, as everywhere.
        authorize_payer_of(txn, &caller, found.account_id, unknown_payment).await?;
        let payment = store::lock_payment_by_id(txn, new.payment_id).await?.ok_or_else(unknown_payment)?;
        let left = refundable_rest(&payment, &store::refunds_of(txn, payment.id).await?, None)?;
        let amount = check_amount(new.amount_minor.unwrap_or(left), left)?;
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
        record_change(txn, caller.actor(), "refunds.request", None, &refund).await?;
        Ok(refund.id)
    };
    let id = app.db.run_idempotent(key, move |txn| Box::pin(work(txn))).await?;
    refund(app, id).await
}

/// Gives up the request to carry out an approved refund. Returns false if its outcome is known or about to be.
pub type Withdraw = for<'c> fn(&'c Txn, &'c Model) -> BoxFuture<'c, Result<bool>>;

/// Denies a requested refund, or fails an approved one whose request `withdraw` gives up.
pub async fn deny_refund(app: &App, viewer: &Viewer, denial: Denial, key: &str, withdraw: Withdraw) -> Result<Model> {
    viewer.require(Permission::BillingWrite)?;
    check_reason(denial.reason.as_deref())?;
    let key = IdempotencyKey::new(viewer.actor(), key, "refunds.deny", &denial)?;
    let actor = viewer.actor().to_owned();
    let work = async move |txn: &Txn| {
        let found = lock(txn, denial.refund_id).await?;
        let is_approved = |refund: &Model| refund.status == RefundStatus::Approved.as_str();
        if let Some((_, approved)) = found.filter(|(_, refund)| is_approved(refund) && refund.external_id.is_none())
            && withdraw(txn, &approved).await?
        {
            fail_refund(txn, approved.id, WITHDRAWN).await?;
            let failed = store::lock_refund_by_id(txn, approved.id).await?.unwrap_or_else(|| approved.clone());
            record_change(txn, &actor, "refunds.deny", Some(&approved), &failed).await?;
            return Ok(approved.id);
        }
        let (_, asked) = lock_requested(txn, denial.refund_id).await?;
        let change = ActiveModel {
            id: Set(asked.id),
            status: Set(RefundStatus::Denied.to_string()),
            decided_by: Set(Some(actor.clone())),
            denial_reason: Set(denial.reason),
            ..Default::default()
        };
        let refund = Entity::update(change).exec(txn).await?;
        record_change(txn, &actor, "refunds.deny", Some(&asked), &refund).await?;
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
    let others = refundable_rest(&payment, &store::refunds_of(txn, payment.id).await?, Some(asked.id))?;
    let amount = check_amount(amount_minor.unwrap_or(asked.amount_minor), others.min(asked.amount_minor))?;
    let change = ActiveModel {
        id: Set(asked.id),
        status: Set(RefundStatus::Approved.to_string()),
        amount_minor: Set(amount),
        decided_by: Set(Some(actor.to_owned())),
        ..Default::default()
    };
    let refund = Entity::update(change).exec(txn).await?;
    record_change(txn, actor, "refunds.approve", Some(&asked), &refund).await?;
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

/// Returns the refund with this id, which must exist.
pub async fn refund(app: &App, id: Uuid) -> Result<Model> {
    let found = store::refund_by_id(app.db.read(), id).await?;
    found.ok_or_else(|| Error::internal(anyhow::anyhow!("The refund is missing after its commit.")))
}

/// Locks a payment and its refund, in this order as everywhere.
async fn lock(txn: &Txn, refund_id: Uuid) -> Result<Option<(payments::Model, Model)>> {
    let Some(found) = store::refund_by_id(txn, refund_id).await? else { return Ok(None) };
    let payment = store::lock_payment_by_id(txn, found.payment_id).await?;
    let refund = store::lock_refund_by_id(txn, refund_id).await?;
    Ok(payment.zip(refund))
}

async fn lock_requested(txn: &Txn, refund_id: Uuid) -> Result<(payments::Model, Model)> {
    let unknown = || Error::refused("REFUND_NOT_FOUND", &["refundId"], "Refund not found.");
    let (payment, refund) = lock(txn, refund_id).await?.ok_or_else(unknown)?;
    if Provider::named(&refund.provider) != Some(Provider::Stripe) {
        let message = "Only refunds at Stripe are decided here: the provider of this one decides by itself.";
        return Err(Error::refused("NOT_AT_STRIPE", &["refundId"], message));
    }
    let status = RefundStatus::parse(&refund.status)?;
    if status != RefundStatus::Requested {
        let message = format!("The refund is already {status}.");
        return Err(Error::refused("REFUND_DECIDED", &["refundId"], message));
    }
    Ok((payment, refund))
}

/// Returns the refundable rest of a payment, not counting the refund `except`.
///
/// A refund made at the provider appears twice, in the payment's own figure and as a row, and either may arrive first.
/// So the greater total counts: the sum of all rows, or the figure plus the refunds that only we know of.
fn refundable_rest(payment: &payments::Model, refunds: &[refunds::Model], except: Option<Uuid>) -> Result<i64> {
    if Provider::named(&payment.provider) != Some(Provider::Stripe) {
        let message = "Only payments at Stripe are refunded here: ask the provider of this one.";
        return Err(Error::refused("NOT_AT_STRIPE", &["paymentId"], message));
    }
    if PaymentStatus::parse(&payment.status)? != PaymentStatus::Succeeded {
        return Err(Error::refused(
            "PAYMENT_NOT_SUCCEEDED",
            &["paymentId"],
            "The payment has not succeeded, so there is nothing to refund.",
        ));
    }
    let (mut all, mut ours) = (0_i64, 0_i64);
    let counted = refunds.iter().filter(|refund| refund.currency == payment.currency);
    for refund in counted.filter(|refund| Some(refund.id) != except) {
        // The money has gone back or may still go back.
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

fn check_amount(amount: i64, left: i64) -> Result<i64> {
    if left == 0 {
        return Err(Error::refused("NOTHING_LEFT", &["amount"], "Nothing is left to refund."));
    }
    if amount < 1 {
        return Err(Error::refused("AMOUNT_INVALID", &["amount"], "`amount` must be at least 1."));
    }
    if amount > left {
        return Err(Error::refused("AMOUNT_TOO_LARGE", &["amount"], format!("`amount` must be at most {left}.")));
    }
    Ok(amount)
}

fn check_reason(reason: Option<&str>) -> Result<()> {
    if reason.is_some_and(|reason| reason.chars().count() > MAX_REASON_CHARS) {
        return Err(Error::refused("REASON_INVALID", &["reason"], "`reason` must have at most 500 characters."));
    }
    Ok(())
}

fn unknown_payment() -> Error {
    Error::refused("PAYMENT_NOT_FOUND", &["paymentId"], "Payment not found.")
}

/// Writes the audit entry of a change to a refund, and the change event of its payment.
async fn record_change(
    txn: &Txn,
    actor: &str,
    action: &'static str,
    before: Option<&Model>,
    after: &Model,
) -> Result<()> {
    let shown = |row: &Model| json!({"status": row.status, "amountMinor": row.amount_minor});
    let mut entry = AuditEntry::new(action, "Refund", after.id).account(after.account_id).after(shown(after));
    if let Some(before) = before {
        entry = entry.before(shown(before));
    }
    txn.audit(actor, entry).await?;
    changes::record(txn, Change::PaymentRecorded(after.payment_id, after.account_id)).await
}
