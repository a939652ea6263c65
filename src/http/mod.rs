//! The HTTP server: GraphQL over GET and POST, WebSocket, event streams and multipart responses; webhooks, health,
//! metrics, the schema and GraphiQL.

mod addresses;
mod assets;
mod body;
mod client;
mod connection;
mod connections;
mod costs;
mod decode;
mod documents;
mod graphql;
mod health;
mod metrics;
mod multipart;
mod negotiate;
mod observe;
mod pages;
mod replies;
mod respond;
mod router;
mod serve;
mod sse;
mod state;
mod streams;
#[cfg(test)]
mod tests;
mod webhooks;
mod ws;

pub use axum::Router;

pub use self::{
    client::Proxies,
    connections::{ConnectionLimits, Connections},
    documents::StoredDocuments,
    router::router,
    serve::{Server, terminated},
    state::{Http, LiveSettings, Settings, TransportSettings},
};
