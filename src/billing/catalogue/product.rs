//! The product at Stripe that a plan is.

use super::{day, made, metadata, pack, unread};
use crate::app::App;
use crate::auth::Viewer;
use crate::billing::order::{attempt, ensure};
use crate::error::Result;
use crate::outbox::{self, Call};
use crate::plans::Sold;
use crate::providers::stripe::CallError;
use entity::products;
use serde_json::{Value, json};

/// The most pages of products that are looked through for one that was made by hand.
const MOST_PAGES: usize = 50;

/// The id of the product at Stripe, and whether it was made just now, so that it has no prices yet.
pub(super) async fn ensured(app: &App, viewer: &Viewer, sold: &Sold) -> Result<(String, bool)> {
    if let Some(known) = sold.product_there() {
        return Ok((known.to_owned(), false));
    }
    let plan = &sold.plan;
    let id = format!("tollgate_{}", plan.id.simple());
    match outbox::client(app)?.get("product", &id).await {
        Ok(answer) if answer.object["deleted"] != true => return Ok((id, false)),
        Ok(_) | Err(CallError::NotFound) => {}
        Err(error) => return Err(unread(error)),
    }
    if let Some(by_hand) = named(app, plan).await? {
        return Ok((by_hand, false));
    }
    let mut params = json!({"id": id, "name": plan.name, "metadata": metadata(sold)?});
    if let Some(description) = plan.description.as_deref().filter(|description| !description.is_empty()) {
        params["description"] = json!(description);
    }
    let key = format!("product-{}-{}", plan.id, day(app));
    let call = call("products.create", "products".to_owned(), params, key);
    let is_new = made(attempt(app, viewer, call).await?)?.is_some();
    Ok((id, is_new))
}

/// A product that was made by hand for this plan, with its code in its metadata.
async fn named(app: &App, plan: &products::Model) -> Result<Option<String>> {
    let client = outbox::client(app)?;
    let is_it = |product: &&Value| {
        let noted = |name: &str, code: &str| product["metadata"][name] == code;
        let named = match &*plan.kind {
            "credit_pack" => noted("pack", pack(&plan.code)),
            kind => noted(kind, &plan.code),
        };
        named && product["active"] == true
    };
    let mut after = None;
    for _ in 0..MOST_PAGES {
        let page = client.list("product", &[], after.as_deref()).await.map_err(unread)?;
        let id = |product: &Value| product["id"].as_str().map(str::to_owned);
        if let Some(found) = page.objects.iter().find(is_it) {
            return Ok(id(found));
        }
        after = page.objects.last().and_then(id);
        if !page.has_more || after.is_none() {
            break;
        }
    }
    Ok(None)
}

/// Makes another price the product's default where that is one that is to be archived, which Stripe would not do.
pub(super) async fn release(app: &App, viewer: &Viewer, sold: &Sold, product: &str) -> Result<()> {
    let answer = outbox::client(app)?.get("product", product).await.map_err(unread)?;
    let Some(default) = answer.object["default_price"].as_str() else { return Ok(()) };
    let is_sold = |external_id: &str| sold.outdated().all(|there| there.row.external_id != external_id);
    let successor = sold.there.iter().rev().map(|there| &there.row);
    let mut successor = successor.filter(|row| row.active && row.product_external_id == product);
    let Some(successor) = successor.find(|row| is_sold(&row.external_id)).filter(|_| !is_sold(default)) else {
        return Ok(());
    };
    let key = format!("default-{product}-{}-{}", successor.external_id, day(app));
    let params = json!({"default_price": successor.external_id});
    ensure(app, viewer, call("products.update", format!("products/{product}"), params, key)).await.map(drop)
}

/// A change of the catalogue at Stripe. It is made later where Stripe is away: it charges nobody.
pub(super) fn call(operation: &'static str, path: String, params: Value, key: String) -> Call {
    Call { account_id: None, operation, deletes: false, path, params, key: Some(key), persistent: true }
}
