//! Jobs that bring a change of the catalogue to Stripe.

use super::push::push;
use super::sell_at_stripe;
use crate::app::App;
use crate::auth::Viewer;
use crate::error::{Error, Result};
use crate::jobs::Job;
use entity::products;
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

    fn unique_key(&self) -> Option<String> {
        Some(self.plan_id.to_string())
    }

    async fn run(self, app: &App) -> Result<()> {
        without_refusal(sell_at_stripe(app, &Viewer::system(Self::KIND), self.plan_id).await.map(drop))
    }
}

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
    /// Whether the plan is sold.
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

    fn unique_key(&self) -> Option<String> {
        Some(self.plan_id.to_string())
    }

    async fn run(self, app: &App) -> Result<()> {
        without_refusal(push(app, &Viewer::system(Self::KIND), &self).await)
    }
}

/// Logs a refusal, which Stripe would repeat, and which the list of calls shows. Another failure is tried again.
fn without_refusal(result: Result<()>) -> Result<()> {
    match result {
        Err(Error::Refused(refusal)) => {
            tracing::error!(code = refusal.code, reason = %refusal.message, "Stripe refuses a change of the catalogue");
            Ok(())
        }
        result => result,
    }
}
