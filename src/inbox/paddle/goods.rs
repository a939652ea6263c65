//! What a transaction sells line by line, and what of that went back with the money: licences and credits.

use super::adjustments::{amount, given_back, total};
use super::catalogue::{Kind, Offer, product_of};
use super::transactions::{is_paid, paid_at};
use super::{PADDLE, natural};
use crate::credits::ObservedPurchase;
use crate::inbox::json::{at, list, text};
use crate::inbox::object::Object;
use serde_json::Value;

/// The actions that take goods back. A credit does: the buyer has the value of what was bought, in the balance or off
/// the invoice. A warning of a chargeback has moved no money.
const RETURNS: [&str; 3] = ["refund", "credit", "chargeback"];

/// One line of a transaction.
pub(super) struct Line<'a> {
    /// Its id, by which adjustments name it.
    id: Option<&'a str>,
    pub(super) offer: Offer<'a>,
    quantity: i64,
    /// What all of it costs, tax included.
    total: i64,
    /// What one of it costs, tax included and rounded by Paddle.
    unit_total: i64,
    /// Whether there is no other.
    only: bool,
}

/// Licences of one product that a transaction sold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::inbox) struct Licences {
    /// The product's id at Paddle.
    pub(in crate::inbox) product_external_id: String,
    /// How many were sold.
    pub(in crate::inbox) units: i64,
    /// How many of these went back with the money.
    pub(in crate::inbox) revoked_units: i64,
}

/// The licences that a completed transaction sold, by product: one for each unit of a price of kind `license`, less
/// one for each whole unit that was paid back.
pub(in crate::inbox) fn licences(transaction: &Object, adjustments: &[&Object]) -> Vec<Licences> {
    let mut all: Vec<Licences> = Vec::new();
    if text(&transaction.payload, "status") != Some("completed") {
        return all;
    }
    let lines = lines(&transaction.payload);
    for line in lines.iter().filter(|line| line.offer.kind() == Some(Kind::Licence) && line.quantity > 0) {
        let Some(product) = line.offer.product_id() else { continue };
        let revoked = revoked(line, adjustments);
        match all.iter_mut().find(|licences| licences.product_external_id == product) {
            Some(licences) => {
                licences.units = licences.units.saturating_add(line.quantity);
                licences.revoked_units = licences.revoked_units.saturating_add(revoked);
            }
            None => all.push(Licences {
                product_external_id: product.to_owned(),
                units: line.quantity,
                revoked_units: revoked,
            }),
        }
    }
    all
}

/// The whole units that what was paid back for a line comes to. Where a unit's price is rounded, both readings of it
/// count, so that neither a refund of one unit nor one of all falls short.
fn revoked(line: &Line<'_>, adjustments: &[&Object]) -> i64 {
    let returned = returned(line, adjustments);
    let by_unit = if line.unit_total > 0 { returned / line.unit_total } else { 0 };
    let by_share = i128::from(returned) * i128::from(line.quantity) / i128::from(line.total.max(1));
    by_unit.max(i64::try_from(by_share).unwrap_or(i64::MAX)).min(line.quantity)
}

/// The credits that a paid transaction bought: those of each price whose custom data, or its product's, says `credits`,
/// times the quantity. Their unit is in `credit_unit`, else it is `default_unit`; one transaction buys credits of one
/// unit, the first. Who asks adds our payment.
pub(in crate::inbox) fn purchase(
    transaction: &Object,
    adjustments: &[&Object],
    default_unit: &str,
) -> Option<ObservedPurchase> {
    if !is_paid(&transaction.payload) {
        return None;
    }
    let lines = lines(&transaction.payload);
    let unit_of = |line: &Line<'_>| line.offer.word("credit_unit").unwrap_or(default_unit).to_owned();
    let packs = || lines.iter().filter(|line| line.offer.credits().is_some() && line.quantity > 0);
    let unit = packs().next().map(unit_of)?;
    let (mut credits, mut amount_minor, mut returned_minor) = (0_i64, 0_i64, 0_i64);
    for line in packs().filter(|line| unit_of(line) == unit) {
        credits = credits.checked_add(line.offer.credits()?.checked_mul(line.quantity)?)?;
        amount_minor = amount_minor.checked_add(line.total)?;
        returned_minor = returned_minor.checked_add(returned(line, adjustments))?;
    }
    Some(ObservedPurchase {
        business_key: format!("{PADDLE}:{}", transaction.external_id),
        unit,
        credits,
        amount_minor,
        returned_minor,
        payment_id: None,
        paid_at: paid_at(transaction),
    })
}

/// What was paid back for a line, at most what it cost.
fn returned(line: &Line<'_>, adjustments: &[&Object]) -> i64 {
    given_back(adjustments, &RETURNS, |adjustment| adjusted(line, adjustment)).min(line.total)
}

/// What one adjustment says of a line.
fn adjusted(line: &Line<'_>, adjustment: &Value) -> i64 {
    let action = text(adjustment, "action").unwrap_or_default();
    let items = list(adjustment, "items");
    if items.is_empty() {
        let full = text(adjustment, "type") == Some("full");
        return if full {
            line.total
        } else if line.only {
            total(adjustment)
        } else {
            0
        };
    }
    // Tax alone is paid back to someone who need not pay it, and keeps the goods.
    let these = items
        .iter()
        .filter(|item| line.id.is_some() && text(item, "item_id") == line.id && text(item, "type") != Some("tax"));
    let amounts = these.map(|item| {
        let told = [at(item, "totals.total"), at(item, "amount")].into_iter().find(|value| !value.is_null());
        told.map_or(0, |told| amount(told, action))
    });
    amounts.fold(0, i64::saturating_add)
}

/// The lines of a transaction, as its details have them; without details, as its items have them.
pub(super) fn lines(payload: &Value) -> Vec<Line<'_>> {
    let items = list(payload, "items");
    let detailed = list(payload, "details.line_items");
    let told = if detailed.is_empty() { items } else { detailed };
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
            only: told.len() == 1,
        }
    };
    told.iter().map(read).collect()
}
