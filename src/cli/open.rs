//! Opens the app of a command.

use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, Environment};

/// Returns an app that runs on the machine's clock.
pub(super) async fn app(config: Config) -> anyhow::Result<App> {
    App::new(config, Clock::System).await
}

/// Returns the mark of a new database.
pub(super) fn mark(config: &Config) -> &'static str {
    match config.environment {
        Environment::Development => "development",
        Environment::Production => "production",
    }
}
