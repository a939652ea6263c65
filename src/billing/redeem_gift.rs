//! Redeeming a gift.

use super::kernel::{Customer, PURCHASES_BEFORE_GIFTS, StripeAction, create_if_missing, customer_at_stripe, daily_key};
use crate::accounts::{authorize_payer, find_payer};
use crate::app::App;
use crate::auth::{GiftCode, Viewer};
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::gifts::{self, Redeemer};
use crate::outbox::{Operation, ProviderRequest};
use crate::{discounts, plans, subscriptions};
use entity::gifts::Model;
use serde_json::json;
use uuid::Uuid;

/// The coupon at Stripe that pays for the one period of a gift.
const COUPON: &str = "tollgate-gift";

/// A redeemed gift, and the subscription that it became.
#[derive(Debug, Clone)]
pub struct Redeemed {
    /// The gift.
    pub gift: Model,
    /// The subscription.
    pub subscription: entity::subscriptions::Model,
}

/// Redeems the gift of a code for an account, the caller's own by default: a subscription that costs nothing for one
/// period and then ends. A caller who has redeemed it already, under any key, continues that redemption as long as no
/// subscription has come of it.
pub async fn redeem_gift(
    app: &App,
    viewer: &Viewer,
    code: &str,
    account_id: Option<Uuid>,
    key: &str,
) -> Result<Redeemed> {
    viewer.require_signed_in()?;
    let code = GiftCode::parse(code);
    if code.is_some() {
        // A malformed code is no guess, so only well-formed ones count towards the limit.
        app.gift_attempts.check(&viewer.actor())?;
    }
    let input = (code.as_ref().map(GiftCode::hash), account_id);
    let action = StripeAction::new(app, viewer, Operation::RedeemGift, key, &input)?.without_card();
    let previous = action.previous_result().await?;
    let code = code.ok_or_else(gifts::unknown)?;
    let answer = match previous {
        Some(answer) => answer,
        None => {
            let gift = gifts::by_code(app.db.read(), &code).await?.ok_or_else(gifts::unknown)?;
            let payer = find_payer(app.db.read(), viewer, account_id).await?;
            gifts::check_redeemable(&gift, payer.account.id, app.now())?;
            if subscriptions::has_plan(app.db.read(), payer.account.id).await? {
                return Err(already_subscribed());
            }
            let customer = customer_at_stripe(app, viewer, payer).await?;
            ensure_coupon(app, viewer).await?;
            let (person, code) = (customer.person, code.clone());
            let executed = action.execute_exclusively(person, PURCHASES_BEFORE_GIFTS, move |txn, viewer| {
                Box::pin(request(txn, viewer, customer, code))
            });
            executed.await?
        }
    };
    let subscription = answer.subscription().await?;
    let gift = gifts::by_code(app.db.read(), &code).await?.ok_or_else(gifts::unknown)?;
    Ok(Redeemed { gift, subscription })
}

async fn request(txn: &Txn, viewer: &Viewer, customer: Customer, code: GiftCode) -> Result<ProviderRequest> {
    let redeemer = Redeemer::new(viewer, customer.account_id);
    let gift = gifts::claim(txn, &code, redeemer).await?;
    let account_id = authorize_payer(txn, viewer, Some(customer.account_id)).await?.account.id;
    let has_plan = subscriptions::has_plan(txn, account_id).await?;
    if has_plan || gifts::is_redeeming(txn, account_id, gift.id).await? {
        return Err(already_subscribed());
    }
    let sold_as = plans::sold_as(txn, "stripe", gift.price_id).await?.ok_or_else(|| {
        let message = "Stripe does not sell the price of the gift any more. Ask the seller to publish it again.";
        Error::refused("PRICE_NOT_AT_STRIPE", &["code"], message)
    })?;
    let mut metadata = customer.metadata;
    metadata["gift"] = json!(gift.id);
    let params = json!({
        "customer": customer.external_id, "items": [{"price": sold_as.external_id}],
        "discounts": [{"coupon": COUPON}], "cancel_at_period_end": true, "metadata": metadata,
    });
    // One redemption is one call, whatever the caller's key.
    let redeemed_at = gift.redeemed_at.map_or(0, |at| at.timestamp_micros());
    let key = format!("gift-{}-{redeemed_at}", gift.id);
    let request = ProviderRequest::post(Operation::RedeemGift, "subscriptions");
    Ok(request.account(account_id).params(params).key(key).persistent())
}

fn already_subscribed() -> Error {
    let message = "The account already has a plan. Redeem the gift when that has ended.";
    Error::refused("ALREADY_SUBSCRIBED", &["accountId"], message)
}

/// Creates the coupon that pays for gifts, unless our records show it.
async fn ensure_coupon(app: &App, viewer: &Viewer) -> Result<()> {
    if discounts::has_coupon(app.db.read(), "stripe", COUPON).await? {
        return Ok(());
    }
    let params = json!({"id": COUPON, "percent_off": 100, "duration": "once", "name": "Gift"});
    let key = daily_key(app, &format!("coupon-{COUPON}"));
    let request =
        ProviderRequest::post(Operation::Named("coupons.create"), "coupons").params(params).key(key).persistent();
    create_if_missing(app, viewer, request).await.map(drop)
}
