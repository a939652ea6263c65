//! API keys.

use crate::accounts::{self, NewApiKey};
use crate::graphql::common::{
    Connection, ContextExt, Instant, Row, global_id, local_id, page, page_args, split_refusal, text, to_one,
};
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use entity::api_keys;
use std::sync::Arc;

pub struct ApiKey(pub(crate) Row<api_keys::Entity>);

/// An API key of a back end. The secret is shown once, at creation. Visible with the scope `keys:write`.
#[Object]
impl ApiKey {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<ApiKey>(self.0.id)
    }

    /// The purpose.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The part of the key that is not secret and identifies it in logs.
    async fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// The scopes of the key, e.g. `billing:read`.
    async fn scopes(&self) -> Vec<&str> {
        self.0.scopes.split(' ').collect()
    }

    /// The actor who created it, in the form of the audit log.
    async fn created_by(&self) -> &str {
        &self.0.created_by
    }

    /// The API key with which it was created; null if it was created with a token. It ends with this key.
    async fn parent(&self, ctx: &Context<'_>) -> Result<Option<ApiKey>> {
        to_one(ctx, self.0.parent_id).await
    }

    /// Time of creation.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// Time of expiry; null for never.
    async fn expires_at(&self) -> Option<Instant> {
        self.0.expires_at.map(Instant::from)
    }

    /// Time of revocation; null if it is not revoked.
    async fn revoked_at(&self) -> Option<Instant> {
        self.0.revoked_at.map(Instant::from)
    }

    /// Time of the last use, to the minute; null if it was never used.
    async fn last_used_at(&self) -> Option<Instant> {
        self.0.last_used_at.map(Instant::from)
    }
}

/// The query root of API keys.
#[derive(Default)]
pub struct ApiKeyQuery;

#[Object]
impl ApiKeyQuery {
    /// All API keys, newest first. Requires the scope `keys:write`.
    async fn api_keys(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Connection<ApiKey>> {
        page(ctx, accounts::ApiKeys, page_args(first, after, last, before)).await
    }
}

/// The mutation roots of API keys.
#[derive(Default)]
pub struct ApiKeyMutation;

#[Object]
impl ApiKeyMutation {
    /// Creates an API key. Requires the scope `keys:write`; the key can only have scopes that the caller holds. It ends
    /// with the API key that created it, or with the user: when they are erased or lose the role of an admin.
    async fn create_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new key.")] input: CreateApiKeyInput,
    ) -> Result<Option<CreateApiKeyPayload>> {
        let new = NewApiKey {
            name: text("name", input.name)?,
            scopes: input.scopes,
            expires_at: input.expires_at.map(|at| at.0),
        };
        let (made, user_errors) = split_refusal(accounts::create_api_key(ctx.app(), ctx.viewer(), new).await)?;
        let (api_key, secret) = made.map(|(row, secret)| (ApiKey(Arc::new(row)), secret.expose())).unzip();
        Ok(Some(CreateApiKeyPayload { api_key, secret, user_errors }))
    }

    /// Revokes an API key and all keys that were created with it, effective at the next request. Revoking it again
    /// changes nothing. Requires the scope `keys:write`.
    async fn revoke_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key.")] input: RevokeApiKeyInput,
    ) -> Result<Option<RevokeApiKeyPayload>> {
        let id = local_id::<ApiKey>(&input.api_key_id)?;
        let (row, user_errors) = split_refusal(accounts::revoke_api_key(ctx.app(), ctx.viewer(), id).await)?;
        Ok(Some(RevokeApiKeyPayload { api_key: row.map(|row| ApiKey(Arc::new(row))), user_errors }))
    }
}

/// A new API key.
#[derive(InputObject)]
pub struct CreateApiKeyInput {
    /// The purpose: 1 to 100 characters.
    name: String,
    /// The scopes: `billing:read`, `catalogue:write`, `credits:write`, `keys:write`, `analytics:read`, `events:write`,
    /// `audit:read`, `operations:read`, `operations:write`.
    scopes: Vec<String>,
    /// Time of expiry, not after that of the credential that creates the key. By default the key expires with this
    /// credential if it is an API key or the token of a service; else it never expires.
    expires_at: Option<Instant>,
}

/// The created API key.
#[derive(SimpleObject)]
pub struct CreateApiKeyPayload {
    /// The key; null if there are user errors.
    api_key: Option<ApiKey>,
    /// The secret to send as `Authorization: Bearer …`, shown only this once. Null if there are user errors.
    secret: Option<String>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<CreateApiKeyUserError>,
}

user_error! {
    /// A rule that refused to create an API key.
    CreateApiKeyUserError with
    /// The rules that can refuse `createApiKey`.
    CreateApiKeyErrorCode {
        /// The name is empty or too long.
        NameInvalid = "NAME_INVALID",
        /// The scope does not exist, or the caller does not hold it.
        ScopeInvalid = "SCOPE_INVALID",
        /// The expiry is in the past, or after that of the credential that creates the key.
        ExpiryInvalid = "EXPIRY_INVALID",
    }
}

/// An API key to revoke.
#[derive(InputObject)]
pub struct RevokeApiKeyInput {
    /// The key.
    api_key_id: ID,
}

/// The revoked API key.
#[derive(SimpleObject)]
pub struct RevokeApiKeyPayload {
    /// The key; null if there are user errors.
    api_key: Option<ApiKey>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<RevokeApiKeyUserError>,
}

user_error! {
    /// A rule that refused to revoke an API key.
    RevokeApiKeyUserError with
    /// The rules that can refuse `revokeApiKey`.
    RevokeApiKeyErrorCode {
        /// The key does not exist.
        NotFound = "NOT_FOUND",
    }
}
