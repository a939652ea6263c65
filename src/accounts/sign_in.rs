//! Authenticating a credential.

use super::project::UserAppeared;
use super::store;
use super::values::{AccountKind, MemberRole, UserRole};
use crate::app::{App, CachedCaller};
use crate::auth::{ApiKeySecret, Authority, Claims, Permissions, PublishableKey, Role, Viewer};
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::last_use::Used;
use chrono::{DateTime, TimeDelta, Utc};
use entity::{account_members, accounts, api_keys, user_identities, users};
use sea_orm::{ActiveValue::Set, EntityTrait};
use uuid::Uuid;

/// Time for which a caller's user is cached; a removed role ends after it at the latest.
const CACHE_TIME: TimeDelta = TimeDelta::seconds(30);
/// Resolution of `last_used_at` of an API key.
const LAST_USED_RESOLUTION: TimeDelta = TimeDelta::minutes(1);

/// Authenticates a bearer credential: a token of a configured issuer, or an API key.
///
/// No credential is the anonymous viewer; a wrong one is an error, never anonymous.
pub async fn sign_in(app: &App, bearer: Option<&str>) -> Result<Viewer> {
    match bearer {
        None => Ok(Viewer::anonymous()),
        Some(key) if ApiKeySecret::is_meant_by(key) => by_api_key(app, key).await,
        Some(key) if PublishableKey::is_meant_by(key) => Err(Error::Forbidden(
            "A publishable key records events by POST to /graphql, and opens nothing else.".into(),
        )),
        Some(token) => {
            let claims = app.tokens.verify(token, app.now()).await?;
            by_claims(app, claims).await
        }
    }
}

async fn by_claims(app: &App, mut claims: Claims) -> Result<Viewer> {
    if claims.role == Role::Service {
        return Ok(Viewer::from_claims(&claims, None));
    }
    let caller = match cached_caller(app, &claims) {
        Some(caller) => Some(caller),
        None => identify(app, &claims).await?,
    };
    // An admin by the row, and not by the token.
    let requires_admin = claims.role != Role::Admin && caller.as_ref().is_some_and(|caller| caller.admin);
    if requires_admin {
        claims.role = Role::Admin;
    }
    if caller.is_none() && claims.role == Role::User {
        return Err(Error::Unauthenticated("No user has this token's issuer and subject.".into()));
    }
    let viewer = Viewer::from_claims(&claims, caller.map(|caller| caller.user_id));
    let authority = Authority { requires_admin, ..viewer.authority().clone() };
    Ok(viewer.with_authority(authority))
}

fn cached_caller(app: &App, claims: &Claims) -> Option<CachedCaller> {
    let caller = app.callers.get(&(claims.issuer.clone(), claims.subject.clone()))?;
    (app.now() - caller.loaded_at < CACHE_TIME).then_some(caller)
}

async fn identify(app: &App, claims: &Claims) -> Result<Option<CachedCaller>> {
    let mut user = store::user_by_identity(app.db.read(), &claims.issuer, &claims.subject).await?;
    if user.is_none() && app.config.jwt.create_users_on_sign_in {
        user = Some(create_user(app, claims).await?);
    }
    let Some(user) = user else { return Ok(None) };
    if user.erased_at.is_some() {
        return Err(Error::Unauthenticated("The user of this token was erased.".into()));
    }
    if let Some(email) = claims.email.as_ref().filter(|email| user.email.as_ref() != Some(email))
        && let Err(error) = refresh_email(app, user.id, email.clone()).await
    {
        // The caller is known all the same.
        tracing::warn!(user = %user.id, error = format!("{error:#}"), "the address of a user is not refreshed");
    }
    let caller =
        CachedCaller { user_id: user.id, admin: UserRole::parse(&user.role)? == UserRole::Admin, loaded_at: app.now() };
    app.callers.insert((claims.issuer.clone(), claims.subject.clone()), caller.clone());
    Ok(Some(caller))
}

/// Brings the address of a user to the one that the identity provider states now.
async fn refresh_email(app: &App, id: Uuid, email: String) -> Result<()> {
    let change = users::ActiveModel {
        id: Set(id),
        email_normalized: Set(Some(store::normalize_email(&email))),
        email: Set(Some(email)),
        ..Default::default()
    };
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            users::Entity::update(change).exec(txn).await?;
            Ok(())
        })
    });
    write.await
}

/// Creates the user of a new token's subject, with an individual account.
async fn create_user(app: &App, claims: &Claims) -> Result<users::Model> {
    let newcomer = claims.clone();
    let made = app.db.write(move |txn| Box::pin(insert(txn, newcomer))).await;
    match made {
        // Of two simultaneous first requests of one person, the second finds the user that the first created.
        Err(error) => store::user_by_identity(app.db.read(), &claims.issuer, &claims.subject).await?.ok_or(error),
        made => made,
    }
}

async fn insert(txn: &Txn, claims: Claims) -> Result<users::Model> {
    let at = txn.now().fixed_offset();
    let appeared = UserAppeared { user: claims.subject.clone() };
    let user = users::ActiveModel {
        id: Set(txn.new_id()),
        email_normalized: Set(claims.email.as_deref().map(store::normalize_email)),
        email: Set(claims.email),
        name: Set(claims.name),
        avatar_url: Set(None),
        locale: Set(None),
        role: Set(UserRole::User.to_string()),
        created_at: Set(at),
        last_active_at: Set(None),
        erased_at: Set(None),
    };
    let user = users::Entity::insert(user).exec_with_returning(txn).await?;
    let identity = user_identities::ActiveModel {
        id: Set(txn.new_id()),
        user_id: Set(user.id),
        issuer: Set(claims.issuer),
        subject: Set(claims.subject),
        created_at: Set(at),
    };
    user_identities::Entity::insert(identity).exec_without_returning(txn).await?;
    let account_id = txn.new_id();
    let account = accounts::ActiveModel {
        id: Set(account_id),
        kind: Set(AccountKind::Individual.to_string()),
        owner_id: Set(user.id),
        name: Set(None),
        currency: Set(None),
        ref_type: Set(None),
        ref_id: Set(None),
        created_at: Set(at),
        ..Default::default()
    };
    accounts::Entity::insert(account).exec_without_returning(txn).await?;
    let member = account_members::ActiveModel {
        id: Set(txn.new_id()),
        account_id: Set(account_id),
        user_id: Set(user.id),
        role: Set(MemberRole::Owner.to_string()),
        joined_at: Set(at),
        left_at: Set(None),
    };
    account_members::Entity::insert(member).exec_without_returning(txn).await?;
    txn.enqueue(&appeared).await?;
    Ok(user)
}

async fn by_api_key(app: &App, key: &str) -> Result<Viewer> {
    let unknown = || Error::Unauthenticated("The API key is unknown, expired or revoked.".into());
    let secret = ApiKeySecret::parse(key).ok_or_else(unknown)?;
    let row = store::api_key(app.db.read(), secret.prefix()).await?.ok_or_else(unknown)?;
    let now = app.now();
    let expired = row.expires_at.is_some_and(|at| at <= now);
    if !secret.matches(&row.hash) || expired || row.revoked_at.is_some() || !has_support(app, &row).await? {
        return Err(unknown());
    }
    let authority = Authority {
        key_id: Some(row.id),
        user_id: row.responsible_user_id,
        requires_admin: row.requires_admin,
        expires_at: row.expires_at.map(|at| at.to_utc()),
    };
    let permissions = Permissions::from_scopes(row.scopes.split(' '));
    let viewer = Viewer::from_api_key(&row.prefix, permissions).with_authority(authority);
    if row.last_used_at.is_none_or(|at| now.fixed_offset() - at >= LAST_USED_RESOLUTION) {
        app.last_use.note(Used::ApiKey(row.id), now);
    }
    Ok(viewer)
}

/// Returns whether the user who is responsible for a key still has the rights that they gave to it. Keys end with the
/// keys that they were created with by being revoked together, so only the person has to be looked at.
async fn has_support(app: &App, key: &api_keys::Model) -> Result<bool> {
    let Some(user_id) = key.responsible_user_id else { return Ok(true) };
    let Some(user) = store::user_by_id(app.db.read(), user_id).await? else { return Ok(false) };
    Ok(user.erased_at.is_none() && (!key.requires_admin || UserRole::parse(&user.role)? == UserRole::Admin))
}

/// Records the last use of an API key, unless a later one is recorded.
pub async fn record_key_use(txn: &Txn, id: Uuid, at: DateTime<Utc>) -> Result<()> {
    store::record_use(txn, id, at).await
}
