//! Reads Stripe's objects into observed records.
//!
//! The version of an endpoint decides the shape of the objects that it receives, so they are read as JSON, and old and
//! new shapes are read side by side. <https://docs.stripe.com/changelog> lists the versions:
//!
//! - 2025-03-31 "basil" moved the billing period to the items and the subscription of an invoice to its `parent`, and
//!   removed the links between invoices and payment intents (only an `invoice_payment` has them) and the single
//!   `discount`.
//! - 2025-09-30 "clover" moved the coupon of a discount below `source`, and that of a promotion code below `promotion`.
//!
//! Values that are missing or malformed are read as `None`, and never fail.

mod applied;
mod catalogue;
mod discount;
mod disputes;
mod fields;
mod invoice;
mod kinds;
mod objects;
mod payment;
mod pricing;
mod purchase;
mod refunds;
mod subscription;

pub(super) use applied::{COUPON_TERMS, embedded, expanded_fields, expansions, is_of_customer, needed};
pub(super) use catalogue::{customer, embedded_prices, price};
pub(super) use discount::{coupon, coupon_of, promo_code, redemption};
pub(super) use invoice::{invoice, prices_sold};
pub use kinds::collection_of;
pub(super) use kinds::{KINDS, entry, kind};
pub(super) use objects::{
    BARE_DELETIONS, TELLING_EVENTS, account, claim, created_at, gift, is_deletion, is_expired, progress, references,
    user,
};
pub(super) use payment::{buys_credits, payment};
pub(super) use purchase::{free_since, purchase};
pub(super) use refunds::has_failed;
pub(super) use subscription::{state, subscription};
