//! A call that is to be made.

use super::jobs::FinishCall;
use super::store;
use crate::app::App;
use crate::auth::Viewer;
use crate::db::Txn;
use crate::error::Result;
use chrono::TimeDelta;
use entity::outbox_calls::{ActiveModel, Column, Entity};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::Value;
use uuid::Uuid;

/// How many times the length of one try a call has before a worker takes it for given up by whoever made it.
const TRIES: u32 = 6;

/// What is to be asked of Stripe.
#[derive(Debug, Clone)]
pub struct Call {
    /// Whose it is; `None` for what is nobody's in particular, as a price.
    pub account_id: Option<Uuid>,
    /// Which verb asks, e.g. `subscriptions.cancel`.
    pub operation: &'static str,
    /// Whether something is ended by it: `DELETE`; else `POST`.
    pub deletes: bool,
    /// Where, below `/v1/`.
    pub path: String,
    /// The parameters, as a tree.
    pub params: Value,
    /// What makes it the same call as another, where that is more than being asked by one caller under one key.
    pub key: Option<String>,
    /// Whether it is made later where Stripe is away, after the caller was told so. Not for what would surprise a
    /// customer who went away, as a charge.
    pub persistent: bool,
}

/// A call that is about to be made, without what is asked.
pub struct NewCall {
    actor: String,
    patience: TimeDelta,
}

impl NewCall {
    /// A call that `viewer` is about to make.
    pub fn by(app: &App, viewer: &Viewer) -> NewCall {
        let patience =
            TimeDelta::from_std(app.config.providers.stripe.api_timeout * TRIES).unwrap_or(TimeDelta::hours(1));
        NewCall { actor: viewer.actor().to_owned(), patience }
    }

    /// Writes the call down, with the job that finishes it should nobody else do so. The id of the call: another's, where
    /// the same was written down before under its key.
    pub async fn write_down(self, txn: &Txn, call: Call) -> Result<Uuid> {
        let id = txn.new_id();
        let key = store::prefixed(&call.key.unwrap_or_else(|| id.to_string()));
        let row = ActiveModel {
            id: Set(id),
            account_id: Set(call.account_id),
            actor: Set(self.actor),
            operation: Set(call.operation.to_owned()),
            idempotency_key: Set(key.clone()),
            method: Set(if call.deletes { "DELETE" } else { "POST" }.to_owned()),
            path: Set(call.path),
            params: Set(call.params),
            state: Set("pending".to_owned()),
            persistent: Set(call.persistent),
            attempts: Set(0),
            object_kind: Set(None),
            object_id: Set(None),
            url: Set(None),
            error_code: Set(None),
            decline_code: Set(None),
            error_param: Set(None),
            created_at: Set(txn.now().fixed_offset()),
            tried_at: Set(None),
            settled_at: Set(None),
        };
        let once = OnConflict::column(Column::IdempotencyKey).do_nothing().to_owned();
        if Entity::insert(row).on_conflict(once).exec_without_returning(txn).await? == 1 {
            txn.enqueue_at(&FinishCall { call_id: id }, txn.now() + self.patience).await?;
            return Ok(id);
        }
        store::id_of_key(txn, &key).await
    }
}
