//! Loads and validates all settings.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::costs::{self, CostConfig};
use super::database::{self, DatabaseConfig};
use super::documents::{self, DocumentsConfig};
use super::jwt::{self, JwtConfig};
use super::network::{self, CorsOrigins, OutgoingConfig, ProxyConfig};
use super::providers::{self, Providers};
use super::read::Reader;
use super::serving::{
    self, Introspection, LicenceConfig, LimitsConfig, LiveConfig, LogConfig, SpentCredits, TrackingConsent,
    TransportConfig,
};
use super::settings::CONFIG_VARIABLE;
use super::values::{self, Environment};

/// The file that is read by default, if it exists.
const DEFAULT_FILE: &str = "tollgate.toml";

/// All settings, validated.
#[derive(Debug, Clone)]
pub struct Config {
    /// The kind of installation.
    pub environment: Environment,
    /// The IP address and port of the server.
    pub listen: SocketAddr,
    /// The database.
    pub database: DatabaseConfig,
    /// The accepted tokens.
    pub jwt: JwtConfig,
    /// The web origins that may call from a browser.
    pub cors_origins: CorsOrigins,
    /// The callers who may read the schema through the API.
    pub introspection: Introspection,
    /// True if browsers are shown GraphiQL.
    pub graphiql: bool,
    /// Documents that clients name instead of sending them.
    pub documents: DocumentsConfig,
    /// Limits for one request.
    pub limits: LimitsConfig,
    /// Limits for connections.
    pub transport: TransportConfig,
    /// Limits on the cost of operations.
    pub costs: CostConfig,
    /// The payment providers.
    pub providers: Providers,
    /// The trusted proxies in front of Tollgate.
    pub proxies: ProxyConfig,
    /// Requests to other machines.
    pub outgoing: OutgoingConfig,
    /// Fields of a subscription's metadata that everyone who sees the subscription may see.
    pub subscription_metadata_fields: Vec<String>,
    /// Licence keys of a desktop application.
    pub licences: LicenceConfig,
    /// The fate of purchased credits that were spent before their money is returned.
    pub spent_credits: SpentCredits,
    /// The number of people from which on product analytics shows a group.
    pub analytics_minimum_group: i64,
    /// The people whose events may be recorded.
    pub tracking_consent: TrackingConsent,
    /// The directory to which reports are written, if any.
    pub reports_directory: Option<PathBuf>,
    /// Limits for WebSockets and streams.
    pub live: LiveConfig,
    /// Time that running requests get to finish after a signal to stop.
    pub shutdown_timeout: Duration,
    /// Logging.
    pub log: LogConfig,
}

/// Every mistake in the settings, displayed as one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<String>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigErrors {}

impl Config {
    /// Reads and validates all settings. `file` must exist if it is given; otherwise the file named by
    /// `TOLLGATE_CONFIG` is read, if that variable is set.
    pub fn load(file: Option<&Path>, env: impl Iterator<Item = (String, String)>) -> Result<Config, ConfigErrors> {
        let env: Vec<(String, String)> = env.collect();
        let mut reader = Reader::new(file.or(named_file(&env)), &env);
        let config = read(&mut reader);
        let mistakes = reader.into_mistakes();
        if mistakes.is_empty() { Ok(config) } else { Err(ConfigErrors(mistakes)) }
    }

    /// Like [`load`](Config::load), with the environment of this process, and with `tollgate.toml` if no file is named
    /// and that one exists.
    pub fn from_process(file: Option<&Path>) -> Result<Config, ConfigErrors> {
        #[expect(clippy::disallowed_methods, reason = "settings are read once, here")]
        // Not `vars`, which panics if any variable at all is not UTF-8.
        let env = std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value)));
        let env: Vec<(String, String)> = env.collect();
        let fallback = Path::new(DEFAULT_FILE);
        let unnamed = file.is_none() && named_file(&env).is_none();
        let file = if unnamed && fallback.exists() { Some(fallback) } else { file };
        Config::load(file, env.into_iter())
    }
}

/// Reads all settings, with placeholders for those that are wrong.
fn read(reader: &mut Reader) -> Config {
    let environment = values::environment(reader);
    let config = Config {
        environment,
        listen: network::listen(reader),
        database: database::database(reader, environment),
        jwt: jwt::jwt(reader, environment),
        cors_origins: network::cors_origins(reader),
        introspection: serving::introspection(reader, environment),
        graphiql: serving::graphiql(reader, environment),
        documents: documents::documents(reader),
        limits: serving::limits(reader),
        transport: serving::transport(reader),
        costs: costs::costs(reader),
        providers: providers::providers(reader, environment),
        proxies: network::proxies(reader),
        outgoing: network::outgoing(reader),
        subscription_metadata_fields: serving::subscription_metadata_fields(reader),
        licences: serving::licences(reader),
        spent_credits: serving::spent_credits(reader),
        analytics_minimum_group: reader.number("analytics_minimum_group", 1..=1_000),
        tracking_consent: serving::tracking_consent(reader),
        reports_directory: serving::reports_directory(reader),
        live: serving::live(reader),
        shutdown_timeout: Duration::from_millis(reader.number("shutdown_timeout_ms", 0..=600_000)),
        log: serving::log(reader),
    };
    check_patience(reader, &config);
    config
}

/// Refuses a wait for mutations that ends before Stripe's answer can be known, so that no caller is told of a failure
/// while the change is made.
fn check_patience(reader: &mut Reader, config: &Config) {
    let (stripe, wait) = (&config.providers.stripe, config.limits.mutation_timeout);
    let longest = stripe.longest_request();
    if stripe.api_key.is_some() && wait <= longest {
        let rule = format!(
            "A change at Stripe takes up to {} ms: three tries of stripe_api_timeout_ms, and two pauses. Set it to more \
             than that, or lower stripe_api_timeout_ms.",
            longest.as_millis(),
        );
        reader.mistake("mutation_timeout_ms", Some(&wait.as_millis().to_string()), rule);
    }
}

fn named_file(env: &[(String, String)]) -> Option<&Path> {
    env.iter().find(|(name, value)| name == CONFIG_VARIABLE && !value.is_empty()).map(|(_, value)| Path::new(value))
}

fn lossy(text: std::ffi::OsString) -> String {
    text.to_string_lossy().into_owned()
}
