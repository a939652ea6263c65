//! Publishable keys: creating and revoking them, and the pages that send them.

use super::store;
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Page, Permission, PublishableKey, Viewer};
use crate::db::rows_for;
use crate::error::{Error, Result};
use entity::publishable_keys::{ActiveModel, Column, Entity, Model};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use std::collections::BTreeSet;
use url::Url;
use uuid::Uuid;

/// The maximum number of origins of a key.
const MAX_ORIGINS: usize = 20;
/// The maximum number of keys that are not revoked: all are read to answer a preflight.
const MAX_VALID_KEYS: u64 = 100;
/// The events in a minute for which a key can be created.
const EVENTS_PER_MINUTE: std::ops::RangeInclusive<i64> = 1_000..=1_000_000;

/// A publishable key to be created.
#[derive(Debug, Clone)]
pub struct NewPublishableKey {
    /// Its purpose for people to read.
    pub name: String,
    /// The web origins of the pages that may use it.
    pub origins: Vec<String>,
    /// The events that all pages together may record in a minute, on each node.
    pub events_per_minute: i64,
}

/// A request of a page.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest<'a> {
    /// The credential, which is meant to be a publishable key.
    pub key: &'a str,
    /// The origin of the page, as the browser names it; `None` if the request has none.
    pub origin: Option<&'a str>,
    /// True if the browser says by `Sec-GPC` that its user does not want to be tracked.
    pub opts_out: bool,
}

/// Creates a publishable key. It is valid until it is revoked.
pub async fn create_publishable_key(app: &App, viewer: &Viewer, new: NewPublishableKey) -> Result<Model> {
    viewer.require(Permission::KeysWrite)?;
    // Nobody grants more than they hold.
    viewer.require(Permission::EventsWrite)?;
    let name = new.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > 100 {
        return Err(Error::refused("NAME_INVALID", &["name"], "`name` must have 1 to 100 characters."));
    }
    if !EVENTS_PER_MINUTE.contains(&new.events_per_minute) {
        let message = "`eventsPerMinute` must be 1,000 to 1,000,000.";
        return Err(Error::refused("RATE_INVALID", &["eventsPerMinute"], message));
    }
    let origins = check_origins(&new.origins)?;
    let (key, actor) = (PublishableKey::generate(&mut rand::rng()), viewer.actor().to_owned());
    let created = app.db.write(move |txn| {
        Box::pin(async move {
            if store::count_valid_publishable_keys(txn).await? >= MAX_VALID_KEYS {
                let message = "There are 100 publishable keys that are not revoked: revoke one first.";
                return Err(Error::refused("TOO_MANY_KEYS", &[], message));
            }
            let row = ActiveModel {
                id: Set(txn.new_id()),
                name: Set(name),
                key: Set(key.as_str().to_owned()),
                origins: Set(origins.join(" ")),
                events_per_minute: Set(new.events_per_minute),
                created_by: Set(actor.clone()),
                created_at: Set(txn.now().fixed_offset()),
                revoked_at: Set(None),
            };
            let key = Entity::insert(row).exec_with_returning(txn).await?;
            let after = json!({"name": key.name, "key": key.key, "origins": origins,
                "eventsPerMinute": key.events_per_minute});
            txn.audit(&actor, AuditEntry::new("publishable_keys.create", "PublishableKey", key.id).after(after))
                .await?;
            Ok(key)
        })
    });
    created.await
}

/// Checks web origins, and returns each once, as browsers write it.
fn check_origins(origins: &[String]) -> Result<Vec<String>> {
    if origins.is_empty() || origins.len() > MAX_ORIGINS {
        return Err(Error::refused("ORIGIN_INVALID", &["origins"], "`origins` must be 1 to 20 origins."));
    }
    let checked: Option<BTreeSet<String>> = origins.iter().map(|origin| as_browsers_write(origin)).collect();
    checked.map(|origins| origins.into_iter().collect()).ok_or_else(|| {
        let message = "Each of `origins` must be an origin such as https://www.example.com, without a path.";
        Error::refused("ORIGIN_INVALID", &["origins"], message)
    })
}

/// Returns an origin as browsers write it; `None` for a text that is none.
fn as_browsers_write(origin: &str) -> Option<String> {
    let url = Url::parse(origin).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let written = url.origin().ascii_serialization();
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let is_exact = url.password().is_none() && !written.contains('*') && written.len() <= 255;
    (is_bare && is_exact).then_some(written)
}

/// Revokes a publishable key from the next request on. Revoking it again changes nothing.
pub async fn revoke_publishable_key(app: &App, viewer: &Viewer, id: Uuid) -> Result<Model> {
    viewer.require(Permission::KeysWrite)?;
    let (rows, actor) = (rows_for::<Entity>(viewer)?, viewer.actor().to_owned());
    let revoked = app.db.write(move |txn| {
        Box::pin(async move {
            let found = rows.filter(Column::Id.eq(id)).one(txn).await?;
            let not_found = || Error::refused("NOT_FOUND", &["publishableKeyId"], "Publishable key not found.");
            let key = found.ok_or_else(not_found)?;
            if key.revoked_at.is_some() {
                return Ok(key);
            }
            let now = txn.now().fixed_offset();
            let change = ActiveModel { id: Set(id), revoked_at: Set(Some(now)), ..Default::default() };
            let key = Entity::update(change).exec(txn).await?;
            let entry = AuditEntry::new("publishable_keys.revoke", "PublishableKey", id);
            txn.audit(&actor, entry.after(json!({"revokedAt": now}))).await?;
            Ok(key)
        })
    });
    revoked.await
}

/// Authenticates a page by its publishable key and origin. A browser cannot be made to name another origin than that of the
/// page, so that a key is of no use on the pages of others.
pub async fn sign_in_page(app: &App, request: PageRequest<'_>) -> Result<Viewer> {
    let unknown = || Error::Unauthenticated("The publishable key is unknown or revoked.".into());
    let key = PublishableKey::parse(request.key).ok_or_else(unknown)?;
    let row = store::publishable_key(app.db.read(), key.as_str()).await?.ok_or_else(unknown)?;
    if row.revoked_at.is_some() {
        return Err(unknown());
    }
    let origin = request.origin.ok_or(Error::Forbidden(
        "A publishable key is for pages in browsers, which send an Origin: use an API key elsewhere.".into(),
    ))?;
    if !has_origin(&row, origin) {
        let message = "This publishable key is not for pages of this origin: create one with the origin.";
        return Err(Error::Forbidden(message.into()));
    }
    let events_per_minute = u32::try_from(row.events_per_minute).map_err(Error::internal)?;
    Ok(Viewer::from_page(Page { key_id: row.id, events_per_minute, opts_out: request.opts_out }))
}

/// Returns whether pages of an origin may use any publishable key.
pub async fn is_page_origin(app: &App, origin: &str) -> Result<bool> {
    let keys = store::valid_publishable_keys(app.db.read()).await?;
    Ok(keys.iter().any(|key| has_origin(key, origin)))
}

fn has_origin(key: &Model, origin: &str) -> bool {
    key.origins.split(' ').any(|allowed| allowed == origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_kept_as_browsers_write_them() {
        for (text, written) in [
            ("https://a.example", Some("https://a.example")),
            ("HTTPS://A.Example/", Some("https://a.example")),
            ("https://a.example:443", Some("https://a.example")),
            ("http://localhost:3000", Some("http://localhost:3000")),
            ("https://bücher.example", Some("https://xn--bcher-kva.example")),
            ("https://a.example/path", None),
            ("https://a.example/?", None),
            ("https://ann@a.example", None),
            ("https://*.a.example", None),
            ("file:///a", None),
            ("null", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(as_browsers_write(text).as_deref(), written, "{text}");
        }
    }
}
