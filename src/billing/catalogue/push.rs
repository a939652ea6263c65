//! What is brought to Stripe after the catalogue has changed here.

use super::product::call;
use super::{publish, read};
use crate::app::App;
use crate::auth::Viewer;
use crate::billing::order::ensure;
use crate::error::{Error, Result};
use crate::jobs::Job;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// Has Stripe sell what is on sale of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishPlan {
    /// Which plan.
    pub plan_id: Uuid,
}

impl Job for PublishPlan {
    const KIND: &'static str = "publish_plan";

    fn unique_key(&self) -> Option<String> {
        Some(self.plan_id.to_string())
    }

    async fn run(self, app: &App) -> Result<()> {
        done(publish(app, &Viewer::system(Self::KIND), self.plan_id).await.map(drop))
    }
}

/// Has Stripe call a plan what it is called here. What it is to be called stands here and not in the plan, since what
/// Stripe says of it in the meantime is mirrored there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushPlan {
    /// Which plan.
    pub plan_id: Uuid,
    /// The number of the change: its time in microseconds.
    pub change: i64,
    /// The name for people.
    pub name: String,
    /// What it is, for people.
    pub description: Option<String>,
    /// Where it stands among the plans.
    pub rank: i64,
    /// Whether it is sold.
    pub active: bool,
}

impl Job for PushPlan {
    const KIND: &'static str = "push_plan";

    fn unique_key(&self) -> Option<String> {
        Some(self.plan_id.to_string())
    }

    async fn run(self, app: &App) -> Result<()> {
        done(push(app, &Viewer::system(Self::KIND), &self).await)
    }
}

async fn push(app: &App, viewer: &Viewer, wanted: &PushPlan) -> Result<()> {
    let sold = read(app, wanted.plan_id).await?;
    // What is not at Stripe comes to be there as it is called then.
    let Some(product) = sold.product_there() else { return Ok(()) };
    let product = product.to_owned();
    if !sold.shared.contains(&product) {
        push_product(app, viewer, &product, wanted).await?;
    }
    // A price may say its tier itself, and is then asked first.
    let sold = read(app, wanted.plan_id).await?;
    for row in sold.there.iter().map(|there| &there.row).filter(|row| row.product_rank != wanted.rank) {
        let key = format!("push-{}-{}", row.external_id, wanted.change);
        let params = json!({"metadata": {"tier": wanted.rank}});
        ensure(app, viewer, call("prices.update", format!("prices/{}", row.external_id), params, key)).await?;
    }
    Ok(())
}

/// Changes a product that no other plan has prices of.
async fn push_product(app: &App, viewer: &Viewer, product: &str, wanted: &PushPlan) -> Result<()> {
    let mut params = json!({"name": wanted.name, "active": wanted.active, "metadata": {"tier": wanted.rank}});
    params["description"] = json!(wanted.description.as_deref().filter(|description| !description.is_empty()));
    let key = format!("push-{product}-{}", wanted.change);
    ensure(app, viewer, call("products.update", format!("products/{product}"), params, key)).await.map(drop)
}

/// What Stripe refuses it would refuse again: that is seen in the calls. The rest is tried later.
fn done(result: Result<()>) -> Result<()> {
    match result {
        Err(Error::Refused(refusal)) => {
            tracing::error!(code = refusal.code, why = %refusal.message, "Stripe does not sell a plan as it is here");
            Ok(())
        }
        result => result,
    }
}
