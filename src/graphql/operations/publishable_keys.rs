//! Publishable keys.

use crate::accounts::{self, NewPublishableKey};
use crate::graphql::common::{
    Connection, ContextExt, Instant, Row, global_id, local_id, page, page_args, split_refusal, text,
};
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use entity::publishable_keys;
use std::sync::Arc;

pub struct PublishableKey(pub(crate) Row<publishable_keys::Entity>);

/// A key with which pages in browsers record events and consent of visitors, and do nothing else. It is public, as it stands in these
/// pages. Visible with the scope `keys:write`.
#[Object]
impl PublishableKey {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<PublishableKey>(self.0.id)
    }

    /// The purpose.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The whole key, which pages send as `Authorization: Bearer …`.
    async fn key(&self) -> &str {
        &self.0.key
    }

    /// The web origins of the pages that may use it, e.g. `https://www.example.com`.
    async fn origins(&self) -> Vec<&str> {
        self.0.origins.split(' ').collect()
    }

    /// The number of events that all pages together may record in a minute, on each node. One client address may record a
    /// tenth of it.
    async fn events_per_minute(&self) -> i64 {
        self.0.events_per_minute
    }

    /// The actor who created it, in the form of the audit log.
    async fn created_by(&self) -> &str {
        &self.0.created_by
    }

    /// Time of creation.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// Time of revocation; null if it is not revoked.
    async fn revoked_at(&self) -> Option<Instant> {
        self.0.revoked_at.map(Instant::from)
    }
}

/// The query root of publishable keys.
#[derive(Default)]
pub struct PublishableKeyQuery;

#[Object]
impl PublishableKeyQuery {
    /// All publishable keys, newest first. Requires the scope `keys:write`.
    async fn publishable_keys(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Connection<PublishableKey>> {
        page(ctx, accounts::PublishableKeys, page_args(first, after, last, before)).await
    }
}

/// The mutation roots of publishable keys.
#[derive(Default)]
pub struct PublishableKeyMutation;

#[Object]
impl PublishableKeyMutation {
    /// Creates a publishable key, which is valid until it is revoked, also without the credential that created it. Requires
    /// the scopes `keys:write` and `events:write`.
    async fn create_publishable_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new key.")] input: CreatePublishableKeyInput,
    ) -> Result<Option<CreatePublishableKeyPayload>> {
        let new = NewPublishableKey {
            name: text("name", input.name)?,
            origins: input.origins,
            events_per_minute: i64::from(input.events_per_minute),
        };
        let (row, user_errors) = split_refusal(accounts::create_publishable_key(ctx.app(), ctx.viewer(), new).await)?;
        let publishable_key = row.map(|row| PublishableKey(Arc::new(row)));
        Ok(Some(CreatePublishableKeyPayload { publishable_key, user_errors }))
    }

    /// Revokes a publishable key, effective at the next request. Revoking it again changes nothing. Requires the scope
    /// `keys:write`.
    async fn revoke_publishable_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key.")] input: RevokePublishableKeyInput,
    ) -> Result<Option<RevokePublishableKeyPayload>> {
        let id = local_id::<PublishableKey>(&input.publishable_key_id)?;
        let (row, user_errors) = split_refusal(accounts::revoke_publishable_key(ctx.app(), ctx.viewer(), id).await)?;
        let publishable_key = row.map(|row| PublishableKey(Arc::new(row)));
        Ok(Some(RevokePublishableKeyPayload { publishable_key, user_errors }))
    }
}

/// A new publishable key.
#[derive(InputObject)]
pub struct CreatePublishableKeyInput {
    /// The purpose: 1 to 100 characters.
    name: String,
    /// The web origins of the pages that may use it: 1 to 20, such as `https://www.example.com`, without paths and patterns.
    origins: Vec<String>,
    /// The number of events that all pages together may record in a minute, on each node: 1,000 to 1,000,000. One client
    /// address may record a tenth of it.
    #[graphql(default = 10_000)]
    events_per_minute: i32,
}

/// The created publishable key.
#[derive(SimpleObject)]
pub struct CreatePublishableKeyPayload {
    /// The key; null if there are user errors.
    publishable_key: Option<PublishableKey>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<CreatePublishableKeyUserError>,
}

user_error! {
    /// A rule that refused to create a publishable key.
    CreatePublishableKeyUserError with
    /// The rules that can refuse `createPublishableKey`.
    CreatePublishableKeyErrorCode {
        /// The name is empty or too long.
        NameInvalid = "NAME_INVALID",
        /// There is no origin or too many of them, or one of them is no origin.
        OriginInvalid = "ORIGIN_INVALID",
        /// The number of events is too small or too large.
        RateInvalid = "RATE_INVALID",
        /// There are 100 publishable keys that are not revoked.
        TooManyKeys = "TOO_MANY_KEYS",
    }
}

/// A publishable key to revoke.
#[derive(InputObject)]
pub struct RevokePublishableKeyInput {
    /// The key.
    publishable_key_id: ID,
}

/// The revoked publishable key.
#[derive(SimpleObject)]
pub struct RevokePublishableKeyPayload {
    /// The key; null if there are user errors.
    publishable_key: Option<PublishableKey>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<RevokePublishableKeyUserError>,
}

user_error! {
    /// A rule that refused to revoke a publishable key.
    RevokePublishableKeyUserError with
    /// The rules that can refuse `revokePublishableKey`.
    RevokePublishableKeyErrorCode {
        /// The key does not exist.
        NotFound = "NOT_FOUND",
    }
}
