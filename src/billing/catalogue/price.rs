//! Stripe's prices of a plan.

use super::metadata::metadata;
use super::stripe::{change, error_of_read};
use crate::app::App;
use crate::auth::Viewer;
use crate::billing::kernel::{create_if_missing, daily_key, error_of_refusal, try_call};
use crate::error::Result;
use crate::outbox::{Operation, Outcome};
use crate::plans::{PriceInterval, Sold};
use crate::providers::stripe::amount_of;
use crate::{inbox, outbox};
use entity::prices;
use serde_json::{Value, json};

/// The number of pages of a product's prices that are searched.
const MAX_PAGES: usize = 20;

/// Records the prices of a product that Stripe sells and we do not know, for example because a webhook was lost.
pub(super) async fn learn(app: &App, product: &str, sold: &Sold) -> Result<()> {
    record(app, &[("product", product), ("active", "true")], sold).await
}

async fn record(app: &App, filters: &[(&str, &str)], sold: &Sold) -> Result<()> {
    let client = outbox::client(app)?;
    let mut after = None;
    for _ in 0..MAX_PAGES {
        let page = client.list("prices", filters, after.as_deref()).await.map_err(error_of_read)?;
        after = page.objects.last().and_then(|price| price["id"].as_str().map(str::to_owned));
        for price in page.objects {
            let is_known = sold.there.iter().any(|there| price["id"] == there.row.external_id.as_str());
            if !is_known {
                inbox::apply_answer(app, price, page.at).await?;
            }
        }
        if !page.has_more || after.is_none() {
            break;
        }
    }
    Ok(())
}

/// Creates a price at Stripe, or uses the one that has our lookup key already.
pub(super) async fn ensure(
    app: &App,
    viewer: &Viewer,
    sold: &Sold,
    price: &prices::Model,
    product: &str,
) -> Result<()> {
    let lookup_key = format!("tollgate_{}", price.id.simple());
    let mut params = json!({
        "product": product, "currency": price.currency.to_lowercase(),
        "unit_amount": amount_of(price.unit_amount_minor, &price.currency)?,
        "lookup_key": lookup_key, "metadata": price_metadata(sold, price)?,
    });
    if PriceInterval::parse(&price.interval)? != PriceInterval::OneTime {
        params["recurring"] = json!({"interval": price.interval, "interval_count": price.interval_count});
    }
    let key = daily_key(app, &format!("price-{}", price.id));
    let request = change(Operation::Named("prices.create"), "prices", params, key);
    match create_if_missing(app, viewer, request).await? {
        Some(_) => Ok(()),
        None => record(app, &[("lookup_keys[]", &lookup_key)], sold).await,
    }
}

/// Returns the metadata of a price: that of its product, and our id of the price.
pub(super) fn price_metadata(sold: &Sold, price: &prices::Model) -> Result<Value> {
    let mut metadata = metadata(sold)?;
    metadata["tollgate_price"] = json!(price.id);
    Ok(metadata)
}

/// Archives a price at Stripe. Its subscribers keep it. If Stripe refuses, it stays on sale there, as our row of it shows.
pub(super) async fn archive(app: &App, viewer: &Viewer, external_id: &str) -> Result<()> {
    let key = daily_key(app, &format!("archive-{external_id}"));
    let params = json!({"active": false});
    let request = change(Operation::Named("prices.archive"), format!("prices/{external_id}"), params, key);
    if let Outcome::Refused(refused) = try_call(app, viewer, request).await? {
        let error = error_of_refusal(refused);
        tracing::warn!(price = external_id, %error, "Stripe does not archive a price");
    }
    Ok(())
}
