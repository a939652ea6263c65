//! The keys of back ends.

use crate::accounts::{self as feature, NewApiKey};
use crate::graphql::common::{
    Connection, ContextExt, Instant, Row, global_id, listed, local_id, page_args, settle, text,
};
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use entity::api_keys;
use std::sync::Arc;

pub struct ApiKey(pub(crate) Row<api_keys::Entity>);

/// The key of a back end. The secret itself is shown once, when the key is made.
#[Object]
impl ApiKey {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<ApiKey>(self.0.id)
    }

    /// What it is for.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The part of the key that is no secret, by which it is known in logs.
    async fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// What its holder may do, e.g. `billing:read`.
    async fn scopes(&self) -> Vec<&str> {
        self.0.scopes.split(' ').collect()
    }

    /// Who made it, as in the audit log.
    async fn created_by(&self) -> &str {
        &self.0.created_by
    }

    /// When it was made.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// When it stops working; null for never.
    async fn expires_at(&self) -> Option<Instant> {
        self.0.expires_at.map(Instant::from)
    }

    /// When it was revoked; null where it was not.
    async fn revoked_at(&self) -> Option<Instant> {
        self.0.revoked_at.map(Instant::from)
    }

    /// When it was last used, to the minute; null where it never was.
    async fn last_used_at(&self) -> Option<Instant> {
        self.0.last_used_at.map(Instant::from)
    }
}

/// What can be asked about API keys.
#[derive(Default)]
pub struct ApiKeyQuery;

#[Object]
impl ApiKeyQuery {
    /// Every API key, newest first. Needs the scope `keys:write`.
    async fn api_keys(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Connection<ApiKey>> {
        listed(ctx, feature::ApiKeys, page_args(first, after, last, before)).await
    }
}

/// What can be done with API keys.
#[derive(Default)]
pub struct ApiKeyMutation;

#[Object]
impl ApiKeyMutation {
    /// Makes an API key. Needs the scope `keys:write`; a key can hold no scope that its maker does not hold.
    async fn create_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the key is to be.")] input: CreateApiKeyInput,
    ) -> Result<Option<CreateApiKeyPayload>> {
        let new = NewApiKey {
            name: text("name", input.name)?,
            scopes: input.scopes,
            expires_at: input.expires_at.map(|at| at.0),
        };
        let (made, user_errors) = settle(feature::create_api_key(ctx.app(), ctx.viewer(), new).await)?;
        let (api_key, secret) = made.map(|(row, secret)| (ApiKey(Arc::new(row)), secret.expose())).unzip();
        Ok(Some(CreateApiKeyPayload { api_key, secret, user_errors }))
    }

    /// Revokes an API key, from the next request on. Revoking it again changes nothing. Needs the scope `keys:write`.
    async fn revoke_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which key.")] input: RevokeApiKeyInput,
    ) -> Result<Option<RevokeApiKeyPayload>> {
        let id = local_id::<ApiKey>(&input.api_key_id)?;
        let (row, user_errors) = settle(feature::revoke_api_key(ctx.app(), ctx.viewer(), id).await)?;
        Ok(Some(RevokeApiKeyPayload { api_key: row.map(|row| ApiKey(Arc::new(row))), user_errors }))
    }
}

/// What a new API key is to be.
#[derive(InputObject)]
pub struct CreateApiKeyInput {
    /// What it is for: 1 to 100 characters.
    name: String,
    /// What its holder may do: `billing:read`, `catalogue:write`, `credits:write`, `keys:write`, `analytics:read`,
    /// `audit:read`, `operations:read`, `operations:write`.
    scopes: Vec<String>,
    /// When it stops working; never where it is left out.
    expires_at: Option<Instant>,
}

/// The API key that was made.
#[derive(SimpleObject)]
pub struct CreateApiKeyPayload {
    /// The key; null if there are user errors.
    api_key: Option<ApiKey>,
    /// What to send as `Authorization: Bearer …`. Shown this once. Null if there are user errors.
    secret: Option<String>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<CreateApiKeyUserError>,
}

user_error! {
    /// Why no API key was made.
    CreateApiKeyUserError with
    /// The rules that can refuse an API key.
    CreateApiKeyErrorCode {
        /// The name is empty or too long.
        NameInvalid = "NAME_INVALID",
        /// There is no such scope, or the caller does not hold it.
        ScopeInvalid = "SCOPE_INVALID",
        /// The expiry lies in the past.
        ExpiryInvalid = "EXPIRY_INVALID",
    }
}

/// Which API key to revoke.
#[derive(InputObject)]
pub struct RevokeApiKeyInput {
    /// The key's id.
    api_key_id: ID,
}

/// The API key that was revoked.
#[derive(SimpleObject)]
pub struct RevokeApiKeyPayload {
    /// The key; null if there are user errors.
    api_key: Option<ApiKey>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<RevokeApiKeyUserError>,
}

user_error! {
    /// Why an API key was not revoked.
    RevokeApiKeyUserError with
    /// The rules that can refuse to revoke an API key.
    RevokeApiKeyErrorCode {
        /// There is no such key.
        NotFound = "NOT_FOUND",
    }
}
