//! Coupons, promotion codes and their redemptions.

pub mod coupon;
pub mod mutations;

use async_graphql::MergedObject;

/// Query fields of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "CouponsQuery")]
pub struct Query(coupon::DiscountQuery);

/// Mutation fields of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "CouponsMutation")]
pub struct Mutation(mutations::CouponMutation);
