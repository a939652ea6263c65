//! The audit log after mutations of events and experiments.

use super::{Log, done};
use crate::support::TestApp;
use serde_json::{Value, json};

pub(super) async fn analytics(test: &TestApp, log: &mut Log<'_>) {
    let admin = test.admin();
    // Events are a log of their own, as assignments are.
    let events = json!({"events": [{"name": "a", "anonymousId": "v", "dedupeKey": "k"}]});
    done(&admin, "trackEvents", events, "results { outcome }").await;
    log.has_none("trackEvents").await;
    log.seen.insert("trackEvents".to_owned());
    done(&admin, "identify", json!({"anonymousId": "v"}), "user { id }").await;
    log.has_none("identify").await;
    log.seen.insert("identify".to_owned());

    let mut definition = json!({"code": "checkout", "name": "Checkout", "conversionEvent": "paid", "windowSeconds": 60,
        "plannedUnitCount": 9, "treatmentWeight": 3});
    let made = done(&admin, "createExperiment", definition.clone(), "experiment { id }").await;
    let experiment = &made["experiment"]["id"];
    definition["controlWeight"] = json!(1);
    log.has("createExperiment", "experiments.create", experiment, Value::Null, definition).await;

    done(&admin, "assignVariant", json!({"code": "checkout", "anonymousId": "v"}), "variant").await;
    log.has_none("assignVariant").await;
    log.seen.insert("assignVariant".to_owned());

    done(&admin, "endExperiment", json!({"experimentId": experiment}), "experiment { id }").await;
    let after = json!({"endedAt": test.app.now().fixed_offset()});
    log.has("endExperiment", "experiments.end", experiment, Value::Null, after).await;
}
