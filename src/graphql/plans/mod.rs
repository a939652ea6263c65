//! Plans, their versions, prices, features and credit allowances.

pub mod inputs;
pub mod mutations;
pub mod parts;
pub mod payloads;
pub mod plan;
pub mod provider_price;
pub mod stripe;

use async_graphql::MergedObject;

/// The query roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "PlansQueryRoots")]
pub struct Query(plan::PlanQuery);

/// The mutation roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "PlansMutationRoots")]
pub struct Mutation(mutations::PlanMutation, stripe::StripeCatalogueMutation);
