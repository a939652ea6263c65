//! Reads prices.

use super::fields::{PADDLE, created_at, currency, natural};
use super::offer::{Kind, Offer, product_of};
use crate::inbox::json::{at, instant, list, minor, text};
use crate::inbox::kinds::ObjectKind;
use crate::inbox::object::{Object, References};
use crate::plans::{ObservedPrice, ObservedProduct, PriceInterval, ProductKind};
use chrono::DateTime;
use serde_json::Value;

/// Reads a price that names something that we sell: in its own custom data or its product's, `kind` is `plan`, `addon`,
/// `credit_pack` or `license`. A plan has its code in `plan` and, optionally, a `tier`; the others may have a code in
/// `addon`, `pack` or `license`, and are else known by the product's id. A licence is an add-on of the catalogue.
pub(in crate::inbox) fn price(price: &Object, product: Option<&Object>) -> Option<ObservedPrice> {
    let payload = &price.payload;
    let offer = Offer { price: payload, product: product.map_or(&Value::Null, |product| &product.payload) };
    let product_id = offer.product_id().or(product.map(|product| product.external_id.as_str()))?;
    let kind = offer.kind()?;
    let (kind_name, code) = match kind {
        Kind::Plan => (ProductKind::Plan, offer.word("plan")?),
        Kind::Addon => (ProductKind::Addon, offer.word("addon").unwrap_or(product_id)),
        Kind::CreditPack => (ProductKind::CreditPack, offer.word("pack").unwrap_or(product_id)),
        Kind::Licence => (ProductKind::Addon, offer.word("license").unwrap_or(product_id)),
    };
    let (interval, interval_count) = interval(at(payload, "billing_cycle"))?;
    let on_sale = |object: &Object| !object.deleted && text(&object.payload, "status") != Some("archived");
    Some(ObservedPrice {
        provider: PADDLE,
        external_id: price.external_id.clone(),
        product_external_id: product_id.to_owned(),
        product: ObservedProduct {
            code: code.to_owned(),
            kind: kind_name,
            rank: offer.number("tier").unwrap_or(0),
            name: offer.name().unwrap_or(code).to_owned(),
        },
        currency: currency(payload, "unit_price.currency_code")?,
        unit_amount_minor: natural(at(payload, "unit_price.amount")),
        interval,
        interval_count,
        trial_days: trial_days(at(payload, "trial_period")),
        active: on_sale(price) && product.is_none_or(on_sale),
        credits: offer.credits().filter(|_| kind == Kind::CreditPack),
        own_id: None,
        created_at: created_at(price),
    })
}

/// Reads the interval of a billing cycle and its count; `None` for an unknown interval.
pub(super) fn interval(cycle: &Value) -> Option<(PriceInterval, i64)> {
    if cycle.is_null() {
        return Some((PriceInterval::OneTime, 1));
    }
    let interval = text(cycle, "interval")?.parse().ok().filter(|interval| *interval != PriceInterval::OneTime)?;
    Some((interval, natural(at(cycle, "frequency")).unwrap_or(1).max(1)))
}

/// Reads a trial in days; a month has 30 and a year 365, because Paddle counts from the day of the purchase.
fn trial_days(period: &Value) -> Option<i64> {
    let days = match text(period, "interval")? {
        "day" => 1,
        "week" => 7,
        "month" => 30,
        "year" => 365,
        _ => return None,
    };
    minor(at(period, "frequency"))?.checked_mul(days).filter(|days| *days > 0)
}

/// Returns the prices inside a subscription or a transaction, each once, with their products.
pub(in crate::inbox) fn embedded_prices(payload: &Value) -> Vec<(Object, Option<Object>)> {
    let mut found: Vec<(Object, Option<Object>)> = Vec::new();
    for item in list(payload, "items") {
        let Some(price) = embedded(ObjectKind::Price, at(item, "price")) else { continue };
        if found.iter().all(|(known, _)| known.external_id != price.external_id) {
            let product = embedded(ObjectKind::Product, product_of(payload, item));
            found.push((price, product));
        }
    }
    found
}

/// Returns an object inside another. An object without a time is older than any other.
fn embedded(kind: ObjectKind, payload: &Value) -> Option<Object> {
    let time = instant(at(payload, "updated_at")).or_else(|| instant(at(payload, "created_at")));
    Some(Object {
        kind,
        external_id: text(payload, "id")?.to_owned(),
        api_version: None,
        payload: payload.clone(),
        deleted: false,
        occurred_at: time.unwrap_or(DateTime::UNIX_EPOCH),
        references: References::default(),
    })
}
