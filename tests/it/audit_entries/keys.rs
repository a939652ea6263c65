//! The audit log after mutations of API keys and publishable keys.

use super::{Log, done};
use crate::support::TestApp;
use serde_json::{Value, json};

pub(super) async fn keys(test: &TestApp, log: &mut Log<'_>) {
    let admin = test.admin();
    let input = json!({"name": " back end ", "scopes": ["billing:read", "audit:read", "billing:read"]});
    let made = done(&admin, "createApiKey", input, "apiKey { id prefix }").await["apiKey"].take();
    let after = json!({"name": "back end", "prefix": made["prefix"], "scopes": "billing:read audit:read"});
    log.has("createApiKey", "api_keys.create", &made["id"], Value::Null, after).await;
    done(&admin, "revokeApiKey", json!({"apiKeyId": made["id"]}), "apiKey { id }").await;
    let after = json!({"revokedAt": test.app.now().fixed_offset()});
    log.has("revokeApiKey", "api_keys.revoke", &made["id"], Value::Null, after).await;
    done(&admin, "revokeApiKey", json!({"apiKeyId": made["id"]}), "apiKey { id }").await;
    log.has_none("a repeated revokeApiKey").await;
    let input =
        json!({"name": " site ", "origins": ["https://b.example/", "https://a.example"], "eventsPerMinute": 2_000});
    let made = done(&admin, "createPublishableKey", input, "publishableKey { id key }").await["publishableKey"].take();
    let origins = ["https://a.example", "https://b.example"];
    let after = json!({"name": "site", "key": made["key"], "origins": origins, "eventsPerMinute": 2_000});
    log.has("createPublishableKey", "publishable_keys.create", &made["id"], Value::Null, after).await;
    let key = json!({"publishableKeyId": made["id"]});
    done(&admin, "revokePublishableKey", key.clone(), "publishableKey { id }").await;
    let after = json!({"revokedAt": test.app.now().fixed_offset()});
    log.has("revokePublishableKey", "publishable_keys.revoke", &made["id"], Value::Null, after).await;
    done(&admin, "revokePublishableKey", key, "publishableKey { id }").await;
    log.has_none("a repeated revokePublishableKey").await;
}
