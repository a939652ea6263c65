//! Wrong input of any kind is reported as the caller's error, never as an internal one.

mod values;

use crate::support::{Schema, Slot, TestApp, World, both_engines, global_id};
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;
use values::{LONE_SURROGATE, bad};

both_engines!(
    no_value_of_any_argument_is_a_fault_of_ours,
    no_long_list_of_any_argument_is_a_fault_of_ours,
    ids_that_are_none_find_nothing_or_are_refused,
    sizes_and_cursors_that_make_no_sense_are_refused,
    times_and_amounts_out_of_range_are_refused,
    json_that_is_nested_too_deeply_is_called_so,
);

/// A field that takes arguments: the query around it, and itself.
struct Target {
    around: (String, &'static str),
    field: Slot,
}

async fn targets(schema: &Schema, world: &World) -> Vec<Target> {
    let account = format!("query account(id: \"{}\") {{ ", world.id("Account", "shared"));
    let mut targets = Vec::new();
    for (ty, before, after) in [
        ("Query", "query", ""),
        ("Mutation", "mutation", ""),
        ("Viewer", "query viewer { ", " }"),
        ("Account", account.as_str(), " }"),
        ("AnalyticsSummary", "query analytics { ", " }"),
    ] {
        let fields = schema.fields(ty).into_iter().filter(|field| !field.args.is_empty());
        targets.extend(fields.map(|field| Target { around: (before.to_owned(), after), field }));
    }
    targets
}

impl Target {
    fn query(&self, schema: &Schema) -> String {
        let Target { around: (before, after), field } = self;
        let declared: Vec<_> = field.args.iter().map(|arg| format!("${}: {}", arg.name, arg.ty)).collect();
        let passed: Vec<_> = field.args.iter().map(|arg| format!("{0}: ${0}", arg.name)).collect();
        let kind = if before.starts_with("mutation") { "mutation" } else { "query" };
        let path = before.trim_start_matches(kind);
        let selection = match schema.kind(field.named()) {
            "SCALAR" | "ENUM" => "",
            _ => "{ __typename }",
        };
        let page =
            if field.named().ends_with("Connection") { "{ totalCount nodes { __typename } }" } else { selection };
        format!("{kind}({}) {{ {path}{}({}) {page}{after} }}", declared.join(", "), field.name, passed.join(", "))
    }
}

/// A value that holds, for everything but what is tried.
fn good(schema: &Schema, world: &World, field: &str, slot: &Slot) -> Value {
    let value = match (slot.named(), slot.name.as_str()) {
        ("ID", "planId") => json!(world.id("Plan", "public")),
        ("ID", "licenseKeyId") => json!(world.id("LicenseKey", "shared")),
        ("ID", "deviceId") => json!(world.id("Device", "shared")),
        ("ID", "userId") => json!(world.id("User", "user alice")),
        ("ID", "accountId") => json!(world.id("Account", "shared")),
        ("ID", _) => match field {
            "user" => json!(world.id("User", "user alice")),
            "account" => json!(world.id("Account", "shared")),
            "subscription" => json!(world.id("Subscription", "shared")),
            "usageEvent" | "correctUsage" => json!(world.id("UsageEvent", "shared")),
            "endRateCard" => json!(world.id("RateCard", "public")),
            "resolveErrorGroup" => json!(world.id("ErrorGroup", "office")),
            "endExperiment" => json!(world.id("Experiment", "office")),
            "updatePlan" => json!(world.id("Plan", "public")),
            "updatePlanVersion" | "publishPlanVersion" => json!(world.id("PlanVersion", "draft")),
            "resolveSecurityEvent" => json!(world.id("SecurityEvent", "office")),
            "revokeApiKey" => json!(world.id("ApiKey", "office")),
            "revokePublishableKey" => json!(world.id("PublishableKey", "office")),
            _ => json!(world.id("Payment", "shared")),
        },
        ("String", "unit") => json!("credit"),
        ("String", "feature") => json!("export"),
        ("String", "meter") => json!("tokens"),
        ("String", "scopes") => json!("keys:write"),
        ("String", "origins") => json!("https://a.example"),
        ("String", "after" | "before") => Value::Null,
        ("String", _) => json!("a"),
        ("BigInt", _) => json!("1"),
        ("Int", "last") => Value::Null,
        ("Int", "eventsPerMinute") => json!(1_000),
        ("Int", _) => json!(1),
        ("Boolean", _) => json!(true),
        ("DateTime", _) => json!("2027-01-31T12:00:00Z"),
        ("Date", "to") => json!("2026-02-01"),
        ("Date", _) => json!("2026-01-01"),
        ("Currency", _) => json!("USD"),
        ("JSON", _) => json!({"tokens": 1}),
        (named, _) if schema.kind(named) == "ENUM" => json!(schema.values(named)[0]),
        (named, _) if schema.kind(named) == "INPUT_OBJECT" => {
            let fields = schema.inputs(named).into_iter();
            fields.map(|slot| (slot.name.clone(), good(schema, world, field, &slot))).collect()
        }
        (named, _) => panic!("say what a good {named} is"),
    };
    if slot.ty.starts_with('[') && !value.is_null() { json!([value]) } else { value }
}

/// Returns the place of each scalar of a value, with its type.
fn places(schema: &Schema, slot: &Slot, at: &str) -> Vec<(String, String)> {
    let at = format!("{at}/{}{}", slot.name, if slot.ty.starts_with('[') { "/0" } else { "" });
    match schema.kind(slot.named()) {
        "INPUT_OBJECT" => schema.inputs(slot.named()).iter().flat_map(|slot| places(schema, slot, &at)).collect(),
        _ => vec![(at, slot.named().to_owned())],
    }
}

/// The reply to a body that may hold what is no Unicode.
async fn reply(test: &TestApp, token: &str, query: &str, variables: &Value) -> Value {
    let body = json!({"query": query, "variables": variables}).to_string().replace(LONE_SURROGATE, "\\ud800");
    let request = Request::post("/graphql").header("content-type", "application/json");
    let request = request.header("authorization", format!("Bearer {token}"));
    test.send(request.body(Body::from(body)).unwrap()).await.json()
}

/// Fails unless every error is the caller's.
fn callers_fault(reply: &Value, case: &str) {
    for error in reply["errors"].as_array().into_iter().flatten() {
        let code = error["extensions"]["code"].as_str().unwrap_or_default();
        let known =
            ["BAD_USER_INPUT", "BAD_REQUEST", "COST_LIMIT_EXCEEDED", "GRAPHQL_PARSE_FAILED", "IDEMPOTENCY_KEY_REUSED"];
        assert!(known.contains(&code), "{case}: {error}");
    }
}

async fn no_value_of_any_argument_is_a_fault_of_ours(test: &TestApp) {
    let world = World::make(test).await;
    let schema = Schema::of(test).await;
    let token = test.admin_token();
    let mut tried = 0;
    for target in targets(&schema, &world).await {
        let query = target.query(&schema);
        let field = &target.field;
        let good: Value =
            field.args.iter().map(|arg| (arg.name.clone(), good(&schema, &world, &field.name, arg))).collect();
        callers_fault(&reply(test, &token, &query, &good).await, &query);
        for (at, ty) in field.args.iter().flat_map(|arg| places(&schema, arg, "")) {
            for value in bad(&ty) {
                let mut variables = good.clone();
                let Some(place) = variables.pointer_mut(&at) else { panic!("{at} in {good}") };
                *place = value.clone();
                if at == "/last" || at == "/before" {
                    variables["first"] = Value::Null;
                }
                if at == "/before" {
                    variables["last"] = json!(1);
                }
                let reply = reply(test, &token, &query, &variables).await;
                tried += 1;
                callers_fault(&reply, &format!("{} {at} {:.60}", field.name, value.to_string()));
            }
        }
    }
    assert!(tried > 1_000, "{tried}");
}

async fn no_long_list_of_any_argument_is_a_fault_of_ours(test: &TestApp) {
    let world = World::make(test).await;
    let schema = Schema::of(test).await;
    let token = test.admin_token();
    for target in targets(&schema, &world).await {
        let query = target.query(&schema);
        let field = &target.field;
        let good: Value =
            field.args.iter().map(|arg| (arg.name.clone(), good(&schema, &world, &field.name, arg))).collect();
        let lists = field.args.iter().flat_map(|arg| places(&schema, arg, ""));
        let lists: BTreeMap<String, ()> =
            lists.filter_map(|(at, _)| Some((format!("{}/", at.split_once("/0")?.0), ()))).collect();
        for list in lists.keys() {
            let list = list.trim_end_matches('/');
            let mut variables = good.clone();
            let one = variables.pointer(&format!("{list}/0")).unwrap().clone();
            // As many as the largest body holds, each another where that can be.
            let most = 900_000 / (one.to_string().len() + 8);
            let many = (0..most).map(|number| numbered(&one, number)).collect::<Vec<_>>();
            *variables.pointer_mut(list).unwrap() = json!(many);
            let reply = reply(test, &token, &query, &variables).await;
            callers_fault(&reply, &format!("{} {list}: {most} of {one}", field.name));
        }
    }
}

/// Returns the value with a number inserted, if it can hold one.
fn numbered(value: &Value, number: usize) -> Value {
    let mut value = value.clone();
    match &mut value {
        Value::Object(fields) => {
            let count = (number % 365) + 1;
            let letters = number / 365;
            let letter = |at: u32| char::from(b'A' + u8::try_from(letters / 26_usize.pow(at) % 26).unwrap());
            for (name, field) in fields {
                match name.as_str() {
                    "intervalCount" => *field = json!(count.to_string()),
                    "currency" => *field = json!(String::from_iter([letter(0), letter(1), letter(2)])),
                    "feature" | "unit" => *field = json!(format!("x{number}")),
                    _ => {}
                }
            }
        }
        Value::String(text) if text.len() == 1 => *text = format!("x{number}"),
        _ => {}
    }
    value
}

async fn ids_that_are_none_find_nothing_or_are_refused(test: &TestApp) {
    let world = World::make(test).await;
    let admin = test.admin();
    let price = world.id("Price", "public");
    let odd = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
    let (_, uuid) = crate::support::local_id(price);
    let none = [
        "",
        "x",
        "\0",
        "Payment:1",
        &uuid.to_string(),
        &odd("Payment"),
        &odd("Payment:"),
        &odd(":"),
        &odd("Pay\0:1"),
        &odd(&format!("payment:{uuid}")),
        &odd(&format!("Price:{}", uuid.simple())),
        &odd(&format!("Viewer:{uuid}")),
        &odd(&format!("Price:{}", uuid.to_string().to_uppercase())),
        &format!("{price} "),
        &odd(&"x".repeat(5_000)),
    ];
    for id in none {
        let data =
            admin.data("query($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }", json!({"id": id})).await;
        assert_eq!(data, json!({"node": null, "nodes": [null]}), "{id}");
    }
    for id in none.into_iter().chain([price]) {
        for field in ["user", "account", "subscription", "payment"] {
            let query = format!("query($id: ID!) {{ {field}(id: $id) {{ id }} }}");
            assert_eq!(admin.code(&query, json!({"id": id})).await, "BAD_USER_INPUT", "{field} {id}");
        }
    }
    for (field, ty) in
        [("user", "User"), ("account", "Account"), ("subscription", "Subscription"), ("payment", "Payment")]
    {
        let query = format!("query($id: ID!) {{ {field}(id: $id) {{ id }} }}");
        let data = admin.data(&query, json!({"id": global_id(ty, Uuid::nil())})).await;
        assert_eq!(data, json!({field: null}));
    }
    let many = vec![price; 101];
    assert_eq!(
        admin.code("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({"ids": many})).await,
        "BAD_USER_INPUT"
    );
}

async fn sizes_and_cursors_that_make_no_sense_are_refused(test: &TestApp) {
    World::make(test).await;
    let admin = test.admin();
    let edges = "{ payments { edges { cursor } } users { edges { cursor } }
        oldest: payments(orderBy: {field: CREATED_AT, direction: ASC}) { edges { cursor } } }";
    let edges = admin.data(edges, json!({})).await;
    let cursor = |list: &str| edges[list]["edges"][0]["cursor"].as_str().unwrap().to_owned();
    let own = cursor("payments");
    // A cursor marks one place in the list, in both directions.
    assert_eq!(cursor("oldest"), edges["payments"]["edges"][2]["cursor"].as_str().unwrap());
    let mut cursors = vec![cursor("users"), String::new(), "x".to_owned(), "\0".to_owned()];
    cursors.extend([own[1..].to_owned(), format!("{own}A"), own.to_lowercase(), "A".repeat(10_000), format!(" {own}")]);
    let made = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text);
    for key in ["i5", "", "t", "tx", "t9223372036854775807", "t-62167219200000001", "t253402300800000000", "i-1"] {
        cursors.push(made(&format!("payments.created_at|{key}|{}", Uuid::nil().simple())));
    }
    let ask = "query($first: Int, $last: Int, $after: String, $before: String) {
        payments(first: $first, last: $last, after: $after, before: $before) { nodes { id } } }";
    for cursor in cursors {
        for variables in [json!({"after": cursor}), json!({"last": 1, "before": cursor})] {
            assert_eq!(admin.code(ask, variables.clone()).await, "BAD_USER_INPUT", "{variables:.80}");
        }
    }
    for variables in [
        json!({"first": -1}),
        json!({"first": 101}),
        json!({"first": i32::MAX}),
        json!({"first": i32::MIN}),
        json!({"last": -1}),
        json!({"last": 101}),
        json!({"first": 1, "last": 1}),
    ] {
        assert_eq!(admin.code(ask, variables.clone()).await, "BAD_USER_INPUT", "{variables}");
    }
    let own = admin.data(ask, json!({"first": 100, "after": own})).await;
    assert_eq!(own["payments"]["nodes"].as_array().unwrap().len(), 2);
}

async fn times_and_amounts_out_of_range_are_refused(test: &TestApp) {
    let world = World::make(test).await;
    let admin = test.admin();
    let revenue = "query($from: Date!, $to: Date!) { analytics { revenue(from: $from, to: $to) { paymentCount } } }";
    for (from, to) in [
        ("2026-02-30", "2026-03-01"),
        ("0000-01-01", "0001-01-01"),
        ("1969-12-31", "1970-01-02"),
        ("+999-01-01", "+999-02-01"),
        ("9999-12-31", "10000-01-01"),
        ("2026-01-02", "2026-01-02"),
        ("2026-01-02", "2026-01-01"),
        ("2000-01-01", "2026-01-01"),
    ] {
        assert_eq!(admin.code(revenue, json!({"from": from, "to": to})).await, "BAD_USER_INPUT", "{from} {to}");
    }
    let grant = "mutation($account: ID!, $amount: BigInt!) {
        grantCredits(input: {accountId: $account, unit: \"credit\", amount: $amount, idempotencyKey: \"k\"}) {
            userErrors { code } } }";
    let account = world.id("Account", "shared");
    for amount in
        [json!("9223372036854775808"), json!(9_223_372_036_854_775_808_u64), json!("-9223372036854775809"), json!(1.0)]
    {
        let code = admin.code(grant, json!({"account": account, "amount": amount})).await;
        assert_eq!(code, "BAD_USER_INPUT", "{amount}");
    }
    for amount in [json!("9223372036854775807"), json!(1_000_000_000_000_001_i64), json!(0), json!("-0")] {
        let data = admin.data(grant, json!({"account": account, "amount": amount})).await;
        assert_eq!(data["grantCredits"]["userErrors"], json!([{"code": "AMOUNT_INVALID"}]), "{amount}");
    }
}

async fn json_that_is_nested_too_deeply_is_called_so(test: &TestApp) {
    for (levels, message) in [
        (128, "The body is nested too deeply: JSON can have at most 127 levels."),
        (1, "The body is not JSON: error at line 1 column 2."),
    ] {
        let request = Request::post("/graphql").header("content-type", "application/json");
        let body = if levels == 1 { "[}".to_owned() } else { "[".repeat(levels) + &"]".repeat(levels) };
        let reply = test.send(request.body(Body::from(body)).unwrap()).await.json();
        assert_eq!(reply["errors"][0]["message"], message);
    }
}
