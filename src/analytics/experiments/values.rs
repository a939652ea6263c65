//! Values of experiments, as the database stores them.

use crate::text_enum;

text_enum! {
    /// A variant of an experiment.
    ExperimentVariant {
        Control,
        Treatment,
    }
}
