//! Metadata of products and prices at Stripe, which the inbox reads, and which people write who set up a shop by hand.

use crate::error::{Error, Result};
use crate::plans::{ProductKind, Sold};
use entity::products;
use serde_json::{Value, json};

/// Returns the metadata of a plan's product: the code of the plan, its rank, and the credits of a pack.
pub(super) fn metadata(sold: &Sold) -> Result<Value> {
    let plan = &sold.plan;
    match ProductKind::parse(&plan.kind)? {
        ProductKind::Plan | ProductKind::Addon => Ok(json!({&plan.kind: plan.code, "tier": plan.rank})),
        ProductKind::CreditPack => match &*sold.credits {
            [(unit, credits)] => Ok(json!({"pack": pack(&plan.code), "credits": credits, "credit_unit": unit})),
            _ => {
                let message = "A credit pack needs exactly one credit allowance of the cadence ONCE, which says how \
                    many credits one unit holds.";
                Err(Error::refused("CREDITS_INVALID", &["planVersionId"], message))
            }
        },
        ProductKind::Gift => {
            let message = "Products of this kind are not sold at Stripe. Publish a plan, an add-on or a credit pack.";
            Err(Error::refused("KIND_NOT_SOLD", &["planVersionId"], message))
        }
    }
}

/// Returns whether the metadata of a product at Stripe names `plan`.
pub(super) fn names(metadata: &Value, plan: &products::Model) -> bool {
    if plan.kind == ProductKind::CreditPack.as_str() {
        return metadata["pack"] == pack(&plan.code);
    }
    metadata[&plan.kind] == plan.code
}

/// Returns the name of a pack in metadata, from the code of its plan.
fn pack(code: &str) -> &str {
    code.strip_prefix("pack-").unwrap_or(code)
}
