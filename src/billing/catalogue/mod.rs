//! The catalogue at Stripe: what is published here is sold there.
//!
//! Nothing is made twice, however often and by however many it is asked for: the product has an id, and each price a
//! lookup key, that follow from ours, and Stripe takes each of them once. What is there already is used.

mod adopt;
mod price;
mod product;
mod push;
mod verbs;

pub use push::{PublishPlan, PushPlan};
pub use verbs::{publish_plan_to_stripe, publish_version, update_plan};

use super::order::refusal;
use crate::app::App;
use crate::auth::Viewer;
use crate::error::{Error, Result};
use crate::outbox::{self, Outcome};
use crate::plans::{self, Sold};
use crate::providers::stripe::{CallError, RefusalCode};
use serde_json::{Value, json};
use uuid::Uuid;

/// Has Stripe sell what is on sale of a plan, and nothing else of it. The id of the product there.
async fn publish(app: &App, viewer: &Viewer, plan_id: Uuid) -> Result<String> {
    outbox::client(app)?;
    let mut sold = read(app, plan_id).await?;
    if sold.version.is_none() {
        return Err(Error::refused("NOT_ON_SALE", &["planVersionId"], "no version of the plan is on sale"));
    }
    metadata(&sold)?;
    let (product, is_new) = product::ensured(app, viewer, &sold).await?;
    if !is_new && sold.missing().next().is_some() {
        price::learn(app, &product, &sold).await?;
        sold = read(app, plan_id).await?;
    }
    for price in sold.missing() {
        if !adopt::adopted(app, viewer, &sold, price).await? {
            price::ensured(app, viewer, &sold, price, &product).await?;
        }
    }
    let sold = read(app, plan_id).await?;
    if sold.outdated().next().is_some() {
        product::release(app, viewer, &sold, &product).await?;
    }
    for there in sold.outdated() {
        price::archived(app, viewer, &there.row.external_id).await?;
    }
    Ok(product)
}

async fn read(app: &App, plan_id: Uuid) -> Result<Sold> {
    let sold = plans::sold(app.db.read(), "stripe", plan_id).await?;
    sold.ok_or_else(|| Error::internal(anyhow::anyhow!("a plan vanished")))
}

/// What says at Stripe what is sold: what the mirror reads, and what who sets up a shop by hand writes.
fn metadata(sold: &Sold) -> Result<Value> {
    let plan = &sold.plan;
    match &*plan.kind {
        "plan" | "addon" => Ok(json!({&plan.kind: plan.code, "tier": plan.rank})),
        "credit_pack" => match &*sold.credits {
            [(unit, credits)] => Ok(json!({"pack": pack(&plan.code), "credits": credits, "credit_unit": unit})),
            _ => {
                let message = "a credit pack needs one credit allowance of the cadence ONCE: what one unit of it holds";
                Err(Error::refused("CREDITS_INVALID", &["planVersionId"], message))
            }
        },
        _ => Err(Error::refused("KIND_NOT_SOLD", &["planVersionId"], "things of this kind are not sold at Stripe")),
    }
}

/// The name of a pack in metadata, from its code.
fn pack(code: &str) -> &str {
    code.strip_prefix("pack-").unwrap_or(code)
}

/// The day, which is part of every key: Stripe forgets them after one.
fn day(app: &App) -> String {
    app.now().format("%Y%m%d").to_string()
}

/// Why Stripe could not be asked what is there.
fn unread(error: CallError) -> Error {
    match error {
        CallError::Unavailable(_) => Error::ProviderUnavailable { will_retry: true },
        error => Error::internal(error),
    }
}

/// The id of what was made; `None` where it was there already.
fn made(outcome: Outcome) -> Result<Option<String>> {
    match outcome {
        Outcome::Done(done) => Ok(Some(done.object_id)),
        Outcome::Refused(refused) if refused.code == RefusalCode::ResourceAlreadyExists => Ok(None),
        Outcome::Refused(refused) => Err(refusal(refused)),
    }
}
