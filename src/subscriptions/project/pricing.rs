//! The price of an item for one billing period.

use crate::subscriptions::exact::Exact;
use num_traits::{CheckedAdd, CheckedMul};

/// The price of an item in the currency of its subscription, in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pricing {
    /// One amount for each unit.
    PerUnit(Exact),
    /// The amounts of each tier for the units within it.
    Graduated(Vec<Tier>),
    /// The amounts of the tier that the quantity reaches, for all units.
    Volume(Vec<Tier>),
    /// Not known, such as that of a price in another currency.
    Unknown,
}

/// A tier of a price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// The last unit in it; `None` for the last tier.
    pub up_to: Option<i64>,
    /// The amount for each unit.
    pub unit_amount: Exact,
    /// The amount for the tier itself.
    pub flat_amount: Exact,
}

/// A number of units that is sold as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Package {
    /// The number of units; at least 1.
    pub size: i64,
    /// True if a package that is begun is billed, false if only whole ones are.
    pub round_up: bool,
}

impl Package {
    /// Returns the number of packages that are billed for `quantity` units.
    fn count(self, quantity: i128) -> i128 {
        let size = i128::from(self.size.max(1));
        if self.round_up { (quantity + size - 1) / size } else { quantity / size }
    }
}

impl Pricing {
    /// Returns the amount of `quantity` units in one period; `None` if it is not known or past 128 bits.
    pub(super) fn amount(&self, quantity: i64, package: Option<Package>) -> Option<Exact> {
        let quantity = i128::from(quantity.max(0));
        let units = package.map_or(quantity, |package| package.count(quantity));
        match self {
            Pricing::PerUnit(amount) => amount.checked_mul(&units.into()),
            Pricing::Volume(tiers) => {
                let reached = |tier: &&Tier| tier.up_to.is_none_or(|up_to| i128::from(up_to) >= units);
                tiers.iter().find(reached)?.amount(units)
            }
            Pricing::Graduated(tiers) => graduated(tiers, units),
            Pricing::Unknown => None,
        }
    }
}

impl Tier {
    /// Returns the amount for a number of units, none of which is free of the tier's own amount.
    fn amount(&self, units: i128) -> Option<Exact> {
        if units == 0 {
            return Some(Exact::from_integer(0));
        }
        self.unit_amount.checked_mul(&units.into())?.checked_add(&self.flat_amount)
    }
}

fn graduated(tiers: &[Tier], units: i128) -> Option<Exact> {
    let (mut sum, mut below) = (Exact::from_integer(0), 0);
    for tier in tiers {
        let up_to = tier.up_to.map_or(units, |up_to| units.min(i128::from(up_to)));
        sum = sum.checked_add(&tier.amount((up_to - below).max(0))?)?;
        below = below.max(up_to);
    }
    (below >= units).then_some(sum)
}
