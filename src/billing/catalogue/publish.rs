//! Changes of the catalogue that Stripe has to follow.

use super::push::PushPlan;
use super::sell::{PublishPlan, sell_at_stripe};
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::db::IdempotencyKey;
use crate::error::{Error, Result};
use crate::outbox;
use crate::plans::{self, PlanChange, VersionStatus};
use chrono::TimeDelta;
use entity::{product_versions, products};
use serde_json::json;
use uuid::Uuid;

/// The time after which the worker publishes a plan whose caller did not.
const TAKEOVER_AFTER: TimeDelta = TimeDelta::minutes(2);

/// Publishes a draft, and has the worker publish it at Stripe if that is configured.
pub async fn publish_version(app: &App, viewer: &Viewer, id: Uuid) -> Result<product_versions::Model> {
    let is_configured = app.stripe.is_some();
    let follow =
        move |version: &product_versions::Model| is_configured.then_some(PublishPlan { plan_id: version.product_id });
    plans::publish_version(app, viewer, id, follow).await
}

/// Changes how a plan is presented and whether it is sold, and has the worker change it at Stripe if that is configured.
pub async fn update_plan(app: &App, viewer: &Viewer, id: Uuid, change: PlanChange) -> Result<products::Model> {
    let is_configured = app.stripe.is_some();
    let follow = move |plan: &products::Model| is_configured.then(|| PushPlan::new(plan));
    plans::update_plan(app, viewer, id, change, follow).await
}

/// A version that Stripe sells.
#[derive(Debug, Clone)]
pub struct PublishedVersion {
    /// The version.
    pub version: product_versions::Model,
    /// The id of its product at Stripe.
    pub product_external_id: String,
}

/// Publishes a version at Stripe now, which is published here.
pub async fn publish_plan_to_stripe(
    app: &App,
    viewer: &Viewer,
    version_id: Uuid,
    key: &str,
) -> Result<PublishedVersion> {
    viewer.require(Permission::CatalogueWrite)?;
    outbox::client(app)?;
    let unknown = || Error::refused("NOT_FOUND", &["planVersionId"], "Plan version not found.");
    let key = IdempotencyKey::new(viewer.actor(), key, "plan_versions.publish_to_stripe", &version_id)?;
    let actor = viewer.actor().to_owned();
    let claim = app.db.run_idempotent(key, move |txn| {
        Box::pin(async move {
            let version = plans::version_by_id(txn, version_id).await?.ok_or_else(unknown)?;
            if VersionStatus::parse(&version.status)? != VersionStatus::Published {
                let message = "The version is not published. Publish a draft first with publishPlanVersion.";
                return Err(Error::refused("NOT_ON_SALE", &["planVersionId"], message));
            }
            let plan_id = version.product_id;
            txn.enqueue_at(&PublishPlan { plan_id }, txn.now() + TAKEOVER_AFTER).await?;
            let entry = AuditEntry::new("plan_versions.publish_to_stripe", "PlanVersion", version_id);
            txn.audit(&actor, entry.after(json!({"provider": "stripe"}))).await?;
            Ok(plan_id)
        })
    });
    let plan_id = claim.await?;
    let product_external_id = sell_at_stripe(app, viewer, plan_id).await?;
    let version = plans::version_by_id(app.db.read(), version_id).await?.ok_or_else(unknown)?;
    Ok(PublishedVersion { version, product_external_id })
}
