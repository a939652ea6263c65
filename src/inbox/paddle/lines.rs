//! The lines of a transaction.

use super::fields::natural;
use super::offer::{Offer, product_of};
use crate::inbox::json::{at, list, text};
use serde_json::Value;

/// One line of a transaction.
pub(super) struct Line<'a> {
    /// The id by which adjustments name it.
    pub(super) id: Option<&'a str>,
    pub(super) offer: Offer<'a>,
    pub(super) quantity: i64,
    /// The cost of all units, tax included.
    pub(super) total: i64,
    /// The cost of one unit, tax included and rounded by Paddle.
    pub(super) unit_total: i64,
    /// True where the transaction has no other line.
    pub(super) only: bool,
}

/// Reads the lines of a transaction from its details, or from its items where it has no details.
pub(super) fn lines(payload: &Value) -> Vec<Line<'_>> {
    let items = list(payload, "items");
    let detailed = list(payload, "details.line_items");
    let source = if detailed.is_empty() { items } else { detailed };
    let read = |line| {
        let own = at(line, "price");
        let same = |item: &&Value| {
            let id = text(item, "price.id").or_else(|| text(item, "price_id"));
            id.is_some() && id == text(line, "price_id")
        };
        let item = if own.is_object() { line } else { items.iter().find(same).unwrap_or(&Value::Null) };
        let product = at(line, "product");
        Line {
            id: text(line, "id"),
            offer: Offer {
                price: at(item, "price"),
                product: if product.is_object() { product } else { product_of(payload, item) },
            },
            quantity: natural(at(line, "quantity")).unwrap_or(0),
            total: natural(at(line, "totals.total")).unwrap_or(0),
            unit_total: natural(at(line, "unit_totals.total")).unwrap_or(0),
            only: source.len() == 1,
        }
    };
    source.iter().map(read).collect()
}
