//! The state shared by all handlers.

use std::{net::IpAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::http::{HeaderMap, header};

use super::{client::Proxies, connections::Connections};
use crate::{
    accounts,
    app::App,
    auth::Viewer,
    changes::Feed,
    config::{Config, CorsOrigins, Introspection},
    error::{Error, Result},
    graphql::{
        self,
        engine::execute::{Attach, Engine},
    },
};

/// Interval of checks that the client of an open connection is still there and still authorised.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Time that a client may take to read a message.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// The state shared by all handlers.
pub struct Http {
    /// The app.
    pub app: Arc<App>,
    /// The engine that executes operations.
    pub engine: Engine,
    /// The changes that subscriptions watch.
    pub feed: Feed,
    /// The open WebSockets and event streams.
    pub connections: Arc<Connections>,
    /// Limits and switches.
    pub settings: Settings,
}

/// Limits and switches of the HTTP server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Maximum size of a request body, in bytes.
    pub body_bytes: usize,
    /// Maximum size of a webhook's body, in bytes.
    pub webhook_bytes: usize,
    /// Maximum number of operations in a request.
    pub batch: usize,
    /// The callers who may read the schema, by introspection and at `/schema.graphql`.
    pub introspection: Introspection,
    /// The web origins that may call the API, such as `https://app.example.com`; `*` for all.
    pub origins: Vec<String>,
    /// The trusted proxies.
    pub proxies: Proxies,
    /// Limits of WebSockets and event streams.
    pub live: LiveSettings,
}

/// Limits of WebSockets and event streams.
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

    /// Creates the state for `app` with another engine.
    pub(super) fn with_engine(app: &Arc<App>, engine: Engine) -> anyhow::Result<Http> {
        Ok(Http {
            engine,
            feed: Feed::new(app),
            connections: Arc::new(Connections::new(app.config.live.connections)),
            settings: settings(&app.config)?,
            app: Arc::clone(app),
        })
    }

    /// Authenticates the caller by the headers of a request.
    pub(super) async fn sign_in(&self, headers: &HeaderMap, address: Option<IpAddr>) -> Result<Viewer> {
        Ok(accounts::sign_in(&self.app, bearer(headers)?).await?.calling_from(address))
    }

    /// Returns the function that makes the app and the caller known to resolvers.
    pub(super) fn attach(&self, viewer: Viewer) -> Attach {
        graphql::attach(Arc::clone(&self.app), viewer)
    }
}

impl Settings {
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
fn bearer(headers: &HeaderMap) -> Result<Option<&str>> {
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

fn settings(config: &Config) -> anyhow::Result<Settings> {
    Ok(Settings {
        body_bytes: config.limits.body_bytes,
        webhook_bytes: config.providers.webhook_body_bytes,
        batch: config.limits.batch,
        introspection: config.introspection,
        origins: match &config.cors_origins {
            CorsOrigins::Any => vec!["*".to_owned()],
            CorsOrigins::Listed(origins) => origins.clone(),
        },
        proxies: Proxies {
            trusted: config.proxies.trusted.clone(),
            header: config.proxies.client_ip_header.parse().context("client_ip_header is not the name of a header")?,
        },
        live: LiveSettings {
            init_limit: config.live.init_timeout,
            operations: config.live.operations,
            keep_alive: KEEP_ALIVE,
            write_limit: WRITE_TIMEOUT,
        },
    })
}
