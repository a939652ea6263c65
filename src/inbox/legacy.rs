//! Jobs of an older version, which name an object without its kind.

use super::apply::ignored;
use super::jobs::ApplyObject;
use super::store::Store;
use super::version::ObjectVersion;
use super::{envelope, waiting};
use crate::app::App;
use crate::error::Result;
use crate::providers::Provider;
use std::collections::BTreeSet;

/// Enqueues the application of every object with this id: one of each kind that has events to apply.
pub(super) async fn enqueue_kinds(app: &App, provider: Provider, object_id: String) -> Result<()> {
    app.db
        .write(move |txn| {
            Box::pin(async move {
                let store = Store { txn, provider };
                let mut kinds = BTreeSet::new();
                for event in store.pending_of_any_kind(&object_id).await? {
                    let version = ObjectVersion::read(provider, event);
                    match version.kind {
                        Some(kind) => _ = kinds.insert(kind),
                        None => {
                            let reason = envelope::unmirrored(provider, &version.event_type, &version.object);
                            store.finish(&[version.event_id], ignored(reason)).await?;
                        }
                    }
                }
                let object = |kind| ApplyObject { provider, kind: Some(kind), object_id: object_id.clone() };
                waiting::enqueue(txn, kinds.into_iter().map(object).collect()).await
            })
        })
        .await
}
