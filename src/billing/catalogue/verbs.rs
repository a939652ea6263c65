//! The changes of the catalogue that Stripe is to follow.

use super::{PublishPlan, PushPlan, publish};
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::db::IdempotencyKey;
use crate::error::{Error, Result};
use crate::outbox;
use crate::plans::{self, PlanChange};
use chrono::TimeDelta;
use entity::{product_versions, products};
use serde_json::json;
use uuid::Uuid;

/// After how long a worker does what the caller of a verb was to wait for, should they be gone.
const PATIENCE: TimeDelta = TimeDelta::minutes(2);

/// Puts a draft on sale here, and has a worker put it on sale at Stripe where that is set up.
pub async fn publish_version(app: &App, viewer: &Viewer, id: Uuid) -> Result<product_versions::Model> {
    let is_set_up = app.stripe.is_some();
    let follow =
        move |version: &product_versions::Model| is_set_up.then_some(PublishPlan { plan_id: version.product_id });
    plans::publish_version(app, viewer, id, follow).await
}

/// Changes how a plan is shown and whether it is sold, and has a worker tell Stripe where that is set up.
pub async fn update_plan(app: &App, viewer: &Viewer, id: Uuid, change: PlanChange) -> Result<products::Model> {
    let is_set_up = app.stripe.is_some();
    let follow = move |plan: &products::Model| {
        is_set_up.then(|| PushPlan {
            plan_id: plan.id,
            change: plan.updated_at.timestamp_micros(),
            name: plan.name.clone(),
            description: plan.description.clone(),
            rank: plan.rank,
            active: plan.active,
        })
    };
    plans::update_plan(app, viewer, id, change, follow).await
}

/// Puts a version that is on sale here on sale at Stripe too, now. It, and the id of its product there.
pub async fn publish_plan_to_stripe(
    app: &App,
    viewer: &Viewer,
    version_id: Uuid,
    key: &str,
) -> Result<(product_versions::Model, String)> {
    viewer.require(Permission::CatalogueWrite)?;
    outbox::client(app)?;
    let unknown = || Error::refused("NOT_FOUND", &["planVersionId"], "there is no such version");
    let version = plans::version_by_id(app.db.read(), version_id).await?.ok_or_else(unknown)?;
    if version.status != "published" {
        let message = "the version is not on sale; put a draft on sale with publishPlanVersion";
        return Err(Error::refused("NOT_ON_SALE", &["planVersionId"], message));
    }
    let key = IdempotencyKey::new(viewer.actor(), key, "plan_versions.publish_to_stripe", &version_id)?;
    let (plan_id, actor) = (version.product_id, viewer.actor().to_owned());
    let claim = app.db.run_idempotent(key, move |txn| {
        Box::pin(async move {
            txn.enqueue_at(&PublishPlan { plan_id }, txn.now() + PATIENCE).await?;
            let entry = AuditEntry::new("plan_versions.publish_to_stripe", "PlanVersion", version_id);
            txn.audit(&actor, entry.after(json!({"provider": "stripe"}))).await?;
            Ok(plan_id)
        })
    });
    claim.await?;
    let product = publish(app, viewer, plan_id).await?;
    Ok((version, product))
}
