//! Funnels that are stored by a code, whose figures are those of their steps.

use crate::support::experiments::{self, Person};
use crate::support::{Client, TestApp, both_engines};
use chrono::TimeDelta;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tollgate::auth::Permission;

both_engines!(a_stored_funnel_has_the_figures_of_its_steps, steps_and_windows_have_bounds);

const CREATE: &str = "mutation($input: CreateFunnelInput!) { createFunnel(input: $input) {
    funnel { code name steps windowSeconds createdAt } userErrors { code } } }";

async fn create(caller: &Client<'_>, input: &Value) -> Value {
    caller.data(CREATE, json!({"input": input})).await["createFunnel"].take()
}

async fn a_stored_funnel_has_the_figures_of_its_steps(test: &TestApp) {
    let input =
        json!({"code": "checkout", "name": "Checkout", "steps": ["visit", "try", "buy"], "windowSeconds": 43_200});
    let made = create(&test.service(&[Permission::CatalogueWrite]), &input).await;
    let mut expected = input.clone();
    expected["createdAt"] = json!("2026-01-15T12:00:00Z");
    // A caller who may not read analytics is not shown the funnel.
    assert_eq!(made["userErrors"], json!([]));
    let listed =
        test.admin().data("{ funnels { nodes { code name steps windowSeconds createdAt } } }", json!({})).await;
    assert_eq!(listed["funnels"]["nodes"], json!([expected]));

    let mut dice = StdRng::seed_from_u64(3);
    for _ in 0..200 {
        let person = Person::visitor(&format!("v-{}", dice.random_range(0..15)));
        let at = test.app.now() - TimeDelta::minutes(dice.random_range(0..60 * 24 * 5));
        experiments::track(&test.app, &person, ["visit", "try", "buy"][dice.random_range(0..3)], at).await;
    }
    let today = test.app.now().date_naive();
    let range = format!("from: \"{}\", to: \"{today}\"", today - TimeDelta::days(4));
    let fields = "{ name peopleCount ofPrevious ofFirst }";
    let query = format!(
        "{{ analytics {{ stored: storedFunnel(code: \"checkout\", {range}) {fields} none: storedFunnel(code: \"no\", {range}) {fields}
            asked: funnel(steps: [\"visit\", \"try\", \"buy\"], windowSeconds: 43200, {range}) {fields} }} }}"
    );
    let found = test.service(&[Permission::AnalyticsRead]).data(&query, json!({})).await["analytics"].take();
    assert!(found["asked"][1]["peopleCount"].as_i64().unwrap() > 3, "{found}");
    assert_eq!((&found["stored"], &found["none"]), (&found["asked"], &Value::Null));
    assert_eq!(test.user("ann").code(&query, json!({})).await, "FORBIDDEN");
    assert_eq!(test.user("ann").code(CREATE, json!({"input": input})).await, "FORBIDDEN");
}

async fn steps_and_windows_have_bounds(test: &TestApp) {
    let names = |count: usize| (0..count).map(|number| format!("step {number}")).collect::<Vec<_>>();
    for (steps, window, code) in [
        (names(1), 0, Some("STEPS_INVALID")),
        (names(2), 0, None),
        (names(10), 31_622_400, None),
        (names(11), 0, Some("STEPS_INVALID")),
        (vec!["a".to_owned(), " b".to_owned()], 0, Some("STEPS_INVALID")),
        (vec!["a".to_owned(), "b".repeat(65)], 0, Some("STEPS_INVALID")),
        // A name may stand for several steps.
        (vec!["a".to_owned(); 2], 0, None),
        (names(2), -1, Some("WINDOW_INVALID")),
        (names(2), 31_622_401, Some("WINDOW_INVALID")),
        (names(2), i32::MAX, Some("WINDOW_INVALID")),
        (names(2), i32::MIN, Some("WINDOW_INVALID")),
    ] {
        let code_of = format!("funnel-{}", test.app.new_id());
        let input = json!({"code": code_of, "name": "A", "steps": steps, "windowSeconds": window});
        let made = create(&test.admin(), &input).await;
        assert_eq!(made["userErrors"][0]["code"].as_str(), code, "{input}");
        assert_eq!(made["funnel"].is_null(), code.is_some(), "{input}");
    }
}
