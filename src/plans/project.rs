//! The catalogue at the payment providers, and what of ours it sells.

use crate::db::{Mirror, Mirrored, Txn};
use crate::error::Result;
use chrono::{DateTime, Utc};
use entity::provider_prices;
use std::collections::HashMap;
use uuid::Uuid;

/// A price at a payment provider that says which of our products it sells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedPrice {
    /// `stripe` or `paddle`.
    pub provider: &'static str,
    /// Its id there.
    pub external_id: String,
    /// The id there of the product that it is a price of.
    pub product_external_id: String,
    /// What it sells, in our terms.
    pub product: ObservedProduct,
    /// ISO 4217, upper case.
    pub currency: String,
    /// The price of one unit in the currency's smallest; `None` where it is not one whole amount (tiers, fractions).
    pub unit_amount_minor: Option<i64>,
    /// `day`, `week`, `month`, `year` or `one_time`.
    pub interval: &'static str,
    /// How many intervals one period has; 1 for `one_time`.
    pub interval_count: i64,
    /// How long it may be tried, in days.
    pub trial_days: Option<i64>,
    /// Whether it can be bought now.
    pub active: bool,
    /// How many credits one unit is, in the smallest step, where it is a pack.
    pub credits: Option<i64>,
    /// When it was made there.
    pub created_at: DateTime<Utc>,
}

/// A product of ours as a provider's price names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedProduct {
    /// Its code here, e.g. the `plan` in the price's metadata.
    pub code: String,
    /// `plan`, `addon` or `credit_pack`.
    pub kind: &'static str,
    /// The tier: of several plans, the highest wins.
    pub rank: i64,
    /// The name for people.
    pub name: String,
}

/// What a provider's price stands for here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPrice {
    /// The version of the product that it sells.
    pub product_version_id: Uuid,
    /// Our price; `None` where the provider's is not one amount for each unit.
    pub price_id: Option<Uuid>,
    /// `plan`, `addon`, `credit_pack` or `gift`.
    pub kind: String,
    /// The product's tier.
    pub rank: i64,
}

/// Mirrors a price, and the product and version that it sells where those are not here yet.
pub async fn project_price(mirror: &mut Mirror<'_>, price: &ObservedPrice) -> Result<Mirrored<provider_prices::Model>> {
    todo!("{price:?} {:?}", mirror.differences())
}

/// What these prices of `provider` stand for; those that nothing is known of are left out.
pub async fn known_prices(txn: &Txn, provider: &str, external_ids: &[String]) -> Result<HashMap<String, KnownPrice>> {
    todo!("{provider} {external_ids:?} {txn:?}")
}
