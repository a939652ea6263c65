//! Coupons, and the codes that customers type to get them.

use super::customer::customer;
use super::order::{Order, again, place};
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::money::is_currency;
use crate::outbox::Call;
use crate::{discounts, plans};
use chrono::{DateTime, TimeDelta, Utc};
use entity::{coupons, promo_codes};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// The longest name of a coupon, and the longest code.
const LONGEST: (usize, usize) = (40, 64);
/// The most that numbers of uses and months can be, and the most that a coupon takes off.
const MOST: (i64, i64, i64) = (1_000_000_000, 120, 99_999_999);
/// For how long a coupon can be had at most.
const LONGEST_TIME: TimeDelta = TimeDelta::days(5 * 365);

/// A coupon that is to be.
#[derive(Debug, Clone, Serialize)]
pub struct NewCoupon {
    /// The stable name for machines, and its id at Stripe.
    pub code: String,
    /// The name for people; it stands on invoices.
    pub name: String,
    /// What it takes off, in hundredths of a percent.
    pub percent_basis_points: Option<i64>,
    /// What it takes off, with its currency.
    pub amount_off: Option<(i64, String)>,
    /// `once`, `repeating` or `forever`.
    pub duration: &'static str,
    /// For how many months it repeats.
    pub duration_months: Option<i64>,
    /// How often it can be used.
    pub max_redemptions: Option<i64>,
    /// Until when it can be used.
    pub redeem_by: Option<DateTime<Utc>>,
    /// Whether each account can use it once alone.
    pub once_per_account: bool,
    /// The codes of the plans that it is for; empty for all.
    pub plans: Vec<String>,
}

/// A promotion code that is to be.
#[derive(Debug, Clone, Serialize)]
pub struct NewPromoCode {
    /// What it gives.
    pub coupon_id: Uuid,
    /// What is typed.
    pub code: String,
    /// How often it can be used.
    pub max_redemptions: Option<i64>,
    /// Until when it can be used.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether it is for those alone who never paid before.
    pub first_purchase_only: bool,
    /// The account that it is for alone.
    pub account_id: Option<Uuid>,
}

/// Makes a coupon.
pub async fn create_coupon(app: &App, viewer: &Viewer, new: NewCoupon, key: &str) -> Result<coupons::Model> {
    viewer.require(Permission::CatalogueWrite)?;
    check(&new, app.now())?;
    let input = new.clone();
    let order = Order { operation: "coupons.create", key, input: &input };
    let done = place(app, viewer, order, move |txn| {
        Box::pin(async move {
            if discounts::coupon_with_code(txn, &new.code).await?.is_some() {
                return Err(Error::refused("CODE_TAKEN", &["code"], "another coupon has this code"));
            }
            let products = products(txn, &new.plans).await?;
            Ok(call("coupons.create", "coupons".to_owned(), coupon_params(&new, &products)))
        })
    });
    let id = done.await?.object_id;
    discounts::coupon_at_stripe(app.db.read(), &id).await?.ok_or_else(|| unmirrored("a coupon"))
}

/// Makes a promotion code.
pub async fn create_promo_code(app: &App, viewer: &Viewer, new: NewPromoCode, key: &str) -> Result<promo_codes::Model> {
    viewer.require(Permission::CatalogueWrite)?;
    checked_code(&new.code)?;
    checked_use(new.max_redemptions, ("expiresAt", new.expires_at), app.now())?;
    let input = new.clone();
    let order = Order { operation: "promo_codes.create", key, input: &input };
    if let Some(done) = again(app, viewer, &order).await? {
        return promo_code(app, &done.object_id).await;
    }
    let only = match new.account_id {
        Some(account_id) => Some(customer(app, viewer, Some(account_id)).await?.external_id),
        None => None,
    };
    let done = place(app, viewer, order, move |txn| {
        Box::pin(async move {
            let found = discounts::coupon_by_id(txn, new.coupon_id).await?;
            let unknown = || Error::refused("COUPON_NOT_FOUND", &["couponId"], "there is no such coupon at Stripe");
            let coupon = found.filter(|coupon| coupon.provider.as_deref() == Some("stripe")).ok_or_else(unknown)?;
            if !coupon.active {
                return Err(Error::refused("COUPON_ENDED", &["couponId"], "the coupon can not be used any more"));
            }
            if discounts::is_code_taken(txn, &new.code, only.as_deref()).await? {
                return Err(Error::refused("CODE_TAKEN", &["code"], "a code with these letters is in use"));
            }
            let mut params = json!({"coupon": coupon.external_id, "code": new.code});
            let most = new.max_redemptions.map(|most| ("max_redemptions", json!(most)));
            let expiry = new.expires_at.map(|end| ("expires_at", json!(end.timestamp())));
            let only = only.map(|customer| ("customer", json!(customer)));
            let first = ("restrictions", json!({"first_time_transaction": true}));
            let first = new.first_purchase_only.then_some(first);
            for (name, value) in [most, expiry, only, first].into_iter().flatten() {
                params[name] = value;
            }
            Ok(call("promo_codes.create", "promotion_codes".to_owned(), params))
        })
    });
    promo_code(app, &done.await?.object_id).await
}

/// Ends a promotion code; who has its discount keeps it.
pub async fn deactivate_promo_code(app: &App, viewer: &Viewer, id: Uuid, key: &str) -> Result<promo_codes::Model> {
    viewer.require(Permission::CatalogueWrite)?;
    let order = Order { operation: "promo_codes.deactivate", key, input: &id };
    let done = place(app, viewer, order, move |txn| {
        Box::pin(async move {
            let found = discounts::promo_code_by_id(txn, id).await?;
            let unknown = || Error::refused("NOT_FOUND", &["promoCodeId"], "there is no such promotion code at Stripe");
            let found = found.filter(|code| code.provider.as_deref() == Some("stripe")).ok_or_else(unknown)?;
            let external_id = found.external_id.ok_or_else(unknown)?;
            Ok(call("promo_codes.deactivate", format!("promotion_codes/{external_id}"), json!({"active": false})))
        })
    });
    promo_code(app, &done.await?.object_id).await
}

async fn promo_code(app: &App, external_id: &str) -> Result<promo_codes::Model> {
    let found = discounts::promo_code_at_stripe(app.db.read(), external_id).await?;
    found.ok_or_else(|| unmirrored("a promotion code"))
}

fn unmirrored(what: &str) -> Error {
    Error::internal(anyhow::anyhow!("{what} was answered with that is not mirrored"))
}

fn call(operation: &'static str, path: String, params: Value) -> Call {
    Call { account_id: None, operation, deletes: false, path, params, key: None, persistent: true }
}

/// The products at Stripe of the plans with these codes.
async fn products(txn: &Txn, codes: &[String]) -> Result<Vec<String>> {
    let mut products = Vec::new();
    for code in codes {
        let found = plans::products_there(txn, "stripe", code).await?;
        if found.is_empty() {
            let message = format!("there is no plan {code:?} at Stripe; put it on sale there first");
            return Err(Error::refused("PLAN_NOT_FOUND", &["plans"], message));
        }
        products.extend(found);
    }
    Ok(products)
}

fn coupon_params(new: &NewCoupon, products: &[String]) -> Value {
    let mut params = json!({"id": new.code, "name": new.name, "duration": new.duration});
    if let Some(points) = new.percent_basis_points {
        params["percent_off"] = json!(percent(points));
    }
    if let Some((amount, currency)) = &new.amount_off {
        params["amount_off"] = json!(amount);
        params["currency"] = json!(currency.to_lowercase());
    }
    if let Some(months) = new.duration_months {
        params["duration_in_months"] = json!(months);
    }
    if let Some(most) = new.max_redemptions {
        params["max_redemptions"] = json!(most);
    }
    if let Some(end) = new.redeem_by {
        params["redeem_by"] = json!(end.timestamp());
    }
    if new.once_per_account {
        params["metadata"] = json!({"tollgate_once_per_account": "true"});
    }
    if !products.is_empty() {
        params["applies_to"] = json!({"products": products});
    }
    params
}

/// Hundredths of a percent as a decimal number.
fn percent(points: i64) -> String {
    let (whole, rest) = (points / 100, points % 100);
    let text = format!("{whole}.{rest:02}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn check(new: &NewCoupon, now: DateTime<Utc>) -> Result<()> {
    checked_code(&new.code)?;
    if new.name.trim().is_empty() || new.name.chars().count() > LONGEST.0 {
        return Err(Error::refused("NAME_INVALID", &["name"], "the name of a coupon has 1 to 40 characters"));
    }
    let is_fair = match (new.percent_basis_points, &new.amount_off) {
        (Some(points), None) => (1..=10_000).contains(&points),
        (None, Some((amount, currency))) => (1..=MOST.2).contains(amount) && is_currency(currency),
        _ => false,
    };
    if !is_fair {
        let message = "a coupon takes off either 1 to 10,000 hundredths of a percent, or 1 to 99,999,999 minor units \
            of a currency in upper case";
        return Err(Error::refused("DISCOUNT_INVALID", &[], message));
    }
    let is_fair = match new.duration_months {
        Some(months) => new.duration == "repeating" && (1..=MOST.1).contains(&months),
        None => new.duration != "repeating",
    };
    if !is_fair {
        let message = "a repeating coupon, and no other, lasts for 1 to 120 months";
        return Err(Error::refused("DURATION_INVALID", &["durationMonths"], message));
    }
    checked_use(new.max_redemptions, ("redeemBy", new.redeem_by), now)
}

fn checked_code(code: &str) -> Result<()> {
    let is_fair = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !code.is_empty() && code.len() <= LONGEST.1 && code.bytes().all(is_fair) {
        return Ok(());
    }
    Err(Error::refused("CODE_INVALID", &["code"], "a code is 1 to 64 letters without marks, digits, '-' and '_'"))
}

fn checked_use(most: Option<i64>, (field, end): (&str, Option<DateTime<Utc>>), now: DateTime<Utc>) -> Result<()> {
    if most.is_some_and(|most| !(1..=MOST.0).contains(&most)) {
        return Err(Error::refused("CAP_INVALID", &["maxRedemptions"], "it can be used once to 1,000,000,000 times"));
    }
    if end.is_some_and(|end| end <= now || end > now + LONGEST_TIME) {
        let field: &[&str] = if field == "redeemBy" { &["redeemBy"] } else { &["expiresAt"] };
        return Err(Error::refused("EXPIRY_INVALID", field, "it ends later than now, and within five years"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_written_without_floats() {
        for (points, written) in [(1, "0.01"), (10, "0.1"), (2_500, "25"), (1_250, "12.5"), (3_333, "33.33")] {
            assert_eq!(percent(points), written);
        }
        assert_eq!(percent(10_000), "100");
    }
}
