//! Finds the account that owns an object.
//!
//! Objects that Tollgate creates name the account in `metadata.tollgate_account`. The host application writes its user
//! into the objects that it creates: `metadata.user_id` of the object, else the `client_reference_id` of a Checkout
//! session, else `metadata.user_id` of the customer. E-mail addresses never count, because anybody may give any.

use super::context::{Blocked, Projection};
use crate::accounts::{account_exists, account_of_customer, account_of_user};
use crate::error::Result;
use crate::inbox::object::Object;
use crate::inbox::wait_key::WaitKey;
use uuid::Uuid;

impl Projection<'_, '_> {
    /// Returns the account that the first of `objects` names that names one, else the account of the customer. Blocked
    /// until the named user or the customer's owner exists, and by `unnamed` if nothing names anyone.
    pub(super) async fn owner(
        &self,
        objects: &[&Object],
        customer: Option<&str>,
        unnamed: WaitKey,
    ) -> Result<Uuid, Blocked> {
        let (txn, provider) = (self.store.txn, self.store.provider);
        if let Some(account_id) = objects.iter().find_map(|object| provider.account(object))
            && account_exists(txn, account_id).await?
        {
            return Ok(account_id);
        }
        let mut user = objects.iter().find_map(|object| provider.user(object));
        if user.is_none()
            && let Some(id) = customer
        {
            user = self.store.object(id).await?.and_then(|customer| provider.user(&customer));
        }
        let (account, key) = match (user, customer) {
            (Some(user), _) => (account_of_user(txn, &user).await?, WaitKey::User(user)),
            (None, Some(id)) => {
                (account_of_customer(txn, provider.name(), id).await?, WaitKey::Customer(id.to_owned()))
            }
            (None, None) => (None, unnamed),
        };
        account.ok_or(Blocked::WaitsFor(key))
    }

    /// Returns the account that `objects` or the customer of the first of them name; see [`Projection::owner`].
    pub(super) async fn owner_of(&self, objects: &[&Object], id: &str) -> Result<Uuid, Blocked> {
        let customer = objects.first().and_then(|object| object.references.customer.as_deref());
        self.owner(objects, customer, WaitKey::Owner(id.to_owned())).await
    }
}
