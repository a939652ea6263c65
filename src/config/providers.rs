//! The settings of the payment providers.

use std::num::NonZeroU32;
use std::time::Duration;

use url::Url;

use super::network::is_loopback;
use super::read::Reader;
use super::values::{Environment, Secret};

/// The number of times that a request to Stripe is tried.
pub const STRIPE_TRIES: u32 = 3;
/// The longest pause between two tries that Stripe may ask for.
pub const STRIPE_MAX_PAUSE: Duration = Duration::from_secs(5);

/// Minimum length of a webhook secret; the providers issue longer ones.
const SECRET_MIN_BYTES: usize = 16;

/// The payment providers.
#[derive(Debug, Clone)]
pub struct Providers {
    /// True if events of live mode are processed, false for those of test mode.
    pub livemode: bool,
    /// Maximum size of a webhook's body, in bytes.
    pub webhook_body_bytes: usize,
    /// Stripe.
    pub stripe: StripeConfig,
    /// Paddle Billing.
    pub paddle: PaddleConfig,
}

/// Stripe: the accepted webhooks, and the API.
#[derive(Debug, Clone)]
pub struct StripeConfig {
    /// The accepted signing secrets, several during a rotation; empty accepts no webhook.
    pub webhook_secrets: Vec<Secret>,
    /// Maximum difference between the time of a signature and the clock, in both directions.
    pub webhook_tolerance: Duration,
    /// The own account (`acct_…`). Events that name another account are not processed; `None` processes none that name one.
    pub account: Option<String>,
    /// The key for Stripe's API; `None` if Stripe is not called.
    pub api_key: Option<Secret>,
    /// The URL of Stripe's API, without a path.
    pub api_base: Url,
    /// Time limit for one try of a request.
    pub api_timeout: Duration,
    /// Operations that reach Stripe in a minute, for each caller.
    pub requests_per_minute: NonZeroU32,
    /// Like `requests_per_minute`, for callers who act for many customers.
    pub service_requests_per_minute: NonZeroU32,
    /// The longest pause of a subscription that customers may ask for, in days.
    pub max_pause_days: i64,
}

impl StripeConfig {
    /// Returns the longest time that a request takes: every try and the pauses between them.
    pub fn longest_request(&self) -> Duration {
        self.api_timeout * STRIPE_TRIES + self.api_timeout.min(STRIPE_MAX_PAUSE) * (STRIPE_TRIES - 1)
    }
}

/// Paddle: the accepted webhooks.
#[derive(Debug, Clone)]
pub struct PaddleConfig {
    /// The accepted signing secrets, several during a rotation; empty accepts no webhook.
    pub webhook_secrets: Vec<Secret>,
    /// Maximum difference between the time of a signature and the clock, in both directions.
    pub webhook_tolerance: Duration,
    /// True if the owner of a purchase is the account of a signed reference, and of no other field.
    pub require_reference: bool,
}

/// Reads the settings of the payment providers.
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
            requests_per_minute: per_minute(reader, "stripe_requests_per_minute"),
            service_requests_per_minute: per_minute(reader, "stripe_service_requests_per_minute"),
            max_pause_days: reader.number("max_pause_days", 0..=730),
        },
        paddle: PaddleConfig {
            webhook_secrets: webhook_secrets(reader, "paddle_webhook_secrets"),
            webhook_tolerance: Duration::from_secs(reader.number("paddle_webhook_tolerance_s", 1..=3600)),
            require_reference: reader.one_of("paddle_require_reference", &[("true", true), ("false", false)])
                == Some(true),
        },
    }
}

fn per_minute(reader: &mut Reader, name: &'static str) -> NonZeroU32 {
    reader.number(name, NonZeroU32::MIN..=NonZeroU32::MIN.saturating_add(99_999))
}

fn webhook_secrets(reader: &mut Reader, name: &'static str) -> Vec<Secret> {
    let secrets = reader.list(name);
    if let Some(short) = secrets.iter().find(|secret| secret.len() < SECRET_MIN_BYTES) {
        let rule = format!("One is {} bytes long; each must have at least {SECRET_MIN_BYTES}.", short.len());
        reader.mistake(name, None, rule);
    }
    secrets.into_iter().map(Secret::new).collect()
}

fn account(reader: &mut Reader) -> Option<String> {
    let account = reader.text("stripe_account")?;
    if !account.starts_with("acct_") {
        reader.mistake("stripe_account", Some(&account), "It must be the id of an account, such as acct_1A2b3C4d.");
    }
    Some(account)
}

fn api_key(reader: &mut Reader, livemode: bool) -> Option<Secret> {
    let key = reader.text("stripe_api_key")?;
    let of_mode = |mode: &str| ["sk_", "rk_"].iter().any(|kind| key.starts_with(&format!("{kind}{mode}")));
    let rule = match livemode {
        _ if !of_mode("") => Some("It must be a secret or restricted key, which begins with sk_ or rk_."),
        true if of_mode("test_") => {
            Some("It is a key of test mode, and livemode is true. Use a live key, or set livemode to false.")
        }
        false if of_mode("live_") => {
            Some("It is a key of live mode, and livemode is false. Use a test key, or set livemode to true.")
        }
        _ => None,
    };
    if let Some(rule) = rule {
        reader.mistake("stripe_api_key", None, rule);
    }
    Some(Secret::new(key))
}

fn api_base(reader: &mut Reader) -> Url {
    let text = reader.text("stripe_api_base").unwrap_or_default();
    base(&text).unwrap_or_else(|rule| {
        reader.mistake("stripe_api_base", Some(&text), rule);
        Url::parse("https://localhost").expect("the placeholder is a URL")
    })
}

fn base(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "It must be a URL such as https://api.stripe.com.")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("The URL must not contain a user name or password.");
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("It must be a scheme and a host alone, such as https://api.stripe.com.");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err("Over http, anyone on the network path could read the key. Use https."),
        _ => Err("It must be an https URL."),
    }
}
