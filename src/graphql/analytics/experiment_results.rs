//! Results of experiments.

use super::experiment::{Experiment, ExperimentVariant};
use super::rates::decimal;
use crate::analytics::statistics::{self, Interval};
use crate::analytics::{RATE_PLACES, experiments};
use crate::graphql::common::{ContextExt, text};
use async_graphql::{Context, Enum, Object, Result, SimpleObject};
use std::sync::Arc;

/// The result of an experiment at the present. Few units are fewer than the setting `analytics_minimum_group`. Rates, probabilities and limits are decimal numbers in strings, rounded to 12
/// decimal places.
#[derive(SimpleObject)]
pub struct ExperimentResult {
    /// The experiment.
    experiment: Experiment,
    /// The control, then the treatment.
    variants: Vec<ExperimentVariantResult>,
    /// The number of units in both variants whose window is over; null if these are few, or the others are.
    closed_unit_count: Option<i64>,
    /// The difference of the rates; null if a variant has no rate.
    difference: Option<ExperimentDifference>,
    /// The check of the sizes of the variants; null without units, or if a size is.
    size_check: Option<ExperimentSizeCheck>,
    /// The state of the decision.
    decision: ExperimentDecision,
}

/// A variant's figures.
#[derive(SimpleObject)]
pub struct ExperimentVariantResult {
    /// The variant.
    variant: ExperimentVariant,
    /// The number of users and visitors who were assigned to it; null for few.
    unit_count: Option<i64>,
    /// The number of those who converted in their window; further conversions do not count. Null if few did, or few did
    /// not.
    conversion_count: Option<i64>,
    /// Conversions per unit; null without units, or if one of both is.
    conversion_rate: Option<String>,
    /// Wilson's interval of the rate; null without one.
    confidence_interval: Option<ConfidenceInterval>,
}

/// An interval that covers the true value with a confidence of 95 %.
#[derive(SimpleObject)]
pub struct ConfidenceInterval {
    /// The lower limit.
    low: String,
    /// The upper limit.
    high: String,
}

/// The difference of the rates of two variants.
#[derive(SimpleObject)]
pub struct ExperimentDifference {
    /// The rate of the treatment less that of the control; can be negative.
    estimate: String,
    /// Newcombe's hybrid-score interval of the difference.
    confidence_interval: ConfidenceInterval,
    /// The test.
    test: DifferenceTest,
    /// The probability of a difference at least as great if the variants are alike.
    p_value: String,
}

/// The check of the sizes of the variants against the weights (sample ratio mismatch).
#[derive(SimpleObject)]
pub struct ExperimentSizeCheck {
    /// The probability of sizes at least as far from the weights, by the chi-square distribution with one degree of freedom.
    p_value: String,
    /// True if that is less than 0.001: the variants are no random split, and nothing follows from their difference.
    is_mismatched: bool,
}

/// The test of a difference. Values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "statistics::DifferenceTest")]
pub enum DifferenceTest {
    /// The two-sided z-test of two proportions with pooled variance.
    PooledZ,
    /// Fisher's exact test, two-sided, where fewer than five units are expected in a cell.
    FisherExact,
}

/// The state of the decision on an experiment. Values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "experiments::Decision")]
pub enum ExperimentDecision {
    /// Fewer units than planned have had their whole window: the estimates decide nothing.
    Collecting,
    /// The sizes of the variants contradict the weights: find the cause, and begin another experiment.
    Mismatched,
    /// The rates differ: `pValue` is less than 0.05.
    Significant,
    /// A difference is not shown: `pValue` is 0.05 or more.
    NotSignificant,
}

/// Results of experiments.
#[derive(Default)]
pub struct ExperimentFigures;

#[Object]
impl ExperimentFigures {
    /// The result of an experiment; null if there is none with this code.
    async fn experiment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The code of the experiment.")] code: String,
    ) -> Result<Option<ExperimentResult>> {
        let code = text("code", code)?;
        let found = experiments::experiment_result(ctx.app(), ctx.viewer(), &code).await?;
        Ok(found.map(ExperimentResult::from))
    }
}

/// Returns a probability, or a limit of one, as a decimal number.
fn probability(value: f64) -> String {
    let text = format!("{value:.*}", usize::try_from(RATE_PLACES).unwrap_or_default());
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

impl From<Interval> for ConfidenceInterval {
    fn from(interval: Interval) -> Self {
        ConfidenceInterval { low: probability(interval.low), high: probability(interval.high) }
    }
}

impl From<experiments::VariantResult> for ExperimentVariantResult {
    fn from(result: experiments::VariantResult) -> Self {
        ExperimentVariantResult {
            variant: match result.variant {
                experiments::ExperimentVariant::Control => ExperimentVariant::Control,
                experiments::ExperimentVariant::Treatment => ExperimentVariant::Treatment,
            },
            unit_count: result.unit_count,
            conversion_count: result.conversion_count,
            conversion_rate: decimal(result.rate, RATE_PLACES),
            confidence_interval: result.interval.map(ConfidenceInterval::from),
        }
    }
}

impl From<experiments::ExperimentResult> for ExperimentResult {
    fn from(result: experiments::ExperimentResult) -> Self {
        let difference = result.difference.map(|difference| ExperimentDifference {
            estimate: decimal(result.estimate, RATE_PLACES).unwrap_or_else(|| probability(difference.estimate)),
            confidence_interval: difference.interval.into(),
            test: difference.test.into(),
            p_value: probability(difference.p_value),
        });
        let size_check = result.size_check.map(|check| ExperimentSizeCheck {
            p_value: probability(check.p_value),
            is_mismatched: check.is_mismatched,
        });
        ExperimentResult {
            experiment: Experiment(Arc::new(result.experiment)),
            variants: result.variants.into_iter().map(ExperimentVariantResult::from).collect(),
            closed_unit_count: result.closed_unit_count,
            difference,
            size_check,
            decision: result.decision.into(),
        }
    }
}
