//! The catalogue: drafted out of sight, published once, never changed after.

use crate::support::{TestApp, both_engines};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tollgate::auth::Permission;

both_engines!(
    a_draft_is_seen_by_those_who_write_the_catalogue_alone,
    publishing_supersedes_the_version_before,
    a_published_version_never_changes,
    an_update_changes_what_it_names_and_nothing_else,
    a_code_is_taken_once_also_at_the_same_moment,
    versions_drafted_at_once_have_numbers_of_their_own,
    of_two_versions_published_at_once_one_is_on_sale,
    every_change_is_in_the_audit_log_with_who_made_it,
);

const CREATE_PLAN: &str = "mutation($code: String!, $name: String = \"Pro\") {
    createPlan(input: {code: $code, kind: PLAN, name: $name, description: \"All of it\", rank: 7}) {
        plan { id code name description rank active currentVersion { id } } userErrors { code } } }";
const CREATE_VERSION: &str = "mutation($plan: ID!, $amount: BigInt = 900) {
    createPlanVersion(input: {planId: $plan, prices: [{currency: \"USD\", unitAmount: $amount, interval: MONTH}]}) {
        planVersion { id versionNumber stage publishedAt versionOf { id } prices { amount { amount } } }
        userErrors { code } } }";
const UPDATE_VERSION: &str = "mutation($id: ID!, $amount: BigInt!) {
    updatePlanVersion(input: {planVersionId: $id, prices: [{currency: \"USD\", unitAmount: $amount, interval: YEAR}]}) {
        planVersion { id versionNumber prices { amount { amount } interval } } userErrors { code } } }";
const PUBLISH: &str = "mutation($id: ID!) { publishPlanVersion(input: {planVersionId: $id}) {
    planVersion { id stage publishedAt } userErrors { code } } }";
const PLAN: &str = "query($code: String!) { plan(code: $code) { id currentVersion { id prices { amount { amount } } }
    versions { totalCount nodes { id versionNumber stage prices { amount { amount } interval } } } } }";

async fn plan(test: &TestApp, code: &str) -> Value {
    test.admin().data(CREATE_PLAN, json!({"code": code})).await["createPlan"]["plan"]["id"].take()
}

async fn version(test: &TestApp, plan: &Value, amount: i64) -> Value {
    let made = test.admin().data(CREATE_VERSION, json!({"plan": plan, "amount": amount})).await;
    made["createPlanVersion"]["planVersion"]["id"].clone()
}

async fn published(test: &TestApp, id: &Value) -> Value {
    test.admin().data(PUBLISH, json!({"id": id})).await["publishPlanVersion"].take()
}

async fn a_draft_is_seen_by_those_who_write_the_catalogue_alone(test: &TestApp) {
    // With the scope for it and no other, from the first step to the last.
    let writer = test.service(&[Permission::CatalogueWrite]);
    let made = writer.data(CREATE_PLAN, json!({"code": "pro"})).await["createPlan"].take();
    let plan = json!({"id": made["plan"]["id"], "code": "pro", "name": "Pro", "description": "All of it", "rank": 7,
        "active": true, "currentVersion": null});
    assert_eq!(made, json!({"plan": plan, "userErrors": []}));
    let made = writer.data(CREATE_VERSION, json!({"plan": plan["id"]})).await["createPlanVersion"].take();
    let id = &made["planVersion"]["id"];
    let draft = json!({"id": id, "versionNumber": 1, "stage": "DRAFT", "publishedAt": null,
        "versionOf": {"id": plan["id"]}, "prices": [{"amount": {"amount": "900"}}]});
    assert_eq!(made, json!({"planVersion": draft, "userErrors": []}));
    let other = writer.data(UPDATE_VERSION, json!({"id": id, "amount": 9_000})).await["updatePlanVersion"].take();
    assert_eq!(other["planVersion"]["prices"], json!([{"amount": {"amount": "9000"}, "interval": "YEAR"}]));
    assert_eq!(writer.data(PLAN, json!({"code": "pro"})).await["plan"]["versions"]["totalCount"], 1);

    let public = [test.anonymous(), test.user("ann"), test.service(&[Permission::CreditsWrite])];
    let node = "query($id: ID!) { node(id: $id) { id } plans { totalCount } }";
    for caller in &public {
        assert_eq!(caller.data(PLAN, json!({"code": "pro"})).await["plan"], Value::Null);
        assert_eq!(caller.data(node, json!({"id": id})).await, json!({"node": null, "plans": {"totalCount": 0}}));
    }
    let sold = writer.data(PUBLISH, json!({"id": id})).await["publishPlanVersion"].take();
    let version = json!({"id": id, "stage": "PUBLISHED", "publishedAt": "2026-01-15T12:00:00Z"});
    assert_eq!(sold, json!({"planVersion": version, "userErrors": []}));
    writer.data(CREATE_VERSION, json!({"plan": plan["id"]})).await;
    for caller in &public {
        let seen = caller.data(PLAN, json!({"code": "pro"})).await["plan"].take();
        assert_eq!(seen["currentVersion"], json!({"id": id, "prices": [{"amount": {"amount": "9000"}}]}));
        assert_eq!(seen["versions"]["totalCount"], 1, "the next draft is not seen");
    }
}

async fn publishing_supersedes_the_version_before(test: &TestApp) {
    let plan = plan(test, "pro").await;
    let (first, second) = (version(test, &plan, 900).await, version(test, &plan, 1_200).await);
    published(test, &first).await;
    published(test, &second).await;
    let seen = test.anonymous().data(PLAN, json!({"code": "pro"})).await["plan"].take();
    assert_eq!(seen["currentVersion"], json!({"id": second, "prices": [{"amount": {"amount": "1200"}}]}));
    let price = |amount: &str| json!([{"amount": {"amount": amount}, "interval": "MONTH"}]);
    let versions = json!([
        {"id": second, "versionNumber": 2, "stage": "PUBLISHED", "prices": price("1200")},
        {"id": first, "versionNumber": 1, "stage": "SUPERSEDED", "prices": price("900")},
    ]);
    assert_eq!(seen["versions"]["nodes"], versions, "who holds the first can still read it");
}

async fn a_published_version_never_changes(test: &TestApp) {
    let plan = plan(test, "pro").await;
    let (first, second) = (version(test, &plan, 900).await, version(test, &plan, 1_200).await);
    published(test, &first).await;
    published(test, &second).await;
    let before = test.admin().data(PLAN, json!({"code": "pro"})).await;
    for id in [&first, &second] {
        let update = test.admin().data(UPDATE_VERSION, json!({"id": id, "amount": 1})).await;
        assert_eq!(
            update["updatePlanVersion"],
            json!({"planVersion": null, "userErrors": [{"code": "ALREADY_PUBLISHED"}]})
        );
        assert_eq!(published(test, id).await["userErrors"], json!([{"code": "ALREADY_PUBLISHED"}]));
    }
    assert_eq!(test.admin().data(PLAN, json!({"code": "pro"})).await, before);
}

async fn an_update_changes_what_it_names_and_nothing_else(test: &TestApp) {
    let id = plan(test, "pro").await;
    let update = async |change: &str| {
        let query = format!(
            "mutation($id: ID!) {{ updatePlan(input: {{planId: $id {change}}}) {{
             plan {{ code name description rank active }} userErrors {{ code }} }} }}"
        );
        test.admin().data(&query, json!({"id": id})).await["updatePlan"]["plan"].take()
    };
    let mut plan = json!({"code": "pro", "name": "Pro", "description": "All of it", "rank": 7, "active": true});
    assert_eq!(update("").await, plan);
    for (change, field, value) in [
        (", name: \" Max \"", "name", json!("Max")),
        (", description: null", "description", Value::Null),
        (", rank: -3", "rank", json!(-3)),
        (", active: false", "active", json!(false)),
        (", name: null, rank: null, active: null", "code", json!("pro")),
    ] {
        plan[field] = value;
        assert_eq!(update(change).await, plan, "{change}");
        assert_eq!(update(change).await, plan, "{change}, once more");
    }
}

async fn a_code_is_taken_once_also_at_the_same_moment(test: &TestApp) {
    let tries = (0..8).map(async |number| {
        let variables = json!({"code": "pro", "name": format!("Plan {number}")});
        test.admin().data(CREATE_PLAN, variables).await["createPlan"].take()
    });
    let answers = join_all(tries).await;
    let made = answers.iter().filter(|answer| answer["userErrors"] == json!([])).count();
    let taken = answers.iter().filter(|answer| answer["userErrors"] == json!([{"code": "CODE_TAKEN"}])).count();
    assert_eq!((made, taken), (1, 7), "{answers:?}");
}

async fn versions_drafted_at_once_have_numbers_of_their_own(test: &TestApp) {
    let plan = plan(test, "pro").await;
    let drafts = (0..16).map(async |_| {
        let made = test.admin().data(CREATE_VERSION, json!({"plan": plan})).await;
        made["createPlanVersion"]["planVersion"]["versionNumber"].as_u64().unwrap()
    });
    let numbers: BTreeSet<u64> = join_all(drafts).await.into_iter().collect();
    assert_eq!(numbers, (1..=16).collect());
}

async fn of_two_versions_published_at_once_one_is_on_sale(test: &TestApp) {
    let plan = plan(test, "pro").await;
    let mut drafts = Vec::new();
    for amount in 1..=6 {
        drafts.push(version(test, &plan, amount).await);
    }
    let answers = join_all(drafts.iter().map(|id| published(test, id))).await;
    assert!(answers.iter().all(|answer| answer["userErrors"] == json!([])), "{answers:?}");
    let seen = test.anonymous().data(PLAN, json!({"code": "pro"})).await["plan"].take();
    let versions = seen["versions"]["nodes"].as_array().unwrap();
    let on_sale: Vec<_> = versions.iter().filter(|version| version["stage"] == "PUBLISHED").collect();
    assert_eq!((versions.len(), on_sale.len()), (6, 1));
    assert_eq!(seen["currentVersion"]["id"], on_sale[0]["id"]);
}

async fn every_change_is_in_the_audit_log_with_who_made_it(test: &TestApp) {
    let writer = test.service(&[Permission::CatalogueWrite]);
    let made = writer.data(CREATE_PLAN, json!({"code": "pro"})).await;
    let plan = made["createPlan"]["plan"]["id"].clone();
    let feature = "mutation { createFeature(input: {code: \"f\", kind: LIMIT, name: \"F\", unit: \"calls\"}) {
        feature { id } } createCreditUnit(input: {code: \"u\", name: \"U\"}) { creditUnit { id } } }";
    let parts = writer.data(feature, json!({})).await;
    let admin = test.admin().data("{ viewer { user { id } } }", json!({})).await;
    let rename = "mutation($id: ID!) { updatePlan(input: {planId: $id, rank: 8}) { plan { id } } }";
    test.admin().data(rename, json!({"id": plan})).await;
    let draft = version(test, &plan, 900).await;
    writer.data(UPDATE_VERSION, json!({"id": draft, "amount": 5})).await;
    writer.data(PUBLISH, json!({"id": draft})).await;

    let log = "{ auditLog(orderBy: {field: AT, direction: ASC}) { nodes {
        actor action entityType entityId before after } } }";
    let log = test.admin().data(log, json!({})).await["auditLog"]["nodes"].take();
    let (_, admin) = crate::support::local_id(admin["viewer"]["user"]["id"].as_str().unwrap());
    let admin = format!("user:{admin}");
    let found: Vec<_> = log.as_array().unwrap().iter().map(|e| (&e["actor"], &e["action"], &e["entityId"])).collect();
    let backend = &json!("service:backend");
    let expected = [
        (backend, &json!("plans.create"), &plan),
        (backend, &json!("features.create"), &parts["createFeature"]["feature"]["id"]),
        (backend, &json!("credit_units.create"), &parts["createCreditUnit"]["creditUnit"]["id"]),
        (&json!(admin), &json!("plans.update"), &plan),
        (&json!(admin), &json!("plan_versions.create"), &draft),
        (backend, &json!("plan_versions.update"), &draft),
        (backend, &json!("plan_versions.publish"), &draft),
    ];
    assert_eq!(found, expected);
    assert_eq!((&log[3]["before"]["rank"], &log[3]["after"]["rank"]), (&json!(7), &json!(8)));
    assert_eq!(log[0]["before"], Value::Null);
}
