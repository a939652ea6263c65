//! Refunds, and the credits revoked with them.

use super::observed::{ObservedRefund, or_known};
use crate::credits;
use crate::db::Mirror;
use crate::error::Result;
use crate::payments::store::{self, mirror as mirrored};
use crate::payments::values::RefundStatus;
use chrono::{DateTime, FixedOffset};
use entity::{payments, refunds};
use sea_orm::ActiveValue::{NotSet, Set};
use uuid::Uuid;

/// Mirrors a refund, and returns whether anything changed.
///
/// A refund approved here is recognised by the id that was sent with it. A refund created at the provider is a row of
/// its own, even if it resembles a request.
pub(super) async fn project_refund(
    mirror: &mut Mirror<'_>,
    payment: &payments::Model,
    refund: &ObservedRefund,
) -> Result<bool> {
    // The table refuses a refund of nothing.
    if refund.amount_minor <= 0 {
        return Ok(false);
    }
    let mut found = mirrored::lock_refund(mirror.txn, &payment.provider, &refund.external_id).await?;
    if let (None, Some(id)) = (&found, refund.refund_id) {
        let sent = store::lock_refund_by_id(mirror.txn, id).await?;
        if let Some(row) = sent.filter(|row| row.payment_id == payment.id)
            && is_sent(&row)?
        {
            found = Some(row);
        }
    }
    let known = found.as_ref();
    let processed =
        (refund.status == RefundStatus::Processed).then(|| refund.processed_at.unwrap_or(refund.created_at));
    let asked_here = known.is_some_and(|known| known.requested_by.is_some());
    let wanted = refunds::ActiveModel {
        id: Set(mirror.txn.new_id()),
        account_id: Set(payment.account_id),
        payment_id: Set(payment.id),
        provider: Set(payment.provider.clone()),
        external_id: Set(Some(refund.external_id.clone())),
        status: Set(refund.status.to_string()),
        currency: Set(refund.currency.clone()),
        amount_minor: Set(refund.amount_minor),
        // The reason given here says more than the provider's.
        reason: if asked_here { NotSet } else { Set(refund.reason.clone()) },
        requested_by: if known.is_some() { NotSet } else { Set(None) },
        decided_by: if known.is_some() { NotSet } else { Set(None) },
        credits_taken_back: if known.is_some() { NotSet } else { Set(0) },
        created_at: if asked_here { NotSet } else { Set(refund.created_at.fixed_offset()) },
        processed_at: Set(processed.map(|at| at.fixed_offset())),
        charge_external_id: Set(or_known(&refund.charge_external_id, known, |row| &row.charge_external_id)),
        provider_status: Set(Some(refund.provider_status.clone())),
        requested_minor: if known.is_some() { NotSet } else { Set(None) },
        denial_reason: if known.is_some() { NotSet } else { Set(None) },
        failure_code: Set(refund.failure_code.clone().filter(|_| refund.status == RefundStatus::Failed)),
    };
    Ok(mirror.write::<refunds::Entity>(&refund.external_id, found, wanted).await?.changed)
}

/// Returns whether a refund may exist at the provider under an id that we do not know: after an approval, also if the
/// provider seemed to refuse it.
fn is_sent(row: &refunds::Model) -> Result<bool> {
    let status = RefundStatus::parse(&row.status)?;
    Ok(row.external_id.is_none() && matches!(status, RefundStatus::Approved | RefundStatus::Failed))
}

/// Records how many credits were revoked with each refund of a payment that bought credits under `business_key`.
///
/// The revoked credits are attributed to the refunds in the order in which the money was returned, to each as many as
/// its amount stands for, until none are left. If spent credits could not be revoked, the last refunds get none. Any
/// surplus was revoked because of disputes.
pub async fn note_credits_taken_back(
    mirror: &mut Mirror<'_>,
    payment_id: Uuid,
    amount_minor: i64,
    business_key: &str,
) -> Result<()> {
    let Some(payment) = store::payment_by_id(mirror.txn, payment_id).await? else { return Ok(()) };
    let Some(purchase) = credits::find_purchase(mirror.txn, business_key).await? else { return Ok(()) };
    let mut rest = purchase.revoked.max(0);
    let mut returned: i64 = 0;
    let mut refunds = store::refunds_of(mirror.txn, payment_id).await?;
    refunds.retain(|refund| refund.external_id.is_some());
    refunds.sort_by_key(|refund| (returned_at(refund), refund.external_id.clone()));
    for refund in refunds {
        let mut share = 0;
        if RefundStatus::parse(&refund.status)?.returns_money() && refund.currency == payment.currency {
            let before = credits::credits_kept(purchase.granted, amount_minor, returned);
            returned = returned.saturating_add(refund.amount_minor);
            share = (before - credits::credits_kept(purchase.granted, amount_minor, returned)).min(rest);
            rest -= share;
        }
        let name = refund.external_id.clone().unwrap_or_default();
        let wanted = refunds::ActiveModel { credits_taken_back: Set(share), ..Default::default() };
        mirror.write::<refunds::Entity>(&name, Some(refund), wanted).await?;
    }
    Ok(())
}

fn returned_at(refund: &refunds::Model) -> DateTime<FixedOffset> {
    refund.processed_at.unwrap_or(refund.created_at)
}
