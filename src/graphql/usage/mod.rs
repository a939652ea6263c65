//! Meters, usage and rate cards.

pub mod event;
pub mod meter;
pub mod mutations;
pub mod of_account;
pub mod rate_card;
pub mod record_mutations;

use async_graphql::MergedObject;

/// The query roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "UsageQueryRoots")]
pub struct Query(meter::MeterQuery, rate_card::RateCardQuery, event::UsageQuery);

/// The mutation roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "UsageMutationRoots")]
pub struct Mutation(mutations::MeterMutation, record_mutations::UsageMutation);
