//! Buying in a checkout at Stripe, and Stripe's billing portal.

use super::kernel::{Answer, CHECKOUT_LIFETIME, Customer, PURCHASES, StripeAction, ask, customer_at_stripe};
use super::offer::{Offer, offer};
use super::promo_code::{check_redeemable, discounts};
use super::return_url::check_return_url;
use crate::accounts::{authorize_payer, find_payer};
use crate::app::App;
use crate::auth::Viewer;
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::outbox::{Operation, ProviderRequest};
use crate::plans::ProductKind;
use crate::subscriptions;
use entity::users;
use sea_orm::ConnectionTrait;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// A purchase in a checkout.
#[derive(Debug, Clone, Serialize)]
pub struct Purchase {
    /// The price: of a plan, of an add-on that is paid once, or of a pack of credits.
    pub price_id: Uuid,
    /// The number of units.
    pub quantity: i64,
    /// A promotion code, as the customer typed it.
    pub promo_code: Option<String>,
    /// Starts the trial that the price has, if the person has not had one.
    pub with_trial: bool,
    /// The page to which the customer returns after the payment.
    pub success_url: String,
    /// The page to which the customer returns without a payment.
    pub cancel_url: Option<String>,
    /// The account to bill; `None` for the caller's own.
    pub account_id: Option<Uuid>,
}

/// A checkout at Stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// The id of the session at Stripe.
    pub session_external_id: String,
    /// The page to send the customer to, which is open for 23 hours.
    pub url: String,
}

/// Starts a checkout. A person has one open checkout for a plan: the next one expires it.
pub async fn start_checkout(app: &App, viewer: &Viewer, purchase: Purchase, key: &str) -> Result<Checkout> {
    let action = StripeAction::new(app, viewer, Operation::Named("checkout.start"), key, &purchase)?;
    if let Some(answer) = action.previous_result().await? {
        return session(&answer);
    }
    check_return_url(&purchase.success_url, &["successUrl"])?;
    if let Some(url) = &purchase.cancel_url {
        check_return_url(url, &["cancelUrl"])?;
    }
    let payer = find_payer(app.db.read(), viewer, purchase.account_id).await?;
    let offer = purchasable(app.db.read(), &purchase).await?;
    let is_recurring = offer.is_recurring();
    check_before_customer(app, payer.account.id, offer, purchase.promo_code.clone()).await?;
    let customer = customer_at_stripe(app, viewer, payer).await?;
    let person = customer.person;
    let answer = if is_recurring {
        action
            .execute_exclusively(person, PURCHASES, move |txn, viewer| {
                Box::pin(request(txn, viewer, customer, purchase))
            })
            .await?
    } else {
        action.execute_once(move |txn, viewer| Box::pin(request(txn, viewer, customer, purchase))).await?
    };
    session(&answer)
}

/// Returns the checkout in the answer.
pub(super) fn session(answer: &Answer<'_>) -> Result<Checkout> {
    let url = answer.url().ok_or_else(|| Error::internal(anyhow::anyhow!("A checkout at Stripe has no page.")))?;
    Ok(Checkout { session_external_id: answer.object_id().to_owned(), url: url.to_owned() })
}

async fn purchasable(db: &impl ConnectionTrait, purchase: &Purchase) -> Result<Offer> {
    let kinds = [ProductKind::Plan, ProductKind::CreditPack, ProductKind::Addon];
    offer(db, purchase.price_id, purchase.quantity, &kinds).await
}

async fn request(txn: &Txn, viewer: &Viewer, customer: Customer, purchase: Purchase) -> Result<ProviderRequest> {
    let payer = authorize_payer(txn, viewer, Some(customer.account_id)).await?;
    let offer = purchasable(txn, &purchase).await?;
    let mut params = json!({
        "mode": if offer.is_recurring() { "subscription" } else { "payment" },
        "customer": customer.external_id,
        "client_reference_id": payer.owner.id,
        "line_items": [offer.item()],
        "success_url": purchase.success_url,
        "expires_at": (txn.now() + CHECKOUT_LIFETIME).timestamp(),
        "metadata": session_metadata(&customer.metadata, &offer),
    });
    if let Some(url) = purchase.cancel_url {
        params["cancel_url"] = json!(url);
    }
    if let Some(code) = &purchase.promo_code {
        params["discounts"] = discounts(txn, customer.account_id, code).await?;
    }
    let operation = if offer.is_recurring() {
        check_may_subscribe(txn, &offer, customer.account_id).await?;
        params["subscription_data"] = json!({"metadata": customer.metadata});
        if purchase.with_trial
            && let Some(days) = trial_days(txn, &offer, &payer.owner).await?
        {
            params["subscription_data"]["trial_period_days"] = json!(days);
        }
        Operation::SubscribeInCheckout
    } else {
        params["payment_intent_data"] = json!({"metadata": customer.metadata});
        Operation::PayInCheckout
    };
    Ok(ProviderRequest::post(operation, "checkout/sessions").account(customer.account_id).params(params))
}

/// Returns the metadata of a session, by which the inbox knows what to grant when it is paid.
fn session_metadata(metadata: &Value, offer: &Offer) -> Value {
    let mut metadata = metadata.clone();
    if let Some(credits) = &offer.credits {
        metadata["credits"] = json!(credits.amount);
        if let Some(unit) = &credits.unit {
            metadata["credit_unit"] = json!(unit);
        }
    } else if offer.kind == ProductKind::Addon {
        metadata["addon"] = json!(offer.product.code);
    }
    metadata
}

/// Refuses what is refused whatever else is pending, so that such a purchase leaves no customer behind and ends no checkout.
pub(super) async fn check_before_customer(
    app: &App,
    account_id: Uuid,
    offer: Offer,
    promo_code: Option<String>,
) -> Result<()> {
    if offer.is_recurring() {
        check_may_subscribe(app.db.read(), &offer, account_id).await?;
    }
    let Some(code) = promo_code else { return Ok(()) };
    check_redeemable(app, account_id, code).await
}

/// Refuses a recurring price that is not a plan, and a second plan for an account.
pub(super) async fn check_may_subscribe(db: &impl ConnectionTrait, offer: &Offer, account_id: Uuid) -> Result<()> {
    if offer.kind != ProductKind::Plan {
        let message = "A recurring add-on belongs to a subscription. Add it with addAddon.";
        return Err(Error::refused("PRICE_NOT_FOUND", &["priceId"], message));
    }
    if subscriptions::has_plan(db, account_id).await? {
        let message = "The account already has a plan. Change it with changePlan.";
        return Err(Error::refused("ALREADY_SUBSCRIBED", &["accountId"], message));
    }
    Ok(())
}

/// Returns the length of the price's trial in days; `None` if it has none, or the person has had one.
pub(super) async fn trial_days(txn: &Txn, offer: &Offer, owner: &users::Model) -> Result<Option<i64>> {
    let Some(days) = offer.price.trial_days else { return Ok(None) };
    Ok((!subscriptions::had_trial(txn, owner).await?).then_some(days))
}

/// Opens Stripe's billing portal for an account, the caller's own by default. Returns its address, which is valid for a
/// few minutes.
pub async fn open_billing_portal(
    app: &App,
    viewer: &Viewer,
    account_id: Option<Uuid>,
    return_url: &str,
) -> Result<String> {
    check_return_url(return_url, &["returnUrl"])?;
    let payer = find_payer(app.db.read(), viewer, account_id).await?;
    let customer = customer_at_stripe(app, viewer, payer).await?;
    let params = json!({"customer": customer.external_id, "return_url": return_url});
    let session = ask(app, viewer, "billing_portal/sessions", &params).await?;
    let url = session["url"].as_str().map(str::to_owned);
    url.ok_or_else(|| Error::internal(anyhow::anyhow!("A billing portal at Stripe has no page.")))
}
