//! Buying in a checkout at Stripe, and the portal where customers see to their cards and invoices.

use super::customer::{Customer, customer};
use super::earlier::{CHECKOUT, OPEN, PURCHASES, place_alone};
use super::offer::{Offer, offer};
use super::order::{Order, again, asked, place};
use super::promo_code::discounts;
use crate::accounts::payer;
use crate::app::App;
use crate::auth::Viewer;
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::outbox::{self, Call, Done};
use crate::subscriptions;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use url::{Host, Url};
use uuid::Uuid;

/// The longest address that Stripe takes.
const LONGEST_URL: usize = 2_000;

/// What is to be bought in a checkout.
#[derive(Debug, Clone, Serialize)]
pub struct Purchase {
    /// The price: of a plan, of an add-on that is paid once, or of a pack of credits.
    pub price_id: Uuid,
    /// How many.
    pub quantity: i64,
    /// What the customer typed to get a discount.
    pub promo_code: Option<String>,
    /// Whether a trial that the price has is wanted; who had one gets none.
    pub with_trial: bool,
    /// Where the customer goes when they have paid.
    pub success_url: String,
    /// Where they go when they do not pay.
    pub cancel_url: Option<String>,
    /// Whose account; the caller's own where it is left out.
    pub account_id: Option<Uuid>,
}

/// Where a customer goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// The session's id at Stripe.
    pub session_external_id: String,
    /// The page, which can be opened for 23 hours.
    pub url: String,
}

/// Begins a checkout. Of checkouts for a plan one is open for each person: another one ends the one before.
pub async fn start_checkout(app: &App, viewer: &Viewer, purchase: Purchase, key: &str) -> Result<Checkout> {
    checked_url(&purchase.success_url, &["successUrl"])?;
    if let Some(url) = &purchase.cancel_url {
        checked_url(url, &["cancelUrl"])?;
    }
    let input = purchase.clone();
    let order = Order { operation: "checkout.start", key, input: &input };
    if let Some(done) = again(app, viewer, &order).await? {
        return opened(done);
    }
    let customer = customer(app, viewer, purchase.account_id).await?;
    let (price_id, quantity) = (purchase.price_id, purchase.quantity);
    let recurs = app.db.write(move |txn| Box::pin(async move { Ok(wanted(txn, price_id, quantity).await?.recurs()) }));
    let begin = Begin { viewer: viewer.clone(), customer: customer.clone(), purchase, now: app.now() };
    let done = if recurs.await? {
        place_alone(app, viewer, (customer.person, PURCHASES), order, move |txn| Box::pin(begin.prepare(txn))).await?
    } else {
        place(app, viewer, order, move |txn| Box::pin(begin.prepare(txn))).await?
    };
    opened(done)
}

async fn wanted(txn: &Txn, price_id: Uuid, quantity: i64) -> Result<Offer> {
    offer(txn, price_id, quantity, &["plan", "credit_pack", "addon"]).await
}

fn opened(done: Done) -> Result<Checkout> {
    let url = done.url.ok_or_else(|| Error::internal(anyhow::anyhow!("a checkout has no page")))?;
    Ok(Checkout { session_external_id: done.object_id, url })
}

/// A checkout that is to be begun.
#[derive(Clone)]
struct Begin {
    viewer: Viewer,
    customer: Customer,
    purchase: Purchase,
    now: DateTime<Utc>,
}

impl Begin {
    async fn prepare(self, txn: &Txn) -> Result<Call> {
        let Begin { viewer, customer, purchase, now } = self;
        let payer = payer(txn, &viewer, Some(customer.account_id)).await?;
        let offer = wanted(txn, purchase.price_id, purchase.quantity).await?;
        let mut params = json!({
            "mode": if offer.recurs() { "subscription" } else { "payment" },
            "customer": customer.external_id,
            "client_reference_id": payer.owner.id,
            "line_items": [offer.item()],
            "success_url": purchase.success_url,
            "expires_at": (now + OPEN).timestamp(),
            "metadata": noted(&customer.metadata, &offer),
        });
        if let Some(url) = purchase.cancel_url {
            params["cancel_url"] = json!(url);
        }
        if let Some(code) = &purchase.promo_code {
            params["discounts"] = discounts(txn, customer.account_id, code, now).await?;
        }
        if offer.recurs() {
            may_subscribe(txn, &offer, customer.account_id).await?;
            params["subscription_data"] = json!({"metadata": customer.metadata});
            if purchase.with_trial
                && let Some(days) = trial_days(txn, &offer, &payer.owner).await?
            {
                params["subscription_data"]["trial_period_days"] = json!(days);
            }
        } else {
            params["payment_intent_data"] = json!({"metadata": customer.metadata});
        }
        Ok(Call {
            account_id: Some(customer.account_id),
            operation: if offer.recurs() { CHECKOUT } else { "checkout.pay" },
            deletes: false,
            path: "checkout/sessions".to_owned(),
            params,
            key: None,
            persistent: false,
        })
    }
}

/// What the mirror is to make of the session when it is paid.
fn noted(metadata: &Value, offer: &Offer) -> Value {
    let mut noted = metadata.clone();
    match &offer.credits {
        Some((credits, unit)) => {
            noted["credits"] = json!(credits);
            if let Some(unit) = unit {
                noted["credit_unit"] = json!(unit);
            }
        }
        None if offer.product.kind == "addon" => noted["addon"] = json!(offer.product.code),
        None => {}
    }
    noted
}

/// Refuses a second plan: the one that is there is to be changed.
pub(super) async fn may_subscribe(txn: &Txn, offer: &Offer, account_id: Uuid) -> Result<()> {
    if offer.product.kind != "plan" {
        let message = "an add-on that is paid again and again belongs to a subscription; use addAddon";
        return Err(Error::refused("PRICE_NOT_FOUND", &["priceId"], message));
    }
    if subscriptions::has_plan(txn, account_id).await? {
        let message = "the account has a plan; change it with changePlan";
        return Err(Error::refused("ALREADY_SUBSCRIBED", &["accountId"], message));
    }
    Ok(())
}

/// For how long the price may be tried by this person.
pub(super) async fn trial_days(txn: &Txn, offer: &Offer, owner: &entity::users::Model) -> Result<Option<i64>> {
    let Some(days) = offer.price.trial_days else { return Ok(None) };
    Ok((!subscriptions::had_trial(txn, owner).await?).then_some(days))
}

/// Opens the portal at Stripe for the customer of an account; the address, which is good for a few minutes.
pub async fn open_billing_portal(
    app: &App,
    viewer: &Viewer,
    (account_id, return_url): (Option<Uuid>, &str),
) -> Result<String> {
    checked_url(return_url, &["returnUrl"])?;
    let customer = customer(app, viewer, account_id).await?;
    let params = json!({"customer": customer.external_id, "return_url": return_url});
    let session = asked(outbox::client(app)?.ask("billing_portal/sessions", &params).await)?;
    let url = session["url"].as_str().map(str::to_owned);
    url.ok_or_else(|| Error::internal(anyhow::anyhow!("a portal has no page")))
}

/// Where customers may be sent: to pages over https, and on this machine also over http.
pub(super) fn checked_url(url: &str, field: &'static [&'static str]) -> Result<()> {
    let local = |url: &Url| match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let safe = Url::parse(url).is_ok_and(|url| url.scheme() == "https" || (url.scheme() == "http" && local(&url)));
    if safe && url.len() <= LONGEST_URL {
        return Ok(());
    }
    Err(Error::refused("URL_INVALID", field, "it must be an address of at most 2,000 bytes that begins with https://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_are_sent_to_safe_pages_alone() {
        for url in ["https://app.example.com/paid?s={CHECKOUT_SESSION_ID}", "http://localhost:3000/", "http://[::1]/a"]
        {
            assert!(checked_url(url, &[]).is_ok(), "{url}");
        }
        for url in
            ["", "app.example.com", "http://app.example.com", "javascript:alert(1)", "http://127.0.0.1.example.com"]
        {
            assert!(checked_url(url, &[]).is_err(), "{url}");
        }
    }
}
