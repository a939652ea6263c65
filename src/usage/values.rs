//! Values of the kind columns of usage.

use crate::text_enum;

text_enum! {
    /// The way in which a meter turns events into one number.
    MeterAggregation {
        Sum,
        Count,
        Max,
        Unique,
    }
}
