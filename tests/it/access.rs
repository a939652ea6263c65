//! Access to every root field, tried by every kind of caller.

use crate::support::{
    Client, Schema, TestApp, World, both_engines, experiments, global_id, host_reports, licences, local_id, pages,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tollgate::auth::Permission;
use tollgate::changes::Change;
use tollgate::graphql;

both_engines!(every_root_field_answers_each_kind_of_caller_as_the_table_says);

/// A query for each root field; `$id` is the row of the shared account.
const QUERIES: &[(&str, &str, &str)] = &[
    ("viewer", "", "{ viewer { user { id } account { id } accounts { nodes { id } } subscription { id } } }"),
    ("node", "Payment", "query($id: ID!) { node(id: $id) { id } }"),
    ("nodes", "Payment", "query($id: ID!) { nodes(ids: [$id]) { id } }"),
    ("plans", "", "{ plans { nodes { id versions { nodes { id } } } } }"),
    ("plan", "", "{ plan(code: \"hidden\") { id } }"),
    ("user", "User", "query($id: ID!) { user(id: $id) { id } }"),
    ("users", "", "{ users { nodes { id } } }"),
    ("account", "Account", "query($id: ID!) { account(id: $id) { id } }"),
    ("accounts", "", "{ accounts { nodes { id } } }"),
    ("subscription", "Subscription", "query($id: ID!) { subscription(id: $id) { id } }"),
    ("subscriptions", "", "{ subscriptions { nodes { id } } }"),
    ("providerCustomers", "", "{ providerCustomers { nodes { id } } }"),
    (
        "previewPlanChange",
        "Subscription",
        "query($id: ID!) { previewPlanChange(subscriptionId: $id,
            priceId: \"UHJpY2U6MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAw\") { renewsAt } }",
    ),
    ("payment", "Payment", "query($id: ID!) { payment(id: $id) { id } }"),
    ("payments", "", "{ payments { nodes { id } } }"),
    ("refund", "Refund", "query($id: ID!) { refund(id: $id) { id } }"),
    ("refunds", "", "{ refunds { nodes { id } } }"),
    (
        "entitlement",
        "Account",
        "query($id: ID!) { entitlement(feature: \"export\", accountId: $id) { account { id } allowed reason } }",
    ),
    ("rateLimits", "", "{ rateLimits { nodes { id } } }"),
    ("gift", "Gift", "query($id: ID!) { gift(id: $id) { id } }"),
    ("gifts", "", "{ gifts { nodes { id buyer { id } redeemer { id } } } }"),
    ("invoice", "Invoice", "query($id: ID!) { invoice(id: $id) { id } }"),
    ("invoices", "", "{ invoices { nodes { id } } }"),
    ("coupon", "Coupon", "query($id: ID!) { coupon(id: $id) { id } }"),
    ("coupons", "", "{ coupons { nodes { id promoCodes { id } } } }"),
    ("licenseKey", "LicenseKey", "query($id: ID!) { licenseKey(id: $id) { id } }"),
    ("licenseKeys", "", "{ licenseKeys { nodes { id account { id } devices { nodes { id } } } } }"),
    ("licenseStatus", "", "{ licenseStatus(key: \"TG\", fingerprint: \"f\") { status reason } }"),
    ("meters", "", "{ meters { nodes { id } } }"),
    ("rateCards", "", "{ rateCards { nodes { id meter { id } } } }"),
    ("usageEvent", "UsageEvent", "query($id: ID!) { usageEvent(id: $id) { id } }"),
    ("analytics", "", "{ analytics { recurringRevenue { customerCount } } }"),
    ("experiments", "", "{ experiments { nodes { id } } }"),
    ("emailCampaigns", "", "{ emailCampaigns { nodes { id } } }"),
    ("errorGroups", "", "{ errorGroups { nodes { id } } }"),
    ("funnels", "", "{ funnels { nodes { id } } }"),
    ("engagementScores", "", "{ engagementScores { nodes { id } } }"),
    ("webhookEvents", "", "{ webhookEvents { nodes { id } } }"),
    ("inbox", "", "{ inbox { received } }"),
    ("providerCalls", "", "{ providerCalls { nodes { id } } }"),
    ("auditLog", "", "{ auditLog { nodes { id } } }"),
    ("securityEvents", "", "{ securityEvents { nodes { id } } }"),
    ("apiKeys", "", "{ apiKeys { nodes { id } } }"),
    ("publishableKeys", "", "{ publishableKeys { nodes { id } } }"),
];

/// The input of each mutation; `$plan` and `$draft` are made anew for each try, `$code` is new too.
const MUTATIONS: &[(&str, &str)] = &[
    ("createPlan", "code: $code, kind: PLAN, name: \"A\", rank: 1"),
    ("updatePlan", "planId: $plan, name: \"B\""),
    ("createFeature", "code: $code, kind: SWITCH, name: \"A\""),
    ("createCreditUnit", "code: $code, name: \"A\""),
    ("createPlanVersion", "planId: $plan, prices: []"),
    ("updatePlanVersion", "planVersionId: $draft, prices: []"),
    ("publishPlanVersion", "planVersionId: $draft"),
    ("grantCredits", "accountId: $account, unit: \"credit\", amount: 1, idempotencyKey: $code"),
    ("createMeter", "code: $code, name: \"A\", aggregation: SUM"),
    ("createRateCard", "meter: $code, unit: \"credit\", rates: [{quantity: \"value\", credits: 1}]"),
    ("endRateCard", "rateCardId: $rateCard, endsAt: \"2026-01-20T00:00:00Z\""),
    ("recordUsage", "events: [{accountId: $account, meter: \"tokens\", dedupeKey: $code, dimensions: {tokens: 1}}]"),
    ("correctUsage", "usageEventId: $usageEvent, idempotencyKey: $code"),
    ("trackEvents", "events: [{name: \"a\", dedupeKey: $code}]"),
    ("identify", "anonymousId: $code"),
    ("recordConsent", "decision: GRANTED"),
    ("spendCredits", "accountId: $account, unit: \"credit\", amount: 1, idempotencyKey: $code"),
    ("holdCredits", "accountId: $account, unit: \"credit\", amount: 1, idempotencyKey: $code"),
    (
        "captureHold",
        "holdId: \"Q3JlZGl0SG9sZDowMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDA=\", idempotencyKey: $code",
    ),
    (
        "releaseHold",
        "holdId: \"Q3JlZGl0SG9sZDowMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDA=\", idempotencyKey: $code",
    ),
    (
        "reverseLedgerTransaction",
        "transactionId: \"TGVkZ2VyVHJhbnNhY3Rpb246MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAw\",
            idempotencyKey: $code",
    ),
    (
        "transferCredits",
        "accountId: $account, toAccountId: $account, unit: \"credit\", amount: 1, idempotencyKey: $code",
    ),
    ("changeCredits", "changes: []"),
    ("setAccountTimeZone", "accountId: $account, timeZone: \"UTC\""),
    ("consume", "accountId: $account, feature: \"export\", idempotencyKey: $code"),
    ("setEntitlementOverride", "accountId: $account, feature: \"export\", reason: \"a promise\""),
    ("revokeEntitlementOverride", "entitlementOverrideId: $override"),
    ("createRateLimit", "code: $code, maxCount: 5, windowSeconds: 60"),
    ("updateRateLimit", "rateLimitId: $rateLimit, maxCount: 5"),
    ("takeRateLimit", "code: \"logins\", identifier: $code"),
    ("createExperiment", "code: $code, name: \"A\", conversionEvent: \"paid\", windowSeconds: 60, plannedUnitCount: 9"),
    ("endExperiment", "experimentId: $experiment"),
    ("logErrors", "errors: [{errorType: \"a\", message: \"a\", dedupeKey: $code}]"),
    ("resolveErrorGroup", "errorGroupId: $errorGroup"),
    (
        "recordEmailCampaign",
        "code: $code, name: \"A\", sentAt: \"2026-01-01T00:00:00Z\", sentCount: 1, deliveredCount: 1",
    ),
    ("recordPartnerStats", "stats: []"),
    ("createFunnel", "code: $code, name: \"A\", steps: [\"a\", \"b\"], windowSeconds: 60"),
    ("createEngagementScore", "code: $code, name: \"A\", weights: [{eventName: \"a\", weight: 1}]"),
    ("assignVariant", "code: \"checkout\", anonymousId: $code"),
    ("createApiKey", "name: $code, scopes: [\"keys:write\"]"),
    ("revokeApiKey", "apiKeyId: $key"),
    ("createPublishableKey", "name: $code, origins: [\"https://a.example\"]"),
    ("revokePublishableKey", "publishableKeyId: $publishable"),
    ("replayWebhookEvent", "webhookEventId: $told, dryRun: true"),
    ("replayWebhookEvents", "filter: {eventType: $code}"),
    ("reconcile", "since: \"2026-01-01T00:00:00Z\""),
    ("resyncAccount", "accountId: $account"),
    ("issueLicenseKey", "accountId: $account, idempotencyKey: $code"),
    ("revealLicenseKey", "licenseKeyId: $unshown"),
    ("replaceLicenseKey", "licenseKeyId: $licence"),
    ("revokeLicenseKey", "licenseKeyId: $licence"),
    ("registerDevice", "key: $licenseKey, fingerprint: $code"),
    ("revokeDevice", "deviceId: $device"),
    ("publishPlanToStripe", "planVersionId: $draft, idempotencyKey: $code"),
    ("createCoupon", "code: $code, name: \"A\", percentBasisPoints: 1, duration: ONCE, idempotencyKey: $code"),
    ("createPromoCode", "couponId: $coupon, code: $code, idempotencyKey: $code"),
    ("deactivatePromoCode", "promoCodeId: $promoCode, idempotencyKey: $code"),
    ("extendTrial", "subscriptionId: $subscription, until: \"2026-03-01T00:00:00Z\", idempotencyKey: $code"),
    ("startCheckout", "priceId: $price, successUrl: \"https://a.example\", accountId: $account, idempotencyKey: $code"),
    ("createSubscription", "priceId: $price, accountId: $account, idempotencyKey: $code"),
    ("createPurchaseReference", "provider: STRIPE, accountId: $account"),
    ("purchaseCredits", "priceId: $price, accountId: $account, idempotencyKey: $code"),
    ("openBillingPortal", "returnUrl: \"https://a.example\", accountId: $account"),
    ("cancelSubscription", "subscriptionId: $subscription, idempotencyKey: $code"),
    ("resumeSubscription", "subscriptionId: $subscription, idempotencyKey: $code"),
    ("pauseSubscription", "subscriptionId: $subscription, idempotencyKey: $code"),
    ("changePlan", "subscriptionId: $subscription, priceId: $price, idempotencyKey: $code"),
    ("undoScheduledChange", "subscriptionId: $subscription, idempotencyKey: $code"),
    ("addAddon", "subscriptionId: $subscription, priceId: $price, idempotencyKey: $code"),
    ("removeAddon", "subscriptionItemId: $item, idempotencyKey: $code"),
    ("applyPromoCode", "subscriptionId: $subscription, promoCode: $code, idempotencyKey: $code"),
    ("requestRefund", "paymentId: $payment, amount: 1, idempotencyKey: $code"),
    ("approveRefund", "refundId: $refund, idempotencyKey: $code"),
    ("denyRefund", "refundId: $refund, idempotencyKey: $code"),
    (
        "buyGift",
        "priceId: $price, successUrl: \"https://a.example\", cancelUrl: \"https://a.example\", idempotencyKey: $code",
    ),
    ("redeemGift", "code: $code, idempotencyKey: $code"),
    ("replaceGiftCode", "giftId: $gift"),
    ("resolveSecurityEvent", "securityEventId: $event, resolution: \"x\""),
];

/// A subscription for each root field of its kind, with a change of a row of the shared account; `ID` stands for that of
/// the row.
const SUBSCRIPTIONS: &[(&str, &str, &str)] = &[
    ("subscriptionChanged", "Subscription", "subscription { subscriptionChanged { id } }"),
    ("paymentRecorded", "Payment", "subscription { paymentRecorded { id } }"),
    ("balanceChanged", "CreditBalance", "subscription { balanceChanged { id } }"),
    ("entitlementsChanged", "Account", "subscription { entitlementsChanged(accountId: \"ID\") { account { id } } }"),
    ("webhookEventReceived", "WebhookEvent", "subscription { webhookEventReceived { id } }"),
];

fn callers<'a>(test: &'a TestApp, page: &Value) -> Vec<(&'static str, Client<'a>)> {
    let mut callers = vec![
        ("anonymous", test.anonymous()),
        ("another user", test.user("eve")),
        ("owner", test.user("alice")),
        ("member", test.user("bob")),
        ("former member", test.user("carol")),
        ("service", test.service(&[])),
    ];
    callers.extend(Permission::ALL.map(|permission| (permission.scope(), test.service(&[permission]))));
    callers.push(("admin", test.admin()));
    callers.push(("publishable key", pages::page(test, page, "https://a.example")));
    callers
}

async fn every_root_field_answers_each_kind_of_caller_as_the_table_says(test: &TestApp) {
    let world = World::make(test).await;
    let schema = Schema::of(test).await;
    let page = pages::publishable_key(test, &["https://a.example"]).await;
    let mut table = String::new();
    for (root, covered) in [
        ("Query", QUERIES.iter().map(|(field, ..)| *field).collect::<BTreeSet<_>>()),
        ("Mutation", MUTATIONS.iter().map(|(field, _)| *field).collect()),
        ("Live", SUBSCRIPTIONS.iter().map(|(field, ..)| *field).collect()),
    ] {
        let fields: BTreeSet<String> = schema.fields(root).into_iter().map(|field| field.name).collect();
        let covered: BTreeSet<String> = covered.into_iter().map(str::to_owned).collect();
        assert_eq!(fields, covered, "each field of {root} has a row here, and each row a field");
    }
    for (field, ty, query) in QUERIES {
        let label = if *ty == "User" { "user alice" } else { "shared" };
        let variables = if ty.is_empty() { json!({}) } else { json!({"id": world.id(ty, label)}) };
        let mut outcomes = Vec::new();
        for (name, caller) in callers(test, &page) {
            let reply = caller.post(query, variables.clone()).await.json();
            outcomes.push((name, read(&world, field, &reply)));
        }
        table += &row(field, outcomes);
    }
    for (number, (field, input)) in MUTATIONS.iter().enumerate() {
        let mut outcomes = Vec::new();
        for (name, caller) in callers(test, &page) {
            let variables = things_to_change(test, &world, &format!("x{number}-{}", outcomes.len())).await;
            let names = variables.as_object().unwrap().keys().filter(|name| input.contains(&format!("${name}")));
            let declared: Vec<_> = names
                .clone()
                .map(|name| {
                    format!(
                        "${name}: {}!",
                        if ["code", "licenseKey"].contains(&name.as_str()) { "String" } else { "ID" }
                    )
                })
                .collect();
            let kept: serde_json::Map<_, _> = names.map(|name| (name.clone(), variables[name].clone())).collect();
            let declared = if declared.is_empty() { String::new() } else { format!("({})", declared.join(", ")) };
            let query =
                format!("mutation{declared} {{ {field}(input: {{{input}}}) {{ userErrors {{ code message }} }} }}");
            let reply = caller.post(&query, Value::Object(kept)).await.json();
            let outcome = done(field, &reply);
            assert_ne!(outcome, "GRAPHQL_VALIDATION_FAILED", "{query}: {reply}");
            outcomes.push((name, outcome));
        }
        table += &row(field, outcomes);
    }
    table += &watching(test, &world, &page).await;
    insta::assert_snapshot!("who_may_ask_for_what", table);
}

/// The events of a change for each kind of subscriber.
async fn watching(test: &TestApp, world: &World, page: &Value) -> String {
    let engine = graphql::engine(&test.app).unwrap();
    let mut table = String::new();
    for (field, ty, query) in SUBSCRIPTIONS {
        let label = if *ty == "WebhookEvent" { "office" } else { "shared" };
        let (_, row) = local_id(world.id(ty, label));
        let change = match *ty {
            "Subscription" => Change::SubscriptionChanged(row, world.shared),
            "Payment" => Change::PaymentRecorded(row, world.shared),
            "CreditBalance" => Change::BalanceChanged(row, world.shared),
            "Account" => Change::EntitlementsChanged(row),
            _ => Change::WebhookEventReceived(row),
        };
        let query = query.replace("ID", world.id(ty, label));
        let mut outcomes = Vec::new();
        for (name, caller) in callers(test, page) {
            outcomes.push((name, read(world, field, &caller.told(&engine, &query, change).await)));
        }
        table += &self::row(field, outcomes);
    }
    table
}

/// Made for one try: a plan, a draft of it that could be published, an API key, licences with and without a key, and a
/// device.
async fn things_to_change(test: &TestApp, world: &World, code: &str) -> Value {
    let admin = test.admin();
    let plan = "mutation($code: String!) {
        createPlan(input: {code: $code, kind: PLAN, name: \"P\", rank: 1}) { plan { id } }
        createApiKey(input: {name: $code, scopes: [\"keys:write\"]}) { apiKey { id } } }";
    let made = admin.data(plan, json!({"code": format!("{code}-plan")})).await;
    let draft = "mutation($plan: ID!) {
        createPlanVersion(input: {planId: $plan, prices: [{currency: \"USD\", unitAmount: 9, interval: MONTH}]}) {
            planVersion { id } } }";
    let plan = &made["createPlan"]["plan"]["id"];
    let draft = admin.data(draft, json!({"plan": plan})).await;
    let (licence, secret) = licences::issued(&test.app, world.shared).await;
    let (unshown, _) = licences::bought(&test.app, world.shared).await;
    let device = licences::device(&test.app, world.shared, licence).await;
    let (error_group, _) = host_reports::group(&test.app, 3, &[None]).await;
    json!({
        "licence": global_id("LicenseKey", licence), "licenseKey": secret.expose(),
        "unshown": global_id("LicenseKey", unshown), "device": global_id("Device", device),
        "code": code, "plan": plan, "draft": draft["createPlanVersion"]["planVersion"]["id"],
        "account": world.id("Account", "shared"), "key": made["createApiKey"]["apiKey"]["id"],
        "publishable": world.id("PublishableKey", "office"),
        "subscription": world.id("Subscription", "shared"),
        "coupon": world.id("Coupon", "shared"), "promoCode": world.id("PromoCode", "office"),
        "item": world.id("SubscriptionItem", "shared"), "price": world.id("Price", "public"),
        "event": world.id("SecurityEvent", "office"),
        "told": world.id("WebhookEvent", "office"),
        "payment": world.id("Payment", "shared"), "refund": world.id("Refund", "shared"),
        "gift": world.id("Gift", "shared"), "override": world.id("EntitlementOverride", "shared"),
        "rateLimit": world.id("RateLimit", "office"),
        "errorGroup": global_id("ErrorGroup", error_group),
        "experiment": global_id("Experiment", experiments::row(&test.app, &format!("{code}-experiment")).await),
        "rateCard": world.id("RateCard", "public"), "usageEvent": world.id("UsageEvent", "shared"),
    })
}

fn read(world: &World, field: &str, reply: &Value) -> String {
    if let Some(code) = reply["errors"][0]["extensions"]["code"].as_str() {
        return code.to_owned();
    }
    let seen = world.seen(&reply["data"]);
    match field {
        "analytics" | "inbox" => "all sums".to_owned(),
        _ if seen.is_empty() => "nothing".to_owned(),
        _ => seen.into_iter().collect::<Vec<_>>().join(" + "),
    }
}

fn done(field: &str, reply: &Value) -> String {
    if let Some(code) = reply["errors"][0]["extensions"]["code"].as_str() {
        return code.to_owned();
    }
    match reply["data"][field]["userErrors"][0]["code"].as_str() {
        Some(code) => format!("refused: {code}"),
        None => "done".to_owned(),
    }
}

/// The outcomes of a field, each with who has it.
fn row(field: &str, outcomes: Vec<(&str, String)>) -> String {
    let mut by_outcome: Vec<(String, Vec<&str>)> = Vec::new();
    for (caller, outcome) in outcomes {
        match by_outcome.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, callers)) => callers.push(caller),
            None => by_outcome.push((outcome, vec![caller])),
        }
    }
    let lines = by_outcome.iter().map(|(outcome, callers)| format!("  {outcome}: {}\n", callers.join(", ")));
    format!("{field}\n{}", lines.collect::<String>())
}
