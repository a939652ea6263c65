//! The HTTP edge: GraphQL over GET and POST, webhooks, health, metrics, the schema and GraphiQL. What is behind is asked
//! through the hooks of [`Http`], which `app.rs` makes; the handlers know no feature.

mod app;
mod assets;
mod body;
mod client;
mod connections;
mod decode;
mod graphql;
mod health;
mod metrics;
mod negotiate;
mod observe;
mod problem;
mod replies;
mod router;
mod serve;
mod sse;
#[cfg(test)]
mod tests;
mod webhooks;
mod ws;

use std::{net::IpAddr, sync::Arc, time::Duration};

pub use axum::Router;
use axum::http::HeaderMap;
use futures_util::future::BoxFuture;

pub use self::{
    client::Proxies,
    connections::Connections,
    router::router,
    serve::{serve, terminated},
};
use crate::{
    changes::{Interest, Watcher},
    error::Result,
    graphql::engine::execute::{Attach, Engine},
    inbox::{Declined, Delivery, Receipt},
};

/// Finds out from the headers of a request and its client's address who sent it, before anything else of the request
/// is looked at. An error refuses the request: 401 for [`Unauthenticated`](crate::error::Error::Unauthenticated).
pub type Authenticate =
    Arc<dyn for<'a> Fn(&'a HeaderMap, Option<IpAddr>) -> BoxFuture<'a, Result<Caller>> + Send + Sync>;

/// Says whether requests can be answered, or in public words what is missing.
pub type Ready = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Takes in a webhook; what is received is kept for good.
pub type Receive = Arc<dyn for<'d> Fn(Delivery<'d>) -> BoxFuture<'d, Result<Receipt, Declined>> + Send + Sync>;

/// How the service is doing, in the text format of Prometheus, for the caller whom the headers of a request name.
pub type Figures = Arc<dyn for<'a> Fn(&'a HeaderMap) -> BoxFuture<'a, Result<String>> + Send + Sync>;

/// Watches for what a subscription is about.
pub type Watch = Arc<dyn Fn(Interest) -> BoxFuture<'static, Result<Watcher>> + Send + Sync>;

/// A caller, as far as HTTP cares.
pub struct Caller {
    /// Whether no credential was sent.
    pub anonymous: bool,
    /// Makes the caller known to resolvers.
    pub attach: Attach,
}

/// All that the handlers share.
pub struct Http {
    /// What executes operations.
    pub engine: Engine,
    /// Who is calling.
    pub authenticate: Authenticate,
    /// Whether requests can be answered.
    pub ready: Ready,
    /// What becomes of webhooks.
    pub receive: Receive,
    /// How the service is doing.
    pub figures: Figures,
    /// How subscriptions come to know of changes.
    pub watch: Watch,
    /// The connections that stay open.
    pub connections: Arc<Connections>,
    /// Limits and switches.
    pub settings: Settings,
}

/// Limits and switches of the HTTP edge.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bytes of the longest request body.
    pub body_bytes: usize,
    /// Bytes of the longest webhook.
    pub webhook_bytes: usize,
    /// How long the body may take to arrive.
    pub body_time: Duration,
    /// Operations in one request.
    pub batch: usize,
    /// Who may ask for the schema, by introspection and at `/schema.graphql`.
    pub introspection: Introspection,
    /// Origins whose pages may call the API, as `https://app.example.com`; `*` for all.
    pub origins: Vec<String>,
    /// Whose word is taken for where a request comes from.
    pub proxies: Proxies,
    /// Whether browsers that open the endpoint are shown GraphiQL.
    pub graphiql: bool,
    /// Whether each request is logged.
    pub access_log: bool,
    /// How long running requests may take to finish after the signal to stop.
    pub shutdown_limit: Duration,
    /// Limits of connections that stay open.
    pub live: LiveSettings,
}

/// Limits of WebSockets and event streams.
#[derive(Debug, Clone)]
pub struct LiveSettings {
    /// How long a WebSocket may take to say who it is.
    pub init_limit: Duration,
    /// Operations that run on one WebSocket at a time.
    pub operations: usize,
    /// How often a connection is made sure of: that the client is there, and that its credential holds.
    pub keep_alive: Duration,
    /// How long a client may leave unread what it is sent.
    pub write_limit: Duration,
}

impl Default for LiveSettings {
    fn default() -> Self {
        LiveSettings {
            init_limit: Duration::from_secs(3),
            operations: 50,
            keep_alive: Duration::from_secs(15),
            write_limit: Duration::from_secs(10),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            body_bytes: 1024 * 1024,
            webhook_bytes: 2 * 1024 * 1024,
            body_time: Duration::from_secs(15),
            batch: 10,
            introspection: Introspection::Everyone,
            origins: Vec::new(),
            proxies: Proxies::default(),
            graphiql: true,
            access_log: true,
            shutdown_limit: Duration::from_secs(20),
            live: LiveSettings::default(),
        }
    }
}

/// Who may ask for the schema; others get the code `FORBIDDEN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Introspection {
    /// Every caller.
    Everyone,
    /// Callers with a credential.
    Authenticated,
    /// No caller.
    Nobody,
}

impl Introspection {
    fn allows(self, caller: &Caller) -> bool {
        match self {
            Introspection::Everyone => true,
            Introspection::Authenticated => !caller.anonymous,
            Introspection::Nobody => false,
        }
    }
}
