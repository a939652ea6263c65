//! The statistics of experiments, compared with published tables and with an independent computation of random experiments.
#![allow(clippy::as_conversions, clippy::float_arithmetic, reason = "probabilities, not money")]

use super::statistics::{Arm, Difference, DifferenceTest, Interval, check_sizes, difference, newcombe, wilson};
use num_bigint::BigUint;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn arm(conversions: u32, units: u32) -> Arm {
    Arm::new(units, conversions).unwrap()
}

/// Compares to the number of decimal places that a table is printed with.
fn same(found: f64, published: f64, places: i32) {
    let found = (found * 10_f64.powi(places)).round() / 10_f64.powi(places);
    assert!((found - published).abs() < 1e-12, "{found} instead of {published}");
}

fn judge(control: Arm, treatment: Arm) -> Difference {
    difference(control, treatment).unwrap()
}

/// Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17 (1998), table I, method 3.
#[test]
fn wilson_intervals_are_those_of_newcombes_table() {
    let rows = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)];
    for (conversions, units, low, high) in rows {
        let interval = wilson(arm(conversions, units)).unwrap();
        same(interval.low, low, 4);
        same(interval.high, high, 4);
    }
}

/// Newcombe, Interval estimation for the difference between independent proportions, Statistics in Medicine 17 (1998), table
/// II, method 10.
#[test]
fn intervals_of_a_difference_are_those_of_newcombes_table() {
    for (new, old, low, high) in [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ] {
        let interval = newcombe(arm(old.0, old.1), arm(new.0, new.1)).unwrap();
        same(interval.low, low, 4);
        same(interval.high, high, 4);
    }
}

/// Fisher's tea (The Design of Experiments, 1935; Agresti, Categorical Data Analysis, table 3.8), his twins of convicts
/// (Statistical Methods for Research Workers, section 21.02; the example of `fisher.test` in R), and the trials of larynx
/// cancer (Agresti, table 3.11).
#[test]
fn exact_tests_are_those_of_the_textbooks() {
    for (control, treatment, p_value, places) in [
        ((1, 4), (3, 4), 0.4857, 4),
        ((0, 4), (4, 4), 0.0286, 4),
        ((2, 12), (15, 18), 0.000_536_7, 7),
        ((21, 23), (15, 18), 0.6384, 4),
    ] {
        let found = super::statistics::fisher_exact(arm(control.0, control.1), arm(treatment.0, treatment.1));
        same(found, p_value, places);
    }
}

/// Heart attacks with aspirin and without: the statistic squared is Pearson's, 25.01 (Agresti, An Introduction to Categorical
/// Data Analysis, section 2.4), beyond which a chi-square variable lies with a probability of 5.7e-7.
#[test]
fn the_z_test_is_that_of_the_aspirin_trial() {
    let found = judge(arm(189, 11_034), arm(104, 11_037));
    assert_eq!(found.test, DifferenceTest::PooledZ);
    same(found.estimate, -0.0077, 4);
    same(found.p_value * 1e7, 5.7, 1);
}

/// The split of Kohavi, Tang and Xu, Trustworthy Online Controlled Experiments, chapter 3, and the critical values of tables of
/// chi-square with one degree of freedom: 3.841 for 0.05, 6.635 for 0.01, 10.828 for 0.001.
#[test]
fn sizes_are_checked_like_in_the_textbook() {
    let found = check_sizes([821_588, 815_482], [1, 1]).unwrap();
    same(found.p_value * 1e6, 1.8, 1);
    assert!(found.is_mismatched);
    for (statistic, p_value, places) in [(3.841_f64, 0.05, 4), (6.635, 0.01, 4), (10.828, 0.001, 5)] {
        // Of a million units, so many more than half have this statistic.
        let surplus = (statistic * 1e6).sqrt() / 2.0;
        let [more, less] = [500_000.0 + surplus, 500_000.0 - surplus].map(|units| units.round() as u32);
        let found = check_sizes([more, less], [7, 7]).unwrap();
        same(found.p_value, p_value, places);
    }
    assert!(check_sizes([90, 10], [9, 1]).unwrap().p_value > 0.999);
    assert!(!check_sizes([95, 5], [9, 1]).unwrap().is_mismatched);
    assert!(check_sizes([50, 50], [9, 1]).unwrap().is_mismatched);
    assert!(check_sizes([0, 3], [1, 1]).is_some_and(|found| !found.is_mismatched));
    assert!(check_sizes([0, 40], [1, 1]).is_some_and(|found| found.is_mismatched));
}

#[test]
fn small_and_empty_experiments_have_the_answers_that_they_can_have() {
    let empty = arm(0, 0);
    assert_eq!(Arm::new(3, 4), None);
    assert_eq!(wilson(empty), None);
    assert_eq!(check_sizes([0, 0], [1, 1]), None);
    assert_eq!(check_sizes([1, 1], [1, 0]), None);
    for (control, treatment) in [(empty, empty), (empty, arm(3, 5)), (arm(3, 5), empty)] {
        assert_eq!(difference(control, treatment), None);
        assert_eq!(newcombe(control, treatment), None);
    }
    // None or all converted: nothing tells the arms apart.
    for (control, treatment) in [(arm(0, 9), arm(0, 700)), (arm(9, 9), arm(700, 700)), (arm(1, 1), arm(1, 1))] {
        let found = judge(control, treatment);
        assert_eq!((found.test, found.p_value, found.estimate), (DifferenceTest::FisherExact, 1.0, 0.0));
        assert!(found.interval.low < 0.0 && found.interval.high > 0.0);
    }
    let found = judge(arm(0, 1), arm(1, 1));
    assert_eq!((found.test, found.p_value, found.estimate), (DifferenceTest::FisherExact, 1.0, 1.0));
    assert_eq!(wilson(arm(0, 4)).map(|interval| interval.low), Some(0.0));
    assert_eq!(wilson(arm(4, 4)).map(|interval| interval.high), Some(1.0));
    // Exactly five in the smallest cell is enough for the approximation, less is not.
    assert_eq!(judge(arm(4, 50), arm(6, 50)).test, DifferenceTest::PooledZ);
    assert_eq!(judge(arm(3, 50), arm(6, 50)).test, DifferenceTest::FisherExact);
    assert_eq!(judge(arm(47, 50), arm(44, 50)).test, DifferenceTest::FisherExact);
    // The largest counts there are.
    let found = judge(arm(u32::MAX / 2, u32::MAX), arm(u32::MAX / 2, u32::MAX));
    assert_eq!((found.test, found.p_value), (DifferenceTest::PooledZ, 1.0));
    let found = judge(arm(0, u32::MAX), arm(4, u32::MAX));
    assert_eq!(found.test, DifferenceTest::FisherExact);
    same(found.p_value, 0.125, 6);
}

#[test]
fn a_thousand_random_experiments_agree_with_an_independent_computation() {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let (mut exact, mut extreme) = (0, 0);
    for number in 0..1000 {
        let [control, treatment] = random_experiment(&mut random, number);
        let (expected, by_table) = reference(control, treatment);
        let Some(found) = difference(control, treatment) else {
            assert!(control.units() == 0 || treatment.units() == 0);
            continue;
        };
        let case = format!("{number}: {control:?} {treatment:?}: {found:?} instead of {expected}");
        assert_eq!(found.test == DifferenceTest::FisherExact, by_table, "{case}");
        assert!((found.p_value - expected).abs() < 1e-9, "{case}");
        assert!(by_table || (found.p_value / expected - 1.0).abs() < 1e-9 || expected < 1e-290, "{case}");
        exact += i32::from(by_table);
        extreme += i32::from(expected < 1e-6);
        check_intervals(control, treatment, &found);
    }
    assert!((200..800).contains(&exact) && extreme > 20, "{exact} exact, {extreme} extreme");
}

fn random_experiment(random: &mut ChaCha8Rng, number: u32) -> [Arm; 2] {
    let size = [4, 30, 300, 3_000, 200_000][number as usize % 5];
    let base: f64 =
        if number.is_multiple_of(3) { random.random_range(0.0..0.01) } else { random.random_range(0.0..=1.0) };
    let lift: f64 = random.random_range(0.7..1.3);
    [base, (base * lift).min(1.0)].map(|rate| {
        let units = random.random_range(0..=size);
        let noise: f64 = random.random_range(-1.0..1.0);
        let spread = (f64::from(units) * rate * (1.0 - rate)).sqrt();
        let conversions = (f64::from(units) * rate + noise * spread).round().clamp(0.0, f64::from(units));
        arm(conversions as u32, units)
    })
}

/// Returns the p-value, and whether it is that of the exact test, by other means than the program's: whole numbers of any
/// size for tables, and quadrature for the normal distribution.
fn reference(control: Arm, treatment: Arm) -> (f64, bool) {
    let [n, m] = [control.units(), treatment.units()].map(u128::from);
    let [a, b] = [control.conversions(), treatment.conversions()].map(u128::from);
    let (all, hits) = (n + m, a + b);
    let cells = [n * hits, n * (all - hits), m * hits, m * (all - hits)];
    if cells.iter().any(|cell| *cell < 5 * all) || all == 0 {
        return (exact_reference(n, m, a, hits), true);
    }
    // The square of the statistic is a fraction of whole numbers.
    let top = (a * m).abs_diff(b * n);
    let z = top as f64 * ((all as f64) / (n as f64) / (m as f64) / (hits as f64) / ((all - hits) as f64)).sqrt();
    (2.0 * upper_tail(z), false)
}

fn exact_reference(n: u128, m: u128, a: u128, hits: u128) -> f64 {
    // By the smallest margins of the table, so that the numbers stay short.
    let (n, m, a) = if n <= m { (n, m, a) } else { (m, n, hits - a) };
    let (hits, a) = if 2 * hits <= n + m { (hits, a) } else { (n + m - hits, n - a) };
    let (n, m, hits) = if hits <= n { (n, m, hits) } else { (hits, n + m - hits, n) };
    let first = hits.saturating_sub(m);
    // The number of ways that lead to each table.
    let mut ways = choose(n, first) * choose(m, hits - first);
    let mut tables = Vec::new();
    for x in first..=hits.min(n) {
        tables.push((x, ways.clone()));
        if x < hits.min(n) {
            ways = ways * BigUint::from((n - x) * (hits - x)) / BigUint::from((x + 1) * (m + x + 1 - hits));
        }
    }
    let observed = &tables.iter().find(|(x, _)| *x == a).unwrap().1;
    let zero = || BigUint::from(0_u8);
    let extreme = tables.iter().filter(|(_, ways)| ways <= observed).fold(zero(), |sum, (_, ways)| sum + ways);
    let total = tables.iter().fold(zero(), |sum, (_, ways)| sum + ways);
    let scaled: BigUint = extreme * BigUint::from(10_u64.pow(18)) / total;
    u64::try_from(scaled).unwrap() as f64 / 1e18
}

fn choose(n: u128, k: u128) -> BigUint {
    let k = k.min(n - k);
    (0..k).fold(BigUint::from(1_u8), |ways, index| ways * BigUint::from(n - index) / BigUint::from(index + 1))
}

/// Integrates the normal density from `z` on by Simpson's rule, relative to the density at `z`.
fn upper_tail(z: f64) -> f64 {
    const STEPS: u32 = 4000;
    // The steps become shorter as the density falls faster.
    let width = 12.0_f64.min(40.0 / z) / f64::from(STEPS);
    let density = |distance: f64| (-z * distance - distance * distance / 2.0).exp();
    let weight = |step: u32| if step == 0 || step == STEPS { 1.0 } else { f64::from(2 + 2 * (step % 2)) };
    let sum: f64 = (0..=STEPS).map(|step| weight(step) * density(width * f64::from(step))).sum();
    (-z * z / 2.0).exp() * sum * width / 3.0 / (2.0 * std::f64::consts::PI).sqrt()
}

/// Wilson's limits are the rates from which the observed one is 1.96 standard errors away; Newcombe's follow from those.
fn check_intervals(control: Arm, treatment: Arm, found: &Difference) {
    let rate = |arm: Arm| f64::from(arm.conversions()) / f64::from(arm.units());
    let [old, new] = [control, treatment].map(|arm| {
        let interval = wilson(arm).unwrap();
        let expected = Interval { low: score_limit(arm, 0.0), high: score_limit(arm, 1.0) };
        assert!((interval.low - expected.low).abs() < 1e-9, "{arm:?}: {interval:?} instead of {expected:?}");
        assert!((interval.high - expected.high).abs() < 1e-9, "{arm:?}: {interval:?} instead of {expected:?}");
        expected
    });
    let (p, q) = (rate(treatment), rate(control));
    let low = p - q - ((p - new.low).powi(2) + (old.high - q).powi(2)).sqrt();
    let high = p - q + ((new.high - p).powi(2) + (q - old.low).powi(2)).sqrt();
    assert!((found.estimate - (p - q)).abs() < 1e-12);
    assert!((found.interval.low - low).abs() < 1e-9 && (found.interval.high - high).abs() < 1e-9);
}

/// Bisects between the observed rate and `end`, 0 or 1.
fn score_limit(arm: Arm, end: f64) -> f64 {
    let observed = f64::from(arm.conversions()) / f64::from(arm.units());
    let z = quantile();
    let (mut near, mut far) = (observed, end);
    for _ in 0..200 {
        let middle = (near + far) / 2.0;
        let is_near = (observed - middle).powi(2) * f64::from(arm.units()) <= z * z * middle * (1.0 - middle);
        if is_near { near = middle } else { far = middle }
    }
    near
}

/// Returns the normal quantile of 0.975, by bisection of the quadrature.
fn quantile() -> f64 {
    static FOUND: std::sync::OnceLock<f64> = std::sync::OnceLock::new();
    *FOUND.get_or_init(|| {
        let (mut low, mut high) = (1.0, 3.0);
        for _ in 0..60 {
            let middle = (low + high) / 2.0;
            if upper_tail(middle) > 0.025 { low = middle } else { high = middle }
        }
        low
    })
}
