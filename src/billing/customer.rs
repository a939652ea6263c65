//! The customer that an account is at Stripe.

use super::order::ensure;
use crate::accounts::{Payer, customers_of, owner_of, payer};
use crate::app::App;
use crate::auth::Viewer;
use crate::db::Txn;
use crate::error::Result;
use crate::outbox::Call;
use serde_json::{Value, json};
use uuid::Uuid;

/// An account with its customer at Stripe.
#[derive(Debug, Clone)]
pub(super) struct Customer {
    pub(super) account_id: Uuid,
    /// Who answers for it.
    pub(super) person: Uuid,
    pub(super) external_id: String,
    /// What tells that things made at Stripe are this account's.
    pub(super) metadata: Value,
}

/// The customer of the account that `viewer` may have billed, made where there is none.
pub(super) async fn customer(app: &App, viewer: &Viewer, account_id: Option<Uuid>) -> Result<Customer> {
    let caller = viewer.clone();
    let (payer, known) = app
        .db
        .write(move |txn| {
            Box::pin(async move {
                let payer = payer(txn, &caller, account_id).await?;
                let known = customers_of(txn, "stripe", payer.account.id).await?;
                Ok((payer, known))
            })
        })
        .await?;
    let metadata = metadata(&payer);
    let (account_id, person) = (payer.account.id, payer.owner.id);
    if let Some(known) = known.iter().find(|known| !known.deleted) {
        return Ok(Customer { account_id, person, external_id: known.external_id.clone(), metadata });
    }
    let call = Call {
        account_id: Some(account_id),
        operation: "customers.create",
        deletes: false,
        path: "customers".to_owned(),
        params: described(payer, &metadata),
        // However many ask at the same moment, one customer is made; another day, another key, as Stripe forgets them.
        key: Some(format!("customer-{account_id}-{}-{}", known.len(), app.now().format("%Y%m%d"))),
        persistent: false,
    };
    let made = ensure(app, viewer, call).await?;
    Ok(Customer { account_id, person, external_id: made.object_id, metadata })
}

/// What is written into things made at Stripe for an account whoever asks for them.
pub(super) async fn metadata_of(txn: &Txn, account_id: Uuid) -> Result<Value> {
    let mut metadata = json!({"tollgate_account": account_id});
    if let Some(owner) = owner_of(txn, account_id).await? {
        metadata["user_id"] = json!(owner.id);
    }
    Ok(metadata)
}

fn described(payer: Payer, metadata: &Value) -> Value {
    let mut params = json!({"metadata": metadata});
    for (name, value) in [("email", payer.owner.email), ("name", payer.account.name.or(payer.owner.name))] {
        if let Some(value) = value {
            params[name] = json!(value);
        }
    }
    params
}

/// What is written into everything that is made at Stripe, by which it is found to be the account's.
fn metadata(payer: &Payer) -> Value {
    json!({"tollgate_account": payer.account.id, "user_id": payer.owner.id})
}
