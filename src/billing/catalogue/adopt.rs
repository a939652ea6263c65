//! Adopting prices that were created at Stripe by hand and match a published price.

use super::price::price_metadata;
use super::stripe::change;
use crate::app::App;
use crate::auth::Viewer;
use crate::billing::kernel::{call_prerequisite, daily_key};
use crate::error::Result;
use crate::outbox::Operation;
use crate::plans::{Sold, SoldThere};
use crate::subscriptions;
use entity::prices;
use serde_json::json;

/// Makes a price of an older version sell the published one, by writing our id into its metadata. Returns whether there
/// was such a price. A price with subscribers is left alone: they keep the version that they bought, and the price names
/// it.
pub(super) async fn adopt(app: &App, viewer: &Viewer, sold: &Sold, price: &prices::Model) -> Result<bool> {
    for there in sold.outdated().filter(|there| is_alike(there, price)) {
        let external_id = &there.row.external_id;
        if !subscriptions::billing_for(app.db.read(), "stripe", external_id, "", 1).await?.is_empty() {
            continue;
        }
        let key = daily_key(app, &format!("adopt-{external_id}-{}", price.id));
        let params = json!({"metadata": price_metadata(sold, price)?});
        let request = change(Operation::Named("prices.adopt"), format!("prices/{external_id}"), params, key);
        call_prerequisite(app, viewer, request).await?;
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
