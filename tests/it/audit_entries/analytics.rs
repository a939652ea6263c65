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

    done(&admin, "recordConsent", json!({"anonymousId": "v", "decision": "GRANTED"}), "decidedAt").await;
    log.has_none("recordConsent").await;
    log.seen.insert("recordConsent".to_owned());

    let mut definition = json!({"code": "checkout", "name": "Checkout", "conversionEvent": "paid", "windowSeconds": 60,
        "plannedUnitCount": 9, "treatmentWeight": 3});
    let made = done(&admin, "createExperiment", definition.clone(), "experiment { id }").await;
    let experiment = &made["experiment"]["id"];
    definition["controlWeight"] = json!(1);
    log.has("createExperiment", "experiments.create", experiment, Value::Null, definition).await;

    let definition = json!({"code": "sign-up", "name": "Sign-up", "steps": ["a", "b"], "windowSeconds": 60});
    let made = done(&admin, "createFunnel", definition.clone(), "funnel { id }").await;
    log.has("createFunnel", "funnels.create", &made["funnel"]["id"], Value::Null, definition).await;
    let definition = json!({"code": "use", "name": "Use", "weights": [{"eventName": "a", "weight": 3}]});
    let made = done(&admin, "createEngagementScore", definition.clone(), "engagementScore { id }").await;
    let score = &made["engagementScore"]["id"];
    log.has("createEngagementScore", "engagement_scores.create", score, Value::Null, definition).await;

    done(&admin, "assignVariant", json!({"code": "checkout", "anonymousId": "v"}), "variant").await;
    log.has_none("assignVariant").await;
    log.seen.insert("assignVariant".to_owned());

    done(&admin, "endExperiment", json!({"experimentId": experiment}), "experiment { id }").await;
    let after = json!({"endedAt": test.app.now().fixed_offset()});
    log.has("endExperiment", "experiments.end", experiment, Value::Null, after).await;

    // So are errors, and the figures that the host application reports.
    let errors = json!({"errors": [{"errorType": "Timeout", "message": "no answer", "dedupeKey": "k"}]});
    done(&admin, "logErrors", errors, "results { outcome }").await;
    log.has_none("logErrors").await;
    let campaign = json!({"code": "spring", "name": "Spring", "sentAt": "2026-01-01T00:00:00Z", "sentCount": 1,
        "deliveredCount": 1});
    done(&admin, "recordEmailCampaign", campaign, "emailCampaign { id }").await;
    log.has_none("recordEmailCampaign").await;
    let day = test.app.now().date_naive();
    let stats = json!({"stats": [{"partnerCode": "hotels", "day": day, "currency": "EUR", "bookingCount": 1,
        "revenueMinor": "1"}]});
    done(&admin, "recordPartnerStats", stats, "results { outcome }").await;
    log.has_none("recordPartnerStats").await;
    for unlogged in ["logErrors", "recordEmailCampaign", "recordPartnerStats"] {
        log.seen.insert(unlogged.to_owned());
    }

    let groups = admin.data("{ errorGroups { nodes { id } } }", json!({})).await;
    let group = &groups["errorGroups"]["nodes"][0]["id"];
    done(&admin, "resolveErrorGroup", json!({"errorGroupId": group}), "errorGroup { id }").await;
    let after = json!({"resolvedAt": test.app.now().fixed_offset()});
    log.has("resolveErrorGroup", "error_groups.resolve", group, json!({"resolvedAt": null}), after).await;
}
