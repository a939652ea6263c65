//! The cost of operations, in objects: `directives` states in the schema what each field costs, `weights` reads it from
//! there, `documents/estimate.rs` adds it up before an operation runs, and `budget` counts what it uses while it runs.

pub mod budget;
pub mod directives;
mod report;
pub(in crate::graphql::engine) mod weights;

use self::directives::CostRules;

pub use self::report::CostReport;

/// The internal unit: costs are counted in thousandths of an object.
pub(in crate::graphql::engine) const OBJECT: u64 = 1_000;

/// Converts thousandths to whole objects, rounding up.
pub(in crate::graphql::engine) fn whole(thousandths: u64) -> u64 {
    thousandths.div_ceil(OBJECT)
}

/// The limits and rules of costs that hold for every caller.
#[derive(Debug, Clone)]
pub struct CostSettings {
    /// The costs of fields where the general rules do not fit.
    pub rules: CostRules,
    /// Maximum length of a reply, in bytes.
    pub reply_bytes: u64,
    /// Maximum cost of the operations that run at the same time.
    pub running: u32,
    /// Adds the cost to the extensions of replies.
    pub report: bool,
}

impl Default for CostSettings {
    fn default() -> Self {
        CostSettings { rules: CostRules::default(), reply_bytes: 8 * 1024 * 1024, running: 60_000, report: false }
    }
}
