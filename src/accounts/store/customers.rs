//! Queries on customers at the payment providers.

use crate::auth::Scope;
use crate::db::{ChildListing, Listing, Order, ROW_LOCK, Txn, Visible, has_external_id, in_accounts_of};
use crate::error::Result;
use crate::order;
use crate::providers::Origin;
use entity::provider_customers;
use sea_orm::sea_query::{ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Select};

impl Visible for provider_customers::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, provider_customers::Column::AccountId))
    }
}

/// Customers at the payment providers, by time of creation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProviderCustomers {
    /// Only those of this provider.
    pub provider: Option<Origin>,
    /// Only the one with this id at its provider.
    pub external_id: Option<String>,
    /// Only those with an overdue newest invoice, or only those without; `None` for both.
    pub delinquent: Option<bool>,
    /// Newest first.
    pub descending: bool,
}

impl Listing for ProviderCustomers {
    type Entity = provider_customers::Entity;

    fn filter(&self, mut rows: Select<provider_customers::Entity>) -> Select<provider_customers::Entity> {
        use provider_customers::Column;
        if let Some(provider) = self.provider {
            rows = rows.filter(Column::Provider.eq(provider));
        }
        if let Some(external_id) = &self.external_id {
            rows = rows.filter(has_external_id(Column::Provider, Column::ExternalId, external_id));
        }
        if let Some(delinquent) = self.delinquent {
            rows = rows.filter(Column::Delinquent.eq(delinquent));
        }
        rows
    }

    fn order(&self) -> Order<provider_customers::Entity> {
        order!(provider_customers, created_at, CreatedAt, self.descending)
    }
}

impl ChildListing for ProviderCustomers {
    type Of = ();

    fn belongs_to((): (), account: SimpleExpr) -> SimpleExpr {
        provider_customers::Column::AccountId.into_expr().eq(account)
    }
}

/// Returns the mirror of a provider's customer.
pub(in crate::accounts) async fn provider_customer(
    txn: &Txn,
    provider: &str,
    external_id: &str,
) -> Result<Option<provider_customers::Model>> {
    Ok(customer(provider, external_id).one(txn).await?)
}

/// Locks the mirror of a provider's customer until the commit.
pub(in crate::accounts) async fn lock_provider_customer(
    txn: &Txn,
    provider: &str,
    external_id: &str,
) -> Result<Option<provider_customers::Model>> {
    Ok(customer(provider, external_id).lock(ROW_LOCK).one(txn).await?)
}

fn customer(provider: &str, external_id: &str) -> Select<provider_customers::Entity> {
    use provider_customers::{Column, Entity};
    // unscoped: mirrors a provider, no caller is involved
    Entity::find().filter(Column::Provider.eq(provider)).filter(Column::ExternalId.eq(external_id))
}
