//! The results of experiments.

use super::store;
use super::values::ExperimentVariant;
use crate::analytics::statistics::{self, Arm, Difference, Interval, SizeCheck};
use crate::analytics::threshold::Threshold;
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
    /// Users and visitors who were assigned to it; `None` for few.
    pub unit_count: Option<i64>,
    /// Those who converted in their window; `None` if few did, or few did not.
    pub conversion_count: Option<i64>,
    /// Conversions per unit; `None` without units, or if one of both is hidden.
    pub rate: Option<Exact>,
    /// Wilson's interval of the rate; `None` without one.
    pub interval: Option<Interval>,
}

impl VariantResult {
    fn of(variant: ExperimentVariant, arm: Arm, threshold: Threshold) -> VariantResult {
        let unit_count = threshold.group(arm.units().into());
        let conversion_count = unit_count.and_then(|units| threshold.part(arm.conversions().into(), units));
        let of = conversion_count.zip(unit_count).filter(|(_, units)| *units > 0);
        let rate = of.map(|(conversions, units)| Exact::new(conversions.into(), units.into()));
        let interval = rate.and_then(|_| statistics::wilson(arm));
        VariantResult { variant, unit_count, conversion_count, rate, interval }
    }
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
    /// Units whose window is over; `None` if these are few, or the others are.
    pub closed_unit_count: Option<i64>,
    /// The rate of the treatment less that of the control; `None` if one has none.
    pub estimate: Option<Exact>,
    /// The test of the difference; `None` if a variant has no rate.
    pub difference: Option<Difference>,
    /// The check of the sizes; `None` without units, or if a size is hidden.
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
    Ok(Some(result(experiment, arms, closed_unit_count, Threshold::of(app))))
}

fn result(
    experiment: experiments::Model,
    arms: [Arm; 2],
    closed_unit_count: i64,
    threshold: Threshold,
) -> ExperimentResult {
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
    let variants = [
        VariantResult::of(ExperimentVariant::Control, control, threshold),
        VariantResult::of(ExperimentVariant::Treatment, treatment, threshold),
    ];
    let [old, new] = [variants[0].rate, variants[1].rate];
    let estimate = new.zip(old).map(|(new, old)| new - old);
    let sizes = variants[0].unit_count.zip(variants[1].unit_count);
    ExperimentResult {
        experiment,
        variants,
        closed_unit_count: sizes
            .and_then(|(control, treatment)| threshold.part(closed_unit_count, control + treatment)),
        estimate,
        difference: estimate.and(difference),
        size_check: sizes.and(size_check),
        decision,
    }
}
