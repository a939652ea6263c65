//! Each mutation's user errors: every code that the schema promises is given by some input, and names the field.

use crate::support::{Schema, TestApp, World, both_engines, global_id, licences};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

both_engines!(
    every_user_error_is_given_and_names_its_field,
    a_refusal_leaves_nothing_behind,
    an_error_of_one_mutation_leaves_the_payloads_of_the_others
);

/// Mutations that say no only where there is a Stripe to ask: the tests that have one give their codes.
const AT_STRIPE: &[&str] = &[
    // checkouts.rs
    "startCheckout",
    "createSubscription",
    "purchaseCredits",
    "openBillingPortal",
    // subscription_changes.rs
    "cancelSubscription",
    "resumeSubscription",
    "pauseSubscription",
    "changePlan",
    "undoScheduledChange",
    "addAddon",
    "removeAddon",
    "applyPromoCode",
    // publishing.rs and coupons.rs
    "publishPlanToStripe",
    "createCoupon",
    "createPromoCode",
    "deactivatePromoCode",
    "extendTrial",
    // refunds_made.rs and gifts.rs
    "requestRefund",
    "approveRefund",
    "denyRefund",
    "buyGift",
    "redeemGift",
    "replaceGiftCode",
];

/// Mutation, code, field at fault, input. Words in capitals stand for rows of the world.
const REFUSALS: &[(&str, &str, &str, &str)] = &[
    ("createPlan", "CODE_INVALID", "code", "code: \"No\", kind: PLAN, name: \"A\", rank: 1"),
    ("createPlan", "CODE_INVALID", "code", "code: \"\", kind: PLAN, name: \"A\", rank: 1"),
    ("createPlan", "CODE_INVALID", "code", "code: \"LONG\", kind: PLAN, name: \"A\", rank: 1"),
    ("createPlan", "CODE_TAKEN", "code", "code: \"sold\", kind: PLAN, name: \"A\", rank: 1"),
    ("createPlan", "NAME_INVALID", "name", "code: \"a\", kind: PLAN, name: \" \", rank: 1"),
    ("createPlan", "NAME_INVALID", "name", "code: \"a\", kind: PLAN, name: \"LONG\", rank: 1"),
    ("updatePlan", "NOT_FOUND", "planId", "planId: \"NO_PLAN\", name: \"A\""),
    ("updatePlan", "NAME_INVALID", "name", "planId: \"PLAN\", name: \"\""),
    ("createFeature", "CODE_INVALID", "code", "code: \"1st\", kind: SWITCH, name: \"A\""),
    ("createFeature", "CODE_TAKEN", "code", "code: \"export\", kind: LIMIT, name: \"A\""),
    ("createFeature", "NAME_INVALID", "name", "code: \"a\", kind: SWITCH, name: \"\""),
    ("createCreditUnit", "CODE_INVALID", "code", "code: \"ä\", name: \"A\""),
    ("createCreditUnit", "CODE_TAKEN", "code", "code: \"credit\", name: \"A\""),
    ("createCreditUnit", "NAME_INVALID", "name", "code: \"a\", name: \"\""),
    ("createCreditUnit", "DECIMALS_INVALID", "decimals", "code: \"a\", name: \"A\", decimals: 13"),
    ("createCreditUnit", "DECIMALS_INVALID", "decimals", "code: \"a\", name: \"A\", decimals: -1"),
    ("createCreditUnit", "DECIMALS_INVALID", "decimals", "code: \"a\", name: \"A\", decimals: 65536"),
    ("createPlanVersion", "NOT_FOUND", "planId", "planId: \"NO_PLAN\", prices: []"),
    ("createPlanVersion", "PRICE_INVALID", "prices", "planId: \"PLAN\", prices: [PRICE, PRICE]"),
    ("createPlanVersion", "PRICE_INVALID", "prices", "planId: \"PLAN\", prices: [MINUS]"),
    ("createPlanVersion", "FEATURE_INVALID", "features", "planId: \"PLAN\", prices: [], features: [{feature: \"no\"}]"),
    ("createPlanVersion", "FEATURE_INVALID", "features", "planId: \"PLAN\", prices: [], features: [FEATURE, FEATURE]"),
    (
        "createPlanVersion",
        "ALLOWANCE_INVALID",
        "creditAllowances",
        "planId: \"PLAN\", prices: [], creditAllowances: [NO_UNIT]",
    ),
    (
        "createPlanVersion",
        "ALLOWANCE_INVALID",
        "creditAllowances",
        "planId: \"PLAN\", prices: [], creditAllowances: [ZERO]",
    ),
    ("updatePlanVersion", "NOT_FOUND", "planVersionId", "planVersionId: \"NO_VERSION\", prices: []"),
    ("updatePlanVersion", "ALREADY_PUBLISHED", "planVersionId", "planVersionId: \"PUBLISHED\", prices: []"),
    (
        "updatePlanVersion",
        "PRICE_INVALID",
        "prices",
        "planVersionId: \"DRAFT\", prices: [{currency: \"USD\", unitAmount: 1, interval: DAY, intervalCount: 366}]",
    ),
    (
        "updatePlanVersion",
        "FEATURE_INVALID",
        "features",
        "planVersionId: \"DRAFT\", prices: [], features: [{feature: \"export\", limit: -1}]",
    ),
    (
        "updatePlanVersion",
        "ALLOWANCE_INVALID",
        "creditAllowances",
        "planVersionId: \"DRAFT\", prices: [], creditAllowances: [ZERO]",
    ),
    ("publishPlanVersion", "NOT_FOUND", "planVersionId", "planVersionId: \"NO_VERSION\""),
    ("publishPlanVersion", "ALREADY_PUBLISHED", "planVersionId", "planVersionId: \"PUBLISHED\""),
    ("publishPlanVersion", "PRICE_MISSING", "planVersionId", "planVersionId: \"UNPRICED\""),
    ("grantCredits", "ACCOUNT_NOT_FOUND", "accountId", "accountId: \"NO_ACCOUNT\", unit: \"credit\", amount: 1, KEY"),
    ("grantCredits", "UNIT_NOT_FOUND", "unit", "accountId: \"ACCOUNT\", unit: \"no\", amount: 1, KEY"),
    ("grantCredits", "AMOUNT_INVALID", "amount", "accountId: \"ACCOUNT\", unit: \"credit\", amount: 0, KEY"),
    ("grantCredits", "AMOUNT_INVALID", "amount", "accountId: \"ACCOUNT\", unit: \"credit\", amount: -1, KEY"),
    (
        "grantCredits",
        "AMOUNT_INVALID",
        "amount",
        "accountId: \"ACCOUNT\", unit: \"credit\", amount: \"9223372036854775807\", KEY",
    ),
    (
        "grantCredits",
        "EXPIRY_INVALID",
        "expiresAt",
        "accountId: \"ACCOUNT\", unit: \"credit\", amount: 1, expiresAt: \"2026-01-15T12:00:00Z\", KEY",
    ),
    (
        "grantCredits",
        "REASON_INVALID",
        "reason",
        "accountId: \"ACCOUNT\", unit: \"credit\", amount: 1, reason: \"LONG\", KEY",
    ),
    ("createApiKey", "NAME_INVALID", "name", "name: \"\", scopes: [\"keys:write\"]"),
    ("createApiKey", "NAME_INVALID", "name", "name: \"LONG\", scopes: [\"keys:write\"]"),
    ("createApiKey", "SCOPE_INVALID", "scopes", "name: \"a\", scopes: [\"everything\"]"),
    (
        "createApiKey",
        "EXPIRY_INVALID",
        "expiresAt",
        "name: \"a\", scopes: [\"keys:write\"], expiresAt: \"2026-01-15T12:00:00Z\"",
    ),
    ("revokeApiKey", "NOT_FOUND", "apiKeyId", "apiKeyId: \"NO_KEY\""),
    ("issueLicenseKey", "ACCOUNT_NOT_FOUND", "accountId", "accountId: \"NO_ACCOUNT\", KEY"),
    ("issueLicenseKey", "MAX_DEVICES_INVALID", "maxDevices", "accountId: \"ACCOUNT\", maxDevices: 0, KEY"),
    ("issueLicenseKey", "MAX_DEVICES_INVALID", "maxDevices", "accountId: \"ACCOUNT\", maxDevices: 10001, KEY"),
    ("revealLicenseKey", "NOT_FOUND", "licenseKeyId", "licenseKeyId: \"NO_LICENCE\""),
    ("revealLicenseKey", "KEY_ALREADY_SHOWN", "licenseKeyId", "licenseKeyId: \"SHOWN\""),
    ("revealLicenseKey", "LICENSE_REVOKED", "licenseKeyId", "licenseKeyId: \"ENDED\""),
    ("replaceLicenseKey", "NOT_FOUND", "licenseKeyId", "licenseKeyId: \"NO_LICENCE\""),
    ("replaceLicenseKey", "LICENSE_REVOKED", "licenseKeyId", "licenseKeyId: \"ENDED\""),
    ("revokeLicenseKey", "NOT_FOUND", "licenseKeyId", "licenseKeyId: \"NO_LICENCE\""),
    ("revokeLicenseKey", "REASON_INVALID", "reason", "licenseKeyId: \"SHOWN\", reason: \"LONG\""),
    ("registerDevice", "LICENSE_INVALID", "key", "key: \"TG\", fingerprint: \"a\""),
    ("registerDevice", "LICENSE_REVOKED", "key", "key: \"SPENT\", fingerprint: \"a\""),
    ("registerDevice", "DEVICE_LIMIT_REACHED", "key", "key: \"FULL\", fingerprint: \"a\""),
    ("registerDevice", "FINGERPRINT_INVALID", "fingerprint", "key: \"FULL\", fingerprint: \"\""),
    ("registerDevice", "FINGERPRINT_INVALID", "fingerprint", "key: \"FULL\", fingerprint: \"LONG\""),
    ("registerDevice", "TEXT_TOO_LONG", "name", "key: \"FULL\", fingerprint: \"a\", name: \"LONG\""),
    ("registerDevice", "TEXT_TOO_LONG", "os", "key: \"FULL\", fingerprint: \"a\", os: \"LONG\""),
    ("registerDevice", "TEXT_TOO_LONG", "appVersion", "key: \"FULL\", fingerprint: \"a\", appVersion: \"LONG\""),
    ("revokeDevice", "NOT_FOUND", "deviceId", "deviceId: \"NO_DEVICE\""),
    ("resolveSecurityEvent", "NOT_FOUND", "securityEventId", "securityEventId: \"NO_EVENT\", resolution: \"a\""),
    ("resolveSecurityEvent", "RESOLUTION_INVALID", "resolution", "securityEventId: \"NO_EVENT\", resolution: \" \""),
    ("resolveSecurityEvent", "RESOLUTION_INVALID", "resolution", "securityEventId: \"NO_EVENT\", resolution: \"LONG\""),
    ("replayWebhookEvent", "NOT_FOUND", "webhookEventId", "webhookEventId: \"NO_WEBHOOK\""),
    ("replayWebhookEvents", "STATE_INVALID", "filter", "filter: {state: [IGNORED]}"),
    ("reconcile", "SINCE_INVALID", "since", "since: \"2036-01-01T00:00:00Z\""),
    ("reconcile", "NOT_CONFIGURED", "", "since: \"2024-01-01T00:00:00Z\""),
    ("resyncAccount", "NOT_FOUND", "accountId", "accountId: \"NO_ACCOUNT\""),
    ("resyncAccount", "NOT_CONFIGURED", "", "accountId: \"ACCOUNT\""),
];

/// The input with the rows of the world in place of their words.
async fn inputs(test: &TestApp, world: &World) -> impl Fn(&str) -> String {
    let unpriced =
        "mutation($plan: ID!) { createPlanVersion(input: {planId: $plan, prices: []}) { planVersion { id } } }";
    let unpriced = test.admin().data(unpriced, json!({"plan": world.id("Plan", "public")})).await;
    let no = |ty| global_id(ty, Uuid::nil());
    let (full, full_key) = licences::issued(&test.app, world.shared).await;
    for _ in 0..3 {
        licences::device(&test.app, world.shared, full).await;
    }
    let (ended, ended_key) = licences::issued(&test.app, world.shared).await;
    let ended = global_id("LicenseKey", ended);
    let revoke = "mutation($id: ID!) { revokeLicenseKey(input: {licenseKeyId: $id}) { userErrors { code } } }";
    test.admin().data(revoke, json!({"id": ended})).await;
    let words = [
        ("NO_PLAN", no("Plan")),
        ("NO_VERSION", no("PlanVersion")),
        ("NO_ACCOUNT", no("Account")),
        ("NO_KEY", no("ApiKey")),
        ("NO_EVENT", no("SecurityEvent")),
        ("NO_WEBHOOK", no("WebhookEvent")),
        ("NO_UNIT", "{unit: \"no\", amount: 1, cadence: DAY}".to_owned()),
        ("ZERO", "{unit: \"credit\", amount: 0, cadence: DAY}".to_owned()),
        ("UNPRICED", unpriced["createPlanVersion"]["planVersion"]["id"].as_str().unwrap().to_owned()),
        ("PUBLISHED", world.id("PlanVersion", "public").to_owned()),
        ("DRAFT", world.id("PlanVersion", "draft").to_owned()),
        ("\"PLAN\"", format!("\"{}\"", world.id("Plan", "public"))),
        ("\"ACCOUNT\"", format!("\"{}\"", world.id("Account", "shared"))),
        ("MINUS", "{currency: \"USD\", unitAmount: -1, interval: MONTH}".to_owned()),
        ("PRICE", "{currency: \"USD\", unitAmount: 1, interval: MONTH}".to_owned()),
        ("FEATURE", "{feature: \"export\"}".to_owned()),
        ("LONG", "x".repeat(600)),
        ("KEY", "idempotencyKey: \"refused\"".to_owned()),
        ("NO_LICENCE", no("LicenseKey")),
        ("NO_DEVICE", no("Device")),
        ("SHOWN", global_id("LicenseKey", full)),
        ("ENDED", ended),
        ("SPENT", ended_key.expose()),
        ("FULL", full_key.expose()),
    ];
    move |input: &str| {
        // The codes of fields end in capitals too.
        let order: Vec<&(&str, String)> = words.iter().collect();
        order.iter().fold(input.to_owned(), |text, (word, value)| match *word {
            "PRICE" => text.replace("[PRICE, PRICE]", &format!("[{value}, {value}]")),
            "FEATURE" => text.replace("[FEATURE, FEATURE]", &format!("[{value}, {value}]")),
            word => text.replace(word, value),
        })
    }
}

async fn refusal(test: &TestApp, mutation: &str, input: &str) -> Value {
    let query = format!(
        "mutation {{ {mutation}(input: {{{input}}}) {{
             userErrors {{ code errorCode field message ... on UserError {{ rule: code }} }} }} }}"
    );
    test.admin().data(&query, json!({})).await[mutation]["userErrors"].take()
}

async fn every_user_error_is_given_and_names_its_field(test: &TestApp) {
    let world = World::make(test).await;
    let inputs = inputs(test, &world).await;
    for (mutation, code, field, input) in REFUSALS {
        let errors = refusal(test, mutation, &inputs(input)).await;
        for name in ["code", "errorCode", "rule"] {
            assert_eq!(errors[0][name], *code, "{mutation} {input}: {errors}");
        }
        // Some are the fault of no field.
        let field = if field.is_empty() { Value::Null } else { json!([field]) };
        assert_eq!(errors[0]["field"], field, "{mutation} {input}: {errors}");
        assert!(!errors[0]["message"].as_str().unwrap().is_empty());
    }
    let mut promised: BTreeSet<(String, String)> = Schema::of(test).await.error_codes().into_iter().collect();
    promised.retain(|(mutation, _)| !AT_STRIPE.contains(&mutation.as_str()));
    let given = REFUSALS.iter().map(|(mutation, code, ..)| ((*mutation).to_owned(), (*code).to_owned())).collect();
    assert_eq!(promised, given, "each code has an input here");
}

async fn a_refusal_leaves_nothing_behind(test: &TestApp) {
    let world = World::make(test).await;
    let inputs = inputs(test, &world).await;
    let state =
        "{ auditLog { totalCount } plans { nodes { name versions { nodes { versionNumber stage prices { id } } } } }
        apiKeys { totalCount } licenseKeys { nodes { keyPrefix licenseStatus devices { nodes { lastSeenAt } } } }
        accounts { nodes { creditGrants { totalCount } creditBalances { available } } } }";
    let before = test.admin().data(state, json!({})).await;
    for (mutation, _, _, input) in REFUSALS {
        refusal(test, mutation, &inputs(input)).await;
    }
    assert_eq!(test.admin().data(state, json!({})).await, before);
    // Nor is the key of what was refused taken.
    let input = inputs("accountId: \"ACCOUNT\", unit: \"credit\", amount: 1, KEY");
    assert_eq!(refusal(test, "grantCredits", &input).await, json!([]));
}

async fn an_error_of_one_mutation_leaves_the_payloads_of_the_others(test: &TestApp) {
    let keys = "mutation {
        first: createApiKey(input: {name: \"one\", scopes: [\"billing:read\"]}) { secret }
        second: revokeApiKey(input: {apiKeyId: \"no id\"}) { apiKey { id } }
        third: createApiKey(input: {name: \"three\", scopes: [\"billing:read\"]}) { secret } }";
    let reply = test.admin().post(keys, json!({})).await.json();
    assert!(reply["data"]["first"]["secret"].is_string() && reply["data"]["third"]["secret"].is_string(), "{reply}");
    assert_eq!(reply["data"]["second"], Value::Null, "{reply}");
    let errors = reply["errors"].as_array().unwrap();
    assert_eq!((errors.len(), &errors[0]["path"]), (1, &json!(["second"])), "{reply}");
}
