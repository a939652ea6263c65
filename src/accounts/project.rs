//! Customers at the payment providers, and whose they are here.

use crate::db::{Mirror, Mirrored, Txn};
use crate::error::Result;
use chrono::{DateTime, Utc};
use entity::provider_customers;
use uuid::Uuid;

/// A customer at a payment provider, as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedCustomer {
    /// `stripe` or `paddle`.
    pub provider: &'static str,
    /// Its id there.
    pub external_id: String,
    /// As the provider has it; never used to find a user.
    pub email: Option<String>,
    /// As the provider has it.
    pub name: Option<String>,
    /// Whether the provider says that it owes for its newest invoice.
    pub delinquent: bool,
    /// Whether it was deleted there.
    pub deleted: bool,
    /// When it was made there.
    pub created_at: DateTime<Utc>,
}

/// The own account of the user whom the host application calls `user`: a subject of a token, or an id of ours.
///
/// `None` where there is no such user, or where two issuers have one each, so that it is not known which is meant.
pub async fn account_of_user(txn: &Txn, user: &str) -> Result<Option<Uuid>> {
    todo!("{user} {txn:?}")
}

/// The account of a customer that is mirrored already.
pub async fn account_of_customer(txn: &Txn, provider: &str, external_id: &str) -> Result<Option<Uuid>> {
    todo!("{provider} {external_id} {txn:?}")
}

/// Mirrors a customer of `account_id`.
pub async fn project_customer(
    mirror: &mut Mirror<'_>,
    account_id: Uuid,
    customer: &ObservedCustomer,
) -> Result<Mirrored<provider_customers::Model>> {
    todo!("{account_id} {customer:?} {:?}", mirror.differences())
}
