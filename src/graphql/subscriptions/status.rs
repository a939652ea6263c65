//! The status of a subscription.

use crate::stored_enum;

stored_enum! {
    /// Status of a subscription, as defined by its provider.
    SubscriptionStatus: crate::subscriptions::SubscriptionStatus {
        /// On trial; grants the plan.
        Trialing,
        /// Paid; grants the plan.
        Active,
        /// The last payment failed and is being retried; still grants the plan.
        PastDue,
        /// The provider has given up collecting; grants nothing.
        Unpaid,
        /// Paused; grants nothing.
        Paused,
        /// Waiting for the first payment.
        Incomplete,
        /// The first payment was never made.
        IncompleteExpired,
        /// Ended.
        Canceled,
    }
}
