//! Projects customers at the payment providers to our accounts.

use super::store;
use crate::db::{Mirror, Mirrored, Txn};
use crate::error::Result;
use chrono::{DateTime, Utc};
use entity::{accounts, provider_customers};
use sea_orm::ActiveValue::Set;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A customer at a payment provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedCustomer {
    /// The provider: `stripe` or `paddle`.
    pub provider: &'static str,
    /// Its id at the provider.
    pub external_id: String,
    /// The provider's e-mail address, never used to find a user.
    pub email: Option<String>,
    /// The provider's name of the customer.
    pub name: Option<String>,
    /// True if the newest invoice is overdue by the provider's account.
    pub delinquent: bool,
    /// True if it was deleted at the provider.
    pub deleted: bool,
    /// Time of creation at the provider.
    pub created_at: DateTime<Utc>,
}

/// A job for a user's first sign-in: events that providers sent about them before can be applied now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserAppeared {
    /// The subject of their token.
    pub user: String,
}

/// Returns the individual account of the user whom the host application calls `user`: the subject of a token, or our
/// id.
///
/// Returns `None` if there is no such user, or if two issuers know one each, so that the reference is ambiguous.
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

/// Returns the account of a customer that is mirrored already.
pub async fn account_of_customer(txn: &Txn, provider: &str, external_id: &str) -> Result<Option<Uuid>> {
    Ok(store::provider_customer(txn, provider, external_id).await?.map(|customer| customer.account_id))
}

/// Returns the currency of an account's payments; `None` before the first.
pub async fn currency_of(txn: &Txn, account_id: Uuid) -> Result<Option<String>> {
    Ok(store::payers::account_by_id(txn, account_id).await?.and_then(|account| account.currency))
}

/// Records the currency of an account's first payment.
pub async fn project_currency(mirror: &mut Mirror<'_>, account_id: Uuid, currency: &str) -> Result<()> {
    let Some(found) = store::payers::account_by_id(mirror.txn, account_id).await? else { return Ok(()) };
    let wanted = accounts::ActiveModel { currency: Set(Some(currency.to_owned())), ..Default::default() };
    mirror.write::<accounts::Entity>(&account_id.to_string(), Some(found), wanted).await?;
    Ok(())
}

/// Mirrors a customer of `account_id`, and moves it there from another account if the provider's metadata say so.
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
