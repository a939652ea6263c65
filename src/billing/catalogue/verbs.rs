//! The changes of the catalogue that Stripe is to follow.

use super::{PublishPlan, PushPlan, publish};
use crate::app::App;
use crate::audit::Deed;
use crate::auth::{Permission, Viewer};
use crate::db::{Once, once};
use crate::error::{Error, Result};
use crate::jobs::NewJob;
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
    viewer.require(Permission::CatalogueWrite)?;
    let follow = match plans::version_by_id(app.db.read(), id).await? {
        Some(version) if app.stripe.is_some() => Some(job(app, version.product_id)?),
        _ => None,
    };
    plans::publish_version(app, viewer, id, follow).await
}

/// Changes how a plan is shown and whether it is sold, and has a worker tell Stripe where that is set up.
pub async fn update_plan(app: &App, viewer: &Viewer, id: Uuid, change: PlanChange) -> Result<products::Model> {
    let change_number = app.now().timestamp_micros();
    let (clock, bell) = (app.clock.clone(), app.db.bell().clone());
    let is_told = app.stripe.is_some();
    let follow = move |plan: &products::Model| {
        let wanted = PushPlan {
            plan_id: plan.id,
            change: change_number,
            name: plan.name.clone(),
            description: plan.description.clone(),
            rank: plan.rank,
            active: plan.active,
        };
        let job = NewJob::with(&clock, &bell, &wanted)?.unique(plan.id.to_string());
        Ok(is_told.then_some(job))
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
    let request = Once::new(viewer.actor(), key, "plan_versions.publish_to_stripe", &version_id)?;
    let (key_id, now, deed) = (app.new_id(), app.now(), Deed::by(app, viewer));
    let plan_id = version.product_id;
    let follow = job(app, plan_id)?.at(now + PATIENCE);
    let claim = app.db.write(move |txn| {
        Box::pin(once(txn, key_id, now, request, move |txn| {
            Box::pin(async move {
                follow.enqueue(txn).await?;
                let what = ("PlanVersion", version_id);
                let after = json!({"provider": "stripe"});
                deed.record(txn, "plan_versions.publish_to_stripe", what, None, (None::<()>, Some(after))).await?;
                Ok(plan_id)
            })
        }))
    });
    claim.await?;
    let product = publish(app, viewer, plan_id).await?;
    Ok((version, product))
}

fn job(app: &App, plan_id: Uuid) -> Result<NewJob> {
    Ok(NewJob::new(app, &PublishPlan { plan_id })?.unique(plan_id.to_string()))
}
