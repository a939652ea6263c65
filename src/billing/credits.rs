//! Buying credits with the card that the customer has at Stripe.

use super::kernel::{Customer, StripeAction, customer_at_stripe, error_of_call};
use super::offer::{Offer, PackCredits, offer};
use super::subscribe::Confirmable;
use crate::accounts::{authorize_payer, customers_of, find_payer};
use crate::app::App;
use crate::auth::Viewer;
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::outbox::{self, Operation, ProviderRequest};
use crate::payments::PaymentStatus;
use crate::plans::ProductKind;
use crate::providers::stripe::amount_of;
use entity::payments::Model;
use sea_orm::ConnectionTrait;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

const PURCHASE_CREDITS: Operation = Operation::Named("credits.purchase");

/// A purchase of credits.
#[derive(Debug, Clone, Serialize)]
pub struct CreditPurchase {
    /// The price of a pack.
    pub price_id: Uuid,
    /// The number of packs.
    pub quantity: i64,
    /// The account to bill; `None` for the caller's own.
    pub account_id: Option<Uuid>,
}

/// Charges the customer's card for packs of credits, which are granted when the payment succeeds. If the card's bank
/// requires a confirmation, the customer's page gives it with the secret.
pub async fn purchase_credits(
    app: &App,
    viewer: &Viewer,
    purchase: CreditPurchase,
    key: &str,
) -> Result<Confirmable<Model>> {
    let action = StripeAction::new(app, viewer, PURCHASE_CREDITS, key, &purchase)?;
    let answer = match action.previous_result().await? {
        Some(answer) => answer,
        None => {
            let payer = find_payer(app.db.read(), viewer, purchase.account_id).await?;
            let offer = pack(app.db.read(), &purchase).await?.0;
            amount(&offer)?;
            if !customers_of(app.db.read(), "stripe", payer.account.id).await?.iter().any(|known| !known.deleted) {
                return Err(no_card());
            }
            let customer = customer_at_stripe(app, viewer, payer).await?;
            let card = card_of(app, &customer.external_id).await?;
            action.execute_once(move |txn, viewer| Box::pin(request(txn, viewer, customer, card, purchase))).await?
        }
    };
    let row = answer.payment().await?;
    let client_secret = if PaymentStatus::parse(&row.status)? == PaymentStatus::Pending {
        answer.object("payment_intents", &[]).await?["client_secret"].as_str().map(str::to_owned)
    } else {
        None
    };
    Ok(Confirmable { row, client_secret })
}

/// Returns the card to charge: the one that the customer chose for invoices, else the one that was saved last.
async fn card_of(app: &App, customer: &str) -> Result<String> {
    let known = outbox::fetch_object(app, "customers", customer, &[]).await?;
    if let Some(card) = known["invoice_settings"]["default_payment_method"].as_str() {
        return Ok(card.to_owned());
    }
    let saved = outbox::client(app)?.read_below("customers", customer, "payment_methods").await;
    let newest = saved.map_err(error_of_call)?["data"][0]["id"].as_str().map(str::to_owned);
    newest.ok_or_else(no_card)
}

fn no_card() -> Error {
    let message = "No payment method on file: sell the pack in a checkout with startCheckout, which collects one.";
    Error::refused("NO_PAYMENT_METHOD", &[], message)
}

/// Returns the price of all packs.
fn amount(offer: &Offer) -> Result<i64> {
    offer
        .price
        .unit_amount_minor
        .checked_mul(offer.quantity)
        .ok_or_else(|| Error::refused("QUANTITY_INVALID", &["quantity"], "`quantity` is too large for this price."))
}

/// Returns the offer of the pack, and the credits that it holds.
async fn pack(db: &impl ConnectionTrait, purchase: &CreditPurchase) -> Result<(Offer, PackCredits)> {
    let offer = offer(db, purchase.price_id, purchase.quantity, &[ProductKind::CreditPack]).await?;
    match offer.credits.clone().filter(|_| !offer.is_recurring()) {
        Some(credits) => Ok((offer, credits)),
        None => {
            let message = "`priceId` must be a price that is paid once, of a pack that says how many credits it holds.";
            Err(Error::refused("PRICE_NOT_FOUND", &["priceId"], message))
        }
    }
}

async fn request(
    txn: &Txn,
    viewer: &Viewer,
    customer: Customer,
    card: String,
    purchase: CreditPurchase,
) -> Result<ProviderRequest> {
    authorize_payer(txn, viewer, Some(customer.account_id)).await?;
    let (offer, credits) = pack(txn, &purchase).await?;
    let amount = amount(&offer)?;
    let mut metadata = customer.metadata;
    metadata["tollgate_credits"] = json!(credits.amount);
    if let Some(unit) = &credits.unit {
        metadata["credit_unit"] = json!(unit);
    }
    let params = json!({
        "amount": amount_of(amount, &offer.price.currency)?,
        "currency": offer.price.currency.to_lowercase(),
        "customer": customer.external_id,
        "payment_method": card,
        "automatic_payment_methods": {"enabled": true, "allow_redirects": "never"},
        "confirm": true,
        "description": offer.product.name,
        "metadata": metadata,
        "expand": ["latest_charge"],
    });
    let request = ProviderRequest::post(PURCHASE_CREDITS, "payment_intents");
    Ok(request.account(customer.account_id).params(params))
}
