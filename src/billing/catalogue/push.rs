//! Bringing the presentation of a plan to Stripe: name, description, rank, and whether it is sold.

use super::{PushPlan, change, read};
use crate::app::App;
use crate::auth::Viewer;
use crate::billing::kernel::call_prerequisite;
use crate::error::Result;
use crate::outbox::Operation;
use serde_json::json;

/// Updates the product and the prices of a plan at Stripe. A plan without a product there is presented as it will be when
/// it is published.
pub(super) async fn push(app: &App, viewer: &Viewer, plan: &PushPlan) -> Result<()> {
    let sold = read(app, plan.plan_id).await?;
    let Some(product) = sold.product_there() else { return Ok(()) };
    let product = product.to_owned();
    if !sold.shared.contains(&product) {
        push_product(app, viewer, &product, plan).await?;
    }
    // A price may have a rank of its own, which precedes the product's.
    let sold = read(app, plan.plan_id).await?;
    for row in sold.there.iter().map(|there| &there.row).filter(|row| row.product_rank != plan.rank) {
        let key = format!("push-{}-{}", row.external_id, plan.change);
        let params = json!({"metadata": {"tier": plan.rank}});
        let request = change(Operation::Named("prices.update"), format!("prices/{}", row.external_id), params, key);
        call_prerequisite(app, viewer, request).await?;
    }
    Ok(())
}

/// Updates a product that no other plan has prices of.
async fn push_product(app: &App, viewer: &Viewer, product: &str, plan: &PushPlan) -> Result<()> {
    let mut params = json!({"name": plan.name, "active": plan.active, "metadata": {"tier": plan.rank}});
    params["description"] = json!(plan.description.as_deref().filter(|description| !description.is_empty()));
    let key = format!("push-{product}-{}", plan.change);
    let request = change(Operation::Named("products.update"), format!("products/{product}"), params, key);
    call_prerequisite(app, viewer, request).await.map(drop)
}
