//! The metadata of a subscription at its provider, which the host application writes for itself.

use crate::app::App;
use crate::auth::{Permission, Viewer};
use serde_json::Value;

/// Returns the part of a subscription's metadata that the caller may see; `None` if there is none.
pub fn visible_metadata(app: &App, viewer: &Viewer, metadata: &Value) -> Option<Value> {
    if viewer.permissions().contains(Permission::BillingRead) {
        return Some(metadata.clone());
    }
    let listed = &app.config.subscription_metadata_fields;
    let visible = metadata.as_object()?.iter().filter(|(name, _)| listed.contains(name));
    let visible: serde_json::Map<_, _> = visible.map(|(name, value)| (name.clone(), value.clone())).collect();
    (!visible.is_empty()).then_some(Value::Object(visible))
}
