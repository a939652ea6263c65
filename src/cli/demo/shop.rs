//! The stand-in for Stripe through which the demo sells.

use super::callers::{CUSTOMER, NEWCOMER, random_secret, token};
use crate::accounts;
use crate::app::App;
use crate::auth::Role;
use crate::billing::{self, Purchase};
use crate::clock::Clock;
use crate::config::{Config, Secret};
use crate::error::Error;
use crate::providers::http;
use anyhow::Context;
use sandbox::{Card, Sandbox};
use seed::{at_stripe, samples};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use url::Url;
use uuid::Uuid;

/// The subscription of the customer in the welcome.
pub(super) struct CustomerSubscription {
    /// Our id.
    pub(super) id: Uuid,
    /// The currency, in upper case.
    pub(super) currency: String,
}

/// The stand-in, and the way in which it and the gateway reach each other.
pub(super) struct Shop {
    pub(super) sandbox: Sandbox,
    /// The base URL of both.
    base_url: String,
    webhook_secret: String,
}

impl Shop {
    /// Creates a stand-in at our own address, and points the settings at it. Returns `None` if the settings have a key for
    /// Stripe itself.
    pub(super) fn open(config: &mut Config, address: SocketAddr) -> anyhow::Result<Option<Shop>> {
        let stripe = &mut config.providers.stripe;
        if stripe.api_key.is_some() {
            return Ok(None);
        }
        let (key, webhook_secret) = (format!("rk_test_{}", random_secret()?), format!("whsec_{}", random_secret()?));
        let base_url = format!("http://{}", local_address(address));
        stripe.api_base = Url::parse(&base_url).context("The URL of the stand-in for Stripe is invalid.")?;
        stripe.webhook_secrets.push(Secret::new(&webhook_secret));
        // The key seeds the ids, so that a database that is kept never receives an id twice.
        let sandbox = Sandbox::new(|| Clock::System.now(), &key);
        stripe.api_key = Some(Secret::new(key));
        config.providers.livemode = false;
        sandbox.set_base_url(&base_url);
        Ok(Some(Shop { sandbox, base_url, webhook_secret }))
    }

    /// Loads the catalogue, the customer and the newcomer. Returns the customer's subscription.
    pub(super) async fn stock(&self, app: &App) -> anyhow::Result<Option<CustomerSubscription>> {
        let db = app.db.schema();
        let known = at_stripe::customer(db, CUSTOMER).await?;
        let newcomer = at_stripe::customer(db, NEWCOMER).await?;
        // The objects are old, so there are no events: the worker finds them when it reconciles.
        for object in at_stripe::catalogue(db).await?.into_iter().chain(known.iter().cloned()).chain(newcomer) {
            let customer = object["id"].as_str().filter(|_| object["object"] == "customer").map(str::to_owned);
            self.sandbox.load(object);
            if let Some(customer) = customer {
                let card = self.sandbox.set_card(&customer, Card::Good);
                card.map_err(|error| anyhow::anyhow!("A customer did not get a card: {error}"))?;
            }
        }
        let Some(id) = samples::subscription(db, &known).await? else { return Ok(None) };
        let currency = known.iter().find_map(|object| object["currency"].as_str());
        Ok(Some(CustomerSubscription { id, currency: currency.unwrap_or("usd").to_uppercase() }))
    }

    /// Sends the stand-in's events to the gateway until `stop` completes.
    pub(super) fn deliver<S: Future<Output = ()> + Send + 'static>(
        &self,
        app: &App,
        stop: S,
    ) -> anyhow::Result<impl Future<Output = ()> + Send + 'static + use<S>> {
        let http = http::client(&app.config.outgoing)?;
        Ok(self.sandbox.deliver(http, &format!("{}/webhooks/stripe", self.base_url), &self.webhook_secret, stop))
    }

    /// Starts a checkout with a trial for the newcomer, and returns the URL of its page. Returns `None` if the newcomer has a
    /// plan already, as in a database that was kept.
    pub(super) async fn checkout_for_newcomer(&self, app: &App) -> anyhow::Result<Option<String>> {
        let Some(price_id) = samples::price(app.db.schema(), "pro", ("USD", "month")).await? else { return Ok(None) };
        let newcomer = accounts::sign_in(app, Some(&token(app, NEWCOMER, Role::User)?)).await?;
        let purchase = Purchase {
            price_id,
            quantity: 1,
            promo_code: None,
            with_trial: true,
            success_url: format!("{}/paid", self.base_url),
            cancel_url: None,
            account_id: None,
        };
        match billing::start_checkout(app, &newcomer, purchase, &app.new_id().to_string()).await {
            Ok(checkout) => Ok(Some(checkout.url)),
            Err(Error::Refused(refusal)) => {
                tracing::info!(code = refusal.code, "no checkout started for the newcomer");
                Ok(None)
            }
            Err(error) => Err(error).context("The checkout for the newcomer could not be started."),
        }
    }
}

/// Returns the address under which a browser on this machine reaches a listener.
pub(super) fn local_address(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
