//! Turns what was written for the settings into values, noting every mistake.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use url::{Host, Url};

use super::providers::providers;
use super::read::Reader;
use super::{
    Config, CorsOrigins, DatabaseConfig, DatabaseUrl, Environment, Introspection, JwksSource, JwtAlgorithm, JwtConfig,
    JwtKeys, LicenceConfig, LimitsConfig, LiveConfig, LogConfig, LogFormat, Secret, network,
};

/// The least entropy that HS256 asks for (RFC 7518, 3.2).
const SECRET_MIN_BYTES: usize = 32;

/// Claims that users can write themselves at their identity provider.
const WRITABLE_BY_USERS: [&str; 2] = ["user_metadata", "unsafe_metadata"];

/// The whole configuration, or every mistake in it.
pub(super) fn config(mut reader: Reader) -> Result<Config, Vec<String>> {
    let config = values(&mut reader);
    let mistakes = reader.into_mistakes();
    if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }
}

/// The values, with stand-ins for those that are wrong.
fn values(reader: &mut Reader) -> Config {
    let environment = environment(reader);
    Config {
        environment,
        listen: listen(reader),
        database: database(reader),
        jwt: jwt(reader, environment),
        cors_origins: cors_origins(reader),
        introspection: introspection(reader, environment),
        limits: limits(reader),
        providers: providers(reader, environment),
        proxies: network::proxies(reader),
        licences: licences(reader),
        live: LiveConfig {
            init_timeout: Duration::from_millis(reader.number("ws_init_timeout_ms", 10..=60_000)),
            operations: reader.number("ws_operations", 1..=10_000),
            connections: reader.number("live_connections", 1..=1_000_000),
        },
        shutdown_timeout: Duration::from_millis(reader.number("shutdown_timeout_ms", 0..=600_000)),
        log: log(reader),
    }
}

fn environment(reader: &mut Reader) -> Environment {
    let choices = [("development", Environment::Development), ("production", Environment::Production)];
    reader.one_of("environment", &choices).unwrap_or(Environment::Development)
}

fn listen(reader: &mut Reader) -> std::net::SocketAddr {
    let text = reader.text("listen").unwrap_or_default();
    text.parse().unwrap_or_else(|_| {
        reader.mistake("listen", Some(&text), "it must be an IP address and a port, such as 127.0.0.1:8080");
        ([127, 0, 0, 1], 0).into()
    })
}

fn database(reader: &mut Reader) -> DatabaseConfig {
    let text = reader.text("database_url").unwrap_or_default();
    let url = database_url(&text).unwrap_or_else(|allowed| {
        reader.mistake("database_url", None, allowed);
        DatabaseUrl::Sqlite(PathBuf::new())
    });
    let default = match url {
        DatabaseUrl::Postgres(_) => 10,
        DatabaseUrl::Sqlite(_) => {
            let cores = std::thread::available_parallelism().map_or(2, |cores| cores.get());
            u32::try_from(cores).unwrap_or(2).max(2)
        }
    };
    DatabaseConfig {
        url,
        max_connections: reader.optional_number("database_max_connections", 1..=1000).unwrap_or(default),
        statement_timeout: Duration::from_millis(reader.number("database_statement_timeout_ms", 100..=3_600_000)),
    }
}

pub(super) fn database_url(text: &str) -> Result<DatabaseUrl, &'static str> {
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        let parsed = Url::parse(text).map_err(|_| {
            "it must be a URL such as postgres://user:password@host/database; write special characters in the password \
             as %xx"
        })?;
        return Ok(DatabaseUrl::Postgres(Secret::new(parsed)));
    }
    if text.starts_with("sqlite:") && text.contains(":memory:") {
        return Err(
            "a database in memory loses everything when the process ends, and each connection would have its own; \
                    name a file, such as sqlite://tollgate.db",
        );
    }
    match text.strip_prefix("sqlite://") {
        Some(path) if path.contains('?') => {
            Err("Tollgate sets SQLite's options itself; leave out everything from the `?`")
        }
        Some(path) if !path.is_empty() => Ok(DatabaseUrl::Sqlite(path.into())),
        _ => Err("it must be sqlite://<path> or postgres://<user>:<password>@<host>/<database>"),
    }
}

fn jwt(reader: &mut Reader, environment: Environment) -> JwtConfig {
    let keys = jwt_keys(reader, environment);
    let issuer = reader.text("jwt_issuer");
    if matches!(keys, JwtKeys::Jwks { .. }) && issuer.is_none() && environment == Environment::Production {
        let allowed = "production needs it with jwt_jwks, because some providers sign for all their customers with the \
                       same keys";
        reader.mistake("jwt_issuer", None, allowed);
    }
    JwtConfig {
        keys,
        issuer,
        audience: reader.list("jwt_audience"),
        leeway: Duration::from_secs(reader.number("jwt_leeway_s", 0..=300)),
        role_claim: role_claim(reader),
        scope_claim: reader.text("jwt_scope_claim").unwrap_or_default(),
        create_users_on_sign_in: reader.one_of("create_users_on_sign_in", &[("true", true), ("false", false)])
            == Some(true),
    }
}

fn jwt_keys(reader: &mut Reader, environment: Environment) -> JwtKeys {
    let secret = reader.text("jwt_hs256_secret");
    let jwks = reader.text("jwt_jwks");
    let algorithms = algorithms(reader, secret.is_some(), jwks.is_some());
    match (secret, jwks) {
        (Some(_), Some(jwks)) => {
            let allowed =
                "set either jwt_jwks or jwt_hs256_secret, not both, so that it is certain who may sign tokens";
            reader.mistake("jwt_jwks", Some(&jwks), allowed);
            JwtKeys::None
        }
        (Some(secret), None) => {
            if secret.len() < SECRET_MIN_BYTES {
                let length = secret.len();
                let allowed = format!("it is {length} bytes long and must be at least {SECRET_MIN_BYTES}");
                reader.mistake("jwt_hs256_secret", None, allowed);
            }
            JwtKeys::Secret(Secret::new(secret))
        }
        (None, Some(jwks)) => match jwks_source(&jwks) {
            Ok(source) => JwtKeys::Jwks { source, algorithms },
            Err(allowed) => {
                reader.mistake("jwt_jwks", Some(&jwks), allowed);
                JwtKeys::None
            }
        },
        (None, None) => {
            if environment == Environment::Production {
                let allowed = "nobody could sign in; set jwt_jwks (TOLLGATE_JWT_JWKS) to your identity provider's keys, or \
                               jwt_hs256_secret (TOLLGATE_JWT_HS256_SECRET)";
                reader.mistake("jwt_jwks", None, allowed);
            }
            JwtKeys::None
        }
    }
}

fn algorithms(reader: &mut Reader, has_secret: bool, has_jwks: bool) -> Vec<JwtAlgorithm> {
    let mut algorithms = Vec::new();
    for word in reader.list("jwt_algorithms") {
        match JwtAlgorithm::ALL.into_iter().find(|algorithm| algorithm.name() == word) {
            Some(JwtAlgorithm::Hs256) if has_jwks => {
                let allowed = "a key set holds public keys only; with jwt_jwks use RS256, ES256 or EdDSA";
                reader.mistake("jwt_algorithms", Some(&word), allowed);
            }
            Some(algorithm) if has_secret && algorithm != JwtAlgorithm::Hs256 => {
                reader.mistake("jwt_algorithms", Some(&word), "with jwt_hs256_secret the only algorithm is HS256");
            }
            Some(algorithm) if algorithms.contains(&algorithm) => {}
            Some(algorithm) => algorithms.push(algorithm),
            None => {
                let allowed = "each must be RS256, ES256 or EdDSA with jwt_jwks, or HS256 with jwt_hs256_secret";
                reader.mistake("jwt_algorithms", Some(&word), allowed);
            }
        }
    }
    if algorithms.is_empty() { vec![JwtAlgorithm::Rs256] } else { algorithms }
}

fn jwks_source(text: &str) -> Result<JwksSource, String> {
    if !text.contains("://") {
        let path = PathBuf::from(text);
        return match std::fs::metadata(&path) {
            Ok(found) if found.is_file() => Ok(JwksSource::File(path)),
            Ok(_) => Err("there is no file of that name; give a file, or an https URL".to_owned()),
            Err(error) => Err(format!("the file cannot be read ({error}); give a file, or an https URL")),
        };
    }
    let url = Url::parse(text).map_err(|error| format!("it is not a URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL must not hold a user name or password".to_owned());
    }
    match url.scheme() {
        "https" => Ok(JwksSource::Url(url)),
        "http" if is_loopback(&url) => Ok(JwksSource::Url(url)),
        "http" => Err("over http anyone on the way could replace the keys; use https".to_owned()),
        _ => Err("it must be a file, or an https URL".to_owned()),
    }
}

/// Whether a URL leads to this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn role_claim(reader: &mut Reader) -> String {
    let claim = reader.text("jwt_role_claim").unwrap_or_default();
    if WRITABLE_BY_USERS.iter().any(|writable| claim.split('.').any(|part| part == *writable)) {
        let allowed = "users can write that object themselves and would make themselves admins; use one that only your \
                       server writes, such as app_metadata or public_metadata";
        reader.mistake("jwt_role_claim", Some(&claim), allowed);
    }
    claim
}

fn cors_origins(reader: &mut Reader) -> CorsOrigins {
    let entries = reader.list("cors_origins");
    if entries == ["*"] {
        return CorsOrigins::Any;
    }
    let mut origins = Vec::new();
    for entry in entries {
        match Url::parse(&entry) {
            Ok(url) if is_origin(&url) => origins.push(url.origin().ascii_serialization()),
            _ => {
                let allowed = "each must be an origin such as https://app.example.com, without a path, or `*` alone";
                reader.mistake("cors_origins", Some(&entry), allowed);
            }
        }
    }
    CorsOrigins::Listed(origins)
}

/// Whether a URL says nothing but a scheme, a host and perhaps a port.
fn is_origin(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
}

fn introspection(reader: &mut Reader, environment: Environment) -> Introspection {
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

fn limits(reader: &mut Reader) -> LimitsConfig {
    LimitsConfig {
        body_bytes: reader.number("body_limit_bytes", 1024..=104_857_600),
        tokens: reader.number("limit_tokens", 10..=1_000_000),
        depth: reader.number("limit_depth", 1..=100),
        aliases: reader.number("limit_aliases", 0..=10_000),
        batch: reader.number("limit_batch", 1..=100),
        selections: reader.number("limit_selections", 10..=1_000_000),
        timeout: Duration::from_millis(reader.number("request_timeout_ms", 100..=600_000)),
    }
}

fn licences(reader: &mut Reader) -> LicenceConfig {
    let (least, most) = (NonZeroU32::MIN, NonZeroU32::MIN.saturating_add(99_999));
    LicenceConfig {
        checks_per_minute: reader.number("license_checks_per_minute", least..=most),
        max_devices: reader.number("license_max_devices", 1..=10_000),
    }
}

fn log(reader: &mut Reader) -> LogConfig {
    let filter = reader.text("log").unwrap_or_default();
    if !is_filter(&filter) {
        let allowed = "it must be off, error, warn, info, debug, trace or a filter such as info,tollgate=debug";
        reader.mistake("log", Some(&filter), allowed);
    }
    let choices = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    LogConfig { filter, format: reader.one_of("log_format", &choices).unwrap_or(LogFormat::Text) }
}

/// Whether a text is a filter, and no misspelt level: the library would take `inof` for the name of a module.
fn is_filter(text: &str) -> bool {
    let is_clear = |part: &str| part.contains(['=', '[']) || part.trim().parse::<LevelFilter>().is_ok();
    EnvFilter::try_new(text).is_ok() && text.split(',').all(is_clear)
}
