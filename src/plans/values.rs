//! Values of the status and kind columns of the catalogue.

use crate::text_enum;

text_enum! {
    /// The kind of a product.
    ProductKind {
        Plan,
        Addon,
        CreditPack,
        Gift,
    }
}

text_enum! {
    /// The status of a version of a plan.
    VersionStatus {
        Draft,
        Published,
        Superseded,
    }
}

text_enum! {
    /// The unit of a price's billing period.
    PriceInterval {
        Day,
        Week,
        Month,
        Year,
        OneTime,
    }
}

text_enum! {
    /// The kind of a feature.
    FeatureKind {
        Switch,
        Limit,
        Config,
        Credit,
    }
}

text_enum! {
    /// The window that a limit counts in.
    LimitWindow {
        Hour,
        Day,
        Month,
        Billing,
        Lifetime,
    }
}

text_enum! {
    /// The consequence of passing a limit.
    OnExceed {
        Block,
        Warn,
        Overage,
    }
}

text_enum! {
    /// The fate of the rest of an allowance when the subscription changes to another plan.
    OnPlanChange {
        Replace,
        Keep,
    }
}

text_enum! {
    /// The cadence at which a version grants credits.
    AllowanceCadence {
        Once,
        Billing,
        Month,
        Day,
    }
}
