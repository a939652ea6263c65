//! `tollgate demo`.

mod shop;
mod welcome;

use crate::app::App;
use crate::auth::{MintRequest, Permissions, Role};
use crate::config::{Config, DatabaseUrl, JwtKeys, Secret};
use crate::http;
use anyhow::Context;
use clap::Args;
use shop::Shop;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use welcome::Welcome;

/// Makes up a company in a temporary database, sells what it has through a stand-in for Stripe, prints how to ask about
/// it and what to buy, and serves it until ctrl-c.
///
/// The stand-in is at the same address: its pages at /pay and /portal, its API under /v1. No money moves, and what it
/// holds is forgotten at the end. Where TOLLGATE_STRIPE_API_KEY is set there is none, and Stripe itself is called, which
/// does not have what this company sells. Secrets in TOLLGATE_STRIPE_WEBHOOK_SECRETS are taken too.
///
/// Only warnings are logged, so that what is printed stays in sight; TOLLGATE_LOG=debug logs the rest.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// How many people sign up.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    users: u64,
    /// The same number makes the same company, up to the present time.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A database to keep, sqlite://… or postgres://…; a temporary file where it is left out. One that has users
    /// already is served as it is.
    #[arg(long, value_name = "URL")]
    database_url: Option<DatabaseUrl>,
    /// Where to listen; as configured, where it is left out.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

/// The customer of the welcome, who has a plan and credits.
const CUSTOMER: &str = "user_1";
/// Who comes to buy a plan.
const NEWCOMER: &str = "user_new";
/// How long the tokens of the welcome are valid.
const TOKEN_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

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
            config.jwt.keys = JwtKeys::Secret(Secret::new(random()?));
        }
        // Taken first, so that a busy port is told before the wait.
        let listener = super::serve::bind(&config).await?;
        let address = listener.local_addr()?;
        let shop = Shop::open(&mut config, address)?;
        let app = Arc::new(super::open::app(config).await?);
        app.db.migrate(app.new_id(), app.now(), super::open::mark(&app.config)).await?;
        if ::seed::is_empty(app.db.schema()).await? {
            super::seed::fill(&app, self.users, self.seed).await.context("the company could not be made up")?;
        }
        let subscribed = match &shop {
            Some(shop) => shop.stock(&app).await?,
            None => None,
        };
        let beside = shop.as_ref().map(|shop| shop.sandbox.router());
        let serving = super::serve::accept(Arc::clone(&app), listener, true, beside);
        let delivering = shop.as_ref().map(|shop| tokio::spawn(shop.deliver(http::terminated())));
        let greeting = async {
            let checkout_url = match &shop {
                Some(shop) => shop.checkout_for_newcomer(&app).await?,
                None => None,
            };
            let welcome = Welcome { app: &app, address, sells: shop.is_some(), subscribed, checkout_url, forgets };
            println!("{}", welcome.written().await?);
            anyhow::Ok(())
        };
        let (served, greeted) = tokio::join!(serving, greeting);
        if let Some(delivering) = delivering {
            delivering.await?;
        }
        served.and(greeted)
    }
}

/// A text that nobody can guess.
fn random() -> anyhow::Result<String> {
    use rand::TryRng;
    let mut bytes = [0; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A token for who is known by `subject`.
fn token(app: &App, subject: &str, role: Role) -> anyhow::Result<String> {
    let permissions = Permissions::NONE;
    let request = MintRequest { subject: subject.to_owned(), role, permissions, ttl: TOKEN_LIFE, now: app.now() };
    Ok(app.tokens.mint(&request)?)
}
