//! The customer at Stripe that stands for an account.

use super::prerequisite::{call_prerequisite, daily_key};
use crate::accounts::{Payer, customers_of, owner_of};
use crate::app::App;
use crate::auth::Viewer;
use crate::db::Txn;
use crate::error::Result;
use crate::outbox::{Operation, ProviderRequest};
use serde_json::{Value, json};
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
        return Ok(Customer { account_id, person, external_id: known.external_id.clone(), metadata });
    }
    // The key has callers at the same moment create one customer.
    let key = daily_key(app, &format!("customer-{account_id}-{}", known.len()));
    let request = ProviderRequest::post(Operation::Named("customers.create"), "customers");
    let request = request.account(account_id).params(description(payer, &metadata)).key(key);
    let external_id = call_prerequisite(app, viewer, request).await?.object_id;
    Ok(Customer { account_id, person, external_id, metadata })
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
