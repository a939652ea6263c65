//! Customers at the payment providers, and whose they are here.

use super::store;
use crate::db::{Mirror, Mirrored, Txn};
use crate::error::Result;
use chrono::{DateTime, Utc};
use entity::provider_customers;
use sea_orm::ActiveValue::Set;
use serde::{Deserialize, Serialize};
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

/// Someone was seen for the first time: what providers sent about them before can be applied now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserAppeared {
    /// The subject of their token.
    pub user: String,
}

/// The own account of the user whom the host application calls `user`: a subject of a token, or an id of ours.
///
/// `None` where there is no such user, or where two issuers have one each, so that it is not known which is meant.
pub async fn account_of_user(txn: &Txn, user: &str) -> Result<Option<Uuid>> {
    let known = match &*store::users_with_subject(txn, user).await? {
        [] => match Uuid::try_parse(user) {
            Ok(id) => store::user_by_id(txn, id).await?,
            Err(_) => None,
        },
        [one] => Some(one.clone()),
        _ => None,
    };
    match known.filter(|user| user.erased_at.is_none()) {
        Some(user) => store::own_account(txn, user.id).await,
        None => Ok(None),
    }
}

/// The account of a customer that is mirrored already.
pub async fn account_of_customer(txn: &Txn, provider: &str, external_id: &str) -> Result<Option<Uuid>> {
    Ok(store::provider_customer(txn, provider, external_id).await?.map(|customer| customer.account_id))
}

/// Mirrors a customer of `account_id`, to which it moves where it was another account's: the provider's metadata decide
/// whose it is.
pub async fn project_customer(
    mirror: &mut Mirror<'_>,
    account_id: Uuid,
    customer: &ObservedCustomer,
) -> Result<Mirrored<provider_customers::Model>> {
    let found = store::lock_provider_customer(mirror.txn, customer.provider, &customer.external_id).await?;
    let wanted = provider_customers::ActiveModel {
        id: Set(mirror.txn.new_id()),
        account_id: Set(account_id),
        provider: Set(customer.provider.to_owned()),
        external_id: Set(customer.external_id.clone()),
        email: Set(customer.email.clone()),
        name: Set(customer.name.clone()),
        delinquent: Set(customer.delinquent),
        deleted: Set(customer.deleted),
        created_at: Set(customer.created_at.fixed_offset()),
        updated_at: Set(mirror.txn.now().fixed_offset()),
    };
    mirror.write::<provider_customers::Entity>(&customer.external_id, found, wanted).await
}
