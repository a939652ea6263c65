//! Prices that were made at Stripe by hand and are what is to be sold.

use super::day;
use super::price::noted;
use super::product::call;
use crate::app::App;
use crate::auth::Viewer;
use crate::billing::order::ensure;
use crate::error::Result;
use crate::plans::{Sold, SoldThere};
use crate::subscriptions;
use entity::prices;
use serde_json::json;

/// Makes a price of an older version the one that is on sale, by writing into its metadata which price of ours it is;
/// whether there was one. Not one that somebody has: they keep the version that they bought, and the price tells which.
pub(super) async fn adopted(app: &App, viewer: &Viewer, sold: &Sold, price: &prices::Model) -> Result<bool> {
    for there in sold.outdated().filter(|there| is_alike(there, price)) {
        let external_id = &there.row.external_id;
        if !subscriptions::billing_for(app.db.read(), "stripe", external_id, "", 1).await?.is_empty() {
            continue;
        }
        let key = format!("adopt-{external_id}-{}-{}", price.id, day(app));
        let params = json!({"metadata": noted(sold, price)?});
        ensure(app, viewer, call("prices.adopt", format!("prices/{external_id}"), params, key)).await?;
        return Ok(true);
    }
    Ok(false)
}

fn is_alike(there: &SoldThere, price: &prices::Model) -> bool {
    there.own.as_ref().is_some_and(|own| {
        own.currency == price.currency
            && own.unit_amount_minor == price.unit_amount_minor
            && own.interval == price.interval
            && own.interval_count == price.interval_count
    })
}
