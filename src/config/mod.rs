//! The configuration: read from a file and the environment, checked once at start, passed on as typed values.

mod check;
mod providers;
mod network;
mod read;
mod settings;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use url::Url;

pub(crate) use check::is_loopback;
pub use network::Network;
pub use providers::{PaddleConfig, Providers, StripeConfig};
pub use settings::{example, help};

/// The variable that names the file of settings; it is no setting itself.
const CONFIG_VARIABLE: &str = "TOLLGATE_CONFIG";
/// The file that is read when none is named, if it is there.
const DEFAULT_FILE: &str = "tollgate.toml";

/// Every setting, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Whether people's money is at stake.
    pub environment: Environment,
    /// The address and port to serve on.
    pub listen: SocketAddr,
    /// Which database, and how it is used.
    pub database: DatabaseConfig,
    /// Which tokens are accepted.
    pub jwt: JwtConfig,
    /// Which web pages may call from a browser.
    pub cors_origins: CorsOrigins,
    /// Who may read the schema over the API.
    pub introspection: Introspection,
    /// How much one request may ask for.
    pub limits: LimitsConfig,
    /// The payment providers, whose webhooks are received.
    pub providers: Providers,
    /// Whose word is taken for where a request comes from.
    pub proxies: ProxyConfig,
    /// Licence keys of a desktop application.
    pub licences: LicenceConfig,
    /// How much may stay open.
    pub live: LiveConfig,
    /// How long running requests may take to finish after a signal to stop.
    pub shutdown_timeout: Duration,
    /// What is logged, and how.
    pub log: LogConfig,
}

/// Where this process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// On someone's desk: convenient defaults.
    Development,
    /// For customers: careful defaults.
    Production,
}

/// The database and how it is used.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// Which engine, and where.
    pub url: DatabaseUrl,
    /// The most connections to hold; on SQLite, the most readers beside the one writer.
    pub max_connections: u32,
    /// How long one statement may run on PostgreSQL.
    pub statement_timeout: Duration,
}

/// Which database engine, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file on this machine.
    Sqlite(PathBuf),
    /// A `postgres://` URL; secret, because it may hold a password.
    Postgres(Secret),
}

impl FromStr for DatabaseUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check::database_url(text)
    }
}

impl fmt::Display for DatabaseUrl {
    /// Names the database without its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseUrl::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            DatabaseUrl::Postgres(url) => {
                let mut url = Url::parse(url.expose()).map_err(|_| fmt::Error)?;
                // Where there is none, there is none to take away.
                let _ = url.set_password(None);
                write!(f, "{url}")
            }
        }
    }
}

/// Which tokens are accepted, and how their claims are read.
#[derive(Debug, Clone)]
pub struct JwtConfig {
    /// What tokens are signed with.
    pub keys: JwtKeys,
    /// The exact issuer a token must name; `None` accepts any.
    pub issuer: Option<String>,
    /// The audiences of which a token must name one; empty accepts any.
    pub audience: Vec<String>,
    /// How far other machines' clocks may differ from ours.
    pub leeway: Duration,
    /// The claim with the caller's role; dots lead into objects unless a claim has the whole name.
    pub role_claim: String,
    /// The claim with a service's scopes, looked up like `role_claim`.
    pub scope_claim: String,
    /// Whether a valid token of someone not seen before creates the user.
    pub create_users_on_sign_in: bool,
}

/// What tokens are signed with.
#[derive(Debug, Clone)]
pub enum JwtKeys {
    /// Nothing: no token is accepted, only anonymous callers and API keys.
    None,
    /// A secret shared with the issuer (HS256), of at least 32 bytes.
    Secret(Secret),
    /// The public keys of an identity provider.
    Jwks {
        /// Where the key set is.
        source: JwksSource,
        /// The accepted algorithms; never empty, never HS256.
        algorithms: Vec<JwtAlgorithm>,
    },
}

/// Where a set of public keys is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwksSource {
    /// A file on this machine.
    File(PathBuf),
    /// An https URL, or an http URL of this machine.
    Url(Url),
}

/// A signature algorithm that tokens may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256 and a shared secret.
    Hs256,
    /// RSA (PKCS #1 v1.5) with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl JwtAlgorithm {
    /// Every algorithm that can be chosen.
    const ALL: [JwtAlgorithm; 4] = [JwtAlgorithm::Hs256, JwtAlgorithm::Rs256, JwtAlgorithm::Es256, JwtAlgorithm::EdDsa];

    /// Its name in settings and in a token's header.
    pub const fn name(self) -> &'static str {
        match self {
            JwtAlgorithm::Hs256 => "HS256",
            JwtAlgorithm::Rs256 => "RS256",
            JwtAlgorithm::Es256 => "ES256",
            JwtAlgorithm::EdDsa => "EdDSA",
        }
    }
}

/// Which web pages may call from a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigins {
    /// All of them.
    Any,
    /// Those of these origins, each as browsers write it (`https://app.example.com`); empty means none.
    Listed(Vec<String>),
}

/// Who may read the schema over the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Introspection {
    /// Every caller.
    Everyone,
    /// Callers with a valid token or API key.
    Authenticated,
    /// No caller.
    Nobody,
}

/// How much one request may ask for.
#[derive(Debug, Clone)]
pub struct LimitsConfig {
    /// The largest request body, in bytes.
    pub body_bytes: usize,
    /// The most tokens in one GraphQL document.
    pub tokens: usize,
    /// The deepest nesting of fields in one operation.
    pub depth: usize,
    /// The most aliases in one operation.
    pub aliases: usize,
    /// The most operations in one request.
    pub batch: usize,
    /// The most fields in one operation once its fragments are expanded.
    pub selections: usize,
    /// How long one operation may take.
    pub timeout: Duration,
}

/// The proxies in front of us.
#[derive(Debug, Clone)]
pub struct ProxyConfig {
    /// Where they are; empty where clients connect to us directly.
    pub trusted: Vec<Network>,
    /// The header in which they say where a request comes from.
    pub client_ip_header: String,
}

/// Licence keys of a desktop application.
#[derive(Debug, Clone, Copy)]
pub struct LicenceConfig {
    /// How often in a minute one address may try keys, and how often one key may be tried.
    pub checks_per_minute: NonZeroU32,
    /// On how many devices a licence may be used where nothing else is said.
    pub max_devices: i64,
}

/// How much may stay open: WebSockets and event streams.
#[derive(Debug, Clone)]
pub struct LiveConfig {
    /// How long a WebSocket may take to say who it is.
    pub init_timeout: Duration,
    /// The most operations that run on one WebSocket at a time.
    pub operations: usize,
    /// The most WebSockets and event streams at a time.
    pub connections: u32,
}

/// What is logged, and how.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// A tracing filter that has been checked to parse.
    pub filter: String,
    /// For whom it is written.
    pub format: LogFormat,
}

/// For whom the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines, one JSON object per line.
    Json,
}

/// A text that must not be logged or shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being shown by accident.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[not shown]")
    }
}

/// Everything that is wrong with the settings; shown as one line for each mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<String>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigErrors {}

impl Config {
    /// Reads and checks every setting. `file` must be there if it is given; without it the file is the one that
    /// `TOLLGATE_CONFIG` names, and without that there is none.
    pub fn load(file: Option<&Path>, env: impl Iterator<Item = (String, String)>) -> Result<Config, ConfigErrors> {
        let env: Vec<(String, String)> = env.collect();
        let file = file.or(named_file(&env));
        check::config(read::Reader::new(file, &env)).map_err(ConfigErrors)
    }

    /// [`load`](Config::load) with the environment of this process, and `tollgate.toml` if no file is named and it is
    /// there.
    pub fn from_process(file: Option<&Path>) -> Result<Config, ConfigErrors> {
        #[expect(clippy::disallowed_methods, reason = "settings are read once, here")]
        // Not `vars`, which panics when any variable at all is not UTF-8.
        let env = std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value)));
        let env: Vec<(String, String)> = env.collect();
        let fallback = Path::new(DEFAULT_FILE);
        let unnamed = file.is_none() && named_file(&env).is_none();
        let file = if unnamed && fallback.exists() { Some(fallback) } else { file };
        Config::load(file, env.into_iter())
    }
}

fn named_file(env: &[(String, String)]) -> Option<&Path> {
    env.iter().find(|(name, value)| name == CONFIG_VARIABLE && !value.is_empty()).map(|(_, value)| Path::new(value))
}

fn lossy(text: std::ffi::OsString) -> String {
    text.to_string_lossy().into_owned()
}
