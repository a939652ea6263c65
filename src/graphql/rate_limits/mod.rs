//! Rate limits as data.

pub mod mutations;
pub mod payloads;
pub mod rate_limit;

use async_graphql::MergedObject;

/// The query roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "RateLimitsQueryRoots")]
pub struct Query(rate_limit::RateLimitQuery);

/// The mutation roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "RateLimitsMutationRoots")]
pub struct Mutation(mutations::RateLimitMutation);
