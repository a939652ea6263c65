//! Customers at payment providers.

use super::account::Account;
use crate::accounts;
use crate::graphql::common::{
    Connection, Instant, Row, StoredEnum, global_id, optional_text, page, page_args, to_exactly_one,
};
use crate::graphql::payments::payment::Provider;
use crate::order_input;
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::provider_customers;

pub struct ProviderCustomer(pub(crate) Row<provider_customers::Entity>);

/// An account's customer at a payment provider. An account may have several. Visible to the account's members, and to
/// callers with the scope `billing:read`.
#[Object]
impl ProviderCustomer {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<ProviderCustomer>(self.0.id)
    }

    /// The account that the customer belongs to.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The payment provider.
    async fn provider(&self) -> Result<Provider> {
        Ok(Provider::read(&self.0.provider)?)
    }

    /// The customer's id at the provider.
    async fn external_id(&self) -> &str {
        &self.0.external_id
    }

    /// The e-mail address at the provider; null if it has none. For display only: accounts are never matched by it.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// The name at the provider; null if it has none.
    async fn full_name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// True if the provider reports that the newest invoice is overdue.
    async fn delinquent(&self) -> bool {
        self.0.delinquent
    }

    /// True if the customer was deleted at the provider.
    async fn deleted(&self) -> bool {
        self.0.deleted
    }

    /// Time of creation at the provider.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// Time of the last change to this record.
    async fn updated_at(&self) -> Instant {
        self.0.updated_at.into()
    }
}

/// Conditions on customers; a customer must meet all that are given.
#[derive(InputObject, Default)]
pub struct ProviderCustomerFilter {
    /// Customers at this provider.
    provider: Option<Provider>,
    /// The customer with this id at its provider.
    external_id: Option<String>,
    /// True for customers whose newest invoice is overdue, false for the others.
    delinquent: Option<bool>,
}

order_input! {
    /// The order of a list of customers.
    ProviderCustomerOrder by
    /// The fields that customers can be ordered by.
    ProviderCustomerOrderField {
        /// Time of creation at the provider.
        CreatedAt,
    }
}

impl ProviderCustomerFilter {
    pub(crate) fn list(
        filter: Option<Self>,
        order: Option<ProviderCustomerOrder>,
    ) -> crate::error::Result<accounts::ProviderCustomers> {
        let filter = filter.unwrap_or_default();
        Ok(accounts::ProviderCustomers {
            provider: filter.provider.map(StoredEnum::stored),
            external_id: optional_text("externalId", filter.external_id)?,
            delinquent: filter.delinquent,
            descending: ProviderCustomerOrder::descending(order, true),
        })
    }
}

/// The query root of customers at the payment providers.
#[derive(Default)]
pub struct ProviderCustomerQuery;

#[Object]
impl ProviderCustomerQuery {
    /// Customers at the payment providers that the caller may see: their accounts' own, or all with the scope
    /// `billing:read`.
    async fn provider_customers(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the customers.")] filter: Option<ProviderCustomerFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<ProviderCustomerOrder>,
    ) -> Result<Connection<ProviderCustomer>> {
        page(ctx, ProviderCustomerFilter::list(filter, order_by)?, page_args(first, after, last, before)).await
    }
}
