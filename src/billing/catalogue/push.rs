//! Bringing the presentation of a plan to Stripe: name, description, rank, and whether it is sold.

use super::stripe::{change, sold_plan, without_refusal};
use crate::app::App;
use crate::auth::Viewer;
use crate::billing::kernel::call_prerequisite;
use crate::error::Result;
use crate::jobs::{Job, Slots};
use crate::outbox::Operation;
use entity::products;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// Has Stripe present a plan as it is presented here. The job holds the values, because Stripe's webhooks may overwrite
/// the plan in the meantime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushPlan {
    /// The plan.
    pub plan_id: Uuid,
    /// The number of the change: its time in microseconds.
    pub change: i64,
    /// The name for people.
    pub name: String,
    /// The description for people.
    pub description: Option<String>,
    /// The position among the plans.
    pub rank: i64,
    /// Sold to new customers.
    pub active: bool,
}

impl PushPlan {
    /// Creates the job for a plan that has just been changed.
    pub(super) fn new(plan: &products::Model) -> PushPlan {
        PushPlan {
            plan_id: plan.id,
            change: plan.updated_at.timestamp_micros(),
            name: plan.name.clone(),
            description: plan.description.clone(),
            rank: plan.rank,
            active: plan.active,
        }
    }
}

impl Job for PushPlan {
    const KIND: &'static str = "push_plan";
    const SLOTS: Slots = Slots::Network;

    fn unique_key(&self) -> Option<String> {
        Some(self.plan_id.to_string())
    }

    async fn run(self, app: &App) -> Result<()> {
        without_refusal(push(app, &Viewer::system(Self::KIND), &self).await)
    }
}

/// Updates the product and the prices of a plan at Stripe. A plan without a product there is presented as it will be when
/// it is published.
async fn push(app: &App, viewer: &Viewer, plan: &PushPlan) -> Result<()> {
    let sold = sold_plan(app, plan.plan_id).await?;
    let Some(product) = sold.product_there() else { return Ok(()) };
    let product = product.to_owned();
    if !sold.shared.contains(&product) {
        push_product(app, viewer, &product, plan).await?;
    }
    // A price may have a rank of its own, which precedes the product's.
    let sold = sold_plan(app, plan.plan_id).await?;
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
