//! What may be bought at Stripe.

use crate::db::Txn;
use crate::error::{Error, Result};
use crate::plans;
use entity::{prices, products, provider_prices};
use serde_json::{Value, json};
use uuid::Uuid;

/// The most of one thing in one purchase.
const LARGEST_QUANTITY: i64 = 1_000_000;

/// A price that is on sale, and what Stripe sells it as.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    pub(super) price: prices::Model,
    pub(super) product: products::Model,
    pub(super) sold_as: provider_prices::Model,
    pub(super) quantity: i64,
    /// The credits that it brings at once: how many, and the code of their unit where it is known.
    pub(super) credits: Option<(i64, Option<String>)>,
}

impl Offer {
    /// Whether it is due again and again.
    pub(super) fn recurs(&self) -> bool {
        self.price.interval != "one_time"
    }

    /// What is bought, as Stripe is told.
    pub(super) fn item(&self) -> Value {
        json!({"price": self.sold_as.external_id, "quantity": self.quantity})
    }
}

/// What the price `id` buys, `quantity` times, if it is one of these kinds of products.
pub(super) async fn offer(txn: &Txn, id: Uuid, quantity: i64, kinds: &[&str]) -> Result<Offer> {
    if !(1..=LARGEST_QUANTITY).contains(&quantity) {
        return Err(Error::refused("QUANTITY_INVALID", &["quantity"], "a quantity is 1 to 1,000,000"));
    }
    let unknown = || Error::refused("PRICE_NOT_FOUND", &["priceId"], "nothing of this kind is on sale at this price");
    let (price, product) = plans::on_sale(txn, id).await?.ok_or_else(unknown)?;
    if !kinds.contains(&&*product.kind) {
        return Err(unknown());
    }
    let sold_as = plans::sold_as(txn, "stripe", id).await?;
    let sold_as = sold_as.ok_or_else(|| {
        Error::refused(
            "PRICE_NOT_AT_STRIPE",
            &["priceId"],
            "Stripe does not sell this yet; an admin must publish it there",
        )
    })?;
    let credits = match plans::credits_of_pack(txn, price.product_version_id).await? {
        Some((unit, amount)) => Some((amount, Some(unit))),
        None => sold_as.credits.map(|amount| (amount, None)),
    };
    let credits = credits.filter(|_| product.kind == "credit_pack");
    let credits = credits.and_then(|(amount, unit)| Some((amount.checked_mul(quantity)?, unit)));
    Ok(Offer { price, product, sold_as, quantity, credits })
}
