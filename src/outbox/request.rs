//! Requests to Stripe, and their entries in the outbox.

use super::operation::{CallState, Operation};
use super::store;
use crate::app::App;
use crate::db::Txn;
use crate::error::Result;
use chrono::TimeDelta;
use entity::outbox_calls::{ActiveModel, Column, Entity, Model};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// The time after the longest wait of a caller until the worker sees to the call.
const TAKEOVER_MARGIN: Duration = Duration::from_secs(30);

/// A change to ask of Stripe.
#[derive(Debug, Clone)]
pub struct ProviderRequest {
    /// The name of the change.
    pub operation: Operation,
    /// The account that the request is about; `None` for none, as for a price.
    pub account_id: Option<Uuid>,
    /// The parameters, as a tree.
    pub params: Value,
    method: Method,
    path: String,
    key: Option<String>,
    persistent: bool,
}

/// An HTTP method that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Post,
    Delete,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Method::Post => "POST",
            Method::Delete => "DELETE",
        }
    }
}

impl ProviderRequest {
    /// Creates a `POST` to `path`, below `/v1/`, without parameters.
    pub fn post(operation: Operation, path: impl Into<String>) -> ProviderRequest {
        ProviderRequest {
            operation,
            method: Method::Post,
            path: path.into(),
            params: json!({}),
            account_id: None,
            key: None,
            persistent: false,
        }
    }

    /// Creates a `DELETE` of `path`, below `/v1/`.
    pub fn delete(operation: Operation, path: impl Into<String>) -> ProviderRequest {
        ProviderRequest { method: Method::Delete, ..ProviderRequest::post(operation, path) }
    }

    /// Sets the account that the request is about; without one it is about none, like a price.
    pub fn account(self, account_id: impl Into<Option<Uuid>>) -> ProviderRequest {
        ProviderRequest { account_id: account_id.into(), ..self }
    }

    /// Sets the parameters, as a tree.
    pub fn params(self, params: Value) -> ProviderRequest {
        ProviderRequest { params, ..self }
    }

    /// Sets the key under which several callers share one call. Without one the call gets a key of its own.
    pub fn key(self, key: impl Into<String>) -> ProviderRequest {
        ProviderRequest { key: Some(key.into()), ..self }
    }

    /// Makes the worker send the request later if Stripe is unavailable, although the caller was told of the failure.
    /// Not for a request that would surprise a customer who has left, such as a charge: that is given up.
    pub fn persistent(self) -> ProviderRequest {
        ProviderRequest { persistent: true, ..self }
    }
}

/// Returns the idempotency key under which a call is sent now.
pub fn sent_key(call: &Model) -> String {
    match call.key_changes {
        0 => call.idempotency_key.clone(),
        changes => format!("{}-{changes}", call.idempotency_key),
    }
}

/// Returns the time after which the worker takes over a call from its caller.
pub fn takeover_after(app: &App) -> TimeDelta {
    let patience = app.config.limits.mutation_timeout.max(app.config.providers.stripe.longest_request());
    TimeDelta::from_std(patience + TAKEOVER_MARGIN).unwrap_or(TimeDelta::hours(1))
}

/// A request on its way into the outbox.
#[derive(Debug)]
pub struct OutboxEntry<'a> {
    /// The caller, as in the audit log.
    pub actor: &'a str,
    /// The request.
    pub request: ProviderRequest,
    /// The time until the worker takes over, from [`takeover_after`].
    pub takeover_after: TimeDelta,
}

impl OutboxEntry<'_> {
    /// Inserts the call as `pending`, due for the worker if its caller does not finish it. Returns the id of the call, which
    /// is an earlier one if there is one under the key of the request.
    pub async fn insert(self, txn: &Txn) -> Result<Uuid> {
        let OutboxEntry { actor, takeover_after, request } = self;
        let id = txn.new_id();
        let key = store::prefixed(&request.key.unwrap_or_else(|| id.to_string()));
        let row = ActiveModel {
            id: Set(id),
            account_id: Set(request.account_id),
            actor: Set(actor.to_owned()),
            operation: Set(request.operation.as_str().to_owned()),
            idempotency_key: Set(key.clone()),
            method: Set(request.method.name().to_owned()),
            path: Set(request.path),
            params: Set(request.params),
            state: Set(CallState::Pending.as_str().to_owned()),
            persistent: Set(request.persistent),
            attempts: Set(0),
            key_changes: Set(0),
            object_kind: Set(None),
            object_id: Set(None),
            url: Set(None),
            error_code: Set(None),
            decline_code: Set(None),
            error_param: Set(None),
            created_at: Set(txn.now().fixed_offset()),
            tried_at: Set(None),
            settled_at: Set(None),
            due_at: Set(Some((txn.now() + takeover_after).fixed_offset())),
        };
        let unless_known = OnConflict::column(Column::IdempotencyKey).do_nothing().to_owned();
        if Entity::insert(row).on_conflict(unless_known).exec_without_returning(txn).await? == 0 {
            return store::id_of_key(txn, &key).await;
        }
        Ok(id)
    }
}
