//! Users, the accounts they bill through, and their customers at providers.

pub mod account;
pub mod list;
pub mod member;
pub mod provider_customer;
pub mod queries;
pub mod user;

use async_graphql::MergedObject;

/// The query roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "AccountsQueryRoots")]
pub struct Query(user::UserQuery, queries::AccountQuery, provider_customer::ProviderCustomerQuery);
