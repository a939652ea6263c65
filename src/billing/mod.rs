//! What customers and admins have done at Stripe: checkouts, subscriptions and their changes.
//!
//! Invariants: whose account it is comes from the caller's credential, an id in the input is only ever compared with it;
//! each verb asks Stripe for one change under the caller's idempotency key, and what it needs before (a customer, a
//! schedule) does no harm by itself; nothing is written to our records but through the inbox.
//!
//! The verbs stand here and not in the features because they need the inbox, which is above those; see decision 0014.

mod cancel;
mod customer;
mod gift;
mod order;
mod refund;
mod subscription;

pub use cancel::{Cancel, Feedback, cancel_subscription, pause_subscription, resume_subscription};
pub use gift::{Bought, BuyGift, buy_gift, redeem_gift};
pub use refund::{Approval, approve_refund};
