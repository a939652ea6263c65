//! The statistics of an experiment with two arms (metrics v1, section 7): the test of their difference, the intervals, and
//! the check of the sizes.
#![allow(clippy::float_arithmetic, reason = "probabilities, not money")]

use libm::erfc;

/// The standard normal quantile of 0.975, for intervals that cover 95 %.
const Z_95: f64 = 1.959_963_984_540_054;
/// A table whose probability exceeds that of the observed one by less than this factor counts as equally probable: their
/// probabilities are products of rounded numbers.
const TIE: f64 = 1.0 + 1e-10;
/// The least expected number in a cell that the normal approximation needs.
const MIN_EXPECTED: u64 = 5;
/// The level at which sizes that differ from the split void an experiment.
const MISMATCH_LEVEL: f64 = 0.001;

/// The units of an arm, and those of them that converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arm {
    units: u32,
    conversions: u32,
}

impl Arm {
    /// Creates an arm; `None` if more units converted than there are.
    pub fn new(units: u32, conversions: u32) -> Option<Arm> {
        (conversions <= units).then_some(Arm { units, conversions })
    }

    /// Returns the number of units.
    pub fn units(self) -> u32 {
        self.units
    }

    /// Returns the number of units that converted.
    pub fn conversions(self) -> u32 {
        self.conversions
    }

    fn rate(self) -> Option<f64> {
        (self.units > 0).then(|| f64::from(self.conversions) / f64::from(self.units))
    }
}

/// An interval that covers the true value with a confidence of 95 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower limit.
    pub low: f64,
    /// The upper limit.
    pub high: f64,
}

/// The test that a difference is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceTest {
    /// The two-sided z-test of two proportions with pooled variance.
    PooledZ,
    /// Fisher's exact test, two-sided.
    FisherExact,
}

/// The difference of the rates of two arms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The rate of the treatment less that of the control.
    pub estimate: f64,
    /// Newcombe's interval of the difference.
    pub interval: Interval,
    /// The test.
    pub test: DifferenceTest,
    /// The probability of a difference at least as great if the arms are alike.
    pub p_value: f64,
}

/// Returns the difference of `treatment` to `control`; `None` if one of them is empty.
pub fn difference(control: Arm, treatment: Arm) -> Option<Difference> {
    let estimate = treatment.rate()? - control.rate()?;
    let interval = newcombe(control, treatment)?;
    let (test, p_value) = if has_small_cell(control, treatment) {
        (DifferenceTest::FisherExact, fisher_exact(control, treatment))
    } else {
        (DifferenceTest::PooledZ, pooled_z(control, treatment))
    };
    Some(Difference { estimate, interval, test, p_value })
}

/// Returns whether fewer than five units are expected in a cell of the table if the arms are alike.
fn has_small_cell(control: Arm, treatment: Arm) -> bool {
    let units = u128::from(control.units) + u128::from(treatment.units);
    let converted = u128::from(control.conversions) + u128::from(treatment.conversions);
    let smallest = u128::from(control.units.min(treatment.units)) * converted.min(units - converted);
    smallest < u128::from(MIN_EXPECTED) * units
}

/// Returns the p-value of the two-sided z-test with pooled variance. Not a number where no unit or all units converted,
/// which is where the exact test is due.
fn pooled_z(control: Arm, treatment: Arm) -> f64 {
    let [control_units, treatment_units] = [f64::from(control.units), f64::from(treatment.units)];
    let [control_hits, treatment_hits] = [f64::from(control.conversions), f64::from(treatment.conversions)];
    let (units, hits) = (control_units + treatment_units, control_hits + treatment_hits);
    let variance = (hits / units) * ((units - hits) / units) * (1.0 / control_units + 1.0 / treatment_units);
    let z = (treatment_hits / treatment_units - control_hits / control_units) / variance.sqrt();
    two_sided(z)
}

/// Returns the probability that a standard normal variable is at least as far from zero as `z`.
fn two_sided(z: f64) -> f64 {
    erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// Returns the p-value of Fisher's exact test: the sum of all tables that are no more probable than the observed one.
pub(super) fn fisher_exact(control: Arm, treatment: Arm) -> f64 {
    let converted = u64::from(control.conversions) + u64::from(treatment.conversions);
    let [control_units, treatment_units] = [u64::from(control.units), u64::from(treatment.units)];
    let (first, last) = (converted.saturating_sub(treatment_units), converted.min(control_units));
    // Each table, by the conversions of the control, relative to the first: from one to the next the probability changes by
    // a quotient, so no factorial is needed. The logarithms keep tables in reach that are 10^-300 as probable.
    let mut logarithms = vec![0.0_f64];
    let mut sum = 0.0_f64;
    let mut carry = 0.0_f64;
    for hits in first..last {
        let up = wide(control_units - hits) * wide(converted - hits);
        let down = wide(hits + 1) * wide(treatment_units + hits + 1 - converted);
        // Compensated, so that the error does not grow with the number of tables.
        let term = (up / down).ln() - carry;
        let next = sum + term;
        carry = (next - sum) - term;
        sum = next;
        logarithms.push(sum);
    }
    let greatest = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logarithms.iter().map(|logarithm| (logarithm - greatest).exp()).collect();
    let observed = usize::try_from(u64::from(control.conversions) - first).ok().and_then(|index| weights.get(index));
    let limit = observed.copied().unwrap_or_default() * TIE;
    let extreme: f64 = weights.iter().filter(|weight| **weight <= limit).sum();
    (extreme / weights.iter().sum::<f64>()).min(1.0)
}

/// Returns a count as a float. Counts of units are below 2^33, which floats represent exactly.
fn wide(count: u64) -> f64 {
    num_traits::ToPrimitive::to_f64(&count).unwrap_or(f64::INFINITY)
}

/// Returns Wilson's score interval of the rate of an arm; `None` if it is empty.
pub fn wilson(arm: Arm) -> Option<Interval> {
    let rate = arm.rate()?;
    let units = f64::from(arm.units);
    let square = Z_95 * Z_95;
    let centre = rate + square / (2.0 * units);
    let spread = Z_95 * (rate * (1.0 - rate) / units + square / (4.0 * units * units)).sqrt();
    let scale = 1.0 + square / units;
    Some(Interval {
        // Exact where the formula is only nearly so.
        low: if arm.conversions == 0 { 0.0 } else { (centre - spread) / scale },
        high: if arm.conversions == arm.units { 1.0 } else { (centre + spread) / scale },
    })
}

/// Returns Newcombe's hybrid-score interval of the rate of the treatment less that of the control (method 10), which
/// joins the two intervals of Wilson; `None` if an arm is empty.
pub fn newcombe(control: Arm, treatment: Arm) -> Option<Interval> {
    let (old, new) = (control.rate()?, treatment.rate()?);
    let (around_old, around_new) = (wilson(control)?, wilson(treatment)?);
    let estimate = new - old;
    Some(Interval {
        low: estimate - (new - around_new.low).hypot(around_old.high - old),
        high: estimate + (around_new.high - new).hypot(old - around_old.low),
    })
}

/// The check of the sizes of two arms against the configured split (sample ratio mismatch).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizeCheck {
    /// The probability of sizes at least as far from the split, by the chi-square distribution with one degree of freedom.
    pub p_value: f64,
    /// True if that is less than 0.001: the arms are not a random split, so that nothing follows from them.
    pub is_mismatched: bool,
}

/// Checks the sizes of two arms against weights; `None` if no unit is assigned, or a weight is 0.
pub fn check_sizes(units: [u32; 2], weights: [u32; 2]) -> Option<SizeCheck> {
    let [units, weights] = [units.map(f64::from), weights.map(f64::from)];
    let (all_units, all_weights) = (units[0] + units[1], weights[0] + weights[1]);
    if all_units == 0.0 || weights.contains(&0.0) {
        return None;
    }
    let part = |index: usize| {
        let expected = all_units * weights[index] / all_weights;
        (units[index] - expected).powi(2) / expected
    };
    let p_value = two_sided((part(0) + part(1)).sqrt());
    Some(SizeCheck { p_value, is_mismatched: p_value < MISMATCH_LEVEL })
}
