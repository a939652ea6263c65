//! Gifts.

pub mod gift;
pub mod mutations;

use async_graphql::MergedObject;

/// The query roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "GiftsQuery")]
pub struct Query(gift::GiftQuery);

/// The mutation roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "GiftsMutation")]
pub struct Mutation(mutations::GiftMutation);
