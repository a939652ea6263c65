//! Credit balances, grants and the ledger.

pub mod balance_at;
pub mod batch;
pub mod events;
pub mod grant;
pub mod granting;
pub mod hold;
pub mod ledger;
pub mod mutations;
pub mod of_account;
pub mod reversal;
pub mod spending;
pub mod time_zone;

use async_graphql::MergedObject;

/// The mutation roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "CreditsMutationRoots")]
pub struct Mutation(mutations::CreditMutation, time_zone::TimeZoneMutation);
