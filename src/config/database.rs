//! The settings of the database.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use super::read::Reader;
use super::values::{Environment, Secret};

/// The database.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// The engine and the address.
    pub url: DatabaseUrl,
    /// Maximum number of connections; on SQLite, of readers beside the one writer.
    pub max_connections: u32,
    /// Time limit for one statement on PostgreSQL.
    pub statement_timeout: Duration,
}

/// The engine and the address of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A SQLite file on this machine.
    Sqlite(PathBuf),
    /// A `postgres://` URL; secret, because it may hold a password.
    Postgres(Secret),
}

impl FromStr for DatabaseUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let parsed = Url::parse(text).map_err(|_| {
                "Write a URL such as postgres://user:password@host/database, with special characters in the password as \
                 %xx."
            })?;
            let modes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
            let mut named = parsed.query_pairs().filter(|(name, _)| ["sslmode", "ssl-mode"].contains(&&**name));
            if named.any(|(_, mode)| !modes.contains(&&*mode)) {
                return Err("`sslmode` must be disable, allow, prefer, require, verify-ca or verify-full.");
            }
            return Ok(DatabaseUrl::Postgres(Secret::new(parsed)));
        }
        if text.starts_with("sqlite:") && text.contains(":memory:") {
            return Err("A database in memory loses everything when the process ends, and each connection would have \
                        its own. Name a file, such as sqlite://tollgate.db.");
        }
        match text.strip_prefix("sqlite://") {
            Some(path) if path.contains('?') => {
                Err("Tollgate sets SQLite's options itself. Leave out everything from the `?`.")
            }
            Some(path) if !path.is_empty() => Ok(DatabaseUrl::Sqlite(path.into())),
            _ => Err("It must be sqlite://<path> or postgres://<user>:<password>@<host>/<database>."),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    /// Writes the URL without its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseUrl::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            DatabaseUrl::Postgres(url) => {
                let mut url = Url::parse(url.expose()).map_err(|_| fmt::Error)?;
                // Fails only for URLs that cannot have a password.
                let _ = url.set_password(None);
                write!(f, "{url}")
            }
        }
    }
}

/// Returns the URL with `sslmode=verify-full` for a server in production that is reached over a network, unless the URL says
/// which protection it wants. Otherwise the client would go on in plain text wherever a server, or somebody between, says
/// that there is no TLS.
fn with_verified_tls(url: DatabaseUrl, environment: Environment) -> DatabaseUrl {
    let DatabaseUrl::Postgres(text) = &url else { return url };
    let Ok(mut parsed) = Url::parse(text.expose()) else { return url };
    let says = parsed.query_pairs().any(|(name, _)| ["sslmode", "ssl-mode"].contains(&&*name));
    if says || environment != Environment::Production || is_on_this_machine(&parsed) {
        return url;
    }
    parsed.query_pairs_mut().append_pair("sslmode", "verify-full");
    DatabaseUrl::Postgres(Secret::new(parsed))
}

/// Returns whether a server is reached through a socket of this machine or its loopback interface.
fn is_on_this_machine(url: &Url) -> bool {
    let named = url.query_pairs().filter(|(name, _)| ["host", "hostaddr"].contains(&&**name)).last();
    let host = named.map(|(_, host)| host.into_owned()).or_else(|| url.host_str().map(str::to_owned));
    let host = host.unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    // A path to a socket is written as `%2Frun%2Fpostgresql` in the place of the host.
    host.is_empty()
        || host.starts_with('/')
        || host.to_lowercase().starts_with("%2f")
        || host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Reads the settings of the database.
pub(super) fn database(reader: &mut Reader, environment: Environment) -> DatabaseConfig {
    let text = reader.text("database_url").unwrap_or_default();
    let url = text.parse().unwrap_or_else(|rule| {
        reader.mistake("database_url", None, rule);
        DatabaseUrl::Sqlite(PathBuf::new())
    });
    let url = with_verified_tls(url, environment);
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
