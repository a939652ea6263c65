//! Brings what is known of one object of a provider up to date with the events about it.

use crate::app::App;
use crate::error::Result;
use crate::providers::Provider;

/// Applies what has arrived about an object. Harmless to repeat.
pub async fn apply_object(_: &App, provider: Provider, object_id: &str) -> Result<()> {
    tracing::debug!(provider = provider.name(), object_id, "object has news");
    Ok(())
}
