//! Finds the account that owns an object.
//!
//! Objects that Tollgate creates name the account in `metadata.tollgate_account`. The host application's server writes
//! its user into the metadata of the objects that it creates. A field that the buyer's browser can write counts only with
//! a reference that Tollgate signed: else anybody could buy, or use up a trial, in another's name. E-mail addresses never
//! count, because anybody may give any.

use super::context::{Blocked, Doubt, Projection};
use crate::accounts::{account_exists, account_of_customer, account_of_user};
use crate::auth::PurchaseReference;
use crate::db::reference_key;
use crate::error::Result;
use crate::inbox::kinds::{ObjectKind, Reference};
use crate::inbox::object::Object;
use crate::inbox::wait_key::WaitKey;
use crate::providers::Provider;
use uuid::Uuid;

/// An owner as objects name it.
enum Named {
    Account(Uuid),
    /// A user of the host application.
    User(String),
}

impl Projection<'_, '_> {
    /// Returns the account that the first of `objects` names that names one, else the account of the customer. Blocked
    /// until the named user or the customer's owner exists, and by `unnamed` if nothing names anyone.
    pub(super) async fn owner(
        &mut self,
        objects: &[&Object],
        customer: Option<&str>,
        unnamed: WaitKey,
    ) -> Result<Uuid, Blocked> {
        let owner = match (self.named(objects).await?, customer) {
            (Some(named), _) => self.account(named).await,
            (None, Some(id)) => self.owner_of_customer(id).await,
            (None, None) => Err(Blocked::WaitsFor(unnamed)),
        };
        if let Ok(account_id) = &owner {
            // A claim that turns out to be true is nothing to report.
            self.doubt.take_if(|doubt| doubt.account_id == Some(*account_id));
        }
        owner
    }

    /// Returns the account that `objects` or the customer of the first of them name; see [`Projection::owner`].
    pub(super) async fn owner_of(&mut self, objects: &[&Object], id: &str) -> Result<Uuid, Blocked> {
        let customer = objects.first().and_then(|object| object.references.customer.as_deref());
        self.owner(objects, customer, WaitKey::Owner(id.to_owned())).await
    }

    /// Returns the account that an object itself names, if it exists.
    pub(super) async fn account_named_by(&mut self, object: &Object) -> Result<Option<Uuid>> {
        match self.named(&[object]).await? {
            Some(Named::Account(id)) => Ok(Some(id)),
            Some(Named::User(user)) => account_of_user(self.store.txn, &user).await,
            None => Ok(None),
        }
    }

    /// Returns the objects with which a subscription started, as far as they may have to name its owner. At Paddle these
    /// are needed where the reference that the subscription copies had expired when it was created.
    pub(super) async fn origins(&mut self, subscription: &Object) -> Result<Vec<Object>> {
        let provider = self.store.provider;
        let kind = match provider {
            Provider::Stripe => ObjectKind::CheckoutSession,
            Provider::Paddle => ObjectKind::Transaction,
        };
        if provider == Provider::Paddle && self.named(&[subscription]).await?.is_some() {
            return Ok(Vec::new());
        }
        self.store.referencing(Reference::Subscription, &subscription.external_id, &[kind]).await
    }

    /// Returns the subscription with this id, and at Paddle the objects that may have to name its owner.
    pub(super) async fn subscription_of(&mut self, id: Option<&str>) -> Result<Vec<Object>> {
        let mut objects = self.store.objects_of(&[ObjectKind::Subscription], id.map(str::to_owned).as_slice()).await?;
        if self.store.provider == Provider::Paddle
            && let Some(subscription) = objects.first().cloned()
        {
            objects.extend(self.origins(&subscription).await?);
        }
        Ok(objects)
    }

    async fn named(&mut self, objects: &[&Object]) -> Result<Option<Named>> {
        let provider = self.store.provider;
        if let Some(account_id) = objects.iter().find_map(|object| provider.account(object))
            && account_exists(self.store.txn, account_id).await?
        {
            return Ok(Some(Named::Account(account_id)));
        }
        for object in objects {
            if let Some(user) = provider.user(object) {
                return Ok(Some(Named::User(user)));
            }
            let Some(claim) = provider.claim(object) else { continue };
            if let Some(account_id) = self.verify(object, &claim).await? {
                return Ok(Some(Named::Account(account_id)));
            }
        }
        Ok(None)
    }

    async fn account(&self, named: Named) -> Result<Uuid, Blocked> {
        match named {
            Named::Account(id) => Ok(id),
            Named::User(user) => {
                let account = account_of_user(self.store.txn, &user).await?;
                account.ok_or(Blocked::WaitsFor(WaitKey::User(user)))
            }
        }
    }

    /// Returns the account of a customer. At Paddle, only the customer's own custom data name it: Paddle finds the
    /// customer of a checkout by the e-mail address that the buyer types.
    async fn owner_of_customer(&mut self, id: &str) -> Result<Uuid, Blocked> {
        let provider = self.store.provider;
        if provider == Provider::Paddle && self.policy.paddle_requires_reference {
            return Err(Blocked::WaitsFor(WaitKey::Owner(id.to_owned())));
        }
        let object = self.store.object(ObjectKind::Customer, id).await?;
        if let Some(named) = self.named(object.as_ref().as_slice()).await? {
            return self.account(named).await;
        }
        match provider {
            Provider::Stripe => {
                let known = account_of_customer(self.store.txn, provider.name(), id).await?;
                known.ok_or_else(|| Blocked::WaitsFor(WaitKey::Customer(id.to_owned())))
            }
            Provider::Paddle => Err(Blocked::WaitsFor(WaitKey::Owner(id.to_owned()))),
        }
    }

    /// Returns the account of a signed reference that was valid when the object was created. Notes any other claim.
    async fn verify(&mut self, object: &Object, claim: &str) -> Result<Option<Uuid>> {
        let (txn, provider) = (self.store.txn, self.store.provider);
        let (account_id, reason) = if PurchaseReference::is_meant_by(claim) {
            let key = reference_key(txn).await?;
            let reference = key.and_then(|key| PurchaseReference::verify(claim, key.as_bytes(), provider));
            match reference {
                Some(reference) if provider.created_at(object) < reference.expires_at => {
                    return Ok(account_exists(txn, reference.account_id).await?.then_some(reference.account_id));
                }
                Some(reference) => (
                    Some(reference.account_id),
                    "The reference to the owner had expired when the object was created.".to_owned(),
                ),
                None => (None, "The reference to the owner is not signed by this installation.".to_owned()),
            }
        } else {
            let shown: String = claim.chars().filter(|char| !char.is_control()).take(64).collect();
            let note =
                format!("The buyer's browser names {shown} as the owner; without a signature this does not count.");
            (account_of_user(txn, claim).await?, note)
        };
        let doubt = Doubt { object_id: object.external_id.clone(), account_id, note: reason };
        self.doubt.get_or_insert(doubt);
        Ok(None)
    }
}
