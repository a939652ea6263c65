//! Projects the checkout of a gift at Stripe to its row.

use super::store;
use super::values::GiftStatus;
use crate::db::Mirror;
use crate::error::Result;
use crate::payments::{self, Standing};
use chrono::{DateTime, Utc};
use entity::gifts::{ActiveModel, Entity};
use sea_orm::ActiveValue::{NotSet, Set};
use uuid::Uuid;

/// The checkout of a gift and its payment, as they are at Stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedGift {
    /// The gift.
    pub gift_id: Uuid,
    /// The checkout's id at Stripe.
    pub session_external_id: String,
    /// True if the checkout ended without a payment.
    pub session_expired: bool,
    /// Time of the checkout if it was completed and needed no payment.
    pub free_since: Option<DateTime<Utc>>,
    /// Our payment; `None` if there is none yet.
    pub payment_id: Option<Uuid>,
}

/// Updates a gift to the state of its checkout and payment. A redeemed gift stays redeemed, also after a refund: the
/// recipient keeps it.
pub async fn project(mirror: &mut Mirror<'_>, observed: &ObservedGift) -> Result<()> {
    let Some(gift) = store::lock_by_id(mirror.txn, observed.gift_id).await? else { return Ok(()) };
    // A gift has one checkout: another one that names it was not created here.
    if gift.session_external_id.as_ref().is_some_and(|known| *known != observed.session_external_id) {
        return Ok(());
    }
    let payment = payments::standing(mirror.txn, observed.payment_id.or(gift.payment_id)).await?;
    let status = match payment {
        _ if GiftStatus::parse(&gift.status)? == GiftStatus::Redeemed => GiftStatus::Redeemed,
        Standing::Returned(_) => GiftStatus::Refunded,
        Standing::Paid(_) => GiftStatus::Paid,
        Standing::Unpaid if observed.free_since.is_some() => GiftStatus::Paid,
        Standing::Unpaid if observed.session_expired => GiftStatus::Abandoned,
        Standing::Unpaid => GiftStatus::Open,
    };
    let paid_at = match payment {
        Standing::Paid(at) | Standing::Returned(at) => Set(Some(at)),
        Standing::Unpaid => observed.free_since.map_or(NotSet, |at| Set(Some(at.fixed_offset()))),
    };
    let wanted = ActiveModel {
        status: Set(status.to_string()),
        session_external_id: Set(Some(observed.session_external_id.clone())),
        payment_id: observed.payment_id.map_or(NotSet, |id| Set(Some(id))),
        paid_at,
        ..Default::default()
    };
    mirror.write::<Entity>(&observed.session_external_id, Some(gift), wanted).await?;
    Ok(())
}

/// Records the subscription of `account_id` that a gift was redeemed for, and that names the gift.
pub async fn note_subscription(
    mirror: &mut Mirror<'_>,
    gift_id: Uuid,
    account_id: Uuid,
    (subscription_id, external_id): (Uuid, &str),
) -> Result<()> {
    let Some(gift) = store::lock_by_id(mirror.txn, gift_id).await? else { return Ok(()) };
    if gift.redeemed_account_id != Some(account_id) || gift.subscription_id.is_some() {
        return Ok(());
    }
    let wanted = ActiveModel { subscription_id: Set(Some(subscription_id)), ..Default::default() };
    mirror.write::<Entity>(external_id, Some(gift), wanted).await?;
    Ok(())
}
