//! `tollgate worker`.

use crate::config::Config;
use crate::http;
use crate::worker::worker;

/// Does the background work, and serves nothing, until told to stop.
pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    let app = super::serve::prepare(config).await?;
    let told = http::terminated();
    tracing::info!("working");
    worker().run(&app, told, app.config.shutdown_timeout).await;
    Ok(())
}
