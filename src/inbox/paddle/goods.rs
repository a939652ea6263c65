//! Reads the licences and credits that a transaction sold, and those that went back with the money.

use super::adjustments::{amount, given_back, is_in, total};
use super::fields::{PADDLE, currency};
use super::lines::{Line, lines};
use super::offer::Kind;
use super::transactions::{is_paid, paid_at};
use crate::credits::ObservedPurchase;
use crate::inbox::json::{at, list, text};
use crate::inbox::object::Object;
use serde_json::Value;
use uuid::Uuid;

/// The actions that take goods back. A credit does, because the buyer has their value in the balance or off the
/// invoice. A warning of a chargeback does not, because no money has moved.
const RETURNS: [&str; 3] = ["refund", "credit", "chargeback"];

/// Licences of one product that a transaction sold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::inbox) struct Licences {
    /// The product's id at Paddle.
    pub(in crate::inbox) product_external_id: String,
    /// The number that was sold.
    pub(in crate::inbox) units: i64,
    /// The number of these that went back with the money.
    pub(in crate::inbox) revoked_units: i64,
}

/// Returns the licences that a completed transaction sold, by product: one for each unit of a price of the kind
/// `license`, of which one is revoked for each whole unit that was paid back.
pub(in crate::inbox) fn licences(transaction: &Object, adjustments: &[&Object]) -> Vec<Licences> {
    let mut all: Vec<Licences> = Vec::new();
    if text(&transaction.payload, "status") != Some("completed") {
        return all;
    }
    let lines = lines(&transaction.payload);
    let paid_in = &paid_in(&transaction.payload);
    for line in lines.iter().filter(|line| line.offer.kind() == Some(Kind::Licence) && line.quantity > 0) {
        let Some(product) = line.offer.product_id() else { continue };
        let revoked = revoked(line, adjustments, paid_in);
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

/// Returns the number of whole units that was paid back for a line. Where the price of a unit is rounded, the larger of
/// both readings counts, so that neither a refund of one unit nor one of all falls short.
fn revoked(line: &Line<'_>, adjustments: &[&Object], paid_in: &str) -> i64 {
    let returned = returned(line, adjustments, paid_in);
    let by_unit = if line.unit_total > 0 { returned / line.unit_total } else { 0 };
    let by_share = i128::from(returned) * i128::from(line.quantity) / i128::from(line.total.max(1));
    by_unit.max(i64::try_from(by_share).unwrap_or(i64::MAX)).min(line.quantity)
}

/// Returns the credits that a paid transaction bought: those of each price whose custom data, or its product's, says
/// `credits`, times the quantity. Their unit is in `credit_unit`, else it is `default_unit`; one transaction buys
/// credits of one unit, the first. `payment_id` is our id of the payment, where there is one.
pub(in crate::inbox) fn purchase(
    transaction: &Object,
    adjustments: &[&Object],
    default_unit: &str,
    payment_id: Option<Uuid>,
) -> Option<ObservedPurchase> {
    if !is_paid(&transaction.payload) {
        return None;
    }
    let lines = lines(&transaction.payload);
    let unit_of = |line: &Line<'_>| line.offer.word("credit_unit").unwrap_or(default_unit).to_owned();
    let packs = || lines.iter().filter(|line| line.offer.credits().is_some() && line.quantity > 0);
    let unit = packs().next().map(unit_of)?;
    let paid_in = paid_in(&transaction.payload);
    let (mut credits, mut amount_minor, mut returned_minor) = (0_i64, 0_i64, 0_i64);
    for line in packs().filter(|line| unit_of(line) == unit) {
        credits = credits.checked_add(line.offer.credits()?.checked_mul(line.quantity)?)?;
        amount_minor = amount_minor.checked_add(line.total)?;
        returned_minor = returned_minor.checked_add(returned(line, adjustments, &paid_in))?;
    }
    Some(ObservedPurchase {
        business_key: format!("{PADDLE}:{}", transaction.external_id),
        unit,
        credits,
        amount_minor,
        returned_minor,
        payment_id,
        paid_at: paid_at(transaction),
    })
}

/// Returns the currency of a transaction; empty where it has none.
fn paid_in(payload: &Value) -> String {
    let paths = ["details.totals.currency_code", "currency_code"];
    paths.into_iter().find_map(|path| currency(payload, path)).unwrap_or_default()
}

/// Returns the amount paid back for a line, at most its cost.
fn returned(line: &Line<'_>, adjustments: &[&Object], paid_in: &str) -> i64 {
    given_back(adjustments, &RETURNS, |adjustment| adjusted(line, adjustment, paid_in)).min(line.total)
}

/// Returns the amount of one adjustment for a line. A part that was given back in another currency is unknown, and not
/// taken from the goods.
fn adjusted(line: &Line<'_>, adjustment: &Value, paid_in: &str) -> i64 {
    if !is_in(adjustment, paid_in) {
        return if text(adjustment, "type") == Some("full") { line.total } else { 0 };
    }
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
    // Tax alone is refunded to customers who are exempt from it, and who keep the goods.
    let these = items
        .iter()
        .filter(|item| line.id.is_some() && text(item, "item_id") == line.id && text(item, "type") != Some("tax"));
    let amounts = these.map(|item| {
        let value = [at(item, "totals.total"), at(item, "amount")].into_iter().find(|value| !value.is_null());
        value.map_or(0, |value| amount(value, action))
    });
    amounts.fold(0, i64::saturating_add)
}
