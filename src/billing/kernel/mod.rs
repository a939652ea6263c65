//! The one way in which a verb changes something at Stripe.
//!
//! A verb reads as rules, then one request. [`StripeAction`] does the rest:
//!
//! 1. `previous_result` returns the answer to an earlier request under the caller's key, so that nothing below runs twice.
//! 2. `call_prerequisite` makes calls that the request needs, such as creating the customer. Each is safe to leave behind.
//! 3. `execute_once` claims the key, has the rules decide the request under their locks, and commits both with an audit
//!    entry. Only then is the request sent. `execute_exclusively` first completes the earlier purchases of a person.
//! 4. The [`Answer`] is in our records by then, and returns the row of it.

mod action;
mod admission;
mod answer;
mod customer;
mod pending_purchases;
mod prerequisite;
mod refusal;

pub(super) use action::StripeAction;
pub(super) use answer::Answer;
pub(super) use customer::{Customer, customer_at_stripe, metadata_of};
pub(super) use pending_purchases::{CHECKOUT_LIFETIME, PURCHASES, PURCHASES_BEFORE_GIFTS};
pub(super) use prerequisite::{ask, call_prerequisite, create_if_missing, daily_key, try_call};
pub(super) use refusal::{error_of_call, error_of_refusal};
