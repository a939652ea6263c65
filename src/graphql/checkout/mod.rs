//! Checkouts, direct purchases and the billing portal.

pub mod mutations;
pub mod payloads;
pub mod references;

use async_graphql::MergedObject;

/// Mutation fields of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "CheckoutMutationRoots")]
pub struct Mutation(mutations::PurchaseMutation, references::ReferenceMutation);
