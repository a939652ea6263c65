//! Experiments: assignments that last, conversions in their windows, and decisions that wait for the planned size.

use crate::support::experiments::{self, EVENT, Person};
use crate::support::{Client, SECRET, TestApp, both_engines, global_id, local_id, sql};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tollgate::auth::Permission;
use uuid::Uuid;

both_engines!(
    the_first_assignment_stays_for_ever,
    of_many_callers_on_two_nodes_all_get_one_assignment,
    a_visitor_who_turns_out_to_be_a_user_keeps_the_variant,
    only_services_assign_others,
    conversions_count_from_the_assignment_to_the_end_of_the_window,
    units_and_conversions_agree_with_a_model,
    a_decision_waits_for_the_planned_size_and_for_the_windows,
    sizes_that_contradict_the_weights_void_a_difference,
    an_experiment_without_units_has_no_figures,
);

const ASSIGN: &str = "mutation($input: AssignVariantInput!) { assignVariant(input: $input) {
    variant assignedAt userErrors { code field } } }";
const RESULT: &str = "query($code: String!) { analytics { experiment(code: $code) { experiment { code endedAt }
    variants { variant unitCount conversionCount conversionRate confidenceInterval { low high } } closedUnitCount
    difference { estimate test pValue confidenceInterval { low high } } sizeCheck { pValue isMismatched } decision } } }";

async fn create(test: &TestApp, planned: i64) -> Uuid {
    let create = "mutation($input: CreateExperimentInput!) { createExperiment(input: $input) {
        experiment { id windowSeconds controlWeight treatmentWeight } userErrors { code } } }";
    let input = json!({"code": "checkout", "name": "Checkout", "conversionEvent": EVENT, "windowSeconds": 3600,
        "plannedUnitCount": planned});
    let mut made = test.admin().data(create, json!({"input": input})).await["createExperiment"].take();
    assert_eq!(made["userErrors"], json!([]));
    let id = made["experiment"]["id"].take();
    assert_eq!(
        made["experiment"],
        json!({"id": null, "windowSeconds": 3600, "controlWeight": 1, "treatmentWeight": 1})
    );
    local_id(id.as_str().unwrap()).1
}

async fn assign(caller: &Client<'_>, unit: Value) -> Value {
    let mut input = unit;
    input["code"] = json!("checkout");
    caller.data(ASSIGN, json!({"input": input})).await["assignVariant"].take()
}

async fn result(test: &TestApp) -> Value {
    let service = test.service(&[Permission::AnalyticsRead]);
    service.data(RESULT, json!({"code": "checkout"})).await["analytics"]["experiment"].take()
}

async fn user(test: &TestApp, subject: &str) -> (Uuid, Value) {
    let id = test.user(subject).data("{ viewer { user { id } } }", json!({})).await["viewer"]["user"]["id"].take();
    (local_id(id.as_str().unwrap()).1, id)
}

async fn the_first_assignment_stays_for_ever(test: &TestApp) {
    let experiment = create(test, 10).await;
    let service = test.service(&[Permission::EventsWrite]);
    let first = assign(&service, json!({"anonymousId": "v-1"})).await;
    assert_eq!(first["userErrors"], json!([]));
    assert_eq!(first["assignedAt"], "2026-01-15T12:00:00Z");
    test.advance(TimeDelta::days(400));
    let service = test.service(&[Permission::EventsWrite]);
    assert_eq!(assign(&service, json!({"anonymousId": "v-1"})).await, first);
    let mine = assign(&test.user("alice"), json!({})).await;
    let (_, alice) = user(test, "alice").await;
    assert_eq!(assign(&test.user("alice"), json!({"userId": alice})).await, mine);
    assert_eq!(assign(&service, json!({"userId": alice})).await, mine);

    let variants: BTreeSet<String> = join_all((0..40).map(async |number| {
        let assigned = assign(&service, json!({"anonymousId": format!("w-{number}")})).await;
        assigned["variant"].as_str().unwrap().to_owned()
    }))
    .await
    .into_iter()
    .collect();
    assert_eq!(variants, BTreeSet::from(["CONTROL".to_owned(), "TREATMENT".to_owned()]));

    let end = "mutation($id: ID!) { endExperiment(input: {experimentId: $id}) {
        experiment { endedAt } userErrors { code } } }";
    let ended = test.admin().data(end, json!({"id": global_id("Experiment", experiment)})).await;
    assert_eq!(ended["endExperiment"]["experiment"]["endedAt"], json!("2027-02-19T12:00:00Z"));
    assert_eq!(assign(&service, json!({"anonymousId": "v-1"})).await, first);
    let late = assign(&service, json!({"anonymousId": "v-2"})).await;
    let refused = json!([{"code": "EXPERIMENT_ENDED", "field": ["code"]}]);
    assert_eq!(late, json!({"variant": null, "assignedAt": null, "userErrors": refused}));
}

async fn of_many_callers_on_two_nodes_all_get_one_assignment(test: &TestApp) {
    create(test, 10).await;
    let node = test.beside_at(Arc::clone(&test.app.clock), &[("TOLLGATE_JWT_HS256_SECRET", SECRET)]).await;
    let assignments = (0..64).map(|number| {
        let on = if number % 2 == 0 { test } else { &node };
        let unit = json!({"anonymousId": format!("v-{}", number / 2 % 4)});
        async move { (number / 2 % 4, assign(&on.service(&[Permission::EventsWrite]), unit).await.to_string()) }
    });
    let different: BTreeSet<(i32, String)> = join_all(assignments).await.into_iter().collect();
    assert_eq!(different.len(), 4, "{different:?}");
    assert_eq!(sql::number(test.app.db.schema(), "SELECT COUNT(*) FROM experiment_assignments").await, 4);
}

async fn a_visitor_who_turns_out_to_be_a_user_keeps_the_variant(test: &TestApp) {
    create(test, 10).await;
    let service = test.service(&[Permission::EventsWrite]);
    let (alice, id) = user(test, "alice").await;
    let visitor = assign(&service, json!({"anonymousId": "v-1"})).await;
    experiments::identify(&test.app, "v-1", alice).await;
    experiments::identify(&test.app, "v-2", alice).await;
    test.advance(TimeDelta::seconds(9));
    assert_eq!(assign(&test.user("alice"), json!({})).await, visitor);
    assert_eq!(assign(&service, json!({"userId": id})).await, visitor);
    assert_eq!(assign(&service, json!({"anonymousId": "v-2"})).await, visitor);

    // Bob was assigned as a visitor and as a user: the first assignment is his, and he is one unit.
    let (bob, _) = user(test, "bob").await;
    let first = assign(&service, json!({"anonymousId": "b-1"})).await;
    test.advance(TimeDelta::seconds(1));
    assign(&test.user("bob"), json!({})).await;
    experiments::identify(&test.app, "b-1", bob).await;
    assert_eq!(assign(&test.user("bob"), json!({})).await, first);
    let result = result(test).await;
    let units: i64 = result["variants"].as_array().unwrap().iter().map(|v| v["unitCount"].as_i64().unwrap()).sum();
    assert_eq!(units, 2);
}

async fn only_services_assign_others(test: &TestApp) {
    create(test, 10).await;
    let (_, bob) = user(test, "bob").await;
    let refused = async |caller: Client<'_>, unit: Value| {
        let mut input = unit;
        input["code"] = json!("checkout");
        caller.code(ASSIGN, json!({"input": input})).await
    };
    let others: Vec<_> = Permission::ALL.into_iter().filter(|other| *other != Permission::EventsWrite).collect();
    for unit in [json!({"userId": bob}), json!({"anonymousId": "v"})] {
        assert_eq!(refused(test.anonymous(), unit.clone()).await, "UNAUTHENTICATED");
        assert_eq!(refused(test.user("alice"), unit.clone()).await, "FORBIDDEN");
        assert_eq!(refused(test.service(&others), unit).await, "FORBIDDEN");
    }
    assert_eq!(refused(test.service(&others), json!({})).await, "FORBIDDEN");
    assert_eq!(refused(test.admin(), json!({"userId": bob, "anonymousId": "v"})).await, "BAD_USER_INPUT");
    let code = test.user("alice").code(RESULT, json!({"code": "checkout"})).await;
    assert_eq!(code, "FORBIDDEN");
    let none = test.admin().data(RESULT, json!({"code": "nothing"})).await;
    assert_eq!(none["analytics"]["experiment"], Value::Null);
}

async fn conversions_count_from_the_assignment_to_the_end_of_the_window(test: &TestApp) {
    let experiment = create(test, 10).await;
    let at = test.app.now();
    let micro = TimeDelta::microseconds(1);
    let (alice, _) = user(test, "alice").await;
    for (id, name, moments, converts) in [
        ("at-once", EVENT, vec![at], true),
        ("at-the-end", EVENT, vec![at + TimeDelta::hours(1)], true),
        ("too-late", EVENT, vec![at + TimeDelta::hours(1) + micro], false),
        ("before", EVENT, vec![at - micro], false),
        ("before-and-in-time", EVENT, vec![at - micro, at + micro], true),
        ("often", EVENT, vec![at + micro, at + micro, at + TimeDelta::minutes(9)], true),
        ("something-else", "checkout.begun", vec![at + micro], false),
        ("never", EVENT, vec![], false),
    ] {
        let person = Person::visitor(id);
        let variant = if converts { "treatment" } else { "control" };
        experiments::assign(&test.app, experiment, &person, variant, at).await;
        for moment in moments {
            experiments::track(&test.app, &person, name, moment).await;
        }
    }
    // The event of a user counts for the visitor who was assigned, and the other way round.
    experiments::assign(&test.app, experiment, &Person::visitor("alice-1"), "treatment", at).await;
    experiments::track(&test.app, &Person::User(alice), EVENT, at + micro).await;
    experiments::track(&test.app, &Person::visitor("stranger"), EVENT, at + micro).await;
    experiments::identify(&test.app, "alice-1", alice).await;
    test.advance(TimeDelta::hours(2));
    let found = result(test).await;
    let sizes = |index: usize| (&found["variants"][index]["unitCount"], &found["variants"][index]["conversionCount"]);
    assert_eq!(sizes(0), (&json!(4), &json!(0)), "{found}");
    assert_eq!(sizes(1), (&json!(5), &json!(5)), "{found}");
    assert_eq!(found["closedUnitCount"], 9);
}

/// Random assignments and events of visitors and users who are partly the same people, as facts in memory.
#[derive(Default)]
struct Facts {
    aliases: BTreeMap<String, Uuid>,
    assignments: Vec<(Person, &'static str, DateTime<Utc>)>,
    events: Vec<(Person, DateTime<Utc>)>,
}

impl Facts {
    fn owner(&self, person: &Person) -> Person {
        match person {
            Person::Visitor(id) => self.aliases.get(id).map_or_else(|| person.clone(), |user| Person::User(*user)),
            Person::User(_) => person.clone(),
        }
    }

    /// Returns units and conversions of a variant.
    fn count(&self, variant: &str) -> (usize, usize) {
        let mut firsts: BTreeMap<Person, (&str, DateTime<Utc>)> = BTreeMap::new();
        for (person, variant, at) in &self.assignments {
            let first = firsts.entry(self.owner(person)).or_insert((variant, *at));
            if *at < first.1 {
                *first = (variant, *at);
            }
        }
        let converted = |person: &Person, from: DateTime<Utc>| {
            let mut theirs = self.events.iter().filter(|(other, _)| self.owner(other) == *person);
            theirs.any(|(_, at)| *at >= from && *at <= from + TimeDelta::hours(1))
        };
        let of: Vec<_> = firsts.iter().filter(|(_, (other, _))| *other == variant).collect();
        (of.len(), of.iter().filter(|(person, (_, at))| converted(person, *at)).count())
    }
}

async fn units_and_conversions_agree_with_a_model(test: &TestApp) {
    let experiment = create(test, 10).await;
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut people: Vec<Person> = (0..60).map(|number| Person::Visitor(format!("v-{number}"))).collect();
    let mut facts = Facts::default();
    for number in 0..12 {
        let (id, _) = user(test, &format!("user-{number}")).await;
        people.push(Person::User(id));
        for _ in 0..random.random_range(0..3) {
            let visitor = format!("v-{}", random.random_range(0..60));
            if facts.aliases.insert(visitor.clone(), id).is_none() {
                experiments::identify(&test.app, &visitor, id).await;
            } else {
                let known = "SELECT user_id FROM identity_aliases WHERE anonymous_id = $1";
                let known = sql::ids(test.app.db.schema(), known, [visitor.clone().into()]).await[0];
                facts.aliases.insert(visitor, known);
            }
        }
    }
    let start = test.app.now();
    let mut minute = || start + TimeDelta::minutes(random.random_range(0..180));
    for (index, person) in people.iter().enumerate().filter(|(index, _)| index % 7 != 0) {
        // At different instants, so that one is the first.
        let at = minute() + TimeDelta::seconds(i64::try_from(index % 60).unwrap());
        let variant = ["control", "treatment", "treatment"][index % 3];
        experiments::assign(&test.app, experiment, person, variant, at).await;
        facts.assignments.push((person.clone(), variant, at));
    }
    for index in 0..150 {
        let (person, at) = (&people[index * 31 % people.len()], minute());
        experiments::track(&test.app, person, EVENT, at).await;
        facts.events.push((person.clone(), at));
    }
    test.advance(TimeDelta::hours(5));
    let found = result(test).await;
    for (index, variant) in ["control", "treatment"].into_iter().enumerate() {
        let expected = facts.count(variant);
        assert!(expected.1 > 5 && expected.0 > expected.1, "{expected:?}");
        let shown = &found["variants"][index];
        assert_eq!((&shown["unitCount"], &shown["conversionCount"]), (&json!(expected.0), &json!(expected.1)));
    }
}

/// Assigns so many units, of which so many convert at once.
async fn fill(test: &TestApp, experiment: Uuid, variant: &str, [units, conversions]: [u32; 2]) {
    for number in 0..units {
        let person = Person::Visitor(format!("{variant}-{number}"));
        experiments::assign(&test.app, experiment, &person, variant, test.app.now()).await;
        if number < conversions {
            experiments::track(&test.app, &person, EVENT, test.app.now()).await;
        }
    }
}

async fn a_decision_waits_for_the_planned_size_and_for_the_windows(test: &TestApp) {
    let experiment = create(test, 160).await;
    // Newcombe's example: 48 of 80 and 56 of 70.
    fill(test, experiment, "control", [80, 48]).await;
    fill(test, experiment, "treatment", [70, 56]).await;
    test.advance(TimeDelta::hours(2));
    let found = result(test).await;
    let [control, treatment] = [&found["variants"][0], &found["variants"][1]];
    assert_eq!(control["conversionRate"], "0.6");
    assert_eq!(treatment["conversionRate"], "0.8");
    let difference = &found["difference"];
    let start = |value: &Value| value.as_str().unwrap()[..5].to_owned();
    assert_eq!((&difference["estimate"], &difference["test"]), (&json!("0.2"), &json!("POOLED_Z")));
    assert_eq!(start(&difference["confidenceInterval"]["low"]), "0.052");
    assert_eq!(start(&difference["confidenceInterval"]["high"]), "0.333");
    assert_eq!((&found["sizeCheck"]["isMismatched"], &found["closedUnitCount"]), (&json!(false), &json!(150)));
    assert_eq!(found["decision"], "COLLECTING", "150 of 160 units");

    for number in 0..10 {
        let person = Person::Visitor(format!("late-{number}"));
        experiments::assign(&test.app, experiment, &person, "treatment", test.app.now()).await;
    }
    test.advance(TimeDelta::hours(1));
    let found = result(test).await;
    assert_eq!(found["variants"][1]["unitCount"], 80);
    assert_eq!(found["decision"], "COLLECTING", "the windows of ten end just now");
    test.advance(TimeDelta::microseconds(1));
    // 48 and 56 of 80 each: z is 1.326.
    let found = result(test).await;
    assert_eq!(found["decision"], "NOT_SIGNIFICANT");
    assert_eq!(start(&found["difference"]["pValue"]), "0.184");

    for number in 0..10 {
        let person = Person::Visitor(format!("late-{number}"));
        let at = test.app.now() - TimeDelta::minutes(30);
        experiments::track(&test.app, &person, EVENT, at).await;
    }
    let found = result(test).await;
    assert_eq!((&found["decision"], &found["variants"][1]["conversionCount"]), (&json!("SIGNIFICANT"), &json!(66)));
}

async fn sizes_that_contradict_the_weights_void_a_difference(test: &TestApp) {
    let experiment = create(test, 60).await;
    fill(test, experiment, "control", [50, 0]).await;
    fill(test, experiment, "treatment", [10, 10]).await;
    test.advance(TimeDelta::hours(2));
    let found = result(test).await;
    assert_eq!(found["sizeCheck"], json!({"pValue": "0.000000241756", "isMismatched": true}));
    assert!(found["difference"]["pValue"].as_str().unwrap().starts_with("0.0000"), "{found}");
    assert_eq!(found["decision"], "MISMATCHED");
}

async fn an_experiment_without_units_has_no_figures(test: &TestApp) {
    let experiment = create(test, 1).await;
    let found = result(test).await;
    let nothing = |variant: &str| {
        json!({"variant": variant, "unitCount": 0, "conversionCount": 0,
        "conversionRate": null, "confidenceInterval": null})
    };
    let expected = json!({"experiment": {"code": "checkout", "endedAt": null},
        "variants": [nothing("CONTROL"), nothing("TREATMENT")], "closedUnitCount": 0, "difference": null,
        "sizeCheck": null, "decision": "COLLECTING"});
    assert_eq!(found, expected);
    // One variant alone: nothing can be compared.
    experiments::assign(&test.app, experiment, &Person::visitor("v"), "control", test.app.now()).await;
    test.advance(TimeDelta::hours(2));
    let found = result(test).await;
    assert_eq!((&found["difference"], &found["decision"]), (&Value::Null, &json!("NOT_SIGNIFICANT")));
}
