//! Each mutation's user errors: every code that the schema promises is given by some input, and names the field.

use crate::refusal_table::{REFUSALS, Refusal};
use crate::support::{Schema, TestApp, World, both_engines, experiments, global_id, licences, local_id, pages, usage};
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

/// Mutations with an outcome for each part of their input: usage_refusals.rs has the codes of `recordUsage`, events.rs those
/// of `trackEvents`, logged_errors.rs and host_reports.rs those of the others.
const IN_PARTS: &[&str] = &["recordUsage", "trackEvents", "logErrors", "recordPartnerStats"];
/// Mutations that need rows which others make: spending.rs, events.rs, consent.rs, logged_errors.rs
/// and host_reports.rs give their codes.
const WITH_OTHERS: &[&str] = &[
    "recordEmailCampaign",
    "resolveErrorGroup",
    "identify",
    "recordConsent",
    "captureHold",
    "releaseHold",
    "reverseLedgerTransaction",
    "transferCredits",
    "changeCredits",
    "consume",
];

/// The input with the rows of the world in place of their words.
async fn inputs(test: &TestApp, world: &World) -> impl Fn(&str) -> String {
    let unpriced =
        "mutation($plan: ID!) { createPlanVersion(input: {planId: $plan, prices: []}) { planVersion { id } } }";
    let unpriced = test.admin().data(unpriced, json!({"plan": world.id("Plan", "public")})).await;
    let unit = "mutation { createCreditUnit(input: {code: \"other\", name: \"O\"}) { userErrors { code } } }";
    test.admin().data(unit, json!({})).await;
    let no = |ty| global_id(ty, Uuid::nil());
    let (full, full_key) = licences::issued(&test.app, world.shared).await;
    for _ in 0..3 {
        licences::device(&test.app, world.shared, full).await;
    }
    let (ended, ended_key) = licences::issued(&test.app, world.shared).await;
    let ended = global_id("LicenseKey", ended);
    let revoke = "mutation($id: ID!) { revokeLicenseKey(input: {licenseKeyId: $id}) { userErrors { code } } }";
    test.admin().data(revoke, json!({"id": ended})).await;
    let (_, meter) = local_id(world.id("Meter", "public"));
    let (taken_back, correction) = usage::corrected(&test.app, world.shared, meter).await;
    let past_experiment = experiments::row(&test.app, "past").await;
    experiments::end(&test.app, past_experiment).await;
    let past_experiment = global_id("Experiment", past_experiment);
    let past_card = usage::ended_card(&test.app, meter).await;
    let words = [
        ("NO_PLAN", no("Plan")),
        ("NO_VERSION", no("PlanVersion")),
        ("NO_ACCOUNT", no("Account")),
        ("NO_KEY", no("ApiKey")),
        ("NO_PUBLISHABLE", no("PublishableKey")),
        ("NO_EVENT", no("SecurityEvent")),
        ("NO_WEBHOOK", no("WebhookEvent")),
        ("NO_CARD", no("RateCard")),
        ("NO_USAGE", no("UsageEvent")),
        ("NO_OVERRIDE", no("EntitlementOverride")),
        ("REVOKED", world.id("EntitlementOverride", "shared").to_owned()),
        ("NO_LIMIT", no("RateLimit")),
        ("NO_EXPERIMENT", no("Experiment")),
        ("PAST_EXPERIMENT", past_experiment),
        ("NO_USER", no("User")),
        ("\"CARD\"", format!("\"{}\"", world.id("RateCard", "public"))),
        ("PAST_CARD", past_card),
        ("TAKEN_BACK", taken_back),
        ("CORRECTION", correction),
        ("ONE_RATE", "rates: [{quantity: \"value\", credits: 1}]".to_owned()),
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
    pages::use_up_keys(&test.app).await;
    for Refusal { mutation, code, field, message, input } in REFUSALS {
        let errors = refusal(test, mutation, &inputs(input)).await;
        for name in ["code", "errorCode", "rule"] {
            assert_eq!(errors[0][name], *code, "{mutation} {input}: {errors}");
        }
        // Some are the fault of no field.
        let field = if field.is_empty() { Value::Null } else { json!([field]) };
        assert_eq!(errors[0]["field"], field, "{mutation} {input}: {errors}");
        assert_eq!(errors[0]["message"], *message, "{mutation} {input}");
    }
    let mut promised: BTreeSet<(String, String)> = Schema::of(test).await.error_codes().into_iter().collect();
    let elsewhere = [AT_STRIPE, IN_PARTS, WITH_OTHERS].concat();
    promised.retain(|(mutation, _)| !elsewhere.contains(&mutation.as_str()));
    let given = REFUSALS.iter().map(|refusal| (refusal.mutation.to_owned(), refusal.code.to_owned())).collect();
    assert_eq!(promised, given, "each code has an input here");
}

async fn a_refusal_leaves_nothing_behind(test: &TestApp) {
    let world = World::make(test).await;
    let inputs = inputs(test, &world).await;
    pages::use_up_keys(&test.app).await;
    let state =
        "{ auditLog { totalCount } plans { nodes { name versions { nodes { versionNumber stage prices { id } } } } }
        apiKeys { totalCount } licenseKeys { nodes { keyPrefix licenseStatus devices { nodes { lastSeenAt } } } }
        accounts { nodes { creditGrants { totalCount } creditBalances { available } } } }";
    let before = test.admin().data(state, json!({})).await;
    for Refusal { mutation, input, .. } in REFUSALS {
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
