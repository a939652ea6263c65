//! Runs the background jobs of the inbox.

use super::apply::apply_object;
use super::jobs::{ApplyObject, ReapplyPrice, WakeWaiting};
use super::{legacy, waiting};
use crate::accounts::UserAppeared;
use crate::app::App;
use crate::error::Result;
use crate::jobs::{Job, Slots};

impl Job for ApplyObject {
    const KIND: &'static str = "apply_object";
    const SLOTS: Slots = Slots::Events;

    fn unique_key(&self) -> Option<String> {
        // The events of one object are applied one after the other.
        let (provider, id) = (self.provider.name(), &self.object_id);
        Some(match self.kind {
            Some(kind) => format!("{provider}:{}:{id}", self.provider.kind_name(kind)),
            None => format!("{provider}:{id}"),
        })
    }

    async fn run(self, app: &App) -> Result<()> {
        match self.kind {
            Some(kind) => apply_object(app, self.provider, kind, &self.object_id).await,
            None => legacy::enqueue_kinds(app, self.provider, self.object_id).await,
        }
    }
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
