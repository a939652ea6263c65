//! `tollgate serve`.

use crate::app::App;
use crate::config::{self, Config, Environment};
use crate::error::Error;
use crate::http::{self, Http, Server};
use crate::worker::{flush_until, worker};
use anyhow::Context;
use clap::Args;
use futures_util::FutureExt;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Serves the API and runs background jobs until SIGTERM or ctrl-c.
#[derive(Debug, Args)]
#[command(after_long_help = config::help())]
pub(super) struct Serve {
    /// Run no background jobs; `tollgate worker` runs them elsewhere.
    #[arg(long)]
    no_worker: bool,
}

impl Serve {
    /// Serves until a signal to stop.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<()> {
        let app = prepare(config).await?;
        let listener = bind(&app.config).await?;
        accept(app, listener, !self.no_worker, None).await
    }
}

/// Opens the app of a command that runs until a signal to stop. In development it migrates the database first; in
/// production that is a separate step, and `/readyz` reports pending migrations.
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
            tracing::info!(changes = applied.len(), "migrations applied");
            Ok(())
        }
        // It may recover; /readyz reports it until then.
        Err(Error::Unavailable(what, cause)) => {
            tracing::warn!(cause = format!("{cause:#}"), "{what} does not answer");
            Ok(())
        }
        Err(error) => Err(error).context("The database cannot be migrated"),
    }
}

/// Binds the configured address.
pub(super) async fn bind(config: &Config) -> anyhow::Result<TcpListener> {
    let address = config.listen;
    TcpListener::bind(address)
        .await
        .with_context(|| format!("Cannot listen on {address}. Set TOLLGATE_LISTEN to another address"))
}

/// Serves an app on a listener, with other routes beside it, and runs its jobs if `with_worker`, until a signal to stop.
pub(super) async fn accept(
    app: Arc<App>,
    listener: TcpListener,
    with_worker: bool,
    beside: Option<http::Router>,
) -> anyhow::Result<()> {
    let limit = app.config.shutdown_timeout;
    let server = Server::new(Http::new(&app)?, beside)?;
    // Before the log says that the server listens, so that its reader may send a signal immediately.
    let (stop, stop_worker) = (http::terminated(), http::terminated());
    tracing::info!("listening on http://{}/graphql", listener.local_addr()?);
    let (end, ended) = oneshot::channel::<()>();
    let serving = async {
        server.serve(listener, stop, limit).await;
        // Mutations whose clients are gone are no running requests.
        app.detached.finish(limit).await;
        drop(end);
    };
    let ended = ended.map(drop).shared();
    let ended_or_stopped = async {
        tokio::select! {
            () = stop_worker => {}
            () = ended.clone() => {}
        }
    };
    let work = async {
        if with_worker {
            worker(&app.config).run(&app, ended_or_stopped, limit).await;
        }
    };
    tokio::join!(serving, work, flush_until(&app, ended.clone()));
    Ok(())
}
