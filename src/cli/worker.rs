//! `tollgate worker`.

use crate::config::Config;
use crate::http;
use crate::worker::{flush_until, worker};
use futures_util::FutureExt;
use tokio::sync::oneshot;

/// Runs background jobs until a signal to stop.
pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    let app = super::serve::prepare(config).await?;
    let stop = http::terminated();
    tracing::info!("working");
    let (end, ended) = oneshot::channel::<()>();
    let work = async {
        worker(&app.config).run(&app, stop, app.config.shutdown_timeout).await;
        drop(end);
    };
    tokio::join!(work, flush_until(&app, ended.map(drop).shared()));
    Ok(())
}
