//! Prices that can be bought at Stripe.

use crate::error::{Error, Result};
use crate::plans::{self, PriceInterval, ProductKind};
use entity::{prices, products, provider_prices};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use uuid::Uuid;

/// The largest quantity of one purchase.
const MAX_QUANTITY: i64 = 1_000_000;

/// A price that is on sale, and Stripe's price for it.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    pub(super) price: prices::Model,
    pub(super) product: products::Model,
    pub(super) kind: ProductKind,
    pub(super) interval: PriceInterval,
    pub(super) sold_as: provider_prices::Model,
    pub(super) quantity: i64,
    /// The credits of a pack, for the whole quantity; `None` for other products.
    pub(super) credits: Option<PackCredits>,
}

/// Credits that a purchase grants at once.
#[derive(Debug, Clone)]
pub(super) struct PackCredits {
    pub(super) amount: i64,
    /// The code of the unit; `None` if only Stripe knows the pack.
    pub(super) unit: Option<String>,
}

impl Offer {
    /// Returns whether the price is due again in every billing period.
    pub(super) fn is_recurring(&self) -> bool {
        self.interval != PriceInterval::OneTime
    }

    /// Returns the item in a request to Stripe.
    pub(super) fn item(&self) -> Value {
        json!({"price": self.sold_as.external_id, "quantity": self.quantity})
    }
}

/// Returns the offer of a price, in a quantity, if its product is of one of these kinds.
pub(super) async fn offer(
    db: &impl ConnectionTrait,
    price_id: Uuid,
    quantity: i64,
    kinds: &[ProductKind],
) -> Result<Offer> {
    if !(1..=MAX_QUANTITY).contains(&quantity) {
        let message = "`quantity` must be between 1 and 1,000,000.";
        return Err(Error::refused("QUANTITY_INVALID", &["quantity"], message));
    }
    let unknown = || {
        let message = "Price not found: `priceId` must be a price on sale, of a product of the right kind.";
        Error::refused("PRICE_NOT_FOUND", &["priceId"], message)
    };
    let (price, product) = plans::on_sale(db, price_id).await?.ok_or_else(unknown)?;
    let (kind, interval) = (ProductKind::parse(&product.kind)?, PriceInterval::parse(&price.interval)?);
    if !kinds.contains(&kind) {
        return Err(unknown());
    }
    let sold_as = plans::sold_as(db, "stripe", price_id).await?.ok_or_else(|| {
        let message = "Stripe does not sell this price yet. An admin must call publishPlanToStripe first.";
        Error::refused("PRICE_NOT_AT_STRIPE", &["priceId"], message)
    })?;
    let credits = match plans::credits_of_pack(db, price.product_version_id).await? {
        _ if kind != ProductKind::CreditPack => None,
        Some((unit, amount)) => Some((amount, Some(unit))),
        None => sold_as.credits.map(|amount| (amount, None)),
    };
    let credits = credits.and_then(|(amount, unit)| Some(PackCredits { amount: amount.checked_mul(quantity)?, unit }));
    Ok(Offer { price, product, kind, interval, sold_as, quantity, credits })
}
