//! Refunds, and the credits that went back with them.

use super::ObservedRefund;
use super::invoice::or_known;
use crate::credits;
use crate::db::Mirror;
use crate::error::Result;
use crate::payments::store::{self, mirror as mirrored};
use crate::payments::values::RefundStatus;
use chrono::{DateTime, FixedOffset};
use entity::{payments, refunds};
use sea_orm::ActiveValue::{NotSet, Set};
use uuid::Uuid;

/// Mirrors a refund; whether anything changed.
///
/// One that was approved here is told by the id that was sent with it. One that was made at the provider is a row of its
/// own, however much like a request it looks.
pub(super) async fn project_refund(
    mirror: &mut Mirror<'_>,
    payment: &payments::Model,
    refund: &ObservedRefund,
) -> Result<bool> {
    // There is no refund of nothing, and the table has no place for one.
    if refund.amount_minor <= 0 {
        return Ok(false);
    }
    let mut found = mirrored::refund(mirror.txn, &payment.provider, &refund.external_id).await?;
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
        currency: Set(payment.currency.clone()),
        amount_minor: Set(refund.amount_minor),
        // The words of the person who asked here say more than the provider's.
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

/// Whether a refund may be at the provider without our knowing its id there. One that it refused is not, unless it says
/// otherwise.
fn is_sent(row: &refunds::Model) -> Result<bool> {
    let status = RefundStatus::parse(&row.status)?;
    Ok(row.external_id.is_none() && matches!(status, RefundStatus::Approved | RefundStatus::Failed))
}

/// Notes how many credits went back with each refund of a payment that bought credits, under `business_key`.
///
/// The refunds share what the ledger took: each, in the order in which their money went, as many as its money stands
/// for, as long as there are any. Where some were spent, so that fewer could be taken, the last refunds took none. What
/// is left over was taken because of disputes.
pub async fn note_credits_taken_back(
    mirror: &mut Mirror<'_>,
    payment_id: Uuid,
    amount_minor: i64,
    business_key: &str,
) -> Result<()> {
    let Some((granted, taken)) = credits::taken_back(mirror.txn, business_key).await? else { return Ok(()) };
    let mut rest = taken.max(0);
    let mut returned: i64 = 0;
    let mut refunds = store::refunds_of(mirror.txn, payment_id).await?;
    refunds.retain(|refund| refund.external_id.is_some());
    refunds.sort_by_key(|refund| (went_at(refund), refund.external_id.clone()));
    for refund in refunds {
        let mut share = 0;
        if matches!(RefundStatus::parse(&refund.status)?, RefundStatus::Approved | RefundStatus::Processed) {
            let before = credits::kept(granted, amount_minor, returned);
            returned = returned.saturating_add(refund.amount_minor);
            share = (before - credits::kept(granted, amount_minor, returned)).min(rest);
            rest -= share;
        }
        let name = refund.external_id.clone().unwrap_or_default();
        let wanted = refunds::ActiveModel { credits_taken_back: Set(share), ..Default::default() };
        mirror.write::<refunds::Entity>(&name, Some(refund), wanted).await?;
    }
    Ok(())
}

fn went_at(refund: &refunds::Model) -> DateTime<FixedOffset> {
    refund.processed_at.unwrap_or(refund.created_at)
}
