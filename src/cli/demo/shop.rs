//! The stand-in for Stripe through which the demo sells.

use super::{CUSTOMER, NEWCOMER, random, token};
use crate::accounts;
use crate::app::App;
use crate::auth::Role;
use crate::billing::{self, Purchase};
use crate::clock::Clock;
use crate::config::{Config, Secret};
use crate::error::Error;
use anyhow::Context;
use sandbox::{Card, Sandbox};
use seed::{at_stripe, samples};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use url::Url;
use uuid::Uuid;

/// What the customer of the welcome has.
pub(super) struct Subscribed {
    /// Our id of the subscription.
    pub(super) id: Uuid,
    /// What it is paid in.
    pub(super) currency: String,
}

/// The stand-in, and how it and the gateway reach each other.
pub(super) struct Shop {
    pub(super) sandbox: Sandbox,
    /// Where both are.
    base: String,
    webhook_secret: String,
}

impl Shop {
    /// A stand-in behind the address at which we listen, which the settings are pointed at; `None` where Stripe itself is
    /// to be called.
    pub(super) fn open(config: &mut Config, address: SocketAddr) -> anyhow::Result<Option<Shop>> {
        let stripe = &mut config.providers.stripe;
        if stripe.api_key.is_some() {
            return Ok(None);
        }
        let (key, webhook_secret) = (format!("rk_test_{}", random()?), format!("whsec_{}", random()?));
        let base = format!("http://{}", near(address));
        stripe.api_base = Url::parse(&base).context("the stand-in for Stripe has no address")?;
        stripe.webhook_secrets.push(Secret::new(&webhook_secret));
        // By the key, so that a database that is kept never sees an id for a second time.
        let sandbox = Sandbox::new(|| Clock::System.now(), &key);
        stripe.api_key = Some(Secret::new(key));
        config.providers.livemode = false;
        sandbox.set_base_url(&base);
        Ok(Some(Shop { sandbox, base, webhook_secret }))
    }

    /// Puts in what the company has on sale, and what its customer and the newcomer have; the customer's subscription.
    pub(super) async fn stock(&self, app: &App) -> anyhow::Result<Option<Subscribed>> {
        let db = app.db.schema();
        let known = at_stripe::customer(db, CUSTOMER).await?;
        let newcomer = at_stripe::customer(db, NEWCOMER).await?;
        // It has been there for long, and nobody is told: the worker finds it when it compares.
        for object in at_stripe::catalogue(db).await?.into_iter().chain(known.iter().cloned()).chain(newcomer) {
            let customer = object["id"].as_str().filter(|_| object["object"] == "customer").map(str::to_owned);
            self.sandbox.load(object);
            if let Some(customer) = customer {
                let set = self.sandbox.set_card(&customer, Card::Good);
                set.map_err(|error| anyhow::anyhow!("a customer gets no card: {error}"))?;
            }
        }
        let Some(id) = samples::subscription(db, &known).await? else { return Ok(None) };
        let currency = known.iter().find_map(|object| object["currency"].as_str());
        Ok(Some(Subscribed { id, currency: currency.unwrap_or("usd").to_uppercase() }))
    }

    /// Tells the gateway what happens, until `stop` completes.
    pub(super) fn deliver<S: Future<Output = ()> + Send + 'static>(
        &self,
        stop: S,
    ) -> impl Future<Output = ()> + Send + 'static + use<S> {
        self.sandbox.deliver(&format!("{}/webhooks/stripe", self.base), &self.webhook_secret, stop)
    }

    /// Begins a checkout for the newcomer, with a trial; the address of its page. `None` where they have a plan, as in a
    /// database that was kept.
    pub(super) async fn checkout_for_newcomer(&self, app: &App) -> anyhow::Result<Option<String>> {
        let Some(price_id) = samples::price(app.db.schema(), "pro", ("USD", "month")).await? else { return Ok(None) };
        let newcomer = accounts::sign_in(app, Some(&token(app, NEWCOMER, Role::User)?)).await?;
        let purchase = Purchase {
            price_id,
            quantity: 1,
            promo_code: None,
            with_trial: true,
            success_url: format!("{}/paid", self.base),
            cancel_url: None,
            account_id: None,
        };
        match billing::start_checkout(app, &newcomer, purchase, &app.new_id().to_string()).await {
            Ok(checkout) => Ok(Some(checkout.url)),
            Err(Error::Refused(refusal)) => {
                tracing::info!(code = refusal.code, "no checkout is begun for the newcomer");
                Ok(None)
            }
            Err(error) => Err(error).context("a checkout for the newcomer could not be begun"),
        }
    }
}

/// Where a browser on this machine finds what listens at an address.
pub(super) fn near(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
