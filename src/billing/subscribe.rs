//! A subscription without a checkout: the application's own page asks for the card.

use super::checkout::{may_subscribe, trial_days};
use super::customer::{Customer, customer};
use super::earlier::{CREATE, PURCHASES, place_alone};
use super::offer::offer;
use super::order::{Order, again};
use super::promo_code::discounts;
use super::subscription::mirrored;
use crate::accounts::payer;
use crate::app::App;
use crate::auth::Viewer;
use crate::db::Txn;
use crate::error::Result;
use crate::outbox::{self, Call, Done};
use chrono::{DateTime, Utc};
use entity::subscriptions::Model;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// What is told with a new subscription: what its first payment is confirmed with.
const EXPAND: [&str; 4] =
    ["latest_invoice.confirmation_secret", "latest_invoice.payments", "pending_setup_intent", "discounts"];

/// A subscription that is wanted.
#[derive(Debug, Clone, Serialize)]
pub struct NewSubscription {
    /// The price of a plan.
    pub price_id: Uuid,
    /// How many.
    pub quantity: i64,
    /// What the customer typed to get a discount.
    pub promo_code: Option<String>,
    /// Whether a trial that the price has is wanted; who had one gets none.
    pub with_trial: bool,
    /// Whose account; the caller's own where it is left out.
    pub account_id: Option<Uuid>,
}

/// A subscription that was made, or something that was paid, and what is left for the customer to do.
#[derive(Debug, Clone)]
pub struct Confirmable<M> {
    /// Our row of it.
    pub row: M,
    /// The secret that the page confirms it with at Stripe; `None` where there is nothing to confirm.
    pub client_secret: Option<String>,
}

/// Makes a subscription that waits for its first payment, which the customer's page confirms with the secret; one with a
/// trial, or that costs nothing at first, begins at once.
pub async fn create_subscription(
    app: &App,
    viewer: &Viewer,
    new: NewSubscription,
    key: &str,
) -> Result<Confirmable<Model>> {
    let input = new.clone();
    let order = Order { operation: "subscriptions.create", key, input: &input };
    let done = match again(app, viewer, &order).await? {
        Some(done) => done,
        None => {
            let customer = customer(app, viewer, new.account_id).await?;
            let (person, create) = (customer.person, Create { viewer: viewer.clone(), customer, new, now: app.now() });
            place_alone(app, viewer, (person, PURCHASES), order, move |txn| Box::pin(create.prepare(txn))).await?
        }
    };
    let row = mirrored(app, &done.object_id).await?;
    let client_secret = if row.status == "incomplete" || row.trial_start.is_some() {
        secret_of(&subscription(app, done).await?)
    } else {
        None
    };
    Ok(Confirmable { row, client_secret })
}

/// The subscription as Stripe tells it, with its secrets: they are never kept, so they are asked for where the answer came
/// at another time.
async fn subscription(app: &App, done: Done) -> Result<Value> {
    match done.object {
        Some(object) if object["latest_invoice"].is_object() => Ok(object),
        _ => outbox::look_up(app, "subscriptions", &done.object_id, &EXPAND).await,
    }
}

fn secret_of(subscription: &Value) -> Option<String> {
    let secret = &subscription["latest_invoice"]["confirmation_secret"]["client_secret"];
    let secret = secret.as_str().or_else(|| subscription["pending_setup_intent"]["client_secret"].as_str());
    secret.map(str::to_owned)
}

#[derive(Clone)]
struct Create {
    viewer: Viewer,
    customer: Customer,
    new: NewSubscription,
    now: DateTime<Utc>,
}

impl Create {
    async fn prepare(self, txn: &Txn) -> Result<Call> {
        let Create { viewer, customer, new, now } = self;
        let payer = payer(txn, &viewer, Some(customer.account_id)).await?;
        let offer = offer(txn, new.price_id, new.quantity, &["plan"]).await?;
        may_subscribe(txn, &offer, customer.account_id).await?;
        let mut params = json!({
            "customer": customer.external_id,
            "items": [offer.item()],
            "payment_behavior": "default_incomplete",
            "payment_settings": {"save_default_payment_method": "on_subscription"},
            "metadata": customer.metadata,
            "expand": EXPAND,
        });
        if let Some(code) = &new.promo_code {
            params["discounts"] = discounts(txn, customer.account_id, code, now).await?;
        }
        if new.with_trial
            && let Some(days) = trial_days(txn, &offer, &payer.owner).await?
        {
            params["trial_period_days"] = json!(days);
            // Who leaves no card is not asked to pay for what they may have forgotten.
            params["trial_settings"] = json!({"end_behavior": {"missing_payment_method": "cancel"}});
        }
        Ok(Call {
            account_id: Some(customer.account_id),
            operation: CREATE,
            deletes: false,
            path: "subscriptions".to_owned(),
            params,
            key: None,
            persistent: false,
        })
    }
}
