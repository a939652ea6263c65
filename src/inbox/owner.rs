//! Whose an object is.
//!
//! What we make at the provider names the account in `metadata.tollgate_account`. The host application writes its user
//! into what it makes there: `metadata.user_id` of the object, else the `client_reference_id` of a Checkout session,
//! else `metadata.user_id` of the customer. Never the e-mail address, which anybody may give.

use super::object::Object;
use super::records::Records;
use crate::accounts::{account_exists, account_of_customer, account_of_user};
use crate::error::Result;
use uuid::Uuid;

/// Whose an object is.
pub(super) enum Owner {
    /// An account's.
    Account(Uuid),
    /// Not known before what has this key is here; `None` where nothing names anyone.
    Unknown(Option<String>),
}

impl Records<'_, '_> {
    /// The owner that the first of `objects` names which names one, else that of the customer.
    pub(super) async fn owner(&self, objects: &[&Object], customer: Option<&str>) -> Result<Owner> {
        let (txn, provider) = (self.store.txn, self.store.provider);
        if let Some(account_id) = objects.iter().find_map(|object| provider.account(object))
            && account_exists(txn, account_id).await?
        {
            return Ok(Owner::Account(account_id));
        }
        let mut user = objects.iter().find_map(|object| provider.user(object));
        if user.is_none()
            && let Some(id) = customer
        {
            user = self.store.object(id).await?.and_then(|customer| provider.user(&customer));
        }
        if let Some(user) = user {
            let account = account_of_user(txn, &user).await?;
            return Ok(account.map_or_else(|| Owner::Unknown(Some(format!("user:{user}"))), Owner::Account));
        }
        let Some(id) = customer else { return Ok(Owner::Unknown(None)) };
        let account = account_of_customer(txn, provider.name(), id).await?;
        Ok(account.map_or_else(|| Owner::Unknown(Some(format!("customer:{id}"))), Owner::Account))
    }
}
