//! Buying a gift.

use super::checkout::{Checkout, session};
use super::kernel::{StripeAction, customer_at_stripe};
use super::offer::offer;
use super::return_url::check_return_url;
use crate::accounts::find_payer;
use crate::app::App;
use crate::auth::{GiftCode, Viewer};
use crate::error::{Error, Result};
use crate::gifts::{self, GiftStatus, NewGift};
use crate::outbox::{Operation, ProviderRequest};
use crate::plans::ProductKind;
use crate::providers::stripe::amount_of;
use entity::gifts::Model;
use sea_orm::ConnectionTrait;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

/// A gift to buy, and the pages to which the buyer returns.
#[derive(Debug, Clone, Serialize)]
pub struct BuyGift {
    /// The gift.
    pub gift: NewGift,
    /// The account to bill; `None` for the caller's own.
    pub account_id: Option<Uuid>,
    /// The page after the payment.
    pub success_url: String,
    /// The page without a payment.
    pub cancel_url: String,
}

/// A gift with the checkout that sells it.
#[derive(Debug, Clone)]
pub struct Bought {
    /// The gift.
    pub gift: Model,
    /// The code, the first time it is shown; `None` later.
    pub code: Option<GiftCode>,
    /// The checkout; `None` once it is over.
    pub checkout: Option<Checkout>,
}

/// Starts a checkout for a gift. Its code is shown with the first answer that has a checkout, and is valid once the gift
/// is paid.
pub async fn buy_gift(app: &App, viewer: &Viewer, buy: BuyGift, key: &str) -> Result<Bought> {
    viewer.require_signed_in()?;
    let action = StripeAction::new(app, viewer, Operation::BuyGift, key, &buy)?.without_card();
    let answer = match action.previous_result().await? {
        Some(answer) => answer,
        None => {
            buy.gift.check(app.now())?;
            check_return_url(&buy.success_url, &["successUrl"])?;
            check_return_url(&buy.cancel_url, &["cancelUrl"])?;
            let payer = find_payer(app.db.read(), viewer, buy.account_id).await?;
            period(app.db.read(), buy.gift.price_id).await?;
            let customer = customer_at_stripe(app, viewer, payer).await?;
            action
                .execute_once(move |txn, _| {
                    Box::pin(async move {
                        let period = period(txn, buy.gift.price_id).await?;
                        let (amount, currency) = (period.amount_minor, period.currency);
                        let unit_amount = amount_of(amount, &currency)?;
                        let account_id = customer.account_id;
                        let gift_id = gifts::open(txn, account_id, buy.gift, amount, currency.clone()).await?;
                        let mut metadata = customer.metadata;
                        metadata["gift"] = json!(gift_id);
                        let line = json!({"quantity": 1, "price_data": {"currency": currency.to_ascii_lowercase(),
                            "unit_amount": unit_amount, "product": period.product}});
                        let params = json!({
                            "mode": "payment", "customer": customer.external_id, "line_items": [line],
                            "success_url": buy.success_url, "cancel_url": buy.cancel_url,
                            "metadata": metadata, "payment_intent_data": {"metadata": metadata},
                        });
                        let request = ProviderRequest::post(Operation::BuyGift, "checkout/sessions");
                        Ok(request.account(account_id).params(params))
                    })
                })
                .await?
        }
    };
    let code = gifts::first_code(app, answer.gift().await?.id).await?;
    let gift = answer.gift().await?;
    let is_open = GiftStatus::parse(&gift.status)? == GiftStatus::Open;
    let checkout = if is_open { Some(session(&answer)?) } else { None };
    Ok(Bought { gift, code, checkout })
}

/// One period of a plan.
struct Period {
    amount_minor: i64,
    currency: String,
    /// The id of the product at Stripe.
    product: String,
}

/// Returns what one period of a recurring price of a plan costs.
async fn period(db: &impl ConnectionTrait, price_id: Uuid) -> Result<Period> {
    let offer = offer(db, price_id, 1, &[ProductKind::Plan]).await?;
    if !offer.is_recurring() || offer.price.unit_amount_minor < 1 {
        let message = "`priceId` must be a recurring price of a plan that is not free.";
        return Err(Error::refused("PRICE_NOT_GIFTABLE", &["priceId"], message));
    }
    Ok(Period {
        amount_minor: offer.price.unit_amount_minor,
        currency: offer.price.currency,
        product: offer.sold_as.product_external_id,
    })
}
