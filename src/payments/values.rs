//! Values of the status and kind columns of invoices, payments, refunds and disputes.

use crate::text_enum;

text_enum! {
    /// The status of an invoice.
    InvoiceStatus {
        Draft,
        Open,
        Paid,
        Void,
        Uncollectible,
    }
}

text_enum! {
    /// The status of a payment.
    PaymentStatus {
        Pending,
        Succeeded,
        Failed,
        Canceled,
    }
}

text_enum! {
    /// The stream of revenue that a payment belongs to.
    RevenueStream {
        Subscription,
        Addon,
        Credits,
        Gift,
        Other,
    }
}

text_enum! {
    /// The status of a refund.
    RefundStatus {
        Requested,
        Approved,
        Denied,
        Processed,
        Failed,
    }
}

impl RefundStatus {
    /// Returns true while the provider returns the money, or has returned it.
    pub fn returns_money(self) -> bool {
        matches!(self, RefundStatus::Approved | RefundStatus::Processed)
    }
}

text_enum! {
    /// The status of a dispute.
    DisputeStatus {
        Warning,
        NeedsResponse,
        UnderReview,
        Won,
        Lost,
    }
}
