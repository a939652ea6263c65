//! The catalogue at Stripe, which sells there what is published here.
//!
//! Nothing is created twice, however often and by however many callers it is asked for: the product's id and the lookup
//! key of each price follow from our ids, and Stripe accepts each of them once. An existing object is used.

mod adopt;
mod metadata;
mod price;
mod product;
mod publish;
mod push;
mod sell;
mod stripe;

pub use publish::{PublishedVersion, publish_plan_to_stripe, publish_version, update_plan};
pub use push::PushPlan;
pub use sell::PublishPlan;
