//! `tollgate serve`.

use crate::app::App;
use crate::config::{self, Config, Environment};
use crate::error::Error;
use crate::http::{self, Http};
use crate::security;
use crate::worker::worker;
use anyhow::Context;
use clap::Args;
use futures_util::FutureExt;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Serves the API and does the background work until SIGTERM or ctrl-c.
#[derive(Debug, Args)]
#[command(after_long_help = config::help())]
pub(super) struct Serve {
    /// Leave the background work to others, such as `tollgate worker`.
    #[arg(long)]
    no_worker: bool,
}

impl Serve {
    /// Serves until told to stop.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<()> {
        let app = prepare(config).await?;
        let listener = bind(&app.config).await?;
        accept(app, listener, !self.no_worker, None).await
    }
}

/// The app of a command that goes on until told to stop. In development the schema is brought up to date first; in
/// production that is a step of its own, and until it is done `/readyz` says so.
pub(super) async fn prepare(config: Config) -> anyhow::Result<Arc<App>> {
    let app = Arc::new(super::open::app(config).await?);
    match app.config.environment {
        Environment::Development => migrate(&app).await?,
        Environment::Production => {}
    }
    Ok(app)
}

async fn migrate(app: &App) -> anyhow::Result<()> {
    match app.db.migrate(app.new_id(), app.now(), super::open::mark(&app.config)).await {
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

/// Takes the configured address.
pub(super) async fn bind(config: &Config) -> anyhow::Result<TcpListener> {
    let address = config.listen;
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}; set TOLLGATE_LISTEN"))
}

/// Serves a prepared app on a listener, and other routes beside it if there are any, and does its jobs unless others
/// do, until told to stop.
pub(super) async fn accept(
    app: Arc<App>,
    listener: TcpListener,
    working: bool,
    beside: Option<http::Router>,
) -> anyhow::Result<()> {
    let limit = app.config.shutdown_timeout;
    let http = Http::new(&app)?;
    let connections = Arc::clone(&http.connections);
    let mut router = http::router(http)?;
    if let Some(beside) = beside {
        router = router.merge(beside);
    }
    // Before it is said that we listen, so that who reads it may stop us.
    let (stop, told) = (http::terminated(), http::terminated());
    tracing::info!("listening on http://{}/graphql", listener.local_addr()?);
    let (end, ended) = oneshot::channel::<()>();
    let serving = async {
        let served = http::serve(listener, router, connections, stop, limit).await;
        drop(end);
        served
    };
    let ended = ended.map(drop).shared();
    let ended_or_told = async {
        tokio::select! {
            () = told => {}
            () = ended.clone() => {}
        }
    };
    let work = async {
        if working {
            worker().run(&app, ended_or_told, limit).await;
        }
    };
    let (served, (), ()) = tokio::join!(serving, work, security::flush_until(&app, ended.clone()));
    Ok(served?)
}
