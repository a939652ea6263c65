//! Experiments with two variants (metrics v1, section 7).
//!
//! Invariants: the first assignment of a person wins for ever, on every node and at any concurrency; the definition of an
//! experiment never changes, so that its figures follow from assignments and events alone.

mod assign;
mod define;
mod results;
pub(in crate::analytics) mod store;
mod values;

pub use assign::{Assignee, assign_variant};
pub use define::{NewExperiment, create_experiment, end_experiment};
pub use results::{Decision, ExperimentResult, VariantResult, experiment_result};
pub use store::Experiments;
pub use values::ExperimentVariant;
