//! Prices and products, and what of ours they stand for.

use super::{PADDLE, created_at, currency, natural};
use crate::inbox::json::{at, instant, list, minor, text};
use crate::inbox::object::{Object, Ties};
use crate::plans::{ObservedPrice, ObservedProduct, PriceInterval, ProductKind};
use chrono::DateTime;
use serde_json::Value;

/// What an item sells, in our terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plan,
    Addon,
    CreditPack,
    Licence,
}

/// A price with its product, where that is known. Both may have custom data; the price's word comes first, field by
/// field, so that a product may say what it is and its prices how much of it they give.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer<'a> {
    pub(super) price: &'a Value,
    pub(super) product: &'a Value,
}

impl<'a> Offer<'a> {
    /// The custom data that has `field`.
    fn own(&self, field: &str) -> &'a Value {
        let (of_price, of_product) = (at(self.price, "custom_data"), at(self.product, "custom_data"));
        if at(of_price, field).is_null() { of_product } else { of_price }
    }

    /// Text in the custom data.
    pub(super) fn word(&self, field: &str) -> Option<&'a str> {
        text(self.own(field), field)
    }

    /// A whole number in the custom data.
    fn number(&self, field: &str) -> Option<i64> {
        minor(at(self.own(field), field))
    }

    /// What it sells; told by `kind`, else by what only one kind has.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self.word("kind") {
            Some("plan") => Some(Kind::Plan),
            Some("addon") => Some(Kind::Addon),
            Some("credit_pack") => Some(Kind::CreditPack),
            Some("license") => Some(Kind::Licence),
            Some(_) => None,
            None if self.word("plan").is_some() => Some(Kind::Plan),
            None => self.number("credits").map(|_| Kind::CreditPack),
        }
    }

    /// The credits that one unit buys. What a plan says of credits is its allowance, and not bought.
    pub(super) fn credits(&self) -> Option<i64> {
        self.number("credits").filter(|credits| *credits > 0 && self.kind() != Some(Kind::Plan))
    }

    pub(super) fn product_id(&self) -> Option<&'a str> {
        text(self.price, "product_id").or_else(|| text(self.product, "id"))
    }

    pub(super) fn name(&self) -> Option<&'a str> {
        let of_price = || text(self.price, "name").or_else(|| text(self.price, "description"));
        text(self.product, "name").or_else(of_price)
    }
}

/// A price that names something of ours: in its own custom data or in its product's, `kind` is `plan`, `addon`,
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

/// How often a billing cycle comes; `None` for an interval that we do not know.
pub(super) fn interval(cycle: &Value) -> Option<(PriceInterval, i64)> {
    if cycle.is_null() {
        return Some((PriceInterval::OneTime, 1));
    }
    let interval = text(cycle, "interval")?.parse().ok().filter(|interval| *interval != PriceInterval::OneTime)?;
    Some((interval, natural(at(cycle, "frequency")).unwrap_or(1).max(1)))
}

/// A trial in days; a month has 30 and a year 365, because Paddle counts from the day of the purchase.
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

/// The prices and products that a subscription or a transaction carries in full, each price once.
pub(in crate::inbox) fn embedded_prices(payload: &Value) -> Vec<(Object, Option<Object>)> {
    let mut found: Vec<(Object, Option<Object>)> = Vec::new();
    for item in list(payload, "items") {
        let Some(price) = embedded("price", at(item, "price")) else { continue };
        if found.iter().all(|(known, _)| known.external_id != price.external_id) {
            let product = embedded("product", product_of(payload, item));
            found.push((price, product));
        }
    }
    found
}

/// The product of an item: a subscription has it beside the price, a transaction among the lines of its details.
pub(super) fn product_of<'a>(payload: &'a Value, item: &'a Value) -> &'a Value {
    let own = at(item, "product");
    if own.is_object() {
        return own;
    }
    let id = text(item, "price.product_id");
    let lines = list(payload, "details.line_items").iter().map(|line| at(line, "product"));
    lines.into_iter().find(|product| id.is_some() && text(product, "id") == id).unwrap_or(&Value::Null)
}

/// An object inside another. One without a time is older than any other.
fn embedded(kind: &str, payload: &Value) -> Option<Object> {
    let time = instant(at(payload, "updated_at")).or_else(|| instant(at(payload, "created_at")));
    Some(Object {
        kind: kind.to_owned(),
        external_id: text(payload, "id")?.to_owned(),
        api_version: None,
        payload: payload.clone(),
        deleted: false,
        occurred_at: time.unwrap_or(DateTime::UNIX_EPOCH),
        ties: Ties::default(),
    })
}
