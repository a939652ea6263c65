//! `tollgate worker`.

use crate::config::Config;
use crate::http;
use crate::worker::worker;

/// Runs background jobs until a signal to stop.
pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    let app = super::serve::prepare(config).await?;
    let stop = http::terminated();
    tracing::info!("working");
    worker().run(&app, stop, app.config.shutdown_timeout).await;
    Ok(())
}
