//! Coupons, promotion codes and their redemptions.

pub mod coupon;
pub mod mutations;

use async_graphql::MergedObject;

/// Query fields of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "CouponsQueryRoots")]
pub struct Query(coupon::DiscountQuery);

/// Mutation fields of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "CouponsMutationRoots")]
pub struct Mutation(mutations::CouponMutation);
