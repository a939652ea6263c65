//! Objects by their ids: one and many, of every type, and what an id or a page that makes no sense is told.

use crate::support::{Client, TestApp, World, both_engines, global_id, local_id};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

both_engines!(
    nodes_keep_the_order_of_their_ids,
    a_hundred_ids_are_looked_up_at_once_and_no_more,
    every_row_is_found_by_node_and_by_its_root,
    a_root_says_which_type_its_id_must_have,
    an_argument_of_a_page_says_what_is_wrong_with_it,
    a_filter_says_what_is_wrong_with_it,
    an_input_that_has_no_such_form_is_refused_before_it_runs,
);

const NODES: &str = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";

/// Returns the code and the message of the first error, and the path of its field.
async fn error(caller: &Client<'_>, query: &str, variables: Value) -> (String, String) {
    let reply = caller.post(query, variables).await.json();
    let error = &reply["errors"][0];
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{query}: {reply}")).to_owned();
    (text(&error["extensions"]["code"]), text(&error["message"]))
}

fn bad_input(message: &str) -> (String, String) {
    ("BAD_USER_INPUT".to_owned(), message.to_owned())
}

async fn nodes_keep_the_order_of_their_ids(test: &TestApp) {
    let world = World::make(test).await;
    let [payment, user, plan] =
        [world.id("Payment", "shared"), world.id("User", "user alice"), world.id("Plan", "public")];
    let (unknown, hidden) = (global_id("Payment", Uuid::nil()), world.id("Payment", "eve"));
    let ids = [plan, payment, &unknown, user, payment, hidden, "nonsense", plan, ""];
    let found = test.user("alice").data(NODES, json!({"ids": ids})).await["nodes"].take();
    let node = |ty: &str, id: &str| json!({"__typename": ty, "id": id});
    let expected = json!([
        node("Plan", plan),
        node("Payment", payment),
        null,
        node("User", user),
        node("Payment", payment),
        null,
        null,
        node("Plan", plan),
        null,
    ]);
    assert_eq!(found, expected);
    // A row that is hidden from one caller is there for another.
    let admin = test.admin().data(NODES, json!({"ids": [hidden, payment]})).await;
    assert_eq!(admin["nodes"], json!([node("Payment", hidden), node("Payment", payment)]));
    assert_eq!(test.anonymous().data(NODES, json!({"ids": ids})).await["nodes"][0], node("Plan", plan));
    assert_eq!(test.anonymous().data(NODES, json!({"ids": []})).await["nodes"], json!([]));
}

async fn a_hundred_ids_are_looked_up_at_once_and_no_more(test: &TestApp) {
    let world = World::make(test).await;
    let all: Vec<&str> =
        ["Payment", "Plan", "Price", "User", "Account", "Refund"].iter().flat_map(|ty| world.ids(ty)).collect();
    let hundred: Vec<_> = all.iter().cycle().take(100).collect();
    let found = test.admin().data(NODES, json!({"ids": hundred})).await["nodes"].take();
    for (node, id) in found.as_array().unwrap().iter().zip(&hundred) {
        assert_eq!((&node["id"], &node["__typename"]), (&json!(id), &json!(local_id(id).0)));
    }
    let more: Vec<_> = all.iter().cycle().take(101).collect();
    let told = error(&test.admin(), NODES, json!({"ids": more})).await;
    assert_eq!(told, bad_input("At most 100 ids can be looked up at once."));
}

/// Roots that find one object by its id, with its type.
const ROOTS: &[(&str, &str)] = &[
    ("user", "User"),
    ("account", "Account"),
    ("subscription", "Subscription"),
    ("payment", "Payment"),
    ("refund", "Refund"),
    ("invoice", "Invoice"),
    ("coupon", "Coupon"),
    ("gift", "Gift"),
    ("licenseKey", "LicenseKey"),
];

async fn every_row_is_found_by_node_and_by_its_root(test: &TestApp) {
    let world = World::make(test).await;
    let roots: BTreeMap<&str, &str> = ROOTS.iter().map(|(root, ty)| (*ty, *root)).collect();
    let callers = [
        ("alice", test.user("alice")),
        ("bob", test.user("bob")),
        ("carol", test.user("carol")),
        ("eve", test.user("eve")),
        ("admin", test.admin()),
    ];
    for (ty, root) in &roots {
        for id in world.ids(ty) {
            for (name, caller) in &callers {
                let query = format!("query($id: ID!) {{ node(id: $id) {{ id }} root: {root}(id: $id) {{ id }} }}");
                let found = caller.data(&query, json!({"id": id})).await;
                assert_eq!(found["node"], found["root"], "{name} asks for the {ty} {id}");
                if *name == "admin" {
                    assert_eq!(found["root"]["id"], id, "{ty}");
                }
            }
            let query = format!("query($id: ID!) {{ {root}(id: $id) {{ id }} }}");
            let told = error(&test.anonymous(), &query, json!({"id": id})).await;
            let sign_in = "Sign in first: send a token or an API key.";
            assert_eq!(told, ("UNAUTHENTICATED".to_owned(), sign_in.to_owned()), "{root}");
        }
        let query = format!("query($id: ID!) {{ {root}(id: $id) {{ id }} }}");
        let unknown = global_id(ty, Uuid::nil());
        assert_eq!(test.admin().data(&query, json!({"id": unknown})).await[*root], Value::Null);
    }
}

async fn a_root_says_which_type_its_id_must_have(test: &TestApp) {
    let world = World::make(test).await;
    let plan = world.id("Plan", "public");
    for (root, ty) in ROOTS {
        let query = format!("query($id: ID!) {{ {root}(id: $id) {{ id }} }}");
        let told = error(&test.admin(), &query, json!({"id": plan})).await;
        assert_eq!(told, bad_input(&format!("The id belongs to the type Plan, not {ty}.")), "{root}");
        for nonsense in ["", "nonsense", "UGxhbjox", &local_id(plan).1.to_string()] {
            let told = error(&test.admin(), &query, json!({"id": nonsense})).await;
            let message = format!("This is not a global id: take one from the field `id` of the type {ty}.");
            assert_eq!(told, bad_input(&message), "{root} {nonsense:?}");
        }
    }
    // The name of a type that somebody made up is shown without what could harm a page or a log.
    let made_up = global_id("<b>Pay\u{202e}ment\n</b>", Uuid::nil());
    let query = "query($id: ID!) { payment(id: $id) { id } }";
    let told = error(&test.admin(), query, json!({"id": made_up})).await;
    assert_eq!(told, bad_input("The id belongs to the type bPaymentb, not Payment."));
    let long = global_id(&"x".repeat(500), Uuid::nil());
    let (_, message) = error(&test.admin(), query, json!({"id": long})).await;
    assert_eq!(message, format!("The id belongs to the type {}, not Payment.", "x".repeat(40)));
}

async fn an_argument_of_a_page_says_what_is_wrong_with_it(test: &TestApp) {
    World::make(test).await;
    let cursors = "{ payments(first: 1) { pageInfo { endCursor } } refunds(first: 1) { pageInfo { endCursor } } }";
    let cursors = test.admin().data(cursors, json!({})).await;
    let (own, other) = (&cursors["payments"]["pageInfo"]["endCursor"], &cursors["refunds"]["pageInfo"]["endCursor"]);
    let pairs = "Pass `first` with `after`, or `last` with `before`, but not both pairs.";
    let sizes = "`first` and `last` must be between 0 and 100.";
    let cursor = "The cursor belongs to another list or order: pass one from the `pageInfo` of this list.";
    for (arguments, message) in [
        ("first: 1, last: 1".to_owned(), pairs),
        (format!("first: 1, before: {own}"), pairs),
        (format!("last: 1, after: {own}"), pairs),
        (format!("after: {own}, before: {own}"), pairs),
        ("first: -1".to_owned(), sizes),
        ("first: 101".to_owned(), sizes),
        ("last: -1".to_owned(), sizes),
        ("last: 2147483647".to_owned(), sizes),
        ("after: \"\"".to_owned(), cursor),
        ("after: \"nonsense\"".to_owned(), cursor),
        (format!("after: {other}"), cursor),
        (format!("before: {other}"), cursor),
    ] {
        let query = format!("{{ payments({arguments}) {{ nodes {{ id }} }} }}");
        assert_eq!(error(&test.admin(), &query, json!({})).await, bad_input(message), "{arguments}");
        // Nested lists say the same, and the rest of the answer is there.
        let nested =
            format!("{{ accounts(first: 1) {{ nodes {{ id payments({arguments}) {{ nodes {{ id }} }} }} }} }}");
        assert_eq!(error(&test.admin(), &nested, json!({})).await, bad_input(message), "{arguments}");
    }
    let both = "{ good: payments(first: 1) { totalCount } bad: payments(first: -1) { totalCount } }";
    let reply = test.admin().post(both, json!({})).await.json();
    assert_eq!(reply["errors"][0]["path"], json!(["bad"]), "{reply}");
    assert_eq!(reply["errors"].as_array().unwrap().len(), 1);
}

async fn a_filter_says_what_is_wrong_with_it(test: &TestApp) {
    World::make(test).await;
    for (list, field) in [
        ("users", "email"),
        ("payments", "externalId"),
        ("coupons", "code"),
        ("auditLog", "actor"),
        ("auditLog", "action"),
        ("webhookEvents", "eventType"),
        ("webhookEvents", "objectId"),
        ("licenseKeys", "keyPrefix"),
        ("gifts", "codePrefix"),
    ] {
        let query = format!("query($text: String) {{ {list}(filter: {{{field}: $text}}) {{ nodes {{ id }} }} }}");
        for text in ["\0".to_owned(), "a\0b".to_owned(), "x".repeat(20_000)] {
            let (code, message) = error(&test.admin(), &query, json!({"text": text})).await;
            assert_eq!(code, "BAD_USER_INPUT", "{query}");
            assert!(message.starts_with(&format!("`{field}` must have at most")), "{query}: {message}");
            assert!(message.ends_with(" bytes and no NUL character."), "{query}: {message}");
        }
        assert_eq!(test.admin().data(&query, json!({"text": "nobody"})).await[list]["nodes"], json!([]), "{query}");
    }
    for (list, filter) in [("auditLog", "entityId: \"nonsense\""), ("providerCalls", "accountId: \"nonsense\"")] {
        let query = format!("{{ {list}(filter: {{{filter}}}) {{ nodes {{ id }} }} }}");
        let (code, message) = error(&test.admin(), &query, json!({})).await;
        assert_eq!(code, "BAD_USER_INPUT", "{query}");
        assert!(message.starts_with("This is not a global id"), "{message}");
    }
    // A span that ends before it begins has nothing in it, which is no mistake.
    let span = "{ payments(filter: {createdAt: {from: \"2026-02-01T00:00:00Z\", to: \"2026-01-01T00:00:00Z\"}}) { totalCount } }";
    assert_eq!(test.admin().data(span, json!({})).await["payments"]["totalCount"], 0);
}

async fn an_input_that_has_no_such_form_is_refused_before_it_runs(test: &TestApp) {
    let world = World::make(test).await;
    let plan = world.id("Plan", "public");
    let plans = "{ plans { totalCount } }";
    let before = test.admin().data(plans, json!({})).await;
    let create = "mutation($input: CreatePlanInput!) { createPlan(input: $input) { plan { id } } }";
    let good = json!({"code": "a", "kind": "PLAN", "name": "A", "rank": 1});
    let with = |field: &str, value: Value| {
        let mut input = good.clone();
        input[field] = value;
        input
    };
    let without = |field: &str| {
        let mut input = good.clone();
        input.as_object_mut().unwrap().remove(field);
        input
    };
    for (input, part) in [
        (without("code"), "code"),
        (without("kind"), "kind"),
        (without("name"), "name"),
        (without("rank"), "rank"),
        (with("code", Value::Null), "code"),
        (with("code", json!(7)), "code"),
        (with("kind", json!("plan")), "kind"),
        (with("kind", json!("SUBSCRIPTION")), "kind"),
        (with("rank", json!("1")), "rank"),
        (with("rank", json!(1.5)), "rank"),
        (with("rank", json!(2_147_483_648_i64)), "rank"),
        (with("colour", json!("red")), "colour"),
        (json!([good.clone(), good.clone()]), "input"),
        (json!("a"), "input"),
        (Value::Null, "input"),
    ] {
        let (code, message) = error(&test.admin(), create, json!({"input": input})).await;
        assert_eq!(code, "BAD_USER_INPUT", "{input}: {message}");
        assert!(message.contains(part), "{input}: {message} does not name {part}");
    }
    assert_eq!(test.admin().data(plans, json!({})).await, before);
    let update = "mutation($id: ID!) { updatePlan(input: {planId: $id}) { plan { id } userErrors { code } } }";
    let (code, _) = error(&test.admin(), update, json!({"id": world.id("Price", "public")})).await;
    assert_eq!(code, "BAD_USER_INPUT");
    assert_eq!(test.admin().data(update, json!({"id": plan})).await["updatePlan"]["plan"]["id"], plan);
}
