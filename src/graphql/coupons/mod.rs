//! Coupons, promotion codes and their redemptions.

pub mod coupon;
pub mod mutations;

use async_graphql::MergedObject;

/// The query roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "CouponsQuery")]
pub struct Query(coupon::DiscountQuery);

/// The mutation roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "CouponsMutation")]
pub struct Mutation(mutations::CouponMutation);
