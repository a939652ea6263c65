//! Names and states of calls, as the columns of `outbox_calls` store them, and the parties that execute them.

use crate::error::Result;
use crate::text_enum;
use entity::outbox_calls::Model;

/// The name of a change at Stripe, as the list of calls and the audit log show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A checkout that results in a plan.
    SubscribeInCheckout,
    /// A checkout for something that is paid once.
    PayInCheckout,
    /// A subscription without a checkout.
    CreateSubscription,
    /// A checkout for a gift.
    BuyGift,
    /// The subscription that redeems a gift.
    RedeemGift,
    /// A refund.
    CreateRefund,
    /// The end of a checkout that is not paid.
    ExpireCheckout,
    /// Any other change, on whose name nothing depends.
    Named(&'static str),
}

impl Operation {
    const KNOWN: [Operation; 7] = [
        Operation::SubscribeInCheckout,
        Operation::PayInCheckout,
        Operation::CreateSubscription,
        Operation::BuyGift,
        Operation::RedeemGift,
        Operation::CreateRefund,
        Operation::ExpireCheckout,
    ];

    /// Returns the name that the database stores.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::SubscribeInCheckout => "checkout.subscribe",
            Operation::PayInCheckout => "checkout.pay",
            Operation::CreateSubscription => "subscriptions.create",
            Operation::BuyGift => "gifts.buy",
            Operation::RedeemGift => "gifts.redeem",
            Operation::CreateRefund => "refunds.create",
            Operation::ExpireCheckout => "checkout.expire",
            Operation::Named(name) => name,
        }
    }

    /// Returns the operation of a call; `None` for one on whose name nothing depends.
    pub fn of(call: &Model) -> Option<Operation> {
        Operation::KNOWN.into_iter().find(|operation| operation.as_str() == call.operation)
    }
}

/// Returns true if a call may be sent under another key although it may have been executed under the one before: it leaves
/// an existing object as one execution does, or names the new object, which Stripe then creates once, or opens a page whose
/// address nobody was told.
pub(super) fn is_repeatable(call: &Model) -> bool {
    call.path.contains('/') || call.params["id"].is_string()
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
        /// Without an answer for so long that Stripe may have forgotten its key, or with an error that Stripe repeats and
        /// may have executed it before. It is never sent again.
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

/// The party that has a call executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Initiator {
    /// A caller who waits for the answer.
    Caller,
    /// The worker, which nobody waits for.
    Worker,
}
