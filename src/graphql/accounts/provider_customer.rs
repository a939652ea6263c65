//! Who is billed at the payment providers.

use super::account::Account;
use crate::accounts as feature;
use crate::graphql::common::{
    Connection, Instant, Row, Word, global_id, listed, optional_text, page_args, to_exactly_one,
};
use crate::graphql::payments::payment::Provider;
use crate::order_input;
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::provider_customers;

pub struct ProviderCustomer(pub(crate) Row<provider_customers::Entity>);

/// A customer at a payment provider, and which account that is here. One account may have several.
#[Object]
impl ProviderCustomer {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<ProviderCustomer>(self.0.id)
    }

    /// Which account it is.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// Whose customer it is.
    async fn provider(&self) -> Result<Provider> {
        Ok(Provider::read(&self.0.provider)?)
    }

    /// Its id at the provider.
    async fn external_id(&self) -> &str {
        &self.0.external_id
    }

    /// The e-mail address that the provider has; null where it has none. For people to read, never to find someone by.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// The name that the provider has; null where it has none.
    async fn full_name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Whether the provider says that it owes for its newest invoice.
    async fn delinquent(&self) -> bool {
        self.0.delinquent
    }

    /// Whether it was deleted at the provider.
    async fn deleted(&self) -> bool {
        self.0.deleted
    }

    /// When it was made at the provider.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// When it last changed here.
    async fn updated_at(&self) -> Instant {
        self.0.updated_at.into()
    }
}

/// Which customers to list.
#[derive(InputObject, Default)]
pub struct ProviderCustomerFilter {
    /// Of this provider alone.
    provider: Option<Provider>,
    /// The one with this id at its provider.
    external_id: Option<String>,
    /// Whether they owe for their newest invoice.
    delinquent: Option<bool>,
}

order_input! {
    /// How to order customers.
    ProviderCustomerOrder by
    /// What customers can be ordered by.
    ProviderCustomerOrderField {
        /// When they were made.
        CreatedAt,
    }
}

impl ProviderCustomerFilter {
    pub(crate) fn list(
        filter: Option<Self>,
        order: Option<ProviderCustomerOrder>,
    ) -> crate::error::Result<feature::ProviderCustomers> {
        let filter = filter.unwrap_or_default();
        Ok(feature::ProviderCustomers {
            provider: filter.provider.map(Word::word),
            external_id: optional_text("externalId", filter.external_id)?,
            delinquent: filter.delinquent,
            descending: ProviderCustomerOrder::descending(order, true),
        })
    }
}

/// What can be asked about customers at the payment providers.
#[derive(Default)]
pub struct ProviderCustomerQuery;

#[Object]
impl ProviderCustomerQuery {
    /// The customers at the payment providers that the caller may see: all of them for admins, else those of one's
    /// accounts.
    async fn provider_customers(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Keeps the customers that match.")] filter: Option<ProviderCustomerFilter>,
        #[graphql(desc = "The order; newest first where it is left out.")] order_by: Option<ProviderCustomerOrder>,
    ) -> Result<Connection<ProviderCustomer>> {
        listed(ctx, ProviderCustomerFilter::list(filter, order_by)?, page_args(first, after, last, before)).await
    }
}
