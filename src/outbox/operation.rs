//! Names and states of calls, as the columns of `outbox_calls` store them.

use crate::error::Result;
use crate::text_enum;
use entity::outbox_calls::Model;

text_enum! {
    /// A change at Stripe, named for the call list and the audit log.
    Operation {
        #[strum(serialize = "customers.create")]
        CreateCustomer,
        /// A checkout of either kind, as its caller asks for it. Its call is one of the next two.
        #[strum(serialize = "checkout.start")]
        StartCheckout,
        /// A checkout that results in a plan.
        #[strum(serialize = "checkout.subscribe")]
        SubscribeInCheckout,
        /// A checkout for something that is paid once.
        #[strum(serialize = "checkout.pay")]
        PayInCheckout,
        #[strum(serialize = "checkout.expire")]
        ExpireCheckout,
        #[strum(serialize = "subscriptions.create")]
        CreateSubscription,
        #[strum(serialize = "subscriptions.cancel")]
        CancelSubscription,
        #[strum(serialize = "subscriptions.resume")]
        ResumeSubscription,
        #[strum(serialize = "subscriptions.pause")]
        PauseSubscription,
        #[strum(serialize = "subscriptions.extend_trial")]
        ExtendTrial,
        #[strum(serialize = "subscriptions.change_plan")]
        ChangePlan,
        #[strum(serialize = "subscriptions.undo_scheduled_change")]
        UndoScheduledChange,
        #[strum(serialize = "subscriptions.schedule")]
        CreateSchedule,
        #[strum(serialize = "subscriptions.release")]
        ReleaseSchedule,
        #[strum(serialize = "subscriptions.add_addon")]
        AddAddon,
        #[strum(serialize = "subscriptions.remove_addon")]
        RemoveAddon,
        #[strum(serialize = "subscriptions.apply_promo_code")]
        ApplyPromoCode,
        #[strum(serialize = "credits.purchase")]
        PurchaseCredits,
        #[strum(serialize = "gifts.buy")]
        BuyGift,
        #[strum(serialize = "gifts.redeem")]
        RedeemGift,
        #[strum(serialize = "refunds.create")]
        CreateRefund,
        #[strum(serialize = "coupons.create")]
        CreateCoupon,
        #[strum(serialize = "promo_codes.create")]
        CreatePromoCode,
        #[strum(serialize = "promo_codes.deactivate")]
        DeactivatePromoCode,
        #[strum(serialize = "products.create")]
        CreateProduct,
        #[strum(serialize = "products.update")]
        UpdateProduct,
        #[strum(serialize = "prices.create")]
        CreatePrice,
        #[strum(serialize = "prices.update")]
        UpdatePrice,
        #[strum(serialize = "prices.adopt")]
        AdoptPrice,
        #[strum(serialize = "prices.archive")]
        ArchivePrice,
    }
}

impl Operation {
    /// Returns the operation of a call; an internal error for one that only another version knows.
    pub fn of(call: &Model) -> Result<Operation> {
        Operation::parse(&call.operation)
    }
}

text_enum! {
    /// The state of a call.
    CallState {
        /// To be sent, now or by the worker.
        Pending,
        Done,
        Refused,
        /// Sent again only if the caller asks for it again.
        Abandoned,
        /// Without an answer for so long that Stripe may have forgotten its key. It is never sent again.
        Unresolved,
    }
}

impl CallState {
    /// The states in which a call may still be sent.
    pub(super) const OPEN: [CallState; 2] = [CallState::Pending, CallState::Abandoned];

    /// Returns the state of a call.
    pub fn of(call: &Model) -> Result<CallState> {
        CallState::parse(&call.state)
    }
}
