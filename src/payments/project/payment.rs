//! Payments with their disputes.

use super::observed::{ObservedDispute, ObservedPayment, or_known};
use super::refund::project_refund;
use crate::accounts;
use crate::changes::{self, Change};
use crate::db::{Mirror, Mirrored};
use crate::error::Result;
use crate::payments::store::mirror as store;
use crate::payments::values::{DisputeStatus, PaymentStatus};
use crate::subscriptions;
use entity::{disputes, invoices, payments};
use sea_orm::ActiveValue::Set;
use uuid::Uuid;

/// Mirrors a payment of `account_id` with its refunds and disputes.
pub async fn project_payment(
    mirror: &mut Mirror<'_>,
    account_id: Uuid,
    payment: &ObservedPayment,
) -> Result<Mirrored<payments::Model>> {
    let found = store::lock_payment(mirror.txn, payment.provider, &payment.external_id).await?;
    let invoice = invoice(mirror, payment).await?;
    let subscription_id = match &payment.subscription_external_id {
        Some(id) => subscriptions::find_id(mirror.txn, payment.provider, id).await?,
        None => None,
    };
    let subscription_id = subscription_id.or(invoice.as_ref().and_then(|invoice| invoice.subscription_id));
    let invoice_id = invoice.map(|invoice| invoice.id);
    let wanted = row(mirror, account_id, payment, subscription_id, invoice_id, found.as_ref());
    let mut written = mirror.write::<payments::Entity>(&payment.external_id, found, wanted).await?;
    for refund in &payment.refunds {
        written.changed |= project_refund(mirror, &written.row, refund).await?;
    }
    for dispute in &payment.disputes {
        written.changed |= project_dispute(mirror, &written.row, dispute).await?;
    }
    if written.changed {
        let change = Change::PaymentRecorded(written.row.id, written.row.account_id);
        changes::record(mirror.txn, change).await?;
    }
    if let Some(subscription_id) = written.row.subscription_id {
        subscriptions::note_first_payment(mirror, subscription_id).await?;
    }
    let known = accounts::currency_of(mirror.txn, account_id).await?;
    if (written.changed || known.as_ref() != Some(&written.row.currency))
        && let Some(first) = store::first_payment(mirror.txn, account_id).await?
    {
        accounts::project_currency(mirror, account_id, &first.currency).await?;
    }
    Ok(written)
}

/// Finds the invoice of a payment: the one that it names, or the one that names it.
async fn invoice(mirror: &Mirror<'_>, payment: &ObservedPayment) -> Result<Option<invoices::Model>> {
    let named = match &payment.invoice_external_id {
        Some(id) => store::invoice(mirror.txn, payment.provider, id).await?,
        None => None,
    };
    match named {
        Some(named) => Ok(Some(named)),
        None => store::invoice_paid_by(mirror.txn, payment.provider, &payment.external_id).await,
    }
}

/// Builds the row of a payment. If the provider's figures contradict each other or the table's rules, status and amount
/// decide: no more than the received money can be returned.
fn row(
    mirror: &Mirror<'_>,
    account_id: Uuid,
    payment: &ObservedPayment,
    subscription_id: Option<Uuid>,
    invoice_id: Option<Uuid>,
    known: Option<&payments::Model>,
) -> payments::ActiveModel {
    let succeeded = payment.status == PaymentStatus::Succeeded;
    let amount = payment.amount_minor.max(0);
    let refunded = if succeeded { payment.refunded_minor.clamp(0, amount) } else { 0 };
    let paid_at = succeeded.then(|| payment.paid_at.unwrap_or(payment.created_at).fixed_offset());
    let fee = payment.fee_minor.filter(|fee| *fee >= 0);
    payments::ActiveModel {
        id: Set(mirror.txn.new_id()),
        account_id: Set(account_id),
        subscription_id: Set(subscription_id.or(known.and_then(|known| known.subscription_id))),
        invoice_id: Set(invoice_id.or(known.and_then(|known| known.invoice_id))),
        provider: Set(payment.provider.to_owned()),
        external_id: Set(payment.external_id.clone()),
        stream: Set(payment.stream.to_string()),
        status: Set(payment.status.to_string()),
        currency: Set(payment.currency.clone()),
        amount_minor: Set(amount),
        fee_minor: Set(fee.or(known.and_then(|known| known.fee_minor))),
        refunded_minor: Set(refunded),
        returned_minor: Set(if succeeded { payment.returned_minor() } else { Some(0) }),
        description: Set(payment.description.clone()),
        failure_code: Set(payment.failure_code.clone()),
        paid_at: Set(paid_at),
        created_at: Set(payment.created_at.fixed_offset()),
        customer_external_id: Set(or_known(&payment.customer_external_id, known, |row| &row.customer_external_id)),
        charge_external_id: Set(or_known(&payment.charge_external_id, known, |row| &row.charge_external_id)),
        provider_status: Set(payment.provider_status.clone()),
        received_minor: Set(payment.received_minor.max(0)),
        disputed: Set(payment.disputed || !payment.disputes.is_empty() || known.is_some_and(|known| known.disputed)),
        failed_attempts: Set(payment.failed_attempts.max(0)),
    }
}

/// Mirrors a dispute, and returns whether anything changed.
async fn project_dispute(
    mirror: &mut Mirror<'_>,
    payment: &payments::Model,
    dispute: &ObservedDispute,
) -> Result<bool> {
    // The table refuses a dispute over nothing.
    if dispute.amount_minor <= 0 {
        return Ok(false);
    }
    let found = store::lock_dispute(mirror.txn, &payment.provider, &dispute.external_id).await?;
    let closed = matches!(dispute.status, DisputeStatus::Won | DisputeStatus::Lost);
    let closed_at = closed.then(|| dispute.closed_at.unwrap_or(dispute.created_at).fixed_offset());
    let known = found.as_ref();
    let wanted = disputes::ActiveModel {
        id: Set(mirror.txn.new_id()),
        account_id: Set(payment.account_id),
        payment_id: Set(payment.id),
        provider: Set(payment.provider.clone()),
        external_id: Set(dispute.external_id.clone()),
        status: Set(dispute.status.to_string()),
        currency: Set(dispute.currency.clone()),
        amount_minor: Set(dispute.amount_minor),
        reason: Set(dispute.reason.clone()),
        created_at: Set(dispute.created_at.fixed_offset()),
        closed_at: Set(closed_at),
        charge_external_id: Set(or_known(&dispute.charge_external_id, known, |row| &row.charge_external_id)),
        provider_status: Set(Some(dispute.provider_status.clone())),
    };
    Ok(mirror.write::<disputes::Entity>(&dispute.external_id, found, wanted).await?.changed)
}
