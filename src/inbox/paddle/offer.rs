//! The meaning of a price: the goods that its custom data names.

use crate::inbox::json::{at, list, minor, text};
use serde_json::Value;

/// The kind of goods that an item sells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plan,
    Addon,
    CreditPack,
    Licence,
}

/// A price with its product, where that is known. Both may have custom data; each field is taken from the price first,
/// so that a product may name the goods and its prices their number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer<'a> {
    pub(super) price: &'a Value,
    pub(super) product: &'a Value,
}

impl<'a> Offer<'a> {
    /// Returns the custom data that has `field`.
    fn own(&self, field: &str) -> &'a Value {
        let (of_price, of_product) = (at(self.price, "custom_data"), at(self.product, "custom_data"));
        if at(of_price, field).is_null() { of_product } else { of_price }
    }

    /// Returns a text of the custom data.
    pub(super) fn word(&self, field: &str) -> Option<&'a str> {
        text(self.own(field), field)
    }

    /// Returns a whole number of the custom data.
    pub(super) fn number(&self, field: &str) -> Option<i64> {
        minor(at(self.own(field), field))
    }

    /// Returns the goods: by `kind`, else by a field that only one kind has.
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

    /// Returns the credits that one unit buys. The credits of a plan are its allowance, and not bought.
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

/// Returns the product of an item: a subscription has it beside the price, a transaction in the lines of its details.
pub(super) fn product_of<'a>(payload: &'a Value, item: &'a Value) -> &'a Value {
    let own = at(item, "product");
    if own.is_object() {
        return own;
    }
    let id = text(item, "price.product_id");
    let lines = list(payload, "details.line_items").iter().map(|line| at(line, "product"));
    lines.into_iter().find(|product| id.is_some() && text(product, "id") == id).unwrap_or(&Value::Null)
}
