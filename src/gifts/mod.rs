//! Gifts: one period of a plan, paid by one account and used by another.
//!
//! Invariants: a gift is redeemed once, under the lock on its row, and only while its payment stands; its code is shown
//! once and stored as a hash. The code is created with the checkout, so that it is not lost while Stripe is
//! unavailable, and the buyer can replace it until it is used.

mod code;
mod project;
mod store;
mod values;

pub use code::{first_code, replace_code};
pub use project::{ObservedGift, note_subscription, project};
pub use store::{Gifts, GiftsOf, by_code, by_session};
pub use values::GiftStatus;

use crate::auth::{GiftCode, Viewer};
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::payments::{self, Standing};
use chrono::{DateTime, TimeDelta, Utc};
use entity::gifts::{ActiveModel, Entity, Model};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde::Serialize;
use uuid::Uuid;

/// Maximum length of a message.
const MAX_MESSAGE_CHARS: usize = 500;
/// Maximum length of an e-mail address, by RFC 5321.
const MAX_EMAIL_BYTES: usize = 254;
/// Time after which a redemption without a subscription has failed: the request to Stripe is not repeated later.
const REDEMPTION_TIMEOUT: TimeDelta = TimeDelta::hours(24);

/// A gift to be bought.
#[derive(Debug, Clone, Serialize)]
pub struct NewGift {
    /// The recurring price of a plan; the gift is one period of it.
    pub price_id: Uuid,
    /// The recipient's address, for the buyer's own list: Tollgate sends no mail.
    pub recipient_email: Option<String>,
    /// The buyer's message to the recipient.
    pub message: Option<String>,
    /// End of the time to redeem it; `None` for no end.
    pub expires_at: Option<DateTime<Utc>>,
}

impl NewGift {
    /// Validates the gift at `now`.
    pub fn check(&self, now: DateTime<Utc>) -> Result<()> {
        let email = self.recipient_email.as_deref();
        if email.is_some_and(|email| email.len() > MAX_EMAIL_BYTES || !email.trim_matches('@').contains('@')) {
            return Err(Error::refused(
                "EMAIL_INVALID",
                &["recipientEmail"],
                "`recipientEmail` must be an e-mail address.",
            ));
        }
        if self.message.as_ref().is_some_and(|message| message.chars().count() > MAX_MESSAGE_CHARS) {
            return Err(Error::refused(
                "MESSAGE_TOO_LONG",
                &["message"],
                "`message` must have at most 500 characters.",
            ));
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(Error::refused("EXPIRES_AT_INVALID", &["expiresAt"], "`expiresAt` must be in the future."));
        }
        Ok(())
    }
}

/// Inserts a gift that `account_id` has not paid yet. Returns its id.
pub async fn open(txn: &Txn, account_id: Uuid, new: NewGift, amount_minor: i64, currency: String) -> Result<Uuid> {
    let id = txn.new_id();
    let row = ActiveModel {
        id: Set(id),
        account_id: Set(account_id),
        price_id: Set(new.price_id),
        prefix: Set(None),
        hash: Set(None),
        recipient_email: Set(new.recipient_email),
        message: Set(new.message),
        status: Set(GiftStatus::Open.to_string()),
        currency: Set(currency),
        amount_minor: Set(amount_minor),
        session_external_id: Set(None),
        payment_id: Set(None),
        redeemed_by_user: Set(None),
        redeemed_account_id: Set(None),
        redeemed_at: Set(None),
        subscription_id: Set(None),
        expires_at: Set(new.expires_at.map(|at| at.fixed_offset())),
        created_at: Set(txn.now().fixed_offset()),
        paid_at: Set(None),
    };
    Entity::insert(row).exec_without_returning(txn).await?;
    Ok(id)
}

/// A redeemer of a gift.
#[derive(Debug, Clone, Copy)]
pub struct Redeemer {
    /// The account that gets the plan.
    pub account_id: Uuid,
    /// The user who redeems; `None` for a service.
    pub user_id: Option<Uuid>,
}

impl Redeemer {
    /// Creates the redeemer for an account of `viewer`.
    pub fn new(viewer: &Viewer, account_id: Uuid) -> Redeemer {
        Redeemer { account_id, user_id: viewer.user_id() }
    }
}

/// Redeems the gift of a code under the lock on its row: of several callers, one succeeds. A second call for the same
/// account continues the same redemption until a subscription results from it.
pub async fn claim(txn: &Txn, code: &GiftCode, redeemer: Redeemer) -> Result<Model> {
    let now = txn.now();
    let gift = store::lock_by_code(txn, code).await?.ok_or_else(unknown)?;
    if has_unfinished_redemption(&gift, redeemer.account_id) {
        let has_timed_out = gift.redeemed_at.is_some_and(|at| now.fixed_offset() - at > REDEMPTION_TIMEOUT);
        if !has_timed_out {
            return Ok(gift);
        }
    } else {
        check_redeemable(&gift, redeemer.account_id, now)?;
    }
    let change = ActiveModel {
        id: Set(gift.id),
        status: Set(GiftStatus::Redeemed.to_string()),
        redeemed_by_user: Set(redeemer.user_id),
        redeemed_account_id: Set(Some(redeemer.account_id)),
        redeemed_at: Set(Some(now.fixed_offset())),
        ..Default::default()
    };
    Ok(Entity::update(change).exec(txn).await?)
}

/// Returns whether `account_id` is redeeming another gift than `except` that may still result in a subscription.
pub async fn is_redeeming(txn: &Txn, account_id: Uuid, except: Uuid) -> Result<bool> {
    let since = (txn.now() - REDEMPTION_TIMEOUT).fixed_offset();
    let unfinished = store::unfinished_redemptions(txn, account_id, since).await?;
    Ok(unfinished.iter().any(|gift| gift.id != except))
}

/// Checks that `account_id` can redeem a gift at `now`.
pub fn check_redeemable(gift: &Model, account_id: Uuid, now: DateTime<Utc>) -> Result<()> {
    if has_unfinished_redemption(gift, account_id) {
        return Ok(());
    }
    let refused = |code, message| Err(Error::refused(code, &["code"], message));
    match GiftStatus::parse(&gift.status)? {
        GiftStatus::Open | GiftStatus::Abandoned => refused("GIFT_NOT_PAID", "The gift is not paid yet."),
        GiftStatus::Redeemed => refused("GIFT_REDEEMED", "The gift was redeemed before."),
        GiftStatus::Refunded => refused("GIFT_REFUNDED", "The gift was refunded to its buyer."),
        GiftStatus::Paid if gift.expires_at.is_some_and(|at| at <= now.fixed_offset()) => {
            refused("GIFT_EXPIRED", "The gift has expired.")
        }
        GiftStatus::Paid => Ok(()),
    }
}

/// Returns whether `account_id` has redeemed a gift without a resulting subscription yet.
fn has_unfinished_redemption(gift: &Model, account_id: Uuid) -> bool {
    gift.redeemed_account_id == Some(account_id) && gift.subscription_id.is_none()
}

/// Reverts the redemption of a gift, because Stripe refused it. The gift can be redeemed again.
pub async fn release_redemption(txn: &Txn, id: Uuid) -> Result<()> {
    let Some(gift) = store::lock_by_id(txn, id).await? else { return Ok(()) };
    if GiftStatus::parse(&gift.status)? != GiftStatus::Redeemed || gift.subscription_id.is_some() {
        return Ok(());
    }
    // The payment may have been refunded meanwhile.
    let is_returned = matches!(payments::standing(txn, gift.payment_id).await?, Standing::Returned(_));
    let released = ActiveModel {
        id: Set(id),
        status: Set(if is_returned { GiftStatus::Refunded } else { GiftStatus::Paid }.to_string()),
        redeemed_by_user: Set(None),
        redeemed_account_id: Set(None),
        redeemed_at: Set(None),
        ..Default::default()
    };
    Entity::update(released).exec(txn).await?;
    Ok(())
}

/// Abandons a gift that is not paid, because Stripe refused its checkout.
pub async fn abandon(txn: &Txn, id: Uuid) -> Result<()> {
    let Some(gift) = store::lock_by_id(txn, id).await? else { return Ok(()) };
    if GiftStatus::parse(&gift.status)? == GiftStatus::Open {
        let status = Set(GiftStatus::Abandoned.to_string());
        Entity::update(ActiveModel { id: Set(id), status, ..Default::default() }).exec(txn).await?;
    }
    Ok(())
}

/// Returns the refusal of a code, for every kind of wrong code alike.
pub fn unknown() -> Error {
    Error::refused("GIFT_NOT_FOUND", &["code"], "No gift has this code.")
}
