//! The prices at Stripe at which a plan is sold.

use super::product::call;
use super::{day, made, metadata, unread};
use crate::app::App;
use crate::auth::Viewer;
use crate::billing::order::{attempt, ensure};
use crate::error::{Error, Result};
use crate::plans::Sold;
use crate::{inbox, outbox};
use entity::prices;
use serde_json::{Value, json};

/// The most pages of a product's prices that are looked through.
const MOST_PAGES: usize = 20;

/// Takes note of the prices of a product that are sold at Stripe and not known here, as after a webhook was lost.
pub(super) async fn learn(app: &App, product: &str, sold: &Sold) -> Result<()> {
    take(app, &[("product", product), ("active", "true")], sold).await
}

async fn take(app: &App, filters: &[(&str, &str)], sold: &Sold) -> Result<()> {
    let client = outbox::client(app)?;
    let mut after = None;
    for _ in 0..MOST_PAGES {
        let page = client.list("price", filters, after.as_deref()).await.map_err(unread)?;
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

/// Has Stripe make a price; where it has one with the key of ours already, that is it.
pub(super) async fn ensured(
    app: &App,
    viewer: &Viewer,
    sold: &Sold,
    price: &prices::Model,
    product: &str,
) -> Result<()> {
    let lookup_key = format!("tollgate_{}", price.id.simple());
    let mut params = json!({
        "product": product, "currency": price.currency.to_lowercase(), "unit_amount": price.unit_amount_minor,
        "lookup_key": lookup_key, "metadata": noted(sold, price)?,
    });
    if price.interval != "one_time" {
        params["recurring"] = json!({"interval": price.interval, "interval_count": price.interval_count});
    }
    let key = format!("price-{}-{}", price.id, day(app));
    let call = call("prices.create", "prices".to_owned(), params, key);
    match made(attempt(app, viewer, call).await?)? {
        Some(_) => Ok(()),
        None => take(app, &[("lookup_keys[]", &lookup_key)], sold).await,
    }
}

/// The metadata of a price: what is sold, and which price of ours it is.
pub(super) fn noted(sold: &Sold, price: &prices::Model) -> Result<Value> {
    let mut noted = metadata(sold)?;
    noted["tollgate_price"] = json!(price.id);
    Ok(noted)
}

/// Takes a price off sale at Stripe; who has it keeps it. Where Stripe refuses it stays on sale there, as its `active`
/// tells.
pub(super) async fn archived(app: &App, viewer: &Viewer, external_id: &str) -> Result<()> {
    let key = format!("archive-{external_id}-{}", day(app));
    let params = json!({"active": false});
    let done = ensure(app, viewer, call("prices.archive", format!("prices/{external_id}"), params, key)).await;
    match done {
        Err(Error::Refused(refusal)) => {
            tracing::warn!(price = external_id, why = %refusal.message, "Stripe does not archive a price");
            Ok(())
        }
        done => done.map(drop),
    }
}
