//! Nobody sees a row of someone else, by whatever path they ask.

use crate::support::{Client, SECRET, Schema, TestApp, World, both_engines, local_id, sql, theirs};
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

both_engines!(
    an_admin_finds_every_row_of_the_world_again,
    one_document_asks_every_type_without_conflicts,
    no_path_leads_to_another_users_rows,
    cursors_of_others_lead_to_ones_own_rows_alone,
    filters_find_nothing_of_others,
    a_fellow_member_sees_the_shared_account_and_no_other,
    every_table_says_whose_its_rows_are,
);

/// A Tollgate over the same database that takes long and expensive documents.
async fn patient(test: &TestApp) -> TestApp {
    let settings = [
        ("TOLLGATE_JWT_HS256_SECRET", SECRET),
        ("TOLLGATE_LIMIT_DEPTH", "100"),
        ("TOLLGATE_REQUEST_TIMEOUT_MS", "60000"),
        ("TOLLGATE_LIMIT_TOKENS", "1000000"),
        ("TOLLGATE_LIMIT_SELECTIONS", "1000000"),
        ("TOLLGATE_LIMIT_COST_ANONYMOUS", "10000000"),
        ("TOLLGATE_LIMIT_COST_USER", "10000000"),
        ("TOLLGATE_LIMIT_COST_SERVICE", "10000000"),
        ("TOLLGATE_LIMIT_COST_RUNNING", "10000000"),
        ("TOLLGATE_LIMIT_REPLY_BYTES", "1000000000"),
        ("TOLLGATE_COST_PER_MINUTE_ANONYMOUS", "0"),
        ("TOLLGATE_COST_PER_MINUTE_USER", "0"),
    ];
    test.beside(&settings).await
}

const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "eve"];

/// Returns the selection of all fields of a type, `depth` objects deep.
fn selection(schema: &Schema, ty: &str, depth: usize) -> String {
    let mut text = String::from("{ __typename");
    for field in schema.fields(ty) {
        let of = field.named();
        let args: Vec<&str> = field
            .args
            .iter()
            .filter_map(|arg| match arg.name.as_str() {
                "unit" => Some("unit: \"credit\""),
                "includeFormer" => Some("includeFormer: true"),
                "includeRevoked" => Some("includeRevoked: true"),
                "first" => Some("first: 16"),
                "at" => Some("at: \"2026-01-10T00:00:00Z\""),
                "feature" if arg.required => Some("feature: \"export\""),
                "meter" if arg.required => Some("meter: \"tokens\""),
                "from" if arg.required => Some("from: \"2026-01-01\""),
                "to" if arg.required => Some("to: \"2026-02-01\""),
                other => {
                    assert!(!arg.required, "say what {other} of {ty}.{} is to be", field.name);
                    None
                }
            })
            .collect();
        let args = if args.is_empty() { String::new() } else { format!("({})", args.join(", ")) };
        match schema.kind(of) {
            "SCALAR" | "ENUM" => text += &format!(" {}", field.name),
            "OBJECT" if of.ends_with("Connection") && depth > 0 => {
                let rows = selection(schema, of.strip_suffix("Connection").unwrap(), depth - 1);
                text += &format!(" {}{args} {{ totalCount nodes {rows} }}", field.name);
            }
            "OBJECT" if !of.ends_with("Connection") && (depth > 0 || of == "Money") => {
                text += &format!(" {}{args} {}", field.name, selection(schema, of, depth.saturating_sub(1)));
            }
            _ => {}
        }
    }
    text + " }"
}

/// Every count in an answer is that of the rows that are shown.
fn counts_hold(answer: &Value) {
    match answer {
        Value::Array(values) => values.iter().for_each(counts_hold),
        Value::Object(fields) => {
            if let Some(count) = fields.get("totalCount") {
                assert_eq!(*count, json!(fields["nodes"].as_array().unwrap().len()), "{answer}");
            }
            fields.values().for_each(counts_hold);
        }
        _ => {}
    }
}

/// Returns the data of a reply without errors: what a caller may not see is null or absent, and never an error.
async fn permitted(caller: &Client<'_>, query: &str, variables: Value) -> Value {
    let mut reply = caller.post(query, variables).await.json();
    assert!(reply["errors"].is_null(), "{}", reply["errors"]);
    reply["data"].take()
}

async fn an_admin_finds_every_row_of_the_world_again(test: &TestApp) {
    let test = &patient(test).await;
    let world = World::make(test).await;
    let schema = Schema::of(test).await;
    for ty in schema.implementors("Node") {
        let ids = world.ids(&ty);
        assert!(!ids.is_empty(), "the world has a row of {ty}");
        let query =
            format!("query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {ty} {} }} }}", selection(&schema, &ty, 1));
        let data = test.admin().data(&query, json!({"ids": ids})).await;
        let found: Vec<_> = data["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str()).collect();
        assert_eq!(found, ids.into_iter().map(Some).collect::<Vec<_>>(), "{ty}");
    }
}

async fn one_document_asks_every_type_without_conflicts(test: &TestApp) {
    let test = &patient(test).await;
    let world = World::make(test).await;
    let schema = Schema::of(test).await;
    let types = schema.implementors("Node");
    let fields: Vec<_> = types.iter().map(|ty| format!("... on {ty} {}", selection(&schema, ty, 1))).collect();
    let query = format!("query($ids: [ID!]!) {{ nodes(ids: $ids) {{ {} }} }}", fields.join(" "));
    let ids: Vec<_> = types.iter().map(|ty| world.ids(ty)[0]).collect();
    let data = test.admin().data(&query, json!({"ids": ids})).await;
    let found: Vec<_> = data["nodes"].as_array().unwrap().iter().map(|node| node["__typename"].as_str()).collect();
    assert_eq!(found, types.iter().map(|ty| Some(ty.as_str())).collect::<Vec<_>>());
}

async fn no_path_leads_to_another_users_rows(test: &TestApp) {
    let test = &patient(test).await;
    let world = World::make(test).await;
    let schema = Schema::of(test).await;
    for ty in schema.implementors("Node") {
        let body = selection(&schema, &ty, 2);
        let query = format!("query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {ty} {body} }} }}");
        for name in PEOPLE.into_iter().chain(["nobody"]) {
            let caller = if name == "nobody" { test.anonymous() } else { test.user(name) };
            let data = permitted(&caller, &query, json!({"ids": world.ids(&ty)})).await;
            let seen = world.seen(&data);
            let strange: Vec<_> = seen.difference(&theirs(name)).copied().collect();
            assert!(strange.is_empty(), "{name} sees what is {strange:?} through {ty}");
            counts_hold(&data);
        }
    }
    let viewer = selection(&schema, "Viewer", 4);
    for name in PEOPLE {
        let data = permitted(&test.user(name), &format!("{{ viewer {viewer} }}"), json!({})).await;
        assert!(world.seen(&data).is_subset(&theirs(name)), "{name}: {:?}", world.seen(&data));
        assert!(world.seen(&data).contains(name), "{name}");
        counts_hold(&data);
    }
}

/// The lists that users may ask for.
const LISTS: [&str; 9] = [
    "users",
    "accounts",
    "subscriptions",
    "providerCustomers",
    "payments",
    "refunds",
    "invoices",
    "coupons",
    "licenseKeys",
];

async fn cursors_of_others_lead_to_ones_own_rows_alone(test: &TestApp) {
    let world = World::make(test).await;
    for list in LISTS {
        let all = test.admin().data(&format!("{{ {list} {{ edges {{ cursor }} }} }}"), json!({})).await;
        for edge in all[list]["edges"].as_array().unwrap() {
            for args in ["first: 10, after: $c", "last: 10, before: $c", "first: 1, after: $c", "last: 1, before: $c"] {
                let query = format!(
                    "query($c: String) {{ {list}({args}) {{ totalCount edges {{ cursor }} nodes {{ id }} pageInfo {{
                     hasNextPage hasPreviousPage }} }} }}"
                );
                let data = test.user("eve").data(&query, json!({"c": edge["cursor"]})).await;
                assert!(world.seen(&data).is_subset(&theirs("eve")), "{list} {args}: {data}");
                assert_eq!(data[list]["totalCount"], 1, "{list} {args}");
            }
        }
    }
}

async fn filters_find_nothing_of_others(test: &TestApp) {
    let world = World::make(test).await;
    let payment = world.id("Payment", "shared").to_owned();
    for (query, found_by_admin) in [
        ("{ users(filter: {email: \"ALICE@example.com\"}) { totalCount nodes { id } } }", true),
        ("{ users(filter: {role: ADMIN}) { totalCount nodes { id } } }", true),
        ("{ accounts(filter: {reference: {refType: \"household\", refId: \"7\"}}) { totalCount nodes { id } } }", true),
        ("{ accounts(filter: {kind: COUPLE}) { totalCount nodes { id } } }", true),
        ("{ payments(filter: {createdAt: {to: \"2026-01-01T00:00:00Z\"}}) { totalCount nodes { id } } }", false),
    ] {
        let eve = test.user("eve").data(query, json!({})).await;
        let (_, list) = eve.as_object().unwrap().iter().next().unwrap();
        assert_eq!(*list, json!({"totalCount": 0, "nodes": []}), "{query}");
        let admin = test.admin().data(query, json!({})).await;
        let (_, list) = admin.as_object().unwrap().iter().next().unwrap();
        assert_eq!(list["totalCount"] != 0, found_by_admin && !query.contains("ADMIN"), "{query}");
    }
    let by_id = "query($id: ID!) { payment(id: $id) { id } node(id: $id) { id } }";
    let unknown = crate::support::global_id("Payment", uuid::Uuid::nil());
    let strange = test.user("eve").post(by_id, json!({"id": payment})).await.body;
    assert_eq!(strange, test.user("eve").post(by_id, json!({"id": unknown})).await.body, "theirs and none look alike");
}

async fn a_fellow_member_sees_the_shared_account_and_no_other(test: &TestApp) {
    let world = World::make(test).await;
    let query = "query($id: ID!) { account(id: $id) { members(includeFormer: true) { nodes { memberRole user {
        id email ownAccount { id } accounts { nodes { id } } subscription { id } subscriptions { nodes { id } }
        payments { totalCount nodes { id } } } } } } }";
    let data = test.user("bob").data(query, json!({"id": world.id("Account", "shared")})).await;
    let members = data["account"]["members"]["nodes"].as_array().unwrap();
    let by_email: BTreeMap<_, _> =
        members.iter().filter_map(|member| Some((member["user"]["email"].as_str()?, &member["user"]))).collect();
    let alice = by_email["alice@example.com"];
    // A fellow's name and address are seen, and of what they hold only what is shared.
    assert_eq!(alice["ownAccount"], Value::Null);
    assert_eq!(alice["accounts"]["nodes"], json!([{"id": world.id("Account", "shared")}]));
    assert_eq!(alice["subscription"]["id"], world.id("Subscription", "shared"));
    assert_eq!(alice["subscriptions"]["nodes"], json!([{"id": world.id("Subscription", "shared")}]));
    assert_eq!(alice["payments"], json!({"totalCount": 1, "nodes": [{"id": world.id("Payment", "shared")}]}));
    // That someone belonged to the account is seen, and nothing more of who has left.
    assert!(!by_email.contains_key("carol@example.com"));
    assert_eq!(members.len(), 3);
    assert_eq!(local_id(world.id("Account", "shared")).1, world.shared);
}

/// The tables whose rows belong to nobody, and why.
const NOBODYS: &[(&str, &str)] = &[
    ("accounts", "the account itself"),
    ("users", "the user themselves"),
    ("products", "the catalogue"),
    ("product_versions", "the catalogue"),
    ("prices", "the catalogue"),
    ("features", "the catalogue"),
    ("product_features", "the catalogue"),
    ("credit_units", "the catalogue"),
    ("credit_allowances", "the catalogue"),
    ("meters", "the catalogue"),
    ("rate_cards", "the catalogue"),
    ("rate_limit_rules", "the catalogue"),
    ("rate_limit_counters", "calls of identifiers that the host chooses; nobody sees them"),
    ("coupons", "discounts that are on offer"),
    ("promo_codes", "discounts that are on offer"),
    ("inbox_events", "raw events, which name many people; admins alone see them"),
    ("provider_objects", "what the providers last said, as raw as the events; nobody sees it"),
    ("security_events", "what was tried against Tollgate itself"),
    ("provider_prices", "the catalogue"),
    ("subscription_prices", "prices that a subscription had, which belongs to somebody"),
    ("trial_claims", "keyed hashes of people, which outlive them and name nobody"),
    ("api_keys", "back ends, which act for no one user"),
    ("publishable_keys", "pages in browsers, whose keys are public"),
    ("idempotency_keys", "answers kept for the callers, who may be services"),
    ("revenue_daily", "sums over everybody, for those who may read analytics"),
    ("mrr_daily", "sums over everybody, for those who may read analytics"),
    ("error_groups", "causes of errors of the host application, for those who may read analytics"),
    ("email_campaigns", "sums over everybody, for those who may read analytics"),
    ("partner_daily", "sums over everybody, for those who may read analytics"),
    ("active_users_daily", "counts over everybody, for those who may read analytics"),
    ("active_users_marks", "days alone"),
    ("feature_daily", "counts over everybody, for those who may read analytics"),
    ("session_daily", "sums over everybody, for those who may read analytics"),
    ("experiments", "definitions of experiments, for those who may read analytics"),
    ("funnels", "definitions of funnels, for those who may read analytics"),
    ("engagement_scores", "definitions of scores, for those who may read analytics"),
    ("mrr_cohorts", "sums over everybody, for those who may read analytics"),
    ("jobs", "work of Tollgate itself"),
    ("installation", "about the database itself"),
    ("schema_migrations", "about the database itself"),
];

async fn every_table_says_whose_its_rows_are(db: &DatabaseConnection) {
    let is_owner = |column: &String| ["account_id", "user_id"].contains(&column.as_str());
    let tables = sql::columns(db).await;
    let nobodys = tables.iter().filter(|(_, columns)| !columns.iter().any(is_owner));
    let nobodys: BTreeSet<&str> = nobodys.map(|(name, _)| name.as_str()).collect();
    let known: BTreeSet<&str> = NOBODYS.iter().map(|(name, _)| *name).collect();
    assert_eq!(nobodys, known, "a table has account_id or user_id, or stands in the list with a reason");
}
