//! The HTTP server: GraphQL over GET and POST, WebSocket and event streams; webhooks, health, metrics, the schema and
//! GraphiQL.

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
mod replies;
mod respond;
mod router;
mod serve;
mod sse;
mod state;
#[cfg(test)]
mod tests;
mod webhooks;
mod ws;

pub use axum::Router;

pub use self::{
    client::Proxies,
    connections::Connections,
    router::router,
    serve::{serve, terminated},
    state::{Http, LiveSettings, Settings},
};
