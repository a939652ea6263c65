//! Reads customers and prices.

use super::fields::{currency, id, interval, own_amount};
use crate::accounts::ObservedCustomer;
use crate::inbox::json::{at, list, minor, seconds, text};
use crate::inbox::kinds::ObjectKind;
use crate::inbox::object::{Object, References};
use crate::plans::{ObservedPrice, ObservedProduct, PriceInterval, ProductKind};
use serde_json::Value;

/// Reads a customer; `None` where nothing but the deletion is known.
pub(in crate::inbox) fn customer(object: &Object) -> Option<ObservedCustomer> {
    let customer = &object.payload;
    Some(ObservedCustomer {
        provider: "stripe",
        external_id: object.external_id.clone(),
        email: text(customer, "email").map(str::to_owned),
        name: text(customer, "name").map(str::to_owned),
        delinquent: at(customer, "delinquent") == &Value::Bool(true),
        deleted: object.deleted,
        created_at: seconds(at(customer, "created"))?,
    })
}

/// Reads a price whose metadata, or whose product's, names something that we sell: `plan` with its `tier`, `addon`, or
/// `credits` with the `pack` that they come in.
pub(in crate::inbox) fn price(object: &Object, product: Option<&Object>) -> Option<ObservedPrice> {
    let price = &object.payload;
    let noted = |name: &str| {
        let named = |object: &'_ Object| text(&object.payload, &format!("metadata.{name}")).map(str::to_owned);
        named(object).or_else(|| product.and_then(named))
    };
    let credits = noted("credits").and_then(|credits| credits.parse::<i64>().ok()).filter(|credits| *credits > 0);
    let (code, kind) = match (noted("plan"), noted("addon"), credits) {
        (Some(plan), ..) => (plan, ProductKind::Plan),
        (None, Some(addon), _) => (addon, ProductKind::Addon),
        (None, None, Some(credits)) => (
            noted("pack").map_or_else(|| format!("credits-{credits}"), |pack| format!("pack-{pack}")),
            ProductKind::CreditPack,
        ),
        (None, None, None) => return None,
    };
    let name = product.and_then(|product| text(&product.payload, "name")).or_else(|| text(price, "nickname"));
    let interval = interval(price);
    let count =
        minor(at(price, "recurring.interval_count")).filter(|count| *count > 0 && interval != PriceInterval::OneTime);
    Some(ObservedPrice {
        provider: "stripe",
        external_id: object.external_id.clone(),
        product_external_id: id(at(price, "product"))?,
        product: ObservedProduct {
            rank: noted("tier").and_then(|tier| tier.parse().ok()).unwrap_or(0),
            name: name.unwrap_or(&code).to_owned(),
            code,
            kind,
        },
        currency: currency(price)?,
        unit_amount_minor: own_amount(price, "unit_amount").filter(|amount| *amount >= 0),
        interval,
        interval_count: count.unwrap_or(1),
        trial_days: minor(at(price, "recurring.trial_period_days")).filter(|days| *days > 0),
        active: at(price, "active") == &Value::Bool(true) && !object.deleted,
        credits: credits.filter(|_| kind == ProductKind::CreditPack),
        own_id: text(price, "metadata.tollgate_price").and_then(|id| id.parse().ok()),
        created_at: seconds(at(price, "created")).unwrap_or(object.occurred_at),
    })
}

/// Returns the prices inside a subscription.
pub(in crate::inbox) fn embedded_prices(subscription: &Object) -> Vec<Object> {
    let items = list(&subscription.payload, "items.data").iter();
    items.filter_map(|item| embedded(&item["price"], subscription)).collect()
}

fn embedded(price: &Value, within: &Object) -> Option<Object> {
    Some(Object {
        kind: ObjectKind::Price,
        external_id: text(price, "id")?.to_owned(),
        api_version: within.api_version.clone(),
        payload: price.clone(),
        deleted: false,
        occurred_at: within.occurred_at,
        references: References::default(),
    })
}
