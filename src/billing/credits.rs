//! Credits bought with the card that the customer has at Stripe.

use super::customer::{Customer, customer};
use super::offer::offer;
use super::order::{Order, again, asked, place};
use super::subscribe::Confirmable;
use crate::accounts::payer;
use crate::app::App;
use crate::auth::Viewer;
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::outbox::{self, Call};
use crate::payments;
use entity::payments::Model;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

/// Credits that are to be bought.
#[derive(Debug, Clone, Serialize)]
pub struct CreditPurchase {
    /// The price of a pack.
    pub price_id: Uuid,
    /// How many packs.
    pub quantity: i64,
    /// Whose account; the caller's own where it is left out.
    pub account_id: Option<Uuid>,
}

/// Charges the customer's card for a pack of credits, which are there when it is paid. Where the card's bank wants the
/// customer to confirm, their page does so with the secret.
pub async fn purchase_credits(
    app: &App,
    viewer: &Viewer,
    purchase: CreditPurchase,
    key: &str,
) -> Result<Confirmable<Model>> {
    let input = purchase.clone();
    let order = Order { operation: "credits.purchase", key, input: &input };
    let done = match again(app, viewer, &order).await? {
        Some(done) => done,
        None => {
            let customer = customer(app, viewer, purchase.account_id).await?;
            let card = card_of(app, &customer.external_id).await?;
            let pay = Pay { viewer: viewer.clone(), customer, card, purchase };
            place(app, viewer, order, move |txn| Box::pin(pay.prepare(txn))).await?
        }
    };
    let row = payments::by_external_id(app.db.read(), "stripe", &done.object_id).await?;
    let row =
        row.ok_or_else(|| Error::internal(anyhow::anyhow!("a payment was answered with that is not mirrored")))?;
    let client_secret = if row.status == "pending" {
        let intent = match done.object {
            Some(object) => object,
            None => outbox::look_up(app, "payment_intents", &done.object_id, &[]).await?,
        };
        intent["client_secret"].as_str().map(str::to_owned)
    } else {
        None
    };
    Ok(Confirmable { row, client_secret })
}

/// The card that a customer is charged by: the one they chose for invoices, else the one they saved last.
async fn card_of(app: &App, customer: &str) -> Result<String> {
    let known = outbox::look_up(app, "customers", customer, &[]).await?;
    if let Some(card) = known["invoice_settings"]["default_payment_method"].as_str() {
        return Ok(card.to_owned());
    }
    let saved = asked(outbox::client(app)?.read_below("customers", customer, "payment_methods").await)?;
    let newest = saved["data"][0]["id"].as_str().map(str::to_owned);
    newest.ok_or_else(|| {
        Error::refused("NO_PAYMENT_METHOD", &[], "there is no card at Stripe yet; let the customer buy in a checkout")
    })
}

struct Pay {
    viewer: Viewer,
    customer: Customer,
    card: String,
    purchase: CreditPurchase,
}

impl Pay {
    async fn prepare(self, txn: &Txn) -> Result<Call> {
        let Pay { viewer, customer, card, purchase } = self;
        payer(txn, &viewer, Some(customer.account_id)).await?;
        let offer = offer(txn, purchase.price_id, purchase.quantity, &["credit_pack"]).await?;
        let unknown = || Error::refused("PRICE_NOT_FOUND", &["priceId"], "the pack names no credits");
        let (credits, unit) = offer.credits.clone().filter(|_| !offer.recurs()).ok_or_else(unknown)?;
        let amount = offer.price.unit_amount_minor.checked_mul(offer.quantity);
        let amount = amount.ok_or_else(|| Error::refused("QUANTITY_INVALID", &["quantity"], "that is too much"))?;
        let mut metadata = customer.metadata;
        metadata["tollgate_credits"] = json!(credits);
        if let Some(unit) = unit {
            metadata["credit_unit"] = json!(unit);
        }
        Ok(Call {
            account_id: Some(customer.account_id),
            operation: "credits.purchase",
            deletes: false,
            path: "payment_intents".to_owned(),
            params: json!({
                "amount": amount,
                "currency": offer.price.currency.to_lowercase(),
                "customer": customer.external_id,
                "payment_method": card,
                "automatic_payment_methods": {"enabled": true, "allow_redirects": "never"},
                "confirm": true,
                "description": offer.product.name,
                "metadata": metadata,
                "expand": ["latest_charge"],
            }),
            key: None,
            persistent: false,
        })
    }
}
