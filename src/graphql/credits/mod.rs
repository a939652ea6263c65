//! Credit balances, grants and the ledger.

pub mod grant;
pub mod ledger;
pub mod mutations;

use async_graphql::MergedObject;

/// The mutation roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "CreditsMutationRoots")]
pub struct Mutation(mutations::CreditMutation);
