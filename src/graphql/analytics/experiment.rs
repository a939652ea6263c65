//! Experiments.

use crate::analytics::experiments::Experiments;
use crate::graphql::common::{Connection, Instant, Row, global_id, page, page_args};
use crate::stored_enum;
use async_graphql::{Context, ID, Object, Result};
use entity::experiments;

pub struct Experiment(pub(crate) Row<experiments::Entity>);

stored_enum! {
    /// A variant of an experiment.
    ExperimentVariant: crate::analytics::experiments::ExperimentVariant {
        /// The product as it is.
        Control,
        /// The change that is tried.
        Treatment,
    }
}

/// An experiment with two variants. Its definition never changes. Requires the scope `analytics:read`.
#[Object]
impl Experiment {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Experiment>(self.0.id)
    }

    /// The stable name for machines.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// The display name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The name of the event that is a conversion.
    async fn conversion_event(&self) -> &str {
        &self.0.conversion_event
    }

    /// Time from the assignment in which a conversion counts, in seconds; the end itself counts.
    async fn window_seconds(&self) -> i64 {
        self.0.window_seconds
    }

    /// The number of units in both variants whose window must be over before anything is decided.
    async fn planned_unit_count(&self) -> i64 {
        self.0.planned_units
    }

    /// The part of units that see the control, relative to `treatmentWeight`.
    async fn control_weight(&self) -> i64 {
        self.0.control_weight
    }

    /// The part of units that see the treatment, relative to `controlWeight`.
    async fn treatment_weight(&self) -> i64 {
        self.0.treatment_weight
    }

    /// Time of creation, from which on units are assigned.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// Time from which on no unit is assigned; null until then.
    async fn ended_at(&self) -> Option<Instant> {
        self.0.ended_at.map(Instant::from)
    }
}

/// The query root of experiments.
#[derive(Default)]
pub struct ExperimentQuery;

#[Object]
impl ExperimentQuery {
    /// Experiments, newest first. Requires the scope `analytics:read`; `analytics { experiment }` has their results.
    async fn experiments(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Connection<Experiment>> {
        page(ctx, Experiments, page_args(first, after, last, before)).await
    }
}
