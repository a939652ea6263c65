//! Plans and add-ons that would lift the denial of a feature.

use super::evaluate::Entitlement;
use super::store;
use super::values::EntitlementReason;
use crate::error::Result;
use crate::plans::ProductKind;
use crate::usage::Limit;
use entity::products;
use sea_orm::ConnectionTrait;
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// A product on sale that grants a feature.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The product.
    pub product: Arc<products::Model>,
    /// The limits of the feature in it.
    limits: Vec<Limit>,
}

/// Returns the products on sale that grant each of these features, lowest rank first.
pub async fn offers(db: &impl ConnectionTrait, feature_ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<Offer>>> {
    let mut found: HashMap<Uuid, Vec<Offer>> = HashMap::new();
    for (row, product) in store::granting(db, feature_ids).await? {
        let offers = found.entry(row.feature_id).or_default();
        let limit = Limit::of(&row)?;
        match offers.last_mut().filter(|offer| offer.product.id == product.id) {
            Some(offer) => offer.limits.push(limit),
            None => offers.push(Offer { product: Arc::new(product), limits: vec![limit] }),
        }
    }
    Ok(found)
}

/// Returns whether an offer would let an account use a feature that it cannot use now. What it has used counts in the
/// offer's windows too.
pub fn unlocks(entitlement: &Entitlement, offer: &Offer) -> Result<bool> {
    use EntitlementReason::{LimitReached, NoPlan, NotInPlan, TrialExcluded};
    let is_addon = ProductKind::parse(&offer.product.kind)? == ProductKind::Addon;
    let may = match entitlement.reason {
        NotInPlan | LimitReached => true,
        NoPlan | TrialExcluded => !is_addon,
        _ => false,
    };
    let more = |limit: &Limit| {
        let here = entitlement.windows.iter().find(|window| Some(window.window) == limit.window);
        let used = here.map_or(0, |window| window.used);
        // An add-on comes on top of the plan.
        let present = here.filter(|_| is_addon).map_or(0, |window| window.limit.unwrap_or_default());
        limit.units.is_none_or(|units| units.saturating_add(present) > used) || limit.overage.is_some()
    };
    Ok(!entitlement.allowed && may && offer.limits.iter().all(more))
}
