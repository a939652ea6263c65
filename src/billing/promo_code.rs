//! The promotion code that an account may use, with what is under way for it taken into account.

use crate::db::Txn;
use crate::error::{Error, Result};
use crate::outbox;
use crate::payments::{self, Redeemable};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// For how long a call that was answered counts as under way: until its discount is certainly here.
const ARRIVES_WITHIN: TimeDelta = TimeDelta::hours(1);

/// The same as [`payments::redeemable`], for who holds the lock on the account's row: of two requests of one account
/// with a code that is for each account once, the second is refused although the first is not answered yet.
pub async fn redeemable(txn: &Txn, account_id: Uuid, code: &str, now: DateTime<Utc>) -> Result<Redeemable> {
    let found = payments::redeemable(txn, account_id, code, now).await?;
    if !found.coupon.once_per_account {
        return Ok(found);
    }
    let external_id = found.promo_code.external_id.as_deref().unwrap_or_default();
    let calls = outbox::under_way(txn, account_id, now - ARRIVES_WITHIN).await?;
    // A checkout that is open is no use yet, and may be left.
    let is_checkout = |path: &str| path.starts_with("checkout/");
    let mut calls = calls.iter().filter(|call| call.state == "pending" || !is_checkout(&call.path));
    let names_it = |discount: &serde_json::Value| discount["promotion_code"] == external_id;
    if calls.any(|call| call.params["discounts"].as_array().is_some_and(|given| given.iter().any(names_it))) {
        let message = "each account can use the promotion code once, and this one is using it already";
        return Err(Error::refused("PROMO_CODE_ALREADY_USED", &["promoCode"], message));
    }
    Ok(found)
}
