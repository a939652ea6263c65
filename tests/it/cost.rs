//! The cost of documents: what each is estimated at, and that nothing over the limit runs.

use crate::support::live::{Events, Server, Socket};
use crate::support::{Client, Company, SECRET, TestApp, both_engines, sql};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{ExecutableDocument, Schema};
use serde_json::{Value, json};
use std::path::Path;
use tollgate::graphql::engine::execute::{Operation, Terms};
use tollgate::http::Http;

both_engines!(
    pages_ids_and_lists_are_multiplied_down_the_tree,
    the_reply_says_what_it_cost,
    a_document_over_the_limit_does_not_run,
    a_page_size_beyond_all_numbers_is_refused,
    cycles_are_refused_whatever_the_data,
    the_operations_of_a_batch_are_added_up,
    each_role_has_its_limit,
    introspection_is_counted,
    a_subscription_is_limited_on_either_transport,
    the_examples_and_a_page_of_a_console_are_far_below_the_limits,
);

/// Returns a Tollgate on the same database with these settings.
pub(crate) async fn configured(test: &TestApp, settings: &[(&str, &str)]) -> TestApp {
    test.beside(&[&[("TOLLGATE_JWT_HS256_SECRET", SECRET), ("TOLLGATE_REPORT_COST", "true")], settings].concat()).await
}

/// Returns the first error's code, `extensions.cost` and `extensions.limit`.
pub(crate) fn refusal(body: &Value) -> (String, u64, u64) {
    let extensions = &body["errors"][0]["extensions"];
    let figure = |name: &str| extensions[name].as_u64().unwrap_or_default();
    (extensions["code"].as_str().unwrap_or_default().to_owned(), figure("cost"), figure("limit"))
}

async fn requested(client: &Client<'_>, query: &str, variables: Value) -> u64 {
    let body = client.post(query, variables).await.json();
    let cost = body["extensions"]["cost"]["requestedQueryCost"].as_u64();
    cost.unwrap_or_else(|| panic!("{query}: {body}"))
}

async fn pages_ids_and_lists_are_multiplied_down_the_tree(test: &Company<3>) {
    let test = configured(test, &[]).await;
    let admin = test.admin();
    let ids: Vec<String> = (0..40).map(|number| format!("id{number}")).collect();
    let table = [
        // An object costs 1, a scalar 0.1, and the sum is rounded up.
        ("{ __typename }", json!({}), 1),
        ("{ viewer { role } }", json!({}), 2),
        ("{ a: viewer { role } b: viewer { role } }", json!({}), 3),
        ("{ viewer { role } ...F ...F } fragment F on Query { viewer { role } }", json!({}), 2),
        // A page: 1 for the connection, and each of its rows.
        ("{ users(first: 10) { nodes { id } } }", json!({}), 12),
        ("{ users(last: 10) { nodes { id } } }", json!({}), 12),
        ("{ users { nodes { id } } }", json!({}), 23),
        ("{ users(first: 0) { nodes { id } } }", json!({}), 1),
        ("{ users(first: 10) { edges { cursor node { id } } } }", json!({}), 23),
        ("{ users(first: 10) { nodes { id } edges { node { id } } } }", json!({}), 33),
        ("{ users(first: 10) { totalCount pageInfo { hasNextPage } } }", json!({}), 4),
        // Variables, with their defaults.
        ("query($n: Int) { users(first: $n) { nodes { id } } }", json!({"n": 50}), 56),
        ("query($n: Int) { users(first: $n) { nodes { id } } }", json!({"n": null}), 23),
        ("query($n: Int) { users(first: $n) { nodes { id } } }", json!({}), 23),
        ("query($n: Int = 30) { users(first: $n) { nodes { id } } }", json!({}), 34),
        ("query($n: Int) { users(first: $n) { nodes { id } } }", json!({"n": -1}), 1),
        // Below a row, everything is there for each row.
        ("{ users(first: 10) { nodes { payments(first: 5) { nodes { id } } } } }", json!({}), 76),
        (
            "query($a: Int, $b: Int) { users(first: $a) { nodes { payments(last: $b) { nodes { id } } } } }",
            json!({"a": 10, "b": 5}),
            76,
        ),
        ("{ users(first: 4) { nodes { a: payments(first: 5) { nodes { id } } b: id } } }", json!({}), 32),
        // Lists without pages have the length that the schema assumes.
        ("{ plans(first: 1) { nodes { currentVersion { prices { id } } } } }", json!({}), 9),
        ("{ plans(first: 2) { nodes { currentVersion { prices { providerPrices { id } } } } } }", json!({}), 48),
        // As many as there are ids, equal ones too.
        ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({"ids": ids}), 44),
        ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({"ids": vec!["same"; 40]}), 44),
        ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({"ids": "one"}), 2),
        ("{ nodes(ids: [\"a\", \"b\", \"c\"]) { id } }", json!({}), 4),
        ("query($id: ID!) { nodes(ids: [$id, $id]) { id } }", json!({"id": "x"}), 3),
        // Of several types, the dearest.
        (
            "{ node(id: \"x\") { ... on User { email } ... on Plan { currentVersion { prices { id } } } } }",
            json!({}),
            8,
        ),
        (
            "query($n: Int) { node(id: \"x\") { ... on User { payments(first: $n) { nodes { id } } } ... on Plan { id } } }",
            json!({"n": 10}),
            13,
        ),
        // Conditions.
        ("query($y: Boolean!) { users @include(if: $y) { nodes { id } } viewer { role } }", json!({"y": false}), 2),
        ("query($y: Boolean!) { users @include(if: $y) { nodes { id } } viewer { role } }", json!({"y": true}), 25),
        // Sums of whole tables.
        ("{ analytics { subscriptionCounts { status } } }", json!({}), 112),
        // Sums and a long text.
        (
            "{ analytics { exportReport(kind: REVENUE, from: \"2026-01-01\", to: \"2026-02-01\") { text } } }",
            json!({}),
            2_103,
        ),
    ];
    for (query, variables, cost) in table {
        assert_eq!(requested(&admin, query, variables.clone()).await, cost, "{query} {variables}");
        assert_eq!(requested(&admin, query, variables.clone()).await, cost, "again: {query} {variables}");
    }
}

async fn the_reply_says_what_it_cost(test: &Company<3>) {
    let reporting = configured(test, &[]).await;
    let admin = reporting.admin();
    let page = "{ users(first: 100) { nodes { id subscription { id } } } }";
    let body = admin.post(page, json!({})).await.json();
    let users = body["data"]["users"]["nodes"].as_array().unwrap();
    let subscribed = users.iter().filter(|user| !user["subscription"].is_null()).count();
    let actual = (10 + users.len() * 11 + subscribed * 11).div_ceil(10);
    assert_eq!(body["extensions"]["cost"], json!({"requestedQueryCost": 221, "actualQueryCost": actual}));
    let missing = admin.post("{ node(id: \"none\") { id } }", json!({})).await.json();
    assert_eq!(missing["extensions"]["cost"], json!({"requestedQueryCost": 2, "actualQueryCost": 0}));
    let invalid = admin.post("{ nope }", json!({})).await.json();
    assert_eq!(invalid.get("extensions"), None, "{invalid}");
    let quiet = configured(test, &[("TOLLGATE_REPORT_COST", "false")]).await;
    assert_eq!(quiet.admin().post(page, json!({})).await.json().get("extensions"), None);
}

/// A mutation whose payload is expensive to show.
const UNIT: &str = "mutation($code: String!) {
    createCreditUnit(input: {code: $code, name: \"n\", decimals: 0}) { creditUnit { id code name decimals } userErrors { code message field } }
}";

async fn units(test: &TestApp) -> i64 {
    sql::number(test.app.db.schema(), "SELECT COUNT(*) FROM credit_units").await
}

async fn a_document_over_the_limit_does_not_run(test: &TestApp) {
    let exact = requested(&configured(test, &[]).await.admin(), UNIT, json!({"code": "first"})).await;
    assert_eq!(units(test).await, 1);
    let text = |limit: u64| [("TOLLGATE_LIMIT_COST_SERVICE", limit.to_string())];
    let below = text(exact - 1);
    let below = configured(test, &below.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
    let refused = below.admin().post(UNIT, json!({"code": "second"})).await;
    assert_eq!(refused.status, 200);
    let body = refused.json();
    assert_eq!(refusal(&body), ("COST_LIMIT_EXCEEDED".to_owned(), exact, exact - 1));
    assert_eq!(body.get("data"), None);
    let message = body["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains(&format!("cost {exact}, and the limit is {}", exact - 1)), "{message}");
    assert_eq!(units(test).await, 1);
    let accept = "application/graphql-response+json";
    let refused = below.admin().with_header("accept", accept).post(UNIT, json!({"code": "second"})).await;
    assert_eq!(refused.status, 400);
    let at = text(exact);
    let at = configured(test, &at.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
    at.admin().data(UNIT, json!({"code": "second"})).await;
    assert_eq!(units(test).await, 2);
}

async fn a_page_size_beyond_all_numbers_is_refused(test: &TestApp) {
    let admin = test.admin();
    let nested = "query($n: Int) { users(first: $n) { nodes { payments(first: $n) { nodes {
        refunds(first: $n) { nodes { payment { refunds(first: $n) { nodes { id } } } } } } } } } }";
    let largest = refusal(&admin.post(nested, json!({"n": 100})).await.json());
    assert_eq!((largest.0.as_str(), largest.2), ("COST_LIMIT_EXCEEDED", 30_000));
    let body = admin.post(nested, json!({"n": i32::MAX})).await.json();
    assert_eq!(refusal(&body), largest, "a page that is too large counts as the largest");
    let message = body["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("Most of it is `users.nodes.payments.nodes.refunds.nodes"), "{message}");
    assert!(message.contains("Lower `first` and `last`"), "{message}");
    // Within the limit, the list itself says which sizes there are.
    let body = admin.post("{ users(first: 101) { nodes { id } } }", json!({})).await.json();
    assert_eq!(refusal(&body).0, "BAD_USER_INPUT");
}

async fn cycles_are_refused_whatever_the_data(test: &TestApp) {
    let refunds = "{ refunds(first: 100) { nodes { payment { refunds(first: 100) { nodes { payment {
        refunds(first: 100) { nodes { id } } } } } } } } }";
    let body = test.admin().post(refunds, json!({})).await.json();
    assert_eq!(refusal(&body).0, "COST_LIMIT_EXCEEDED");
    let inner =
        (0..5).fold("id".to_owned(), |inner, _| format!("version {{ providerPrices {{ price {{ {inner} }} }} }}"));
    let plans = format!("{{ plans(first: 100) {{ nodes {{ currentVersion {{ prices {{ {inner} }} }} }} }} }}");
    let deep = configured(test, &[("TOLLGATE_LIMIT_DEPTH", "40")]).await;
    for client in [deep.anonymous(), deep.user("eve"), deep.admin()] {
        assert_eq!(refusal(&client.post(&plans, json!({})).await.json()).0, "COST_LIMIT_EXCEEDED");
    }
    // As it was found: equal ids, lists of prices below each other, and aliases.
    let names: String = (0..8).map(|number| format!("a{number}: __typename ")).collect();
    let version = format!("version {{ providerPrices {{ {names} }} }}");
    let price = (0..3).fold(version, |inner, _| format!("version {{ providerPrices {{ price {{ {inner} }} }} }}"));
    let nodes =
        format!("query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on ProviderPrice {{ price {{ {price} }} }} }} }}");
    let body = deep.anonymous().post(&nodes, json!({"ids": vec!["same"; 100]})).await.json();
    assert_eq!(refusal(&body).0, "COST_LIMIT_EXCEEDED", "{body}");
}

/// Sends a batch. Returns the status, the header `Retry-After` and the body.
pub(crate) async fn batch(test: &TestApp, token: &str, operations: &[Value]) -> (u16, Option<String>, Value) {
    let request = axum::http::Request::post("/graphql")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .body(Value::from(operations.to_vec()).to_string().into())
        .unwrap();
    let reply = test.send(request).await;
    let wait = reply.headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (reply.status.as_u16(), wait, reply.json())
}

async fn the_operations_of_a_batch_are_added_up(test: &TestApp) {
    let test = configured(test, &[("TOLLGATE_LIMIT_COST_SERVICE", "60")]).await;
    let token = test.admin_token();
    let users = json!({"query": "query A { users { nodes { id } } }"});
    let unit = json!({"query": UNIT, "variables": {"code": "unit"}});
    let (status, _, body) = batch(&test, &token, &[users.clone(), users.clone()]).await;
    assert_eq!(status, 200);
    for reply in body.as_array().unwrap() {
        assert_eq!(reply["extensions"]["cost"]["requestedQueryCost"], 23, "{body}");
    }
    let wrong = json!({"query": "{ nope }"});
    let (status, _, body) = batch(&test, &token, &[unit, users.clone(), wrong, users.clone()]).await;
    assert_eq!(status, 200);
    let codes: Vec<String> = body.as_array().unwrap().iter().map(|reply| refusal(reply).0).collect();
    assert_eq!(
        codes,
        ["COST_LIMIT_EXCEEDED", "COST_LIMIT_EXCEEDED", "GRAPHQL_VALIDATION_FAILED", "COST_LIMIT_EXCEEDED"]
    );
    assert_eq!(refusal(&body[0]), refusal(&body[3]));
    assert!(refusal(&body[0]).1 > 60);
    let message = body[0]["errors"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("4 operations of this batch") && message.contains("fewer operations at once"),
        "{message}"
    );
    assert_eq!(units(&test).await, 0, "no operation of the batch ran");
}

async fn each_role_has_its_limit(test: &TestApp) {
    let limits = [
        ("TOLLGATE_LIMIT_COST_ANONYMOUS", "10"),
        ("TOLLGATE_LIMIT_COST_USER", "20"),
        ("TOLLGATE_LIMIT_COST_SERVICE", "30"),
    ];
    let test = configured(test, &limits).await;
    let query = "query($n: Int) { plans(first: $n) { nodes { __typename } } }";
    for (client, limit) in [(test.anonymous(), 10), (test.user("eve"), 20), (test.service(&[]), 30), (test.admin(), 30)]
    {
        let at_most = (limit - 1) * 10 / 11;
        assert_eq!(requested(&client, query, json!({"n": at_most})).await, limit);
        let body = client.post(query, json!({"n": at_most + 1})).await.json();
        assert_eq!(refusal(&body), ("COST_LIMIT_EXCEEDED".to_owned(), limit + 1, limit));
    }
}

async fn introspection_is_counted(test: &TestApp) {
    let test = configured(test, &[]).await;
    let whole = include_str!("../../src/graphql/engine/documents/introspection.graphql");
    let body = test.anonymous().post(whole, json!({})).await.json();
    let cost = |name: &str| body["extensions"]["cost"][name].as_u64().unwrap();
    let (requested, actual) = (cost("requestedQueryCost"), cost("actualQueryCost"));
    assert!(actual > 100 && actual <= requested, "{requested} {actual}");
    // A user may run it, of a schema that has grown too. It takes some 15 ms, and all that may run at once 200 ms.
    let costs = &test.app.config.costs;
    assert!(requested * 3 <= u64::from(costs.user.request) * 2, "{requested}");
    assert!(requested * 15 >= u64::from(costs.running), "{requested}");
    let body = |count: usize| {
        let all: String = (0..count).map(|number| format!("a{number}: __schema {{ ...S }} ")).collect();
        let fragment = whole.split_once("fragment").unwrap().1;
        let schema = whole.split_once("__schema").unwrap().1.split_once("fragment").unwrap().0.trim();
        let selection = schema.trim_end().strip_suffix('}').unwrap();
        format!("{{ {all} }} fragment S on __Schema {selection} fragment{fragment}")
    };
    let reply = test.anonymous().post(&body(20), json!({})).await.json();
    assert_eq!(refusal(&reply).0, "COST_LIMIT_EXCEEDED", "{}", reply["errors"]);
    let small = "{ __schema { queryType { name } } __type(name: \"User\") { name fields { name } } }";
    assert!(test.anonymous().post(small, json!({})).await.json().get("errors").is_none());
}

async fn a_subscription_is_limited_on_either_transport(test: &TestApp) {
    let test = configured(test, &[("TOLLGATE_LIMIT_COST_SERVICE", "30")]).await;
    let server = Server::start(&test).await;
    let watch = "subscription { paymentRecorded { id refunds(first: 100) { nodes { id } } } }";
    assert_eq!(
        Events::of(&server, Some(&test.admin_token()), watch, json!({})).await.error().await,
        "COST_LIMIT_EXCEEDED"
    );
    let mut socket = Socket::of(&server, Some(&test.admin_token())).await;
    for (id, query) in [("1", watch), ("2", "{ users(first: 100) { nodes { id } } }")] {
        socket.say(json!({"id": id, "type": "subscribe", "payload": {"query": query}})).await;
        let message = socket.hear().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!(id)), "{message}");
        assert_eq!(message["payload"][0]["extensions"]["code"], "COST_LIMIT_EXCEEDED");
        assert_eq!(message["payload"][0]["extensions"]["limit"], 30);
    }
    socket.say(json!({"id": "3", "type": "subscribe", "payload": {"query": "{ viewer { role } }"}})).await;
    let message = socket.hear().await;
    assert_eq!(message["payload"]["extensions"]["cost"], json!({"requestedQueryCost": 2, "actualQueryCost": 2}));
}

/// Returns a value that fits a variable.
fn sample(ty: &str) -> Value {
    match ty {
        "Int" | "Int!" => json!(100),
        "Date!" => json!("2026-01-01"),
        "DateTime" | "DateTime!" => json!("2026-01-01T00:00:00Z"),
        "BigInt!" => json!("1"),
        "[String!]!" => json!(["billing:read"]),
        "[UsageEventInput!]!" => json!([{"accountId": "a", "meter": "m", "dedupeKey": "k"}]),
        _ => json!("text"),
    }
}

async fn the_examples_and_a_page_of_a_console_are_far_below_the_limits(test: &TestApp) {
    let http = Http::new(&test.app).unwrap();
    let schema = Schema::parse_and_validate(http.engine.sdl(), "schema.graphql").unwrap();
    let cost = |query: &str, name: Option<&str>, variables: Value| {
        let Value::Object(variables) = variables else { panic!("variables are an object") };
        let operation = Operation { query: query.to_owned(), operation_name: name.map(str::to_owned), variables };
        let terms = Terms { mutations: true, introspection: true, cost: u64::MAX, roots: None };
        http.engine.accept(operation, terms).unwrap_or_else(|refused| panic!("{query}: {refused:?}")).cost()
    };
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/queries");
    for entry in std::fs::read_dir(examples).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let document = ExecutableDocument::parse_and_validate(&schema, &text, "example").unwrap();
        for operation in document.operations.iter() {
            let given = operation.variables.iter().filter(|it| it.default_value.is_none() || it.name == "first");
            let variables = given.map(|it| (it.name.to_string(), sample(&it.ty.to_string())));
            let name = operation.name.as_ref().map(ToString::to_string);
            let cost = cost(&text, name.as_deref(), Value::Object(variables.collect()));
            assert!(cost <= 3_000, "{cost}: {text}");
        }
    }
    let console =
        "query Users($first: Int = 100) { users(first: $first) { totalCount pageInfo { hasNextPage endCursor }
        nodes { id email fullName createdAt subscription { id status currentPeriodEnd plan { code name } }
            payments(first: 20) { nodes { id chargeStatus createdAt amount { amount currency } } }
            accounts(first: 10) { nodes { id displayName creditBalances { available unit { code } } } } } } }";
    let cost = cost(console, None, json!({}));
    assert!((8_000..20_000).contains(&cost), "{cost}");
}

#[test]
fn every_list_of_the_printed_schema_says_how_long_it_is() {
    let sdl = tollgate::graphql::sdl();
    for definition in [
        "directive @cost(weight: String!) on ",
        "directive @listSize(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!], requireOneSlicingArgument: Boolean = true) on FIELD_DEFINITION",
    ] {
        assert_eq!(sdl.matches(definition).count(), 1, "{definition}");
    }
    let schema = Schema::parse_and_validate(&sdl, "schema.graphql").unwrap();
    let (mut connections, mut lists) = (0, 0);
    for (name, ty) in &schema.types {
        let fields = match ty {
            ExtendedType::Object(object) => &object.fields,
            ExtendedType::Interface(interface) => &interface.fields,
            _ => continue,
        };
        for field in fields.values().filter(|_| !name.starts_with("__")) {
            let size = field.directives.get("listSize").map(ToString::to_string);
            let path = format!("{name}.{}", field.name);
            let paged = field.ty.inner_named_type().ends_with("Connection");
            if paged {
                connections += 1;
                let expected = "@listSize(assumedSize: 20, slicingArguments: [\"first\", \"last\"], sizedFields: [\"edges\", \"nodes\"], requireOneSlicingArgument: false)";
                assert_eq!(size.as_deref(), Some(expected), "{path}");
            } else if field.ty.is_list() && !name.ends_with("Connection") {
                lists += 1;
                assert!(size.is_some(), "{path} has no @listSize");
            } else {
                assert_eq!(size, None, "{path}");
            }
            if name == "Mutation" {
                assert!(field.directives.has("cost"), "{path}");
            }
        }
    }
    assert!(connections > 30 && lists > 20, "{connections} {lists}");
    let nodes = schema.type_field("Query", "nodes").unwrap().directives.get("listSize").unwrap();
    assert_eq!(nodes.to_string(), "@listSize(slicingArguments: [\"ids\"])");
}
