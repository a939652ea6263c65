//! What the worker does about the inbox.

use super::apply::apply_object;
use super::waiting;
use crate::accounts::UserAppeared;
use crate::app::App;
use crate::error::Result;
use crate::jobs::Job;
use crate::providers::Provider;
use serde::{Deserialize, Serialize};

/// Applies what has arrived about one object of a provider.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ApplyObject {
    /// Whose object it is.
    pub provider: Provider,
    /// Its id there.
    pub object_id: String,
}

impl Job for ApplyObject {
    const KIND: &'static str = "apply_object";

    fn unique_key(&self) -> Option<String> {
        // Events about one object are applied one after the other.
        Some(format!("{}:{}", self.provider.name(), self.object_id))
    }

    async fn run(self, app: &App) -> Result<()> {
        apply_object(app, self.provider, &self.object_id).await
    }
}

/// Applies the subscriptions again that bill for a price of which something else is known now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReapplyPrice {
    /// Whose price it is.
    pub provider: Provider,
    /// Its id there.
    pub price: String,
}

impl Job for ReapplyPrice {
    const KIND: &'static str = "reapply_price";

    fn unique_key(&self) -> Option<String> {
        Some(format!("{}:{}", self.provider.name(), self.price))
    }

    async fn run(self, app: &App) -> Result<()> {
        waiting::reapply_price(app, self.provider, &self.price).await
    }
}

/// Applies what waits for things that are here: those whose wake-up passed them unseen.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct WakeWaiting {}

impl Job for WakeWaiting {
    const KIND: &'static str = "wake_waiting";

    async fn run(self, app: &App) -> Result<()> {
        waiting::wake_all(app).await
    }
}

impl Job for UserAppeared {
    const KIND: &'static str = "user_appeared";

    fn unique_key(&self) -> Option<String> {
        Some(self.user.clone())
    }

    async fn run(self, app: &App) -> Result<()> {
        waiting::wake_user(app, &self.user).await
    }
}
