//! Projects invoices, payments, and the goods that were bought with them.

use super::context::{Blocked, Projection};
use super::stream;
use crate::credits;
use crate::error::Result;
use crate::gifts::{self, ObservedGift};
use crate::inbox::kinds::{ObjectKind, RecordKind, Reference};
use crate::inbox::object::Object;
use crate::inbox::past::Past;
use crate::inbox::wait_key::WaitKey;
use crate::inbox::{paddle, stripe};
use crate::licences::{self, ObservedLicences};
use crate::payments::{self, InvoiceStatus, ObservedPayment, RevenueStream};
use uuid::Uuid;

/// The code of the credit unit that is bought where a purchase names none.
const CREDIT_UNIT: &str = "credits";

/// The kinds of objects that are invoices.
const INVOICE_KINDS: [ObjectKind; 2] = [ObjectKind::Invoice, ObjectKind::Transaction];

/// The kinds of objects that credits are bought with.
const PURCHASE_KINDS: [ObjectKind; 3] =
    [ObjectKind::CheckoutSession, ObjectKind::PaymentIntent, ObjectKind::Transaction];

/// The kinds of objects that are payments by themselves.
const PAYMENT_KINDS: [ObjectKind; 3] = [ObjectKind::PaymentIntent, ObjectKind::Charge, ObjectKind::Transaction];

/// The kinds of objects that a payment is derived from.
const KINDS_OF_PAYMENT: [ObjectKind; 9] = [
    ObjectKind::PaymentIntent,
    ObjectKind::Charge,
    ObjectKind::Refund,
    ObjectKind::Dispute,
    ObjectKind::Invoice,
    ObjectKind::InvoicePayment,
    ObjectKind::CheckoutSession,
    ObjectKind::Transaction,
    ObjectKind::Adjustment,
];

pub(super) async fn project_invoice(ctx: &mut Projection<'_, '_>, id: &str) -> Result<(), Blocked> {
    let object = ctx.object(&INVOICE_KINDS, id).await?;
    let payments = ctx.store.referencing(Reference::Invoice, id, &[ObjectKind::InvoicePayment]).await?;
    let Some(mut invoice) = ctx.store.provider.read_invoice(&object, &payments) else { return Ok(()) };
    if invoice.status == InvoiceStatus::Paid && invoice.paid_at.is_none() {
        let past = ctx.store.past(&[id.to_owned()], ctx.store.provider.telling_events(), &[]).await?;
        let times = ["invoice.paid", "invoice.payment_succeeded"].map(|event_type| past.first(id, event_type));
        invoice.paid_at = times.into_iter().flatten().min();
    }
    let subscription = ctx.subscription_of(object.references.subscription.as_deref()).await?;
    let objects: Vec<&Object> = [&object].into_iter().chain(&subscription).collect();
    let account_id = ctx.owner_of(&objects, id).await?;
    let mirrored = payments::project_invoice(ctx.mirror, account_id, &invoice).await?;
    if mirrored.new {
        ctx.wake_dependents(id).await?;
    }
    if let Some(payment) = invoice.payment_external_id.filter(|_| mirrored.changed) {
        ctx.enqueue(RecordKind::Payment, &payment);
    }
    Ok(())
}

pub(super) async fn project_payment(ctx: &mut Projection<'_, '_>, id: &str) -> Result<(), Blocked> {
    let mut related = ctx.store.referencing(Reference::Payment, id, &KINDS_OF_PAYMENT).await?;
    // Since basil only a third object links an invoice to its payment.
    let invoices = related.iter().filter_map(|object| object.references.invoice.clone());
    let missing: Vec<String> = invoices.filter(|id| related.iter().all(|object| object.external_id != *id)).collect();
    related.extend(ctx.store.objects_of(&INVOICE_KINDS, &missing).await?);
    let past = past_of(ctx, &related).await?;
    let Some(mut payment) = ctx.store.provider.read_payment(id, &related, &past) else {
        // Either there is nothing to pay, or the object of the payment has not arrived yet.
        let known = related.iter().any(|object| PAYMENT_KINDS.contains(&object.kind));
        return if known { Ok(()) } else { Err(Blocked::object(id)) };
    };
    let subscription = related.iter().find_map(|object| object.references.subscription.clone());
    let subscription = ctx.subscription_of(subscription.as_deref()).await?;
    if payment.stream == RevenueStream::Subscription {
        payment.stream = stream::sold(ctx, &related, subscription.first()).await?;
    }
    let objects: Vec<&Object> = related.iter().chain(&subscription).collect();
    let unnamed = WaitKey::Owner(id.to_owned());
    let account_id = ctx.owner(&objects, payment.customer_external_id.as_deref(), unnamed).await?;
    let mirrored = payments::project_payment(ctx.mirror, account_id, &payment).await?;
    if mirrored.new {
        ctx.wake_dependents(id).await?;
    }
    if mirrored.changed {
        for object in &related {
            if object.kind == ObjectKind::CheckoutSession {
                ctx.enqueue(RecordKind::Gift, &object.external_id);
            }
            if object.kind == ObjectKind::CheckoutSession || stripe::buys_credits(object) {
                ctx.enqueue(RecordKind::Purchase, &object.external_id);
            }
        }
    }
    ctx.payments.insert(id.to_owned(), (mirrored.row.id, payment));
    Ok(())
}

/// Returns the past of the objects of a payment.
async fn past_of(ctx: &Projection<'_, '_>, related: &[Object]) -> Result<Past> {
    let ids_of = |kinds: &[ObjectKind]| -> Vec<String> {
        let these = related.iter().filter(|object| kinds.contains(&object.kind));
        these.map(|object| object.external_id.clone()).collect()
    };
    let ids = ids_of(&[ObjectKind::PaymentIntent, ObjectKind::Charge, ObjectKind::Dispute]);
    let failed = related.iter().any(|object| object.kind == ObjectKind::Refund && stripe::has_failed(&object.payload));
    let charges = if failed { ids_of(&[ObjectKind::Charge]) } else { Vec::new() };
    ctx.store.past(&ids, ctx.store.provider.telling_events(), &charges).await
}

/// Returns the payment that an object belongs to, with our id of it; projects it first if that was not done yet.
async fn payment_of(ctx: &mut Projection<'_, '_>, object: &Object) -> Result<Option<(Uuid, ObservedPayment)>> {
    let Some(id) = &object.references.payment else { return Ok(None) };
    if !ctx.payments.contains_key(id) {
        ctx.lock(RecordKind::Payment.lock(id)).await?;
        if let Err(Blocked::Failed(error)) = project_payment(ctx, id).await {
            return Err(error);
        }
    }
    Ok(ctx.payments.get(id).cloned())
}

pub(super) async fn project_purchase(ctx: &mut Projection<'_, '_>, id: &str) -> Result<(), Blocked> {
    let object = ctx.object(&PURCHASE_KINDS, id).await?;
    let payment = payment_of(ctx, &object).await?;
    let adjustments = ctx.store.referencing(Reference::Payment, id, &[ObjectKind::Adjustment]).await?;
    let paid = payment.as_ref().map(|(id, payment)| (*id, payment));
    let purchase = ctx.store.provider.read_purchase(&object, &adjustments, CREDIT_UNIT, paid);
    let Some(purchase) = purchase else { return Ok(()) };
    let subscription = ctx.subscription_of(object.references.subscription.as_deref()).await?;
    let objects: Vec<&Object> = [&object].into_iter().chain(&subscription).collect();
    let account_id = ctx.owner_of(&objects, id).await?;
    credits::project_purchase(ctx.mirror, account_id, &purchase, ctx.policy.spent_credits_are_owed).await?;
    if let Some((payment_id, _)) = payment {
        let (amount, key) = (purchase.amount_minor, &purchase.business_key);
        payments::note_credits_taken_back(ctx.mirror, payment_id, amount, key).await?;
    }
    Ok(())
}

pub(super) async fn project_licences(ctx: &mut Projection<'_, '_>, id: &str) -> Result<(), Blocked> {
    let object = ctx.object(&[ObjectKind::Transaction], id).await?;
    let adjustments = ctx.store.referencing(Reference::Payment, id, &[ObjectKind::Adjustment]).await?;
    let adjustments: Vec<&Object> = adjustments.iter().collect();
    let sold = paddle::licences(&object, &adjustments);
    if sold.is_empty() {
        return Ok(());
    }
    let subscription = ctx.subscription_of(object.references.subscription.as_deref()).await?;
    let objects: Vec<&Object> = [&object].into_iter().chain(&subscription).collect();
    let account_id = ctx.owner_of(&objects, id).await?;
    let payment_id = payment_of(ctx, &object).await?.map(|(id, _)| id);
    for each in sold {
        let observed = ObservedLicences {
            provider: ctx.store.provider.name(),
            order_external_id: id.to_owned(),
            product_external_id: each.product_external_id,
            units: each.units,
            revoked_units: each.revoked_units,
            occurred_at: object.occurred_at,
        };
        licences::project(ctx.mirror, account_id, payment_id, &observed, ctx.policy.max_devices).await?;
    }
    Ok(())
}

pub(super) async fn project_gift(ctx: &mut Projection<'_, '_>, id: &str) -> Result<(), Blocked> {
    let object = ctx.object(&[ObjectKind::CheckoutSession], id).await?;
    let Some(gift_id) = stripe::gift(&object) else { return Ok(()) };
    let payment_id = payment_of(ctx, &object).await?.map(|(id, _)| id);
    let session_expired = stripe::is_expired(&object);
    let free_since = stripe::free_since(&object);
    let observed =
        ObservedGift { gift_id, session_external_id: id.to_owned(), session_expired, free_since, payment_id };
    gifts::project(ctx.mirror, &observed).await?;
    Ok(())
}
