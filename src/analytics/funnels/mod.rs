//! Funnels that are stored by a code.
//!
//! Invariant: the definition of a funnel never changes, so that its figures follow from events alone.

mod store;

pub use store::Funnels;

use super::events::{Funnel, FunnelStep, check_steps, check_window, funnel};
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use crate::plans::{check_code, check_name, code_taken};
use chrono::{NaiveDate, TimeDelta};
use entity::funnels::{ActiveModel, Entity, Model};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::json;

/// A funnel to be created.
#[derive(Debug, Clone)]
pub struct NewFunnel {
    /// The stable code.
    pub code: String,
    /// A name for people to read.
    pub name: String,
    /// The names of the events, in their order.
    pub steps: Vec<String>,
    /// The longest time from the first step to any other.
    pub window_seconds: i64,
}

/// Creates a funnel. Its definition never changes.
pub async fn create_funnel(app: &App, viewer: &Viewer, new: NewFunnel) -> Result<Model> {
    viewer.require(Permission::CatalogueWrite)?;
    let code = check_code(&new.code, &["code"])?;
    let name = check_name(&new.name, &["name"])?;
    check_steps(&new.steps)?;
    check_window(TimeDelta::seconds(new.window_seconds.clamp(-1, i64::from(u32::MAX))))?;
    let actor = viewer.actor().to_owned();
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let row = ActiveModel {
                    id: Set(txn.new_id()),
                    code: Set(code),
                    name: Set(name),
                    steps: Set(json!(new.steps)),
                    window_seconds: Set(new.window_seconds),
                    created_at: Set(txn.now().fixed_offset()),
                };
                let made = Entity::insert(row).exec_with_returning(txn).await.map_err(code_taken)?;
                let after = json!({"code": made.code, "name": made.name, "steps": made.steps,
                    "windowSeconds": made.window_seconds});
                txn.audit(&actor, AuditEntry::new("funnels.create", "Funnel", made.id).after(after)).await?;
                Ok(made)
            })
        })
        .await
}

/// Returns the steps of the funnel with this code; `None` if there is none.
pub async fn stored_funnel(
    app: &App,
    viewer: &Viewer,
    code: &str,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Option<Vec<FunnelStep>>> {
    viewer.require(Permission::AnalyticsRead)?;
    let Some(row) = store::by_code(app.db.read(), code).await? else { return Ok(None) };
    let (steps, window) = (steps(&row)?, TimeDelta::seconds(row.window_seconds));
    funnel(app, viewer, Funnel { steps, window, from, to }).await.map(Some)
}

/// Returns the names of the events of a funnel, in their order.
pub fn steps(row: &Model) -> Result<Vec<String>> {
    serde_json::from_value(row.steps.clone()).map_err(|error| Error::internal(anyhow::Error::new(error)))
}
