//! The reasons of entitlements.

use crate::text_enum;

text_enum! {
    /// The reason why a feature can be used, or why not.
    EntitlementReason {
        Included,
        Override,
        NotInPlan,
        NoPlan,
        LimitReached,
        PastDue,
        Paused,
        TrialExcluded,
        TakenAway,
        Overage,
    }
}
