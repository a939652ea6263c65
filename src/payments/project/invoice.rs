//! Invoices.

use super::observed::{ObservedInvoice, or_known};
use crate::db::{Mirror, Mirrored};
use crate::error::Result;
use crate::payments::store::mirror as store;
use crate::subscriptions;
use entity::invoices;
use sea_orm::ActiveValue::Set;
use uuid::Uuid;

/// Mirrors an invoice of `account_id`.
pub async fn project_invoice(
    mirror: &mut Mirror<'_>,
    account_id: Uuid,
    invoice: &ObservedInvoice,
) -> Result<Mirrored<invoices::Model>> {
    let found = store::lock_invoice(mirror.txn, invoice.provider, &invoice.external_id).await?;
    let subscription_id = match &invoice.subscription_external_id {
        Some(id) => subscriptions::find_id(mirror.txn, invoice.provider, id).await?,
        None => None,
    };
    let known = found.as_ref();
    let wanted = invoices::ActiveModel {
        id: Set(mirror.txn.new_id()),
        account_id: Set(account_id),
        subscription_id: Set(subscription_id.or(known.and_then(|known| known.subscription_id))),
        provider: Set(invoice.provider.to_owned()),
        external_id: Set(invoice.external_id.clone()),
        number: Set(invoice.number.clone()),
        status: Set(invoice.status.to_string()),
        currency: Set(invoice.currency.clone()),
        // Derived from the other three, so that the four add up whatever was sent.
        subtotal_minor: Set(invoice
            .total_minor
            .saturating_add(invoice.discount_minor)
            .saturating_sub(invoice.tax_minor)),
        discount_minor: Set(invoice.discount_minor),
        tax_minor: Set(invoice.tax_minor),
        total_minor: Set(invoice.total_minor),
        paid_minor: Set(invoice.paid_minor.max(0)),
        period_start: Set(invoice.period.map(|(start, _)| start.fixed_offset())),
        period_end: Set(invoice.period.map(|(_, end)| end.fixed_offset())),
        due_at: Set(invoice.due_at.map(|at| at.fixed_offset())),
        paid_at: Set(invoice.paid_at.map(|at| at.fixed_offset())),
        created_at: Set(invoice.created_at.fixed_offset()),
        customer_external_id: Set(or_known(&invoice.customer_external_id, known, |row| &row.customer_external_id)),
        payment_external_id: Set(or_known(&invoice.payment_external_id, known, |row| &row.payment_external_id)),
        billing_reason: Set(invoice.billing_reason.clone()),
        due_minor: Set(invoice.due_minor.max(0)),
        attempt_count: Set(invoice.attempt_count.max(0)),
        hosted_url: Set(invoice.hosted_url.clone()),
    };
    let written = mirror.write::<invoices::Entity>(&invoice.external_id, found, wanted).await?;
    // An invoice may be paid without a payment at the provider.
    let is_news = written.changed && written.row.paid_at.is_some();
    if let Some(subscription_id) = written.row.subscription_id.filter(|_| is_news) {
        subscriptions::note_first_payment(mirror, subscription_id).await?;
    }
    Ok(written)
}
