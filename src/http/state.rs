//! The state shared by all handlers.

use std::{net::IpAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};

use super::{
    client::Proxies,
    connections::{ConnectionLimits, Connections},
    documents::StoredDocuments,
    respond::problem,
};
use crate::{
    accounts,
    app::App,
    auth::Viewer,
    changes::Feed,
    config::{Config, CorsOrigins, Introspection, TrustedDocuments},
    error::{Error, Result},
    graphql::{
        self,
        engine::{
            errors::code,
            execute::{Attach, Engine},
        },
    },
    metrics::ConnectionLimit,
};

/// Interval of checks that the client of an open connection is still there and still authorised.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Time that a client may take to read a message.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time after which a connection ends whose client reads nothing of a response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Number of faulty documents that are listed at the start.
const MAX_LISTED_FAULTS: usize = 20;

/// The result of the last check of the database, or the reason why it failed; locked, and none, during a check.
pub(super) type Readiness = tokio::sync::Mutex<Option<Result<(), String>>>;

/// The state shared by all handlers.
pub struct Http {
    /// The app.
    pub app: Arc<App>,
    /// The engine that executes operations.
    pub engine: Engine,
    /// The changes that subscriptions watch.
    pub feed: Feed,
    /// The documents that clients may name instead of sending them.
    pub documents: StoredDocuments,
    /// The open WebSockets and streams.
    pub connections: Arc<Connections>,
    /// Limits and switches.
    pub settings: Settings,
    /// The check of the database that `/readyz` shares.
    pub(super) readiness: Readiness,
}

/// Limits and switches of the HTTP server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Maximum size of a request body, in bytes.
    pub body_bytes: usize,
    /// Time limit for the arrival of a request body.
    pub body_timeout: Duration,
    /// Maximum size of a webhook's body, in bytes.
    pub webhook_bytes: usize,
    /// Maximum number of operations in a request.
    pub batch: usize,
    /// Maximum length of a reply, in bytes.
    pub reply_bytes: u64,
    /// The callers who may read the schema, by introspection and at `/schema.graphql`.
    pub introspection: Introspection,
    /// True if browsers are shown GraphiQL.
    pub graphiql: bool,
    /// The web origins that may call the API, such as `https://app.example.com`; `*` for all.
    pub origins: Vec<String>,
    /// The trusted proxies.
    pub proxies: Proxies,
    /// Limits of connections.
    pub transport: TransportSettings,
    /// Limits of WebSockets and streams.
    pub live: LiveSettings,
}

/// Limits of connections.
#[derive(Debug, Clone)]
pub struct TransportSettings {
    /// Time limit for the head of a connection's first request.
    pub head_timeout: Duration,
    /// Time after which a connection without a request in progress is closed.
    pub idle_timeout: Duration,
    /// Time after which a connection ends whose client reads nothing of a response.
    pub write_timeout: Duration,
    /// Maximum number of open connections from one address that is not a trusted proxy.
    pub per_address: u32,
}

/// Limits of WebSockets and streams.
#[derive(Debug, Clone)]
pub struct LiveSettings {
    /// Time limit for the `connection_init` message of a WebSocket.
    pub init_limit: Duration,
    /// Maximum number of concurrent operations on a WebSocket.
    pub operations: usize,
    /// Interval of checks that the client is still there and still authorised.
    pub keep_alive: Duration,
    /// Time that a client may take to read a message.
    pub write_limit: Duration,
}

impl Http {
    /// Creates the state for `app`.
    pub fn new(app: &Arc<App>) -> anyhow::Result<Http> {
        Http::with_engine(app, graphql::engine(app)?)
    }

    /// Creates the state for `app` with another engine. Fails if a trusted document is not valid.
    pub(super) fn with_engine(app: &Arc<App>, engine: Engine) -> anyhow::Result<Http> {
        check_documents(&engine, &app.config.documents.trusted)?;
        let live = &app.config.live;
        let limits = ConnectionLimits {
            all: live.connections,
            anonymous: live.connections_anonymous,
            per_address: live.connections_per_address,
        };
        Ok(Http {
            engine,
            feed: Feed::new(app),
            documents: StoredDocuments::new(&app.config.documents),
            connections: Arc::new(Connections::new(limits)),
            settings: settings(&app.config)?,
            app: Arc::clone(app),
            readiness: Readiness::default(),
        })
    }

    /// Authenticates the caller by the headers of a request; refuses publishable keys.
    pub(super) async fn sign_in(&self, headers: &HeaderMap, address: Option<IpAddr>) -> Result<Viewer> {
        Ok(accounts::sign_in(&self.app, bearer(headers)?).await?.calling_from(address))
    }

    /// Counts and creates the response to a request for a WebSocket or stream beyond a limit.
    pub(super) fn refuse_connection(&self, limit: ConnectionLimit) -> Response {
        self.app.metrics.count_refusal(limit);
        match limit {
            ConnectionLimit::Live => {
                let message = "The limit of open WebSockets and streams is reached. Try again later.";
                problem(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, message)
            }
            ConnectionLimit::LiveAnonymous => {
                let message = "The limit of WebSockets and streams without a credential is reached. Send a credential.";
                problem(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, message)
            }
            ConnectionLimit::LiveAddress | ConnectionLimit::Address => {
                let message = "The limit of WebSockets and streams from this address is reached. Close one first.";
                problem(StatusCode::TOO_MANY_REQUESTS, code::RATE_LIMITED, message)
            }
        }
    }

    /// Returns the function that makes the app and the caller known to resolvers.
    pub(super) fn attach(&self, viewer: Viewer) -> Attach {
        graphql::attach(Arc::clone(&self.app), viewer)
    }
}

impl Settings {
    /// Returns whether pages of this origin may call the API with any credential.
    pub(super) fn admits(&self, origin: &HeaderValue) -> bool {
        self.origins.iter().any(|admitted| admitted == "*" || origin == admitted.as_str())
    }

    /// Returns whether a caller may read the schema.
    pub(super) fn allows_introspection(&self, viewer: &Viewer) -> bool {
        match self.introspection {
            Introspection::Everyone => true,
            Introspection::Authenticated => viewer.is_signed_in(),
            Introspection::Nobody => false,
        }
    }
}

/// Returns the bearer credential of a request (RFC 6750). Refuses other credentials instead of ignoring them.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&str>> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = sent.next() else { return Ok(None) };
    let refused =
        || Error::Unauthenticated("Send one header `Authorization: Bearer …` with a token or an API key.".into());
    let (scheme, credential) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(refused)?;
    if !scheme.eq_ignore_ascii_case("bearer") || sent.next().is_some() {
        return Err(refused());
    }
    Ok(Some(credential.trim()))
}

/// Checks the trusted documents against the schema and the limits on documents.
fn check_documents(engine: &Engine, documents: &TrustedDocuments) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    for (id, text) in documents.iter() {
        for error in engine.check(text).err().into_iter().flatten() {
            let at = error.position.map(|at| format!(" (line {}, column {})", at.line, at.column)).unwrap_or_default();
            faults.push(format!("{id}{at}: {}", error.message));
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    let count = faults.len();
    faults.truncate(MAX_LISTED_FAULTS);
    anyhow::bail!(
        "The trusted documents are not valid (errors: {count}). Correct them and start again.\n{}",
        faults.join("\n")
    )
}

fn settings(config: &Config) -> anyhow::Result<Settings> {
    Ok(Settings {
        body_bytes: config.limits.body_bytes,
        body_timeout: config.transport.body_timeout,
        webhook_bytes: config.providers.webhook_body_bytes,
        batch: config.limits.batch,
        reply_bytes: config.costs.reply_bytes,
        introspection: config.introspection,
        graphiql: config.graphiql,
        origins: match &config.cors_origins {
            CorsOrigins::Any => vec!["*".to_owned()],
            CorsOrigins::Listed(origins) => origins.clone(),
        },
        proxies: Proxies {
            trusted: config.proxies.trusted.clone(),
            header: config.proxies.client_ip_header.parse().context("client_ip_header is not the name of a header")?,
        },
        transport: TransportSettings {
            head_timeout: config.transport.head_timeout,
            idle_timeout: config.transport.idle_timeout,
            write_timeout: WRITE_TIMEOUT,
            per_address: config.transport.connections_per_address,
        },
        live: LiveSettings {
            init_limit: config.live.init_timeout,
            operations: config.live.operations,
            keep_alive: KEEP_ALIVE,
            write_limit: MESSAGE_TIMEOUT,
        },
    })
}
