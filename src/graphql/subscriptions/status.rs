//! The status of a subscription.

use crate::words;

words! {
    /// Status of a subscription, as defined by its provider.
    SubscriptionStatus {
        /// On trial; grants the plan.
        Trialing = "trialing",
        /// Paid; grants the plan.
        Active = "active",
        /// The last payment failed and is being retried; still grants the plan.
        PastDue = "past_due",
        /// The provider has given up collecting; grants nothing.
        Unpaid = "unpaid",
        /// Paused; grants nothing.
        Paused = "paused",
        /// Waiting for the first payment.
        Incomplete = "incomplete",
        /// The first payment was never made.
        IncompleteExpired = "incomplete_expired",
        /// Ended.
        Canceled = "canceled",
    }
}
