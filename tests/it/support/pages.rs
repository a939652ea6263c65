//! Pages in browsers, with their publishable keys.

use super::{Client, TestApp};
use entity::publishable_keys;
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::{Value, json};
use tollgate::app::App;

const CREATE: &str = "mutation($origins: [String!]!) {
    createPublishableKey(input: {name: \"the site\", origins: $origins, eventsPerMinute: 1000}) {
        publishableKey { id key origins eventsPerMinute createdBy revokedAt } userErrors { code } } }";

/// Creates a publishable key, for 1,000 events a minute.
pub(crate) async fn publishable_key(test: &TestApp, origins: &[&str]) -> Value {
    let mut made = test.admin().data(CREATE, json!({"origins": origins})).await["createPublishableKey"].take();
    assert_eq!(made["userErrors"], json!([]));
    made["publishableKey"].take()
}

/// A page of an origin that sends a key.
pub(crate) fn page<'a>(test: &'a TestApp, key: &Value, origin: &str) -> Client<'a> {
    test.bearer(key["key"].as_str()).with_header("origin", origin)
}

/// Adds publishable keys until there may be no more.
pub(crate) async fn use_up_keys(app: &App) {
    let at = app.now().fixed_offset();
    let rows = (0..100).map(|number| publishable_keys::ActiveModel {
        id: Set(app.new_id()),
        name: Set(format!("site {number}")),
        key: Set(format!("tgpub_{number:024}")),
        origins: Set("https://b.example".to_owned()),
        events_per_minute: Set(1_000),
        created_by: Set("system:test".to_owned()),
        created_at: Set(at),
        revoked_at: Set(None),
    });
    publishable_keys::Entity::insert_many(rows).exec_without_returning(app.db.schema()).await.unwrap();
}
