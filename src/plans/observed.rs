//! Prices as the payment providers have them, independent of the provider.

use super::values::{PriceInterval, ProductKind};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A price at a payment provider that names one of our products.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedPrice {
    /// The provider: `stripe` or `paddle`.
    pub provider: &'static str,
    /// Its id at the provider.
    pub external_id: String,
    /// The id of its product at the provider.
    pub product_external_id: String,
    /// The product of ours that it sells.
    pub product: ObservedProduct,
    /// ISO 4217 code in upper case.
    pub currency: String,
    /// The price of one unit in minor units; `None` if it is not one whole amount (tiers, fractions).
    pub unit_amount_minor: Option<i64>,
    /// Unit of the billing period.
    pub interval: PriceInterval,
    /// Number of intervals in one period; 1 for a one-time price.
    pub interval_count: i64,
    /// Length of the trial in days.
    pub trial_days: Option<i64>,
    /// True if it can be bought now.
    pub active: bool,
    /// Credits in one unit of a pack, in the smallest step.
    pub credits: Option<i64>,
    /// The id of our price that it claims to be.
    pub own_id: Option<Uuid>,
    /// Time of creation at the provider.
    pub created_at: DateTime<Utc>,
}

/// A product of ours, as a provider's price names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedProduct {
    /// Its code, such as the `plan` in the price's metadata.
    pub code: String,
    /// Its kind.
    pub kind: ProductKind,
    /// Its rank: of several plans the highest decides.
    pub rank: i64,
    /// A name for people to read.
    pub name: String,
}

/// A provider's price whose product is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPrice {
    /// The version of the product that it sells.
    pub product_version_id: Uuid,
    /// Our price; `None` if the provider's is not one amount per unit.
    pub price_id: Option<Uuid>,
    /// The product's kind.
    pub kind: ProductKind,
    /// The product's rank.
    pub rank: i64,
}
