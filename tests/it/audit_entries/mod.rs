//! The audit log after each mutation that needs no provider: who did it, to what, and the values before and after.

mod analytics;
mod credits;
mod keys;

use crate::support::{
    self, Client, Schema, TestApp, both_engines, global_id, insert_security_events, licences, local_id,
};
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tollgate::auth::Permission;

both_engines!(
    each_mutation_leaves_one_entry_with_what_changed,
    a_refused_mutation_and_a_query_leave_none,
    every_kind_of_caller_is_named,
    entries_are_found_by_actor_action_object_and_time,
    an_entry_holds_no_secret,
);

const LOG: &str = "{ auditLog(first: 1) { nodes { at actor action entityType entityId before after } totalCount } }";

/// Sends a mutation with its input, and returns its payload, which must have no user errors.
async fn done(caller: &Client<'_>, mutation: &str, input: Value, payload: &str) -> Value {
    let query = support::mutation(mutation, &format!("{payload} userErrors {{ code message }}"));
    let payload = caller.data(&query, json!({"input": input})).await[mutation].take();
    assert_eq!(payload["userErrors"], json!([]), "{mutation}");
    payload
}

/// Returns the newest entry, and the number of entries.
async fn newest(test: &TestApp) -> (Value, u64) {
    let log = test.admin().data(LOG, json!({})).await["auditLog"].take();
    (log["nodes"][0].clone(), log["totalCount"].as_u64().unwrap())
}

/// A log that grows by one entry with each mutation.
struct Log<'a> {
    test: &'a TestApp,
    admin: Value,
    count: u64,
    seen: BTreeSet<String>,
}

impl<'a> Log<'a> {
    async fn begin(test: &'a TestApp) -> Log<'a> {
        let admin = test.admin().data("{ viewer { user { id } } }", json!({})).await;
        let (_, admin) = local_id(admin["viewer"]["user"]["id"].as_str().unwrap());
        let (_, count) = newest(test).await;
        Log { test, admin: json!(format!("user:{admin}")), count, seen: BTreeSet::new() }
    }

    /// Checks that exactly this entry has come, on this object.
    async fn has(&mut self, mutation: &str, action: &str, id: &Value, before: Value, after: Value) {
        let (entry, count) = newest(self.test).await;
        assert_eq!(count, self.count + 1, "{mutation} leaves one entry: {entry}");
        let (entity_type, _) = local_id(id.as_str().unwrap());
        let at = self.test.app.now().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
        let expected = json!({"at": at, "actor": self.admin, "action": action, "entityType": entity_type,
            "entityId": id, "before": before, "after": after});
        assert_eq!(entry, expected, "{mutation}");
        self.count = count;
        self.seen.insert(mutation.to_owned());
        self.test.advance(TimeDelta::seconds(1));
    }

    /// Checks that nothing has come.
    async fn has_none(&self, mutation: &str) {
        let (entry, count) = newest(self.test).await;
        assert_eq!(count, self.count, "{mutation} leaves none: {entry}");
    }
}

/// Mutations that need a provider; `stripe_mutations/audit.rs` has their entries, `replay.rs` and `reconcile.rs` those of
/// the inbox.
const ELSEWHERE: &[&str] = &[
    "publishPlanToStripe",
    "cancelSubscription",
    "resumeSubscription",
    "pauseSubscription",
    "extendTrial",
    "changePlan",
    "undoScheduledChange",
    "addAddon",
    "removeAddon",
    "applyPromoCode",
    "startCheckout",
    "createSubscription",
    "purchaseCredits",
    "openBillingPortal",
    "requestRefund",
    "approveRefund",
    "denyRefund",
    "createCoupon",
    "createPromoCode",
    "deactivatePromoCode",
    "buyGift",
    "redeemGift",
    "replaceGiftCode",
    "replayWebhookEvent",
    "replayWebhookEvents",
    "reconcile",
    "resyncAccount",
    // It changes nothing.
    "createPurchaseReference",
    // No person and no service does it, but an application that has a key.
    "registerDevice",
];

async fn each_mutation_leaves_one_entry_with_what_changed(test: &TestApp) {
    let mut log = Log::begin(test).await;
    catalogue(test, &mut log).await;
    credits::credits(test, &mut log).await;
    usage(test, &mut log).await;
    entitlements(test, &mut log).await;
    analytics::analytics(test, &mut log).await;
    keys::keys(test, &mut log).await;
    licences(test, &mut log).await;
    events(test, &mut log).await;
    let all: BTreeSet<String> = Schema::of(test).await.fields("Mutation").into_iter().map(|field| field.name).collect();
    let seen: BTreeSet<String> = log.seen.into_iter().chain(ELSEWHERE.iter().map(|name| (*name).to_owned())).collect();
    assert_eq!(all, seen, "each mutation has its entry here or elsewhere");
}

async fn catalogue(test: &TestApp, log: &mut Log<'_>) {
    let admin = test.admin();
    let input = json!({"code": "pro", "kind": "PLAN", "name": " Pro ", "description": "All of it", "rank": 7});
    let plan = done(&admin, "createPlan", input, "plan { id }").await["plan"]["id"].take();
    let first =
        json!({"code": "pro", "kind": "plan", "name": "Pro", "description": "All of it", "rank": 7, "active": true});
    log.has("createPlan", "plans.create", &plan, Value::Null, first.clone()).await;

    let input = json!({"planId": plan, "name": "Max", "description": null, "active": false});
    done(&admin, "updatePlan", input, "plan { id }").await;
    let second = json!({"code": "pro", "kind": "plan", "name": "Max", "description": null, "rank": 7, "active": false});
    log.has("updatePlan", "plans.update", &plan, first, second).await;

    let input = json!({"code": "export", "kind": "LIMIT", "name": "Export", "unit": "files"});
    let feature = done(&admin, "createFeature", input, "feature { id }").await["feature"]["id"].take();
    let after = json!({"code": "export", "kind": "limit", "name": "Export", "meter": "export"});
    log.has("createFeature", "features.create", &feature, Value::Null, after).await;

    let input = json!({"code": "gold", "name": "Gold", "decimals": 3});
    let unit = done(&admin, "createCreditUnit", input, "creditUnit { id }").await["creditUnit"]["id"].take();
    let after = json!({"code": "gold", "name": "Gold", "decimals": 3});
    log.has("createCreditUnit", "credit_units.create", &unit, Value::Null, after).await;

    let parts = json!({
        "prices": [{"currency": "EUR", "unitAmount": "900", "interval": "MONTH", "trialDays": 14}],
        "features": [{"feature": "export", "limit": "10", "window": "DAY", "onExceed": "WARN"}],
        "creditAllowances": [{"unit": "gold", "amount": "5", "cadence": "BILLING", "rolloverCap": "50"}],
    });
    let mut input = parts.clone();
    input["planId"] = plan;
    let version = done(&admin, "createPlanVersion", input, "planVersion { id }").await["planVersion"]["id"].take();
    let after = json!({
        "prices": [{"currency": "EUR", "unit_amount_minor": 900, "interval": "month", "interval_count": 1,
            "trial_days": 14}],
        "features": [{"feature": "export", "value": null, "limit": 10, "window": "day", "rollover_cap": null,
            "on_exceed": "warn", "overage": null}],
        "allowances": [{"unit": "gold", "amount": 5, "cadence": "billing", "expires_after_days": null,
            "rollover_cap": 50, "priority": 0, "on_plan_change": "replace"}],
        "access": {"past_due_grace_days": null, "while_paused": false, "in_trial": true},
    });
    log.has("createPlanVersion", "plan_versions.create", &version, Value::Null, after.clone()).await;

    let input = json!({"planVersionId": version, "prices": parts["prices"]});
    done(&admin, "updatePlanVersion", input, "planVersion { id }").await;
    let after = json!({"prices": after["prices"], "features": [], "allowances": [], "access": after["access"]});
    log.has("updatePlanVersion", "plan_versions.update", &version, Value::Null, after).await;

    let published = done(&admin, "publishPlanVersion", json!({"planVersionId": version}), "planVersion { id }").await;
    assert_eq!(published["planVersion"]["id"], version);
    let now = json!(test.app.now().fixed_offset());
    let after = json!({"number": 1, "publishedAt": now});
    log.has("publishPlanVersion", "plan_versions.publish", &version, Value::Null, after).await;
}

async fn usage(test: &TestApp, log: &mut Log<'_>) {
    let admin = test.admin();
    let input = json!({"code": "tokens", "name": "Tokens", "aggregation": "SUM", "groupBy": "model"});
    let meter = done(&admin, "createMeter", input, "meter { id }").await["meter"]["id"].take();
    let after =
        json!({"code": "tokens", "name": "Tokens", "aggregation": "sum", "valuePath": null, "groupBy": "model"});
    log.has("createMeter", "meters.create", &meter, Value::Null, after).await;

    let rates = json!([{"quantity": "value", "credits": "1", "per": "10"}]);
    let input = json!({"meter": "tokens", "unit": "gold", "rates": rates});
    let card = done(&admin, "createRateCard", input, "rateCard { id }").await["rateCard"]["id"].take();
    let (entry, _) = newest(test).await;
    let after = entry["after"].clone();
    assert_eq!((&after["meter"], &after["unit"], &after["endsAt"]), (&json!("tokens"), &json!("gold"), &Value::Null));
    assert_eq!(after["rates"], json!([{"quantity": "value", "credits": 1, "per": 10}]));
    log.has("createRateCard", "rate_cards.create", &card, Value::Null, after).await;

    // Events are a log of their own.
    let account = test.user("ann").data("{ viewer { account { id } } }", json!({})).await;
    let account = account["viewer"]["account"]["id"].clone();
    let event = json!({"accountId": account, "meter": "tokens", "value": 5, "dedupeKey": "k"});
    let recorded = done(&admin, "recordUsage", json!({"events": [event]}), "results { event { id } }").await;
    log.has_none("recordUsage").await;
    log.seen.insert("recordUsage".to_owned());

    let event = &recorded["results"][0]["event"]["id"];
    let input = json!({"usageEventId": event, "reason": "twice", "idempotencyKey": "c"});
    let correction = done(&admin, "correctUsage", input.clone(), "correction { id }").await;
    let correction = &correction["correction"]["id"];
    let (_, local) = local_id(event.as_str().unwrap());
    let after = json!({"correctsId": local, "value": -5, "credits": -1, "reason": "twice"});
    log.has("correctUsage", "usage.correct", correction, Value::Null, after).await;
    done(&admin, "correctUsage", input, "correction { id }").await;
    log.has_none("a repeated correctUsage").await;

    let now = json!(test.app.now().fixed_offset());
    done(&admin, "endRateCard", json!({"rateCardId": card}), "rateCard { id }").await;
    log.has("endRateCard", "rate_cards.end", &card, json!({"endsAt": null}), json!({"endsAt": now})).await;
    done(&admin, "endRateCard", json!({"rateCardId": card, "endsAt": now}), "rateCard { id }").await;
    log.has_none("a repeated endRateCard").await;
}

async fn entitlements(test: &TestApp, log: &mut Log<'_>) {
    let admin = test.admin();
    let account = test.user("ann").data("{ viewer { account { id } } }", json!({})).await;
    let account = account["viewer"]["account"]["id"].clone();
    let input =
        json!({"accountId": account, "feature": "export", "limit": "3", "window": "DAY", "reason": "a promise"});
    let given = done(&admin, "setEntitlementOverride", input, "entitlementOverride { id }").await;
    let given = &given["entitlementOverride"]["id"];
    let after = json!({"feature": "export", "granted": true, "value": null, "limit": 3, "window": "day",
        "reason": "a promise", "expiresAt": null, "replaced": []});
    log.has("setEntitlementOverride", "entitlement_overrides.set", given, Value::Null, after).await;

    // Counters and the ledger are logs of their own.
    let input = json!({"accountId": account, "feature": "export", "idempotencyKey": "use"});
    done(&admin, "consume", input, "consumed").await;
    log.has_none("consume").await;
    log.seen.insert("consume".to_owned());

    done(&admin, "revokeEntitlementOverride", json!({"entitlementOverrideId": given}), "entitlementOverride { id }")
        .await;
    let after = json!({"revokedAt": test.app.now().fixed_offset()});
    log.has("revokeEntitlementOverride", "entitlement_overrides.revoke", given, Value::Null, after).await;

    let input = json!({"code": "logins", "maxCount": 5, "windowSeconds": 60});
    let rule = done(&admin, "createRateLimit", input, "rateLimit { id }").await["rateLimit"]["id"].take();
    let first = json!({"code": "logins", "maxCount": 5, "windowSeconds": 60});
    log.has("createRateLimit", "rate_limits.create", &rule, Value::Null, first.clone()).await;
    done(&admin, "updateRateLimit", json!({"rateLimitId": rule, "maxCount": 6}), "rateLimit { id }").await;
    let second = json!({"code": "logins", "maxCount": 6, "windowSeconds": 60});
    log.has("updateRateLimit", "rate_limits.update", &rule, first, second).await;
    done(&admin, "takeRateLimit", json!({"code": "logins", "identifier": "ann"}), "allowed").await;
    log.has_none("takeRateLimit").await;
    log.seen.insert("takeRateLimit".to_owned());
}

async fn licences(test: &TestApp, log: &mut Log<'_>) {
    let admin = test.admin();
    let account = test.user("ann").data("{ viewer { account { id } } }", json!({})).await;
    let account = account["viewer"]["account"]["id"].clone();
    let input = json!({"accountId": account, "maxDevices": 2, "idempotencyKey": "l"});
    let issued = done(&admin, "issueLicenseKey", input, "licenseKey { id keyPrefix } key").await;
    let (licence, prefix) = (&issued["licenseKey"]["id"], &issued["licenseKey"]["keyPrefix"]);
    let after = json!({"keyPrefix": prefix, "maxDevices": 2});
    log.has("issueLicenseKey", "license_keys.issue", licence, Value::Null, after).await;

    let replaced =
        done(&admin, "replaceLicenseKey", json!({"licenseKeyId": licence}), "licenseKey { keyPrefix }").await;
    let next = &replaced["licenseKey"]["keyPrefix"];
    let (before, after) = (json!({"keyPrefix": prefix}), json!({"keyPrefix": next}));
    log.has("replaceLicenseKey", "license_keys.replace", licence, before, after).await;

    let (bought, _) = licences::bought(&test.app, local_id(account.as_str().unwrap()).1).await;
    let bought = json!(global_id("LicenseKey", bought));
    let shown = done(&admin, "revealLicenseKey", json!({"licenseKeyId": bought}), "licenseKey { keyPrefix }").await;
    let after = json!({"keyPrefix": shown["licenseKey"]["keyPrefix"]});
    log.has("revealLicenseKey", "license_keys.reveal", &bought, Value::Null, after).await;

    let (_, row) = local_id(licence.as_str().unwrap());
    let device = licences::device(&test.app, local_id(account.as_str().unwrap()).1, row).await;
    let device = json!(global_id("Device", device));
    done(&admin, "revokeDevice", json!({"deviceId": device}), "device { id }").await;
    let after = json!({"revokedAt": test.app.now().fixed_offset()});
    log.has("revokeDevice", "devices.revoke", &device, Value::Null, after).await;
    done(&admin, "revokeDevice", json!({"deviceId": device}), "device { id }").await;
    log.has_none("a repeated revokeDevice").await;

    let input = json!({"licenseKeyId": licence, "reason": "shared"});
    done(&admin, "revokeLicenseKey", input.clone(), "licenseKey { id }").await;
    let after = json!({"revokedAt": test.app.now().fixed_offset(), "reason": "shared"});
    log.has("revokeLicenseKey", "license_keys.revoke", licence, Value::Null, after).await;
    done(&admin, "revokeLicenseKey", input, "licenseKey { id }").await;
    log.has_none("a repeated revokeLicenseKey").await;
}

async fn events(test: &TestApp, log: &mut Log<'_>) {
    let event = json!(global_id("SecurityEvent", insert_security_events(&test.app, 1).await[0]));
    let input = json!({"securityEventId": event, "resolution": "our own scanner"});
    done(&test.admin(), "resolveSecurityEvent", input, "securityEvent { id }").await;
    let after = json!({"resolvedAt": test.app.now().fixed_offset(), "resolution": "our own scanner"});
    log.has("resolveSecurityEvent", "security_events.resolve", &event, Value::Null, after).await;
}

async fn a_refused_mutation_and_a_query_leave_none(test: &TestApp) {
    let log = Log::begin(test).await;
    for (mutation, input) in [
        ("createPlan", json!({"code": "No", "kind": "PLAN", "name": "A", "rank": 1})),
        ("createFeature", json!({"code": "f", "kind": "SWITCH", "name": ""})),
        ("createCreditUnit", json!({"code": "u", "name": "U", "decimals": 13})),
        ("createApiKey", json!({"name": "k", "scopes": []})),
    ] {
        let query = support::mutation(mutation, "userErrors { code }");
        let refused = test.admin().data(&query, json!({"input": input})).await;
        assert_eq!(refused[mutation]["userErrors"].as_array().unwrap().len(), 1, "{refused}");
        log.has_none(mutation).await;
        assert_eq!(test.user("ann").code(&query, json!({"input": input})).await, "FORBIDDEN");
        assert_eq!(test.anonymous().code(&query, json!({"input": input})).await, "UNAUTHENTICATED");
        log.has_none(mutation).await;
    }
    test.admin().data("{ users { totalCount } plans { totalCount } auditLog { totalCount } }", json!({})).await;
    log.has_none("a query").await;
}

async fn every_kind_of_caller_is_named(test: &TestApp) {
    let unit = |code: &str| json!({"code": code, "name": "U"});
    let actor = async || newest(test).await.0["actor"].as_str().unwrap().to_owned();
    done(&test.service(&[Permission::CatalogueWrite]), "createCreditUnit", unit("a"), "creditUnit { id }").await;
    assert_eq!(actor().await, "service:backend");
    let input = json!({"name": "k", "scopes": ["catalogue:write"]});
    let key = done(&test.admin(), "createApiKey", input, "apiKey { prefix } secret").await;
    let client = test.bearer(key["secret"].as_str());
    done(&client, "createCreditUnit", unit("b"), "creditUnit { id }").await;
    assert_eq!(actor().await, format!("key:{}", key["apiKey"]["prefix"].as_str().unwrap()));
    done(&test.admin(), "createCreditUnit", unit("c"), "creditUnit { id }").await;
    let admin = test.admin().data("{ viewer { user { id } } }", json!({})).await;
    let (_, admin) = local_id(admin["viewer"]["user"]["id"].as_str().unwrap());
    assert_eq!(actor().await, format!("user:{admin}"));
}

async fn entries_are_found_by_actor_action_object_and_time(test: &TestApp) {
    let mut ids = Vec::new();
    for code in ["a", "b", "c"] {
        let input = json!({"code": code, "name": "U"});
        let made = done(&test.admin(), "createCreditUnit", input.clone(), "creditUnit { id }").await;
        ids.push(made["creditUnit"]["id"].clone());
        let input = json!({"code": code, "kind": "SWITCH", "name": "F"});
        done(&test.service(&[Permission::CatalogueWrite]), "createFeature", input, "feature { id }").await;
        test.advance(TimeDelta::hours(1));
    }
    let count = async |filter: &str| {
        let query = format!("{{ auditLog(filter: {{{filter}}}) {{ totalCount nodes {{ entityId }} }} }}");
        test.admin().data(&query, json!({})).await["auditLog"].take()
    };
    for (filter, expected) in [
        ("", 6),
        ("actor: \"service:backend\"", 3),
        ("actor: \"service:back\"", 0),
        ("action: \"credit_units.create\"", 3),
        ("action: \"credit_units.create\", actor: \"service:backend\"", 0),
        ("at: {from: \"2026-01-15T13:00:00Z\"}", 4),
        ("at: {to: \"2026-01-15T13:00:00Z\"}", 2),
        ("at: {from: \"2026-01-15T13:00:00Z\", to: \"2026-01-15T14:00:00Z\"}, action: \"features.create\"", 1),
        ("at: {from: \"2026-01-15T14:00:01Z\"}", 0),
    ] {
        assert_eq!(count(filter).await["totalCount"], expected, "{filter}");
    }
    for id in &ids {
        assert_eq!(count(&format!("entityId: {id}")).await["nodes"], json!([{"entityId": id}]));
    }
}

async fn an_entry_holds_no_secret(test: &TestApp) {
    let admin = test.admin();
    let key = done(&admin, "createApiKey", json!({"name": "k", "scopes": ["audit:read"]}), "secret").await;
    let account = test.user("ann").data("{ viewer { account { id } } }", json!({})).await;
    let input = json!({"accountId": account["viewer"]["account"]["id"], "idempotencyKey": "l"});
    let licence = done(&admin, "issueLicenseKey", input, "licenseKey { id } key").await;
    let input = json!({"licenseKeyId": licence["licenseKey"]["id"]});
    let replaced = done(&admin, "replaceLicenseKey", input, "key").await;
    let log = test.admin().post("{ auditLog { nodes { before after } } }", json!({})).await.body;
    for secret in [&key["secret"], &licence["key"], &replaced["key"]] {
        let secret = secret.as_str().unwrap();
        let last = secret.rsplit(['_', '-']).next().unwrap();
        assert!(last.len() > 3 && !log.contains(last), "{last} is in {log}");
    }
}
