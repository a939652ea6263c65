//! The contents of a version, as an admin defines them.

use super::values::{AllowanceCadence, LimitWindow, OnExceed, OnPlanChange, PriceInterval};
use crate::error::{Error, Result};
use crate::money::is_currency;
use serde::Serialize;
use std::collections::HashSet;

/// Maximum amount of a price in minor units, and of an allowance in steps; far from the range of 64 bits.
const MAX_AMOUNT: i64 = 1_000_000_000_000;

/// Maximum number of prices, features or allowances of one version.
const MAX_PARTS: usize = 100;

/// A price of a version.
#[derive(Debug, Clone, Serialize)]
pub struct PriceSpec {
    /// ISO 4217 code in upper case.
    pub currency: String,
    /// Minor units for one unit and one period.
    pub unit_amount_minor: i64,
    /// Unit of the billing period.
    pub interval: PriceInterval,
    /// Number of intervals in one period.
    pub interval_count: i64,
    /// Length of the trial in days; `None` for no trial.
    pub trial_days: Option<i64>,
}

/// A feature that a version grants.
#[derive(Debug, Clone, Serialize)]
pub struct FeatureSpec {
    /// The code of a known feature.
    pub feature: String,
    /// The value of a `config` feature.
    pub value: Option<String>,
    /// The limit; `None` for unlimited.
    pub limit: Option<i64>,
    /// The window that the limit counts in; `None` for a feature that is not counted.
    pub window: Option<LimitWindow>,
    /// Unused units kept for the next window; `None` for none.
    pub rollover_cap: Option<i64>,
    /// The consequence of passing the limit; `None` for blocking.
    pub on_exceed: Option<OnExceed>,
    /// The credits that pay for each unit beyond the limit; `None` if none do.
    pub overage: Option<OverageSpec>,
}

/// The price of units beyond a limit.
#[derive(Debug, Clone, Serialize)]
pub struct OverageSpec {
    /// The code of a known credit unit.
    pub unit: String,
    /// Credits for each unit, in the smallest step of the credit unit.
    pub credits: i64,
}

/// The rules of access that a version sets.
#[derive(Debug, Clone, Serialize)]
pub struct AccessSpec {
    /// Days of access after a payment failed; `None` for as long as it is due.
    pub past_due_grace_days: Option<i64>,
    /// True for access while the subscription is paused.
    pub while_paused: bool,
    /// True for access in a trial.
    pub in_trial: bool,
}

/// Credits that a version grants.
#[derive(Debug, Clone, Serialize)]
pub struct AllowanceSpec {
    /// The code of a known credit unit.
    pub unit: String,
    /// Amount in the smallest step of the unit.
    pub amount: i64,
    /// The cadence of the grants.
    pub cadence: AllowanceCadence,
    /// Days until they expire; `None` for no expiry.
    pub expires_after_days: Option<i64>,
    /// Unused credits kept for the next period; `None` for all of them.
    pub rollover_cap: Option<i64>,
    /// Lower numbers are spent first.
    pub priority: i64,
    /// The fate of the rest when the subscription changes to another plan.
    pub on_plan_change: OnPlanChange,
}

/// The contents of a version.
#[derive(Debug, Clone, Serialize)]
pub struct VersionSpec {
    /// Its prices.
    pub prices: Vec<PriceSpec>,
    /// Its features.
    pub features: Vec<FeatureSpec>,
    /// Its credit allowances.
    pub allowances: Vec<AllowanceSpec>,
    /// Its rules of access.
    pub access: AccessSpec,
}

impl VersionSpec {
    /// Checks the rules that need no database.
    pub(super) fn check(&self) -> Result<()> {
        check_prices(&self.prices)?;
        check_features(&self.features)?;
        if self.access.past_due_grace_days.is_some_and(|days| !(0..=365).contains(&days)) {
            let message = "`pastDueGraceDays` must be 0 to 365: omit it for access as long as a payment is due.";
            return Err(Error::refused("GRACE_DAYS_INVALID", &["pastDueGraceDays"], message));
        }
        check_allowances(&self.allowances)
    }
}

fn check_prices(prices: &[PriceSpec]) -> Result<()> {
    let mut seen = HashSet::new();
    for price in prices {
        let refuse = |message| Err(Error::refused("PRICE_INVALID", &["prices"], message));
        if seen.len() == MAX_PARTS {
            return refuse("A version can have at most 100 prices.");
        }
        if !is_currency(&price.currency) {
            return refuse("A currency must be an ISO 4217 code in upper case, such as USD.");
        }
        if !(0..=MAX_AMOUNT).contains(&price.unit_amount_minor) {
            return refuse("An amount must be 0 to 1,000,000,000,000 minor units.");
        }
        if !(1..=365).contains(&price.interval_count) || price.trial_days.is_some_and(|days| !(1..=730).contains(&days))
        {
            return refuse("An interval count must be 1 to 365, and a trial 1 to 730 days.");
        }
        if !seen.insert((&price.currency, price.interval, price.interval_count)) {
            return refuse("A version can have only one price for each currency and interval.");
        }
    }
    Ok(())
}

fn check_features(features: &[FeatureSpec]) -> Result<()> {
    let mut seen = HashSet::new();
    for feature in features {
        let refuse = |message| Err(Error::refused("FEATURE_INVALID", &["features"], message));
        if seen.len() == MAX_PARTS {
            return refuse("A version can have at most 100 features.");
        }
        if [feature.limit, feature.rollover_cap].into_iter().flatten().any(|number| number < 0) {
            return refuse("Limits and caps must not be negative: omit a limit for unlimited use.");
        }
        let paid = feature.overage.as_ref();
        if paid.is_some_and(|overage| !(1..=MAX_AMOUNT).contains(&overage.credits)) {
            return refuse("Credits for a unit beyond the limit must be 1 to 1,000,000,000,000 steps.");
        }
        if paid.is_some() && feature.on_exceed != Some(OnExceed::Overage) {
            return refuse("Credits for units beyond the limit need `onExceed: OVERAGE`.");
        }
        if feature.rollover_cap.is_some() && (feature.limit.is_none() || feature.window.is_none()) {
            return refuse("A rollover cap needs a limit and a window: nothing else can be left over.");
        }
        if !seen.insert((&feature.feature, feature.window)) {
            return refuse("A version can list a feature only once for each window.");
        }
    }
    Ok(())
}

fn check_allowances(allowances: &[AllowanceSpec]) -> Result<()> {
    let mut seen = HashSet::new();
    for allowance in allowances {
        let refuse = |message| Err(Error::refused("ALLOWANCE_INVALID", &["creditAllowances"], message));
        if seen.len() == MAX_PARTS {
            return refuse("A version can have at most 100 credit allowances.");
        }
        let days = allowance.expires_after_days.is_some_and(|days| !(1..=36_500).contains(&days));
        if !(1..=MAX_AMOUNT).contains(&allowance.amount) || days || allowance.rollover_cap.is_some_and(|cap| cap < 0) {
            return refuse(
                "An amount must be 1 to 1,000,000,000,000 steps, an expiry 1 to 36,500 days, and a cap not negative.",
            );
        }
        if !seen.insert((&allowance.unit, allowance.cadence)) {
            return refuse("A version can list a credit unit only once for each cadence.");
        }
    }
    Ok(())
}
