//! Entitlements: what an account can use, the overrides of it, and its use.

pub mod consume_mutation;
pub mod entitlement;
pub mod events;
pub mod loaders;
pub mod override_mutations;
pub mod overrides;
pub mod roots;

use async_graphql::MergedObject;

/// The query roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "EntitlementsQueryRoots")]
pub struct Query(roots::EntitlementQuery);

/// The mutation roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "EntitlementsMutationRoots")]
pub struct Mutation(consume_mutation::ConsumeMutation, override_mutations::OverrideMutation);
