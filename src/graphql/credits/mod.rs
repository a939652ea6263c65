//! Credit balances, grants and the ledger.

pub mod balance_at;
pub mod batch;
pub mod grant;
pub mod hold;
pub mod ledger;
pub mod mutations;
pub mod reversal;
pub mod spending;

use async_graphql::MergedObject;

/// The mutation roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "CreditsMutationRoots")]
pub struct Mutation(mutations::CreditMutation);
