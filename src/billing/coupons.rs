//! Creating coupons and promotion codes at Stripe.

use super::kernel::{StripeAction, customer_at_stripe};
use crate::accounts::{customers_of, find_payer};
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::db::Txn;
use crate::discounts::{self, NewCoupon, NewPromoCode};
use crate::error::{Error, Result};
use crate::outbox::{Operation, ProviderRequest};
use crate::plans;
use crate::providers::stripe::amount_of;
use entity::{coupons, promo_codes};
use serde_json::{Value, json};
use uuid::Uuid;

const CREATE_COUPON: Operation = Operation::Named("coupons.create");
const CREATE_PROMO_CODE: Operation = Operation::Named("promo_codes.create");
const DEACTIVATE_PROMO_CODE: Operation = Operation::Named("promo_codes.deactivate");

/// Creates a coupon.
pub async fn create_coupon(app: &App, viewer: &Viewer, new: NewCoupon, key: &str) -> Result<coupons::Model> {
    viewer.require(Permission::CatalogueWrite)?;
    let action = StripeAction::new(app, viewer, CREATE_COUPON, key, &new)?;
    if let Some(answer) = action.previous_result().await? {
        return answer.coupon().await;
    }
    new.check(app.now())?;
    let answer = action.execute_once(move |txn, _| {
        Box::pin(async move {
            new.check_unused(txn).await?;
            let params = coupon_params(&new, &products(txn, &new.plans).await?)?;
            Ok(ProviderRequest::post(CREATE_COUPON, "coupons").params(params).persistent())
        })
    });
    answer.await?.coupon().await
}

/// Creates a promotion code.
pub async fn create_promo_code(app: &App, viewer: &Viewer, new: NewPromoCode, key: &str) -> Result<promo_codes::Model> {
    viewer.require(Permission::CatalogueWrite)?;
    let action = StripeAction::new(app, viewer, CREATE_PROMO_CODE, key, &new)?;
    if let Some(answer) = action.previous_result().await? {
        return answer.promo_code().await;
    }
    new.check(app.now())?;
    let customer = match new.account_id {
        Some(account_id) => {
            let payer = find_payer(app.db.read(), viewer, Some(account_id)).await?;
            check_before_customer(app, &new, account_id).await?;
            Some(customer_at_stripe(app, viewer, payer).await?.external_id)
        }
        None => None,
    };
    let answer = action.execute_once(move |txn, _| {
        Box::pin(async move {
            let coupon = new.coupon(txn, customer.as_deref()).await?;
            let mut params = json!({"coupon": coupon.external_id, "code": new.code});
            if let Some(max) = new.max_redemptions {
                params["max_redemptions"] = json!(max);
            }
            if let Some(end) = new.expires_at {
                params["expires_at"] = json!(end.timestamp());
            }
            if let Some(customer) = customer {
                params["customer"] = json!(customer);
            }
            if new.first_purchase_only {
                params["restrictions"] = json!({"first_time_transaction": true});
            }
            Ok(ProviderRequest::post(CREATE_PROMO_CODE, "promotion_codes").params(params).persistent())
        })
    });
    answer.await?.promo_code().await
}

/// Refuses a code that cannot be created, so that it leaves no customer behind.
async fn check_before_customer(app: &App, new: &NewPromoCode, account_id: Uuid) -> Result<()> {
    let known = customers_of(app.db.read(), "stripe", account_id).await?;
    let known = known.into_iter().find(|known| !known.deleted).map(|known| known.external_id);
    let (new, customer) = (new.clone(), known.unwrap_or_else(|| "a customer to be created".to_owned()));
    app.db.write(move |txn| Box::pin(async move { new.coupon(txn, Some(&customer)).await.map(drop) })).await
}

/// Deactivates a promotion code. Customers who have its discount keep it.
pub async fn deactivate_promo_code(app: &App, viewer: &Viewer, id: Uuid, key: &str) -> Result<promo_codes::Model> {
    viewer.require(Permission::CatalogueWrite)?;
    let action = StripeAction::new(app, viewer, DEACTIVATE_PROMO_CODE, key, &id)?;
    let answer = action.execute_once(move |txn, _| {
        Box::pin(async move {
            let found = discounts::promo_code_by_id(txn, id).await?;
            let found = found.filter(|code| code.provider.as_deref() == Some("stripe"));
            let external_id = found.and_then(|code| code.external_id).ok_or_else(|| {
                let message = "Promotion code not found: `promoCodeId` must be a code at Stripe.";
                Error::refused("NOT_FOUND", &["promoCodeId"], message)
            })?;
            let path = format!("promotion_codes/{external_id}");
            let request = ProviderRequest::post(DEACTIVATE_PROMO_CODE, path);
            Ok(request.params(json!({"active": false})).persistent())
        })
    });
    answer.await?.promo_code().await
}

/// Returns the products at Stripe of the plans with these codes.
async fn products(txn: &Txn, codes: &[String]) -> Result<Vec<String>> {
    let mut products = Vec::new();
    for code in codes {
        let found = plans::products_there(txn, "stripe", code).await?;
        if found.is_empty() {
            let message = format!("Plan {code:?} not found at Stripe. Publish it there with publishPlanToStripe.");
            return Err(Error::refused("PLAN_NOT_FOUND", &["plans"], message));
        }
        products.extend(found);
    }
    Ok(products)
}

fn coupon_params(new: &NewCoupon, products: &[String]) -> Result<Value> {
    let mut params = json!({"id": new.code, "name": new.name, "duration": new.duration});
    if let Some(points) = new.percent_basis_points {
        params["percent_off"] = json!(percent(points));
    }
    if let Some(off) = &new.amount_off {
        params["amount_off"] = json!(amount_of(off.minor, &off.currency)?);
        params["currency"] = json!(off.currency.to_lowercase());
    }
    if let Some(months) = new.duration_months {
        params["duration_in_months"] = json!(months);
    }
    if let Some(max) = new.max_redemptions {
        params["max_redemptions"] = json!(max);
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
    Ok(params)
}

/// Returns hundredths of a percent as a decimal number.
fn percent(points: i64) -> String {
    let (whole, rest) = (points / 100, points % 100);
    let text = format!("{whole}.{rest:02}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
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
