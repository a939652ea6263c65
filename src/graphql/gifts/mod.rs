//! Gifts.

pub mod gift;
pub mod mutations;

use async_graphql::MergedObject;

/// Query fields of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "GiftsQueryRoots")]
pub struct Query(gift::GiftQuery);

/// Mutation fields of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "GiftsMutationRoots")]
pub struct Mutation(mutations::GiftMutation);
