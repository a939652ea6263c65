//! The settings of the API: introspection, GraphiQL, limits, connections, licence keys and logs.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::read::Reader;
use super::values::Environment;

/// The callers who may read the schema through the API; others get the code `FORBIDDEN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Introspection {
    /// Every caller.
    Everyone,
    /// Callers with a valid token or API key.
    Authenticated,
    /// No caller.
    Nobody,
}

/// Limits for one request.
#[derive(Debug, Clone)]
pub struct LimitsConfig {
    /// Maximum size of a request body, in bytes.
    pub body_bytes: usize,
    /// Maximum number of tokens in a GraphQL document.
    pub tokens: usize,
    /// Maximum nesting of fields in an operation.
    pub depth: usize,
    /// Maximum number of aliases in an operation.
    pub aliases: usize,
    /// Maximum number of operations in a request.
    pub batch: usize,
    /// Maximum number of fields in an operation after its fragments are expanded.
    pub selections: usize,
    /// Time limit for a query, and for an event of a subscription.
    pub timeout: Duration,
    /// Time that the caller of a mutation waits; the mutation itself goes on to its end.
    pub mutation_timeout: Duration,
}

/// Licence keys of a desktop application.
#[derive(Debug, Clone, Copy)]
pub struct LicenceConfig {
    /// Checks of licence keys in a minute, for each address and for each key.
    pub checks_per_minute: NonZeroU32,
    /// Default number of devices for a licence.
    pub max_devices: i64,
}

/// The fate of purchased credits that were spent before their money is returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpentCredits {
    /// They are the customer's: those that are left are taken back.
    Forgive,
    /// They are owed: the next grants repay them.
    Owe,
    /// The refund is refused here; one that is made at the provider forgives them.
    Refuse,
}

/// The people whose events may be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackingConsent {
    /// Everybody who did not refuse.
    NotRequired,
    /// Those who consented.
    Required,
}

/// Limits for connections.
#[derive(Debug, Clone)]
pub struct TransportConfig {
    /// Time limit for the head of a connection's first request.
    pub head_timeout: Duration,
    /// Time limit for the arrival of a request body.
    pub body_timeout: Duration,
    /// Time after which a connection without a request in progress is closed.
    pub idle_timeout: Duration,
    /// Maximum number of connections from one address.
    pub connections_per_address: u32,
}

/// Limits for WebSockets and streams.
#[derive(Debug, Clone)]
pub struct LiveConfig {
    /// Time limit for the `connection_init` message of a WebSocket.
    pub init_timeout: Duration,
    /// Maximum number of concurrent operations on a WebSocket.
    pub operations: usize,
    /// Maximum number of open WebSockets and streams.
    pub connections: u32,
    /// Maximum number of those of anonymous callers.
    pub connections_anonymous: u32,
    /// Maximum number of those from one address.
    pub connections_per_address: u32,
}

/// Logging.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// A tracing filter that is known to parse.
    pub filter: String,
    /// The format of the lines.
    pub format: LogFormat,
}

/// The format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object on each line.
    Json,
}

/// Reads the directory of reports.
pub(super) fn reports_directory(reader: &mut Reader) -> Option<PathBuf> {
    let directory = reader.text("reports_directory").map(PathBuf::from);
    if let Some(path) = directory.as_ref().filter(|path| !path.is_dir()) {
        reader.mistake("reports_directory", path.to_str(), "It must be a directory that exists.");
    }
    directory
}

/// Reads the callers who may read the schema.
pub(super) fn introspection(reader: &mut Reader, environment: Environment) -> Introspection {
    let choices = [
        ("everyone", Introspection::Everyone),
        ("authenticated", Introspection::Authenticated),
        ("nobody", Introspection::Nobody),
    ];
    reader.one_of("introspection", &choices).unwrap_or(match environment {
        Environment::Development => Introspection::Everyone,
        Environment::Production => Introspection::Authenticated,
    })
}

/// Reads whether browsers are shown GraphiQL.
pub(super) fn graphiql(reader: &mut Reader, environment: Environment) -> bool {
    let choices = [("true", true), ("false", false)];
    reader.one_of("graphiql", &choices).unwrap_or(environment == Environment::Development)
}

/// Reads the limits for connections.
pub(super) fn transport(reader: &mut Reader) -> TransportConfig {
    TransportConfig {
        head_timeout: Duration::from_millis(reader.number("request_head_timeout_ms", 10..=600_000)),
        body_timeout: Duration::from_millis(reader.number("request_body_timeout_ms", 10..=600_000)),
        idle_timeout: Duration::from_millis(reader.number("keep_alive_timeout_ms", 10..=3_600_000)),
        connections_per_address: reader.number("connections_per_address", 1..=1_000_000),
    }
}

/// Reads the limits for one request.
pub(super) fn limits(reader: &mut Reader) -> LimitsConfig {
    LimitsConfig {
        body_bytes: reader.number("body_limit_bytes", 1024..=104_857_600),
        tokens: reader.number("limit_tokens", 10..=1_000_000),
        depth: reader.number("limit_depth", 1..=100),
        aliases: reader.number("limit_aliases", 0..=10_000),
        batch: reader.number("limit_batch", 1..=100),
        selections: reader.number("limit_selections", 10..=1_000_000),
        timeout: Duration::from_millis(reader.number("request_timeout_ms", 100..=600_000)),
        mutation_timeout: Duration::from_millis(reader.number("mutation_timeout_ms", 100..=600_000)),
    }
}

/// Reads the settings of licence keys.
pub(super) fn licences(reader: &mut Reader) -> LicenceConfig {
    let (min, max) = (NonZeroU32::MIN, NonZeroU32::MIN.saturating_add(99_999));
    LicenceConfig {
        checks_per_minute: reader.number("license_checks_per_minute", min..=max),
        max_devices: reader.number("license_max_devices", 1..=10_000),
    }
}

/// Reads the rule for refunds of credits that were spent.
pub(super) fn spent_credits(reader: &mut Reader) -> SpentCredits {
    let choices = [("forgive", SpentCredits::Forgive), ("owe", SpentCredits::Owe), ("refuse", SpentCredits::Refuse)];
    reader.one_of("refund_spent_credits", &choices).unwrap_or(SpentCredits::Forgive)
}

/// Reads the people whose events may be recorded.
pub(super) fn tracking_consent(reader: &mut Reader) -> TrackingConsent {
    let choices = [("not_required", TrackingConsent::NotRequired), ("required", TrackingConsent::Required)];
    reader.one_of("tracking_consent", &choices).unwrap_or(TrackingConsent::NotRequired)
}

/// Reads the names of the fields of a subscription's metadata that everyone who sees the subscription may see.
pub(super) fn subscription_metadata_fields(reader: &mut Reader) -> Vec<String> {
    reader.list("subscription_metadata_fields")
}

/// Reads the limits for WebSockets and streams.
pub(super) fn live(reader: &mut Reader) -> LiveConfig {
    LiveConfig {
        init_timeout: Duration::from_millis(reader.number("ws_init_timeout_ms", 10..=60_000)),
        operations: reader.number("ws_operations", 1..=10_000),
        connections: reader.number("live_connections", 1..=1_000_000),
        connections_anonymous: reader.number("live_connections_anonymous", 0..=1_000_000),
        connections_per_address: reader.number("live_connections_per_address", 1..=1_000_000),
    }
}

/// Reads the settings of the log.
pub(super) fn log(reader: &mut Reader) -> LogConfig {
    let filter = reader.text("log").unwrap_or_default();
    if !is_filter(&filter) {
        let rule = "It must be off, error, warn, info, debug, trace or a filter such as info,tollgate=debug.";
        reader.mistake("log", Some(&filter), rule);
    }
    let choices = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    LogConfig { filter, format: reader.one_of("log_format", &choices).unwrap_or(LogFormat::Text) }
}

/// Returns whether a text is a filter. Refuses misspelt levels, which the library takes for names of modules.
fn is_filter(text: &str) -> bool {
    let is_clear = |part: &str| part.contains(['=', '[']) || part.trim().parse::<LevelFilter>().is_ok();
    EnvFilter::try_new(text).is_ok() && text.split(',').all(is_clear)
}
