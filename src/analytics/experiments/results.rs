//! The results of experiments.

use super::store;
use super::values::ExperimentVariant;
use crate::analytics::statistics::{self, Arm, Difference, Interval, SizeCheck};
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use crate::subscriptions::Exact;
use entity::experiments;

/// A p-value below is significant.
const LEVEL: f64 = 0.05;

/// A variant's figures.
#[derive(Debug, Clone, PartialEq)]
pub struct VariantResult {
    /// The variant.
    pub variant: ExperimentVariant,
    /// Users and visitors who were assigned to it.
    pub unit_count: u32,
    /// Those who converted in their window.
    pub conversion_count: u32,
    /// Conversions per unit; `None` without units.
    pub rate: Option<Exact>,
    /// Wilson's interval of the rate; `None` without units.
    pub interval: Option<Interval>,
}

/// The state of the decision on an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Fewer units than planned have had their whole window.
    Collecting,
    /// The sizes contradict the split.
    Mismatched,
    /// The rates differ significantly.
    Significant,
    /// The rates do not differ significantly.
    NotSignificant,
}

/// The result of an experiment at the present.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentResult {
    /// The experiment.
    pub experiment: experiments::Model,
    /// The control, then the treatment.
    pub variants: [VariantResult; 2],
    /// Units whose window is over.
    pub closed_unit_count: i64,
    /// The rate of the treatment less that of the control; `None` if one has no units.
    pub estimate: Option<Exact>,
    /// The test of the difference; `None` if a variant has no units.
    pub difference: Option<Difference>,
    /// The check of the sizes; `None` without units.
    pub size_check: Option<SizeCheck>,
    /// The decision.
    pub decision: Decision,
}

/// Returns the result of the experiment with this code; `None` if there is none.
pub async fn experiment_result(app: &App, viewer: &Viewer, code: &str) -> Result<Option<ExperimentResult>> {
    viewer.require(Permission::AnalyticsRead)?;
    let db = app.db.read();
    let Some(experiment) = store::experiment_by_code(db, code).await? else { return Ok(None) };
    let counts = store::counts(db, &experiment, app.now()).await?;
    let closed_unit_count = counts.values().map(|count| i64::from(count.closed_count)).sum();
    let of = |variant: ExperimentVariant| {
        let count = counts.get(variant.as_str()).copied().unwrap_or_default();
        let arm = Arm::new(count.unit_count, count.conversion_count);
        arm.ok_or_else(|| Error::internal(anyhow::anyhow!("more units converted than there are")))
    };
    let arms = [of(ExperimentVariant::Control)?, of(ExperimentVariant::Treatment)?];
    Ok(Some(result(experiment, arms, closed_unit_count)))
}

fn result(experiment: experiments::Model, arms: [Arm; 2], closed_unit_count: i64) -> ExperimentResult {
    let [control, treatment] = arms;
    let difference = statistics::difference(control, treatment);
    let weights = [experiment.control_weight, experiment.treatment_weight];
    let weights = weights.map(|weight| u32::try_from(weight).unwrap_or(u32::MAX));
    let size_check = statistics::check_sizes(arms.map(Arm::units), weights);
    let is_significant = difference.is_some_and(|difference| difference.p_value < LEVEL);
    let decision = match size_check {
        _ if closed_unit_count < experiment.planned_units => Decision::Collecting,
        Some(check) if check.is_mismatched => Decision::Mismatched,
        _ if is_significant => Decision::Significant,
        _ => Decision::NotSignificant,
    };
    let variant = |variant: ExperimentVariant, arm: Arm| VariantResult {
        variant,
        unit_count: arm.units(),
        conversion_count: arm.conversions(),
        rate: rate(arm),
        interval: statistics::wilson(arm),
    };
    ExperimentResult {
        experiment,
        variants: [variant(ExperimentVariant::Control, control), variant(ExperimentVariant::Treatment, treatment)],
        closed_unit_count,
        estimate: rate(treatment).zip(rate(control)).map(|(new, old)| new - old),
        difference,
        size_check,
        decision,
    }
}

fn rate(arm: Arm) -> Option<Exact> {
    (arm.units() > 0).then(|| Exact::new(arm.conversions().into(), arm.units().into()))
}
