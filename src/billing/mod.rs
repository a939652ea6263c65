//! Changes at Stripe that customers and admins ask for: checkouts, subscriptions, gifts, refunds, the catalogue.
//!
//! Invariants: the caller's credential decides which account is billed, and an id in the input is only checked against it;
//! each verb makes one change at Stripe under the caller's idempotency key, and its prerequisites (a customer, a schedule)
//! are harmless if it ends there; our records change only through the inbox.
//!
//! Each file is a verb or two: rules, then one request, which [`kernel`] executes. They are here and not in the features
//! because they need the inbox, which is above those; see decision 0014.

mod addons;
mod cancel;
mod catalogue;
mod change_plan;
mod checkout;
mod coupons;
mod credits;
mod buy_gift;
mod kernel;
mod offer;
mod pause;
mod pause_limit;
mod phase;
mod preview;
mod promo_code;
mod redeem_gift;
mod refund;
mod replacement;
mod return_url;
mod schedule;
mod subscribe;
mod subscription;
mod trial;

pub use addons::{NewAddon, add_addon, remove_addon};
pub use buy_gift::{Bought, BuyGift, buy_gift};
pub use cancel::{Cancel, Feedback, cancel_subscription};
pub use catalogue::{PublishPlan, PublishedVersion, PushPlan, publish_plan_to_stripe, publish_version, update_plan};
pub use change_plan::change_plan;
pub use checkout::{Checkout, Purchase, open_billing_portal, start_checkout};
pub use coupons::{create_coupon, create_promo_code, deactivate_promo_code};
pub use credits::{CreditPurchase, purchase_credits};
pub use pause::{Pause, pause_subscription, resume_subscription};
pub use preview::{Preview, PreviewLine, preview_plan_change};
pub use promo_code::{PromoCodeUse, apply_promo_code};
pub use redeem_gift::{Redeemed, redeem_gift};
pub use refund::{Approval, approve_refund, deny_refund};
pub use replacement::PlanChange;
pub use schedule::undo_scheduled_change;
pub use subscribe::{Confirmable, NewSubscription, create_subscription};
pub use trial::{TrialExtension, extend_trial};
