//! The catalogue at Stripe, which sells there what is published here.
//!
//! Nothing is created twice, however often and by however many callers it is asked for: the product's id and the lookup
//! key of each price follow from our ids, and Stripe accepts each of them once. An existing object is used.

mod adopt;
mod jobs;
mod metadata;
mod price;
mod product;
mod publish;
mod push;

pub use jobs::{PublishPlan, PushPlan};
pub use publish::{PublishedVersion, publish_plan_to_stripe, publish_version, update_plan};

use metadata::metadata;

use crate::app::App;
use crate::auth::Viewer;
use crate::error::{Error, Result};
use crate::outbox::{self, Operation, ProviderRequest};
use crate::plans::{self, Sold};
use crate::providers::stripe::CallError;
use serde_json::Value;
use uuid::Uuid;

/// Has Stripe sell the published version of a plan, and archive the prices of earlier ones. Returns the id of the product
/// at Stripe.
async fn sell_at_stripe(app: &App, viewer: &Viewer, plan_id: Uuid) -> Result<String> {
    outbox::client(app)?;
    let mut sold = read(app, plan_id).await?;
    if sold.version.is_none() {
        let message = "No version of the plan is published. Publish a draft first with publishPlanVersion.";
        return Err(Error::refused("NOT_ON_SALE", &["planVersionId"], message));
    }
    metadata(&sold)?;
    let product = product::ensure(app, viewer, &sold).await?;
    if !product.is_new && sold.missing().next().is_some() {
        price::learn(app, &product.id, &sold).await?;
        sold = read(app, plan_id).await?;
    }
    for price in sold.missing() {
        if !adopt::adopt(app, viewer, &sold, price).await? {
            price::ensure(app, viewer, &sold, price, &product.id).await?;
        }
    }
    let sold = read(app, plan_id).await?;
    if sold.outdated().next().is_some() {
        product::release(app, viewer, &sold, &product.id).await?;
    }
    for there in sold.outdated() {
        price::archive(app, viewer, &there.row.external_id).await?;
    }
    Ok(product.id)
}

async fn read(app: &App, plan_id: Uuid) -> Result<Sold> {
    let sold = plans::sold(app.db.read(), "stripe", plan_id).await?;
    sold.ok_or_else(|| Error::internal(anyhow::anyhow!("A plan vanished.")))
}

/// Creates a change of the catalogue at Stripe. It charges nobody, so the worker sends it later if Stripe is unavailable.
fn change(operation: Operation, path: impl Into<String>, params: Value, key: String) -> ProviderRequest {
    ProviderRequest::post(operation, path).params(params).key(key).persistent()
}

/// Converts the failure of a read, which a job repeats if Stripe was unavailable.
fn error_of_read(error: CallError) -> Error {
    match error {
        CallError::Unavailable(_) => Error::ProviderUnavailable { will_retry: true },
        error => Error::internal(error),
    }
}
