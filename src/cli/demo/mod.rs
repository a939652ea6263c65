//! `tollgate demo`.

mod callers;
mod shop;
mod welcome;

use crate::config::{Config, DatabaseUrl, JwtKeys, Secret};
use crate::http;
use anyhow::Context;
use callers::random_secret;
use clap::Args;
use shop::Shop;
use std::net::SocketAddr;
use std::sync::Arc;
use welcome::Welcome;

/// Creates a made-up company in a temporary database, with a stand-in for Stripe, prints queries and purchases to try,
/// and serves the company until ctrl-c.
///
/// The stand-in listens at the same address: its pages at /pay and /portal, its API under /v1. No money moves, and its
/// objects are lost at the end. With TOLLGATE_STRIPE_API_KEY, Stripe itself is called instead, which does not have the
/// company's products. Secrets in TOLLGATE_STRIPE_WEBHOOK_SECRETS are accepted as well.
///
/// Only warnings are logged, so that the printed text stays in sight; TOLLGATE_LOG=debug logs everything.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Number of people who sign up.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    users: u64,
    /// Random seed; the same number gives the same company, up to the present time.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Database to keep, sqlite://… or postgres://…; by default a temporary file. A database with users is served
    /// unchanged.
    #[arg(long, value_name = "URL")]
    database_url: Option<DatabaseUrl>,
    /// Address to listen on; by default the configured one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

/// Lowers the default log level to warnings, so that the welcome stays in sight.
pub(super) fn hush(mut config: Config) -> Config {
    if config.log.filter == "info" {
        "warn".clone_into(&mut config.log.filter);
    }
    config
}

impl Demo {
    pub(super) async fn run(self, mut config: Config) -> anyhow::Result<()> {
        let temporary = tempfile::Builder::new().prefix("tollgate-demo-").tempdir()?;
        let file = temporary.path().join("demo.db");
        let forgets = if self.database_url.is_none() { " and forgets the company" } else { "" };
        config.database.url = self.database_url.unwrap_or(DatabaseUrl::Sqlite(file));
        config.listen = self.listen.unwrap_or(config.listen);
        if !matches!(config.jwt.keys, JwtKeys::Secret(_)) {
            config.jwt.keys = JwtKeys::Secret(Secret::new(random_secret()?));
        }
        // Bound first, so that a port in use is reported before the wait.
        let listener = super::serve::bind(&config).await?;
        let address = listener.local_addr()?;
        let shop = Shop::open(&mut config, address)?;
        let app = Arc::new(super::open::app(config).await?);
        app.db.migrate(app.new_id(), app.now(), super::open::mark(&app.config)).await?;
        if ::seed::is_empty(app.db.schema()).await? {
            super::seed::fill(&app, self.users, self.seed).await.context("The company could not be created.")?;
        }
        let subscribed = match &shop {
            Some(shop) => shop.stock(&app).await?,
            None => None,
        };
        let beside = shop.as_ref().map(|shop| shop.sandbox.router());
        let serving = super::serve::accept(Arc::clone(&app), listener, true, beside);
        let delivering = match &shop {
            Some(shop) => Some(tokio::spawn(shop.deliver(&app, http::terminated())?)),
            None => None,
        };
        let greeting = async {
            let checkout_url = match &shop {
                Some(shop) => shop.checkout_for_newcomer(&app).await?,
                None => None,
            };
            let welcome = Welcome { app: &app, address, sells: shop.is_some(), subscribed, checkout_url, forgets };
            println!("{}", welcome.text().await?);
            anyhow::Ok(())
        };
        let (served, greeted) = tokio::join!(serving, greeting);
        if let Some(delivering) = delivering {
            delivering.await?;
        }
        served.and(greeted)
    }
}
