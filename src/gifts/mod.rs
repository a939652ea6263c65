//! Gifts: one period of a plan that one account pays for and another has.
//!
//! Invariants: a gift is redeemed once, which the lock on its row keeps; it can be redeemed only while its payment
//! stands; its code is shown once and stored as a hash. The code is made when the checkout is, so that it is not lost
//! where Stripe was away, and the buyer can have it replaced until it is used.

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

/// The longest message to whoever gets a gift.
const LONGEST_MESSAGE: usize = 500;
/// The longest e-mail address there can be.
const LONGEST_EMAIL: usize = 254;
/// After this time a redemption of which nothing was heard will never be: Stripe is not asked again.
const GIVEN_UP: TimeDelta = TimeDelta::hours(24);

/// A gift that is to be bought.
#[derive(Debug, Clone, Serialize)]
pub struct NewGift {
    /// The recurring price of a plan, of which it is one period.
    pub price_id: Uuid,
    /// Who is to get it, for the buyer's own list: Tollgate sends no mail.
    pub recipient_email: Option<String>,
    /// What the buyer has to say with it.
    pub message: Option<String>,
    /// Until when it can be redeemed; `None` for ever.
    pub expires_at: Option<DateTime<Utc>>,
}

impl NewGift {
    /// Refuses what is no gift at `now`.
    pub fn check(&self, now: DateTime<Utc>) -> Result<()> {
        let email = self.recipient_email.as_deref();
        if email.is_some_and(|email| email.len() > LONGEST_EMAIL || !email.trim_matches('@').contains('@')) {
            return Err(Error::refused("EMAIL_INVALID", &["recipientEmail"], "this is no e-mail address"));
        }
        if self.message.as_ref().is_some_and(|message| message.chars().count() > LONGEST_MESSAGE) {
            return Err(Error::refused("MESSAGE_TOO_LONG", &["message"], "a message has at most 500 characters"));
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(Error::refused("EXPIRES_AT_INVALID", &["expiresAt"], "it lies in the past"));
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

/// Who redeems a gift.
#[derive(Debug, Clone, Copy)]
pub struct Redeemer {
    /// For this account.
    pub account_id: Uuid,
    /// The user who does; `None` for a service.
    pub user_id: Option<Uuid>,
}

impl Redeemer {
    /// The account of `viewer` that redeems.
    pub fn new(viewer: &Viewer, account_id: Uuid) -> Redeemer {
        Redeemer { account_id, user_id: viewer.user_id() }
    }
}

/// Redeems the gift of a code, under the lock on its row: of several who try, one has it. The same account again has the
/// same redemption again, as long as nothing came of it.
pub async fn claim(txn: &Txn, code: &GiftCode, redeemer: Redeemer, now: DateTime<Utc>) -> Result<Model> {
    let gift = store::lock_by_code(txn, code).await?.ok_or_else(unknown)?;
    if is_begun(&gift, redeemer.account_id) {
        let given_up = gift.redeemed_at.is_some_and(|at| now.fixed_offset() - at > GIVEN_UP);
        if !given_up {
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

/// Whether `account_id` is redeeming another gift than `but`, of which a subscription may still come.
pub async fn is_redeeming(txn: &Txn, account_id: Uuid, but: Uuid, now: DateTime<Utc>) -> Result<bool> {
    let begun = store::begun(txn, account_id, (now - GIVEN_UP).fixed_offset()).await?;
    Ok(begun.iter().any(|gift| gift.id != but))
}

/// Refuses a gift that `account_id` cannot redeem at `now`.
pub fn check_redeemable(gift: &Model, account_id: Uuid, now: DateTime<Utc>) -> Result<()> {
    if is_begun(gift, account_id) {
        return Ok(());
    }
    let refused = |code, message| Err(Error::refused(code, &["code"], message));
    match GiftStatus::parse(&gift.status)? {
        GiftStatus::Open | GiftStatus::Abandoned => refused("GIFT_NOT_PAID", "the gift is not paid yet"),
        GiftStatus::Redeemed => refused("GIFT_REDEEMED", "the gift was redeemed before"),
        GiftStatus::Refunded => refused("GIFT_REFUNDED", "its buyer has the money back"),
        GiftStatus::Paid if gift.expires_at.is_some_and(|at| at <= now.fixed_offset()) => {
            refused("GIFT_EXPIRED", "the time in which it could be redeemed is over")
        }
        GiftStatus::Paid => Ok(()),
    }
}

/// Whether `account_id` has redeemed a gift of which no subscription has come yet.
fn is_begun(gift: &Model, account_id: Uuid) -> bool {
    gift.redeemed_account_id == Some(account_id) && gift.subscription_id.is_none()
}

/// Reverts the redemption of a gift, because Stripe refused it. The gift can be redeemed again.
pub async fn release_redemption(txn: &Txn, id: Uuid) -> Result<()> {
    let Some(gift) = store::lock_by_id(txn, id).await? else { return Ok(()) };
    if GiftStatus::parse(&gift.status)? != GiftStatus::Redeemed || gift.subscription_id.is_some() {
        return Ok(());
    }
    // Its money may have gone back meanwhile.
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

/// What a code is answered with that is wrong in whatever way.
pub fn unknown() -> Error {
    Error::refused("GIFT_NOT_FOUND", &["code"], "there is no gift with this code")
}
