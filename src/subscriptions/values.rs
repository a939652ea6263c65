//! Values of the status and kind columns of subscriptions.

use crate::text_enum;

text_enum! {
    /// The status of a subscription.
    SubscriptionStatus {
        Trialing,
        Active,
        PastDue,
        Unpaid,
        Paused,
        Incomplete,
        IncompleteExpired,
        Canceled,
    }
}

text_enum! {
    /// The kind of a subscription item.
    ItemKind {
        Plan,
        Addon,
        Metered,
    }
}

text_enum! {
    /// The kind of a scheduled change.
    ScheduledChangeKind {
        PlanChange,
        Cancel,
        Pause,
        Resume,
    }
}

text_enum! {
    /// The duration of a discount, also the one that a coupon gives.
    DiscountDuration {
        Once,
        Repeating,
        Forever,
    }
}

text_enum! {
    /// The part of the bill that a discount is given on.
    DiscountScope {
        Customer,
        Subscription,
        Item,
    }
}
