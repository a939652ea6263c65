//! Stripe's product of a plan.

use super::metadata::{metadata, names};
use super::stripe::{change, error_of_read};
use crate::app::App;
use crate::auth::Viewer;
use crate::billing::kernel::{call_prerequisite, create_if_missing, daily_key};
use crate::error::Result;
use crate::outbox::{self, Operation};
use crate::plans::Sold;
use crate::providers::stripe::CallError;
use entity::products;
use serde_json::{Value, json};

/// The number of pages of products that are searched for one that was created by hand.
const MAX_PAGES: usize = 50;

/// A product at Stripe.
pub(super) struct Product {
    pub(super) id: String,
    /// Created just now, so that it has no prices yet.
    pub(super) is_new: bool,
}

/// Returns the product of a plan, and creates it if there is none.
pub(super) async fn ensure(app: &App, viewer: &Viewer, sold: &Sold) -> Result<Product> {
    let known = |id| Ok(Product { id, is_new: false });
    if let Some(id) = sold.product_there() {
        return known(id.to_owned());
    }
    let plan = &sold.plan;
    let id = format!("tollgate_{}", plan.id.simple());
    match outbox::client(app)?.get("products", &id, &[]).await {
        Ok(answer) if answer.object["deleted"] != true => return known(id),
        Ok(_) | Err(CallError::NotFound) => {}
        Err(error) => return Err(error_of_read(error)),
    }
    if let Some(by_hand) = find_made_by_hand(app, plan).await? {
        return known(by_hand);
    }
    let mut params = json!({"id": id, "name": plan.name, "metadata": metadata(sold)?});
    if let Some(description) = plan.description.as_deref().filter(|description| !description.is_empty()) {
        params["description"] = json!(description);
    }
    let key = daily_key(app, &format!("product-{}", plan.id));
    let request = change(Operation::Named("products.create"), "products", params, key);
    let is_new = create_if_missing(app, viewer, request).await?.is_some();
    Ok(Product { id, is_new })
}

/// Finds a product that was created by hand for a plan, with the plan's code in its metadata.
async fn find_made_by_hand(app: &App, plan: &products::Model) -> Result<Option<String>> {
    let client = outbox::client(app)?;
    let is_of_plan = |product: &&Value| product["active"] == true && names(&product["metadata"], plan);
    let mut after = None;
    for _ in 0..MAX_PAGES {
        let page = client.list("products", &[], after.as_deref()).await.map_err(error_of_read)?;
        let id = |product: &Value| product["id"].as_str().map(str::to_owned);
        if let Some(found) = page.objects.iter().find(is_of_plan) {
            return Ok(id(found));
        }
        after = page.objects.last().and_then(id);
        if !page.has_more || after.is_none() {
            break;
        }
    }
    Ok(None)
}

/// Makes another price the product's default if the present one will be archived, which Stripe would refuse.
pub(super) async fn release(app: &App, viewer: &Viewer, sold: &Sold, product: &str) -> Result<()> {
    let answer = outbox::client(app)?.get("products", product, &[]).await.map_err(error_of_read)?;
    let Some(default) = answer.object["default_price"].as_str() else { return Ok(()) };
    let stays = |external_id: &str| sold.outdated().all(|there| there.row.external_id != external_id);
    if stays(default) {
        return Ok(());
    }
    let successor = sold.there.iter().rev().map(|there| &there.row);
    let mut successor = successor.filter(|row| row.active && row.product_external_id == product);
    let Some(successor) = successor.find(|row| stays(&row.external_id)) else { return Ok(()) };
    let key = daily_key(app, &format!("default-{product}-{}", successor.external_id));
    let params = json!({"default_price": successor.external_id});
    let request = change(Operation::Named("products.update"), format!("products/{product}"), params, key);
    call_prerequisite(app, viewer, request).await.map(drop)
}
