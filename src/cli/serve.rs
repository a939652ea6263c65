//! `tollgate serve`.

use crate::app::App;
use crate::config::{Config, Environment};
use crate::error::Error;
use crate::http::{self, Http};
use crate::worker::worker;
use anyhow::Context;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Serves until told to stop. In development the schema is brought up to date first; in production that is a step of
/// its own, and until it is done `/readyz` says so.
pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    let app = Arc::new(super::app(config).await?);
    match app.config.environment {
        Environment::Development => migrate(&app).await?,
        Environment::Production => {}
    }
    listen(app).await
}

async fn migrate(app: &App) -> anyhow::Result<()> {
    match app.db.migrate(app.new_id(), app.now(), super::mark(&app.config)).await {
        Ok(applied) if applied.is_empty() => Ok(()),
        Ok(applied) => {
            tracing::info!(changes = applied.len(), "schema brought up to date");
            Ok(())
        }
        // It may come back; until then /readyz says so.
        Err(Error::Unavailable(what, cause)) => {
            tracing::warn!(cause = format!("{cause:#}"), "{what} does not answer");
            Ok(())
        }
        Err(error) => Err(error).context("the schema cannot be brought up to date"),
    }
}

/// Serves a prepared app.
pub(super) async fn listen(app: Arc<App>) -> anyhow::Result<()> {
    let listener = bind(&app.config).await?;
    accept(app, listener).await
}

/// Takes the configured address.
pub(super) async fn bind(config: &Config) -> anyhow::Result<TcpListener> {
    let address = config.listen;
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}; set TOLLGATE_LISTEN"))
}

/// Serves a prepared app on a listener, and does its jobs, until told to stop.
pub(super) async fn accept(app: Arc<App>, listener: TcpListener) -> anyhow::Result<()> {
    let limit = app.config.shutdown_timeout;
    let http = Http::new(&app)?;
    let connections = Arc::clone(&http.connections);
    let router = http::router(http)?;
    tracing::info!("listening on http://{}/graphql", listener.local_addr()?);
    let (end, ended) = oneshot::channel::<()>();
    let serving = async {
        let served = http::serve(listener, router, connections, http::terminated(), limit).await;
        drop(end);
        served
    };
    let told = async {
        tokio::select! {
            () = http::terminated() => {}
            _ = ended => {}
        }
    };
    let worker = worker();
    let (served, ()) = tokio::join!(serving, worker.run(&app, told, limit));
    Ok(served?)
}
