//! The customer at Stripe that stands for an account.

use super::prerequisite::{call_prerequisite, daily_key, try_call};
use super::refusal::error_of_refusal;
use crate::accounts::{Payer, customers_of, owner_of};
use crate::app::App;
use crate::auth::Viewer;
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::outbox::{self, Operation, Outcome, ProviderRequest};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// An account with its customer at Stripe.
#[derive(Debug, Clone)]
pub(in crate::billing) struct Customer {
    pub(in crate::billing) account_id: Uuid,
    /// The user who answers for the account.
    pub(in crate::billing) person: Uuid,
    pub(in crate::billing) external_id: String,
    /// Metadata that identifies objects at Stripe as the account's.
    pub(in crate::billing) metadata: Value,
}

/// Returns the customer of the account of `payer`, and creates it at Stripe if there is none. To be called only after the
/// rules that can be checked without it, so that a refused request leaves no customer behind.
pub(in crate::billing) async fn customer_at_stripe(app: &App, viewer: &Viewer, payer: Payer) -> Result<Customer> {
    let (account_id, person) = (payer.account.id, payer.owner.id);
    let metadata = json!({"tollgate_account": account_id, "user_id": person});
    let known = customers_of(app.db.read(), "stripe", account_id).await?;
    if let Some(known) = known.iter().find(|known| !known.deleted) {
        if let (None, Some(email)) = (&known.email, &payer.owner.email) {
            add_email(app, viewer, account_id, &known.external_id, email).await?;
        }
        return Ok(Customer { account_id, person, external_id: known.external_id.clone(), metadata });
    }
    // The key has callers at the same moment create one customer.
    let key = daily_key(app, &format!("customer-{account_id}-{}", known.len()));
    let create = |params: Value, key: String| {
        let request = ProviderRequest::post(Operation::Named("customers.create"), "customers");
        request.account(account_id).params(params).key(key)
    };
    let described = description(payer, &metadata);
    let is_bare = described == json!({"metadata": metadata});
    let external_id = match try_call(app, viewer, create(described, key.clone())).await? {
        Outcome::Done(done) => done.object_id,
        // Stripe does not take every address or name, and nobody is kept from buying by it.
        Outcome::Refused(_) if !is_bare => {
            let bare = create(json!({"metadata": metadata}), format!("{key}-bare"));
            call_prerequisite(app, viewer, bare).await?.object_id
        }
        Outcome::Refused(refused) => return Err(error_of_refusal(refused)),
    };
    Ok(Customer { account_id, person, external_id, metadata })
}

/// Gives a customer without an e-mail address the present one of its owner, once for each address. A refusal is no failure.
async fn add_email(app: &App, viewer: &Viewer, account_id: Uuid, customer: &str, email: &str) -> Result<()> {
    let digest = hex::encode(&Sha256::digest(email)[..8]);
    let key = format!("email-{customer}-{digest}");
    if outbox::is_settled(app.db.read(), &key).await? {
        return Ok(());
    }
    let request = ProviderRequest::post(Operation::Named("customers.update"), format!("customers/{customer}"));
    let request = request.account(account_id).params(json!({"email": email})).key(key);
    match try_call(app, viewer, request).await {
        Ok(_) | Err(Error::ProviderUnavailable { .. } | Error::Unresolved) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Returns the metadata for objects that somebody else has created at Stripe for an account.
pub(in crate::billing) async fn metadata_of(txn: &Txn, account_id: Uuid) -> Result<Value> {
    let mut metadata = json!({"tollgate_account": account_id});
    if let Some(owner) = owner_of(txn, account_id).await? {
        metadata["user_id"] = json!(owner.id);
    }
    Ok(metadata)
}

fn description(payer: Payer, metadata: &Value) -> Value {
    let mut params = json!({"metadata": metadata});
    for (name, value) in [("email", payer.owner.email), ("name", payer.account.name.or(payer.owner.name))] {
        if let Some(value) = value {
            params[name] = json!(value);
        }
    }
    params
}
