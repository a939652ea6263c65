//! What customers and admins have done at Stripe: checkouts, subscriptions and their changes.
//!
//! Invariants: whose account it is comes from the caller's credential, an id in the input is only ever compared with it;
//! each verb asks Stripe for one change under the caller's idempotency key, and what it needs before (a customer, a
//! schedule) does no harm by itself; nothing is written to our records but through the inbox.
//!
//! The verbs stand here and not in the features because they need the inbox, which is above those; see decision 0014.

mod addons;
mod cancel;
mod catalogue;
mod change_plan;
mod checkout;
mod coupons;
mod credits;
mod customer;
mod earlier;
mod gift;
mod offer;
mod order;
mod preview;
mod promo_code;
mod refund;
mod subscribe;
mod subscription;
mod trial;

pub use addons::{add_addon, remove_addon};
pub use cancel::{Cancel, Feedback, cancel_subscription, pause_subscription, resume_subscription};
pub use catalogue::{PublishPlan, PushPlan, publish_plan_to_stripe, publish_version, update_plan};
pub use change_plan::{PlanChange, change_plan, undo_scheduled_change};
pub use checkout::{Checkout, Purchase, open_billing_portal, start_checkout};
pub use coupons::{NewCoupon, NewPromoCode, create_coupon, create_promo_code, deactivate_promo_code};
pub use credits::{CreditPurchase, purchase_credits};
pub use gift::{Bought, BuyGift, buy_gift, redeem_gift};
pub use preview::{Preview, PreviewLine, preview_plan_change};
pub use promo_code::apply_promo_code;
pub use refund::{Approval, approve_refund};
pub use subscribe::{Confirmable, NewSubscription, create_subscription};
pub use trial::extend_trial;
