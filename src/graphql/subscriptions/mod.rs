//! Subscriptions, their history and changes to them.

pub mod discount;
pub mod events;
pub mod list;
pub mod mutations;
pub mod parts;
pub mod plan_change_mutations;
pub mod plan_change_payloads;
pub mod plan_preview;
pub mod queries;
pub mod status;
pub mod subscription;
pub mod trial_mutations;
pub mod version;

use async_graphql::MergedObject;

/// Query fields of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "SubscriptionsQueryRoots")]
pub struct Query(queries::SubscriptionQuery, plan_preview::PreviewQuery);

/// Mutation fields of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "SubscriptionsMutationRoots")]
pub struct Mutation(
    mutations::SubscriptionMutation,
    trial_mutations::TrialMutation,
    plan_change_mutations::PlanChangeMutation,
);
