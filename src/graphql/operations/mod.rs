//! Operation of the service: API keys and publishable keys, the audit log, security events, webhook events and calls to providers.

pub mod api_keys;
pub mod audit_log;
pub mod events;
pub mod provider_calls;
pub mod publishable_keys;
pub mod security_events;
pub mod webhook_events;
pub mod webhook_mutations;

use async_graphql::MergedObject;

/// The query roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "OperationsQueryRoots")]
pub struct Query(
    webhook_events::InboxQuery,
    provider_calls::ProviderCallQuery,
    audit_log::AuditQuery,
    api_keys::ApiKeyQuery,
    publishable_keys::PublishableKeyQuery,
    security_events::SecurityQuery,
);

/// The mutation roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "OperationsMutationRoots")]
pub struct Mutation(
    api_keys::ApiKeyMutation,
    publishable_keys::PublishableKeyMutation,
    security_events::SecurityMutation,
    webhook_mutations::InboxMutation,
);
