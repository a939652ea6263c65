//! Selling the published version of a plan at Stripe.

use super::metadata::metadata;
use super::stripe::{sold_plan, without_refusal};
use super::{adopt, price, product};
use crate::app::App;
use crate::auth::Viewer;
use crate::error::{Error, Result};
use crate::jobs::{Job, Slots};
use crate::outbox;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Has Stripe sell the published version of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishPlan {
    /// The plan.
    pub plan_id: Uuid,
}

impl Job for PublishPlan {
    const KIND: &'static str = "publish_plan";
    const SLOTS: Slots = Slots::Network;

    fn unique_key(&self) -> Option<String> {
        Some(self.plan_id.to_string())
    }

    async fn run(self, app: &App) -> Result<()> {
        without_refusal(sell_at_stripe(app, &Viewer::system(Self::KIND), self.plan_id).await.map(drop))
    }
}

/// Has Stripe sell the published version of a plan, and archive the prices of earlier ones. Returns the id of the product
/// at Stripe.
pub(super) async fn sell_at_stripe(app: &App, viewer: &Viewer, plan_id: Uuid) -> Result<String> {
    outbox::client(app)?;
    let mut sold = sold_plan(app, plan_id).await?;
    if sold.version.is_none() {
        let message = "No version of the plan is published. Publish a draft first with publishPlanVersion.";
        return Err(Error::refused("NOT_ON_SALE", &["planVersionId"], message));
    }
    metadata(&sold)?;
    let product = product::ensure(app, viewer, &sold).await?;
    if !product.is_new && sold.missing().next().is_some() {
        price::learn(app, &product.id, &sold).await?;
        sold = sold_plan(app, plan_id).await?;
    }
    for price in sold.missing() {
        if !adopt::adopt(app, viewer, &sold, price).await? {
            price::ensure(app, viewer, &sold, price, &product.id).await?;
        }
    }
    let sold = sold_plan(app, plan_id).await?;
    if sold.outdated().next().is_some() {
        product::release(app, viewer, &sold, &product.id).await?;
    }
    for there in sold.outdated() {
        price::archive(app, viewer, &there.row.external_id).await?;
    }
    Ok(product.id)
}
