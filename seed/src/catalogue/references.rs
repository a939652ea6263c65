//! The payment providers' ids of the prices.

use crate::calendar::Calendar;
use crate::dice::Dice;
use crate::rows::Rows;
use ::entity::provider_prices;
use std::collections::HashMap;
use uuid::Uuid;

/// The ids of the prices at each provider.
pub(crate) type References = HashMap<(&'static str, Uuid), String>;

/// Writes each provider's copies of all prices above zero that were ever on sale, and returns their ids.
pub(super) fn references(dice: &mut Dice, rows: &mut Rows, calendar: &Calendar) -> References {
    let mut found = References::new();
    for version in rows.product_versions.iter().filter(|version| version.status != "draft") {
        let product = rows.products.iter().find(|product| product.id == version.product_id);
        let Some(product) = product else { continue };
        let pack = product.kind == "credit_pack";
        let allowance = rows.credit_allowances.iter().find(|row| pack && row.product_version_id == version.id);
        for provider in ["stripe", "paddle"] {
            let product_external_id = dice.token(if provider == "stripe" { "prod_" } else { "pro_" });
            let sold = rows.prices.iter().filter(|price| price.product_version_id == version.id);
            for price in sold.filter(|price| price.unit_amount_minor > 0) {
                let external_id = dice.token(if provider == "stripe" { "price_" } else { "pri_" });
                rows.provider_prices.push(provider_prices::Model {
                    id: dice.id(price.created_at),
                    product_version_id: version.id,
                    price_id: Some(price.id),
                    provider: provider.to_owned(),
                    external_id: external_id.clone(),
                    product_external_id: product_external_id.clone(),
                    product_kind: product.kind.clone(),
                    product_rank: product.rank,
                    product_name: product.name.clone(),
                    active: price.active,
                    created_at: price.created_at,
                    credits: allowance.map(|allowance| allowance.amount),
                    updated_at: version.published_at.unwrap_or(calendar.start),
                });
                found.insert((provider, price.id), external_id);
            }
        }
    }
    found
}
