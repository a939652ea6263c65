//! Subscribing without a checkout: the application's own page asks for the card.

use super::checkout::{check_before_customer, check_may_subscribe, trial_days};
use super::kernel::{Customer, PURCHASES, StripeAction, customer_at_stripe};
use super::offer::{Offer, offer};
use super::promo_code::discounts;
use crate::accounts::{authorize_payer, find_payer};
use crate::app::App;
use crate::auth::Viewer;
use crate::db::Txn;
use crate::error::Result;
use crate::outbox::{Operation, ProviderRequest};
use crate::plans::ProductKind;
use crate::subscriptions::SubscriptionStatus;
use entity::subscriptions::Model;
use sea_orm::ConnectionTrait;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// Fields of a new subscription that are needed whole: its first payment is confirmed with them.
const EXPAND: [&str; 4] =
    ["latest_invoice.confirmation_secret", "latest_invoice.payments", "pending_setup_intent", "discounts"];

/// A subscription to create.
#[derive(Debug, Clone, Serialize)]
pub struct NewSubscription {
    /// The price of a plan.
    pub price_id: Uuid,
    /// The number of units.
    pub quantity: i64,
    /// A promotion code, as the customer typed it.
    pub promo_code: Option<String>,
    /// Starts the trial that the price has, if the person has not had one.
    pub with_trial: bool,
    /// The account to bill; `None` for the caller's own.
    pub account_id: Option<Uuid>,
}

/// A subscription or payment that the customer may have to confirm.
#[derive(Debug, Clone)]
pub struct Confirmable<M> {
    /// Our row of it.
    pub row: M,
    /// The secret with which the page confirms it at Stripe; `None` if there is nothing to confirm.
    pub client_secret: Option<String>,
}

/// Creates a subscription that waits for its first payment, which the customer's page confirms with the secret. One with
/// a trial, or that costs nothing at first, begins at once.
pub async fn create_subscription(
    app: &App,
    viewer: &Viewer,
    new: NewSubscription,
    key: &str,
) -> Result<Confirmable<Model>> {
    let action = StripeAction::new(app, viewer, Operation::CreateSubscription, key, &new)?;
    let answer = match action.previous_result().await? {
        Some(answer) => answer,
        None => {
            let payer = find_payer(app.db.read(), viewer, new.account_id).await?;
            let offer = plan_offer(app.db.read(), &new).await?;
            check_before_customer(app, payer.account.id, offer, new.promo_code.clone()).await?;
            let customer = customer_at_stripe(app, viewer, payer).await?;
            let person = customer.person;
            let executed = action.execute_exclusively(person, PURCHASES, move |txn, viewer| {
                Box::pin(request(txn, viewer, customer, new))
            });
            executed.await?
        }
    };
    let row = answer.subscription().await?;
    let is_incomplete = SubscriptionStatus::parse(&row.status)? == SubscriptionStatus::Incomplete;
    let client_secret = if is_incomplete || row.trial_start.is_some() {
        client_secret(&answer.object("subscriptions", &EXPAND).await?)
    } else {
        None
    };
    Ok(Confirmable { row, client_secret })
}

fn client_secret(subscription: &Value) -> Option<String> {
    let secret = &subscription["latest_invoice"]["confirmation_secret"]["client_secret"];
    let secret = secret.as_str().or_else(|| subscription["pending_setup_intent"]["client_secret"].as_str());
    secret.map(str::to_owned)
}

async fn plan_offer(db: &impl ConnectionTrait, new: &NewSubscription) -> Result<Offer> {
    offer(db, new.price_id, new.quantity, &[ProductKind::Plan]).await
}

async fn request(txn: &Txn, viewer: &Viewer, customer: Customer, new: NewSubscription) -> Result<ProviderRequest> {
    let payer = authorize_payer(txn, viewer, Some(customer.account_id)).await?;
    let offer = plan_offer(txn, &new).await?;
    check_may_subscribe(txn, &offer, customer.account_id).await?;
    let mut params = json!({
        "customer": customer.external_id,
        "items": [offer.item()],
        "payment_behavior": "default_incomplete",
        "payment_settings": {"save_default_payment_method": "on_subscription"},
        "metadata": customer.metadata,
        "expand": EXPAND,
    });
    if let Some(code) = &new.promo_code {
        params["discounts"] = discounts(txn, customer.account_id, code).await?;
    }
    if new.with_trial
        && let Some(days) = trial_days(txn, &offer, &payer.owner).await?
    {
        params["trial_period_days"] = json!(days);
        // Without a card the trial ends without a bill, since the customer may have forgotten it.
        params["trial_settings"] = json!({"end_behavior": {"missing_payment_method": "cancel"}});
    }
    let request = ProviderRequest::post(Operation::CreateSubscription, "subscriptions");
    Ok(request.account(customer.account_id).params(params))
}
