//! The settings of the payment providers: whose webhooks are accepted, and where Stripe's API is.

use std::time::Duration;

use url::Url;

use super::check::is_loopback;
use super::read::Reader;
use super::{Environment, Secret};

/// The least length of a secret that webhooks are signed with; those of the providers are longer.
const SECRET_MIN_BYTES: usize = 16;

/// What we know of the payment providers.
#[derive(Debug, Clone)]
pub struct Providers {
    /// Whether events of real money are ours, or those of test mode.
    pub livemode: bool,
    /// The largest body of a webhook, in bytes.
    pub webhook_body_bytes: usize,
    /// Stripe.
    pub stripe: StripeConfig,
    /// Paddle Billing.
    pub paddle: PaddleConfig,
}

/// Which events of Stripe are accepted, and how its API is called.
#[derive(Debug, Clone)]
pub struct StripeConfig {
    /// The secrets that webhooks may be signed with, several while one is replaced; empty accepts none.
    pub webhook_secrets: Vec<Secret>,
    /// How far the time of a signature may lie from ours, in both directions.
    pub webhook_tolerance: Duration,
    /// The account (`acct_…`) whose events are ours where an event names one; `None` makes all those foreign.
    pub account: Option<String>,
    /// The key to call Stripe's API with; `None` leaves Stripe uncalled.
    pub api_key: Option<Secret>,
    /// Where Stripe's API is; without a path.
    pub api_base: Url,
    /// How long one call may take.
    pub api_timeout: Duration,
}

/// Which events of Paddle are accepted.
#[derive(Debug, Clone)]
pub struct PaddleConfig {
    /// The secrets that webhooks may be signed with, several while one is replaced; empty accepts none.
    pub webhook_secrets: Vec<Secret>,
    /// How far the time of a signature may lie from ours, in both directions.
    pub webhook_tolerance: Duration,
}

pub(super) fn providers(reader: &mut Reader, environment: Environment) -> Providers {
    let livemode = reader.one_of("livemode", &[("true", true), ("false", false)]);
    let livemode = livemode.unwrap_or(environment == Environment::Production);
    Providers {
        livemode,
        webhook_body_bytes: reader.number("webhook_body_limit_bytes", 1024..=104_857_600),
        stripe: StripeConfig {
            webhook_secrets: webhook_secrets(reader, "stripe_webhook_secrets"),
            webhook_tolerance: Duration::from_secs(reader.number("stripe_webhook_tolerance_s", 1..=3600)),
            account: account(reader),
            api_key: api_key(reader, livemode),
            api_base: api_base(reader),
            api_timeout: Duration::from_millis(reader.number("stripe_api_timeout_ms", 100..=120_000)),
        },
        paddle: PaddleConfig {
            webhook_secrets: webhook_secrets(reader, "paddle_webhook_secrets"),
            webhook_tolerance: Duration::from_secs(reader.number("paddle_webhook_tolerance_s", 1..=3600)),
        },
    }
}

fn webhook_secrets(reader: &mut Reader, name: &'static str) -> Vec<Secret> {
    let secrets = reader.list(name);
    if let Some(short) = secrets.iter().find(|secret| secret.len() < SECRET_MIN_BYTES) {
        let allowed = format!("one is {} bytes long; each must have at least {SECRET_MIN_BYTES}", short.len());
        reader.mistake(name, None, allowed);
    }
    secrets.into_iter().map(Secret::new).collect()
}

fn account(reader: &mut Reader) -> Option<String> {
    let account = reader.text("stripe_account")?;
    if !account.starts_with("acct_") {
        reader.mistake("stripe_account", Some(&account), "it must be the id of an account, such as acct_1A2b3C4d");
    }
    Some(account)
}

fn api_key(reader: &mut Reader, livemode: bool) -> Option<Secret> {
    let key = reader.text("stripe_api_key")?;
    let of_mode = |mode: &str| ["sk_", "rk_"].iter().any(|kind| key.starts_with(&format!("{kind}{mode}")));
    let allowed = match livemode {
        _ if !of_mode("") => Some("it must be a secret or restricted key, which begins with sk_ or rk_"),
        true if of_mode("test_") => Some("it is a key of test mode, and livemode is true"),
        false if of_mode("live_") => Some("it is a key for real money, and livemode is false"),
        _ => None,
    };
    if let Some(allowed) = allowed {
        reader.mistake("stripe_api_key", None, allowed);
    }
    Some(Secret::new(key))
}

fn api_base(reader: &mut Reader) -> Url {
    let text = reader.text("stripe_api_base").unwrap_or_default();
    base(&text).unwrap_or_else(|allowed| {
        reader.mistake("stripe_api_base", Some(&text), allowed);
        Url::parse("https://localhost").expect("the stand-in is a URL")
    })
}

fn base(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "it must be a URL such as https://api.stripe.com")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL must not hold a user name or password");
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("it must be a scheme and a host alone, such as https://api.stripe.com");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err("over http anyone on the way could read the key; use https"),
        _ => Err("it must be an https URL"),
    }
}
