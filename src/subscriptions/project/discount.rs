//! The effect of a subscription's discounts on an invoice.

use super::observed::{DiscountOff, ObservedDiscount, ObservedItem};
use crate::subscriptions::exact::{Exact, round_half_even};
use crate::subscriptions::values::{DiscountDuration, DiscountScope};
use chrono::{DateTime, Utc};
use num_traits::{CheckedAdd, CheckedDiv, CheckedMul, CheckedSub};

impl DiscountOff {
    /// Returns the percentage.
    pub(super) fn percent(&self) -> Option<Exact> {
        match self {
            DiscountOff::Part(part) => part.checked_mul(&Exact::from_integer(100)),
            DiscountOff::Amount { .. } => None,
        }
    }

    /// Returns the percentage in hundredths of a percent, rounded.
    pub(super) fn basis_points(&self) -> Option<i64> {
        round_half_even(&self.percent()?.checked_mul(&Exact::from_integer(100))?)
    }
}

impl ObservedDiscount {
    /// Returns true if it is in force at `at`.
    pub(super) fn is_in_force(&self, at: DateTime<Utc>) -> bool {
        self.starts_at.is_none_or(|start| start <= at) && self.ends_at.is_none_or(|end| end > at)
    }

    /// Returns true if its deduction from an invoice in `currency` is known.
    pub(super) fn is_known_in(&self, currency: &str) -> bool {
        match self.terms.as_ref().map(|terms| &terms.off) {
            None => false,
            Some(DiscountOff::Part(_)) => true,
            Some(DiscountOff::Amount { currency: own, .. }) => own == currency,
        }
    }

    /// Returns true if it is known to end by itself.
    pub(super) fn is_temporary(&self) -> bool {
        self.terms.as_ref().is_some_and(|terms| terms.duration != DiscountDuration::Forever)
    }

    fn applies_to(&self, item: &ObservedItem) -> bool {
        let is_item = self.item_external_id.as_ref().is_none_or(|id| *id == item.external_id);
        let is_sold = |id: &String| Some(id) == item.product_external_id.as_ref() || *id == item.price_external_id;
        is_item && self.products.as_ref().is_none_or(|products| products.iter().any(is_sold))
    }
}

/// Returns the discounts that count at `at`, in the order in which they are deducted: those on an item first. A
/// customer's own counts while the subscription has none of its own.
pub(super) fn in_force(discounts: &[ObservedDiscount], at: DateTime<Utc>) -> Vec<&ObservedDiscount> {
    let mut found: Vec<_> = discounts.iter().filter(|discount| discount.is_in_force(at)).collect();
    if found.iter().any(|discount| discount.scope == DiscountScope::Subscription) {
        found.retain(|discount| discount.scope != DiscountScope::Customer);
    }
    found.sort_by_key(|discount| discount.scope != DiscountScope::Item);
    found
}

/// Returns the total of an invoice after discounts; `None` if a deduction is not known in its currency.
pub(super) fn invoice_total<'i>(
    lines: impl Iterator<Item = (&'i ObservedItem, Exact)>,
    discounts: &[&ObservedDiscount],
    currency: &str,
) -> Option<Exact> {
    let mut lines: Vec<(&ObservedItem, Exact)> = lines.collect();
    for discount in discounts {
        let eligible = lines.iter_mut().filter(|(item, left)| *left > zero() && discount.applies_to(item));
        deduct(eligible.collect(), discount, currency)?;
    }
    sum(lines.iter().map(|(_, left)| left))
}

fn deduct(lines: Vec<&mut (&ObservedItem, Exact)>, discount: &ObservedDiscount, currency: &str) -> Option<()> {
    if lines.is_empty() {
        return Some(());
    }
    match &discount.terms.as_ref()?.off {
        DiscountOff::Part(part) => {
            let left = Exact::from_integer(1).checked_sub(part)?.max(zero());
            for (_, amount) in lines {
                *amount = amount.checked_mul(&left)?;
            }
        }
        DiscountOff::Amount { currency: other, .. } if other != currency => return None,
        DiscountOff::Amount { minor, per_unit: true, .. } => {
            for (item, amount) in lines {
                let units = i128::from(item.quantity.unwrap_or(1).max(0));
                let off = i128::from((*minor).max(0)).checked_mul(units)?;
                *amount = amount.checked_sub(&off.into())?.max(zero());
            }
        }
        DiscountOff::Amount { minor, per_unit: false, .. } => {
            let total = sum(lines.iter().map(|(_, left)| left))?;
            let off = Exact::from_integer(i128::from((*minor).max(0))).min(total);
            // Each line bears its share, as later discounts may be for some of them.
            let left = total.checked_sub(&off)?.checked_div(&total)?;
            for (_, amount) in lines {
                *amount = amount.checked_mul(&left)?;
            }
        }
    }
    Some(())
}

fn zero() -> Exact {
    Exact::from_integer(0)
}

fn sum<'e>(mut amounts: impl Iterator<Item = &'e Exact>) -> Option<Exact> {
    amounts.try_fold(zero(), |sum, amount| sum.checked_add(amount))
}
