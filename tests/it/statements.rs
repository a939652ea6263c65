//! Loaders: one statement reads each level, whatever its width, and each parent gets its own rows.

use crate::support::company::{global_id, local_id};
use crate::support::lists::{LISTS, root_list};
use crate::support::{
    Client, Company, TestApp, both_engines, credits, entitlements, gifts, host_reports, licences, sql, usage,
};
use entity::subscriptions;
use sea_orm::{ActiveModelTrait, IntoActiveModel};
use serde_json::{Value, json};
use uuid::Uuid;

both_engines!(
    a_level_takes_the_same_statements_for_five_parents_as_for_sixty,
    ids_of_three_types_take_three_statements,
    a_row_that_many_point_to_is_read_once,
    every_parent_gets_its_own_rows_and_its_own_count,
    every_parent_gets_its_own_filtered_rows,
    entitlements_take_as_many_statements_as_they_say,
    every_account_shows_the_subscription_of_the_highest_rank,
);

/// Documents, and how many statements each takes.
const COUNTS: &[(u64, &str)] = &[
    (1, "users(first: $n) { nodes { id } }"),
    (2, "users(first: $n) { nodes { id } totalCount }"),
    (3, "users(first: $n) { nodes { ownAccount { payments(first: 10) { nodes { id } } } } }"),
    (4, "users(first: $n) { nodes { ownAccount { payments(first: 10) { nodes { id } totalCount } } } }"),
    (4, "users(first: $n) { nodes { ownAccount { payments(first: 10) { totalCount } } } }"),
    (2, "users(first: $n) { nodes { subscription { plan { code } } } }"),
    (
        4,
        "users(first: $n) { nodes { accounts(first: 5) { nodes {
        payments(first: 5) { nodes { refunds(first: 5) { nodes { id } } } } } } } }",
    ),
    (
        4,
        "users(first: $n) { nodes { subscriptions(first: 5) { nodes {
        invoices(first: 5) { nodes { payments(first: 5) { nodes { id } } } } } } } }",
    ),
    (2, "users(first: $n) { nodes { payments(last: 3) { nodes { id } } } }"),
    (2, "accounts(first: $n) { nodes { owner { email } } }"),
    (3, "accounts(first: $n) { nodes { members { nodes { user { email } } } } }"),
    (3, "accounts(first: $n) { nodes { creditBalances { available unit { code } } } }"),
    (3, "accounts(first: $n) { nodes { creditBalance(unit: \"credit\") { available unit { code } } } }"),
    (3, "accounts(first: $n) { nodes { creditGrants { nodes { unit { code } } } } }"),
    (
        4,
        "accounts(first: $n) { nodes { ledgerEntries(unit: \"credit\", first: 5) {
        nodes { balanceAfter transaction { operation } grant { source } } } } }",
    ),
    (2, "accounts(first: $n) { nodes { subscription { status } } }"),
    (
        4,
        "accounts(first: $n) { nodes { a: payments(first: 1) { nodes { id } } b: payments(first: 2) { nodes { id } }
        c: payments(first: 1, filter: {status: FAILED}) { nodes { id } } } }",
    ),
    (
        2,
        "accounts(first: $n) { nodes { a: payments(first: 2) { nodes { id } } b: payments(first: 2) { nodes { amount {
        amount } } } } }",
    ),
    (
        6,
        "payments(first: $n) { nodes { refunds { nodes { id } } invoice { number } subscription { status }
        account { owner { email } } } }",
    ),
    (2, "accounts(first: $n) { nodes { providerCustomers { nodes { externalId } } } }"),
    (
        5,
        "subscriptions(first: $n) { nodes { items { providerPrice { version { versionNumber } } }
        scheduledChanges { effectiveAt } } }",
    ),
    (4, "plans(first: $n) { nodes { currentVersion { providerPrices { externalId } prices { id } } } }"),
    (2, "payments(first: $n) { nodes { disputes { caseStatus } } }"),
    (3, "refunds(first: $n) { nodes { payment { invoice { number } } } }"),
    (
        7,
        "subscriptions(first: $n) { nodes { account { currency } planVersion { versionOf { code } }
        items { price { interval } } history(first: 3) { nodes { status } } } }",
    ),
    (3, "subscriptions(first: $n) { nodes { history { nodes { event { eventType } } } } }"),
    (
        7,
        "plans(first: $n) { nodes { currentVersion { prices { interval } features { feature { code } }
        creditAllowances { unit { code } } } } }",
    ),
    (5, "plans(first: $n) { nodes { versions { nodes { prices { id } features { id } creditAllowances { id } } } } }"),
    (
        5,
        "coupons(first: $n) { nodes { promoCodes { code } redemptions { nodes { account { id } subscription { id } } } } }",
    ),
];

/// Runs a query, and returns the number of its statements.
async fn counted<const USERS: u64>(
    test: &Company<USERS>,
    admin: &Client<'_>,
    document: &str,
    variables: Value,
) -> (Value, u64) {
    let before = test.app.db.statements();
    let data = admin.data(document, variables).await;
    (data, test.app.db.statements() - before)
}

async fn a_level_takes_the_same_statements_for_five_parents_as_for_sixty(test: &Company<80>) {
    let admin = test.admin();
    // The first request of a caller also looks for their user.
    admin.data("{ viewer { role } }", json!({})).await;
    let mut wrong = Vec::new();
    for (expected, fields) in COUNTS {
        for width in [5, 60] {
            let document = format!("query($n: Int) {{ {fields} }}");
            let (_, taken) = counted(test, &admin, &document, json!({"n": width})).await;
            if taken != *expected {
                wrong.push(format!("{taken} instead of {expected} for {width}: {fields}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn entitlements_take_as_many_statements_as_they_say(test: &TestApp) {
    entitlements::features(test, &[("chat", "LIMIT"), ("export", "SWITCH")]).await;
    let chat = json!([{"feature": "chat", "limit": 3, "window": "DAY"}, {"feature": "export"}]);
    let version = entitlements::plan(test, "free", 1, "PLAN", chat, json!({})).await;
    let account = usage::account(test, "alice").await;
    entitlements::subscribe(test, &account, version, "active").await;
    let alice = test.user("alice");
    // The meter of the feature is created with its first use.
    assert_eq!(entitlements::refusal(&entitlements::consume(test, &account, "chat", 1, "a").await), None);
    let chat = "{ entitlement(feature: \"chat\") { allowed reason remaining } }";
    let count = async |query: &str| {
        let before = test.app.db.statements();
        alice.data(query, json!({})).await;
        test.app.db.statements() - before
    };
    // The features of a published version are read once.
    count(chat).await;
    for (expected, query) in [
        (2, chat),
        (1, "{ entitlement(feature: \"export\") { allowed reason } }"),
        (3, "{ viewer { entitlements { allowed feature { code } } } }"),
    ] {
        assert_eq!(count(query).await, expected, "{query}");
    }
    entitlements::set_override(test, &account, "export", json!({})).await;
    assert_eq!(count(chat).await, 3, "with the overrides");
}

async fn ids_of_three_types_take_three_statements(test: &Company<80>) {
    let admin = test.admin();
    admin.data("{ viewer { role } }", json!({})).await;
    let mut ids = Vec::new();
    for (name, table) in [("User", "users"), ("Payment", "payments"), ("Plan", "products")] {
        let rows = sql::ids(test.db(), &format!("SELECT id FROM {table} ORDER BY id LIMIT 10"), []).await;
        ids.extend(rows.into_iter().map(|id| global_id(name, id)));
    }
    assert_eq!(ids.len(), 30);
    // Mixed, with one that stands for nothing.
    ids.sort_unstable();
    ids.insert(7, global_id("User", Uuid::nil()));
    let document = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
    let (data, taken) = counted(test, &admin, document, json!({"ids": ids})).await;
    assert_eq!(taken, 3);
    let found: Vec<_> = data["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str()).collect();
    let expected: Vec<_> = ids.iter().enumerate().map(|(at, id)| (at != 7).then_some(id.as_str())).collect();
    assert_eq!(found, expected);
}

async fn a_row_that_many_point_to_is_read_once(test: &Company<12>) {
    let admin = test.admin();
    admin.data("{ viewer { role } }", json!({})).await;
    let payment = sql::ids(test.db(), "SELECT id FROM payments ORDER BY id LIMIT 1", []).await.remove(0);
    // Twice as the same node, and its account on three ways, two of them of one level.
    let document = "query($id: ID!) {
        a: payment(id: $id) { account { id } }
        b: payment(id: $id) { account { owner { ownAccount { id } } } }
        node(id: $id) { ... on Payment { account { id } } }
    }";
    let (data, taken) = counted(test, &admin, document, json!({"id": global_id("Payment", payment)})).await;
    assert_eq!(data["a"]["account"], data["node"]["account"]);
    // The payment, its account, the owner, the owner's own account.
    assert_eq!(taken, 4);
}

async fn every_parent_gets_its_own_rows_and_its_own_count(test: &Company<80>) {
    licences::for_some(&test.app).await;
    gifts::for_some(&test.app).await;
    usage::for_some(&test.app).await;
    entitlements::for_some(&test.app).await;
    credits::for_some(&test.app).await;
    host_reports::for_some(&test.app).await;
    let admin = test.admin();
    for list in LISTS {
        let (owner, field) = list.field;
        let Some(root) = root_list(owner).map(|list| list.field.1) else { continue };
        let arguments = list.arguments;
        let document = format!(
            "{{ {root}(first: 60) {{ nodes {{ id \
             head: {field}(first: 3, {arguments}) {{ nodes {{ id }} totalCount }} \
             tail: {field}(last: 2, {arguments}) {{ nodes {{ id }} }} }} }} }}"
        );
        let data = admin.data(&document, json!({})).await;
        let (mut without, mut with) = (0, 0);
        for parent in data[root]["nodes"].as_array().unwrap() {
            let expected = list.expected(test.db(), Some(local_id(&parent["id"])), list.descending).await;
            let local = |page: &Value| -> Vec<Uuid> {
                page["nodes"].as_array().unwrap().iter().map(|node| local_id(&node["id"])).collect()
            };
            assert_eq!(local(&parent["head"]), expected[..expected.len().min(3)], "{document}");
            assert_eq!(local(&parent["tail"]), expected[expected.len().saturating_sub(2)..], "{document}");
            assert_eq!(parent["head"]["totalCount"], expected.len(), "{document}");
            if expected.is_empty() { without += 1 } else { with += 1 }
        }
        assert!(with > 0, "{document}: {without} without, {with} with");
    }
}

async fn every_parent_gets_its_own_filtered_rows(test: &Company<80>) {
    let document = "{ accounts(first: 60) { nodes { id
        failed: payments(first: 3, filter: {status: FAILED}) { nodes { id } totalCount }
        early: payments(last: 2, filter: {createdAt: {to: \"2025-10-01T00:00:00Z\"}}) { nodes { id } totalCount }
        oldest: payments(first: 2, orderBy: {field: CREATED_AT, direction: ASC}) { nodes { id } totalCount }
        bought: creditGrants(first: 4, filter: {source: PURCHASE}) { nodes { id } totalCount }
    } } }";
    let data = test.admin().data(document, json!({})).await;
    let mut some = [0; 4];
    for account in data["accounts"]["nodes"].as_array().unwrap() {
        for (index, (alias, table, condition, way, first, last)) in [
            ("failed", "payments", "status = 'failed'", "DESC", Some(3), None),
            ("early", "payments", "created_at < '2025-10-01T00:00:00+00:00'", "DESC", None, Some(2)),
            ("oldest", "payments", "TRUE", "ASC", Some(2), None),
            ("bought", "credit_grants", "source = 'purchase'", "DESC", Some(4), None),
        ]
        .into_iter()
        .enumerate()
        {
            let all = format!(
                "SELECT id FROM {table} WHERE account_id = $1 AND {condition} ORDER BY created_at {way}, id {way}"
            );
            let all = sql::ids(test.db(), &all, [local_id(&account["id"]).into()]).await;
            let found: Vec<Uuid> =
                account[alias]["nodes"].as_array().unwrap().iter().map(|node| local_id(&node["id"])).collect();
            let expected = match (first, last) {
                (Some(first), _) => &all[..all.len().min(first)],
                (_, last) => &all[all.len().saturating_sub(last.unwrap())..],
            };
            assert_eq!(found, expected, "{alias}");
            assert_eq!(account[alias]["totalCount"], all.len(), "{alias}");
            some[index] += usize::from(!all.is_empty());
        }
    }
    assert!(some.iter().all(|&some| some > 0), "each list has rows somewhere: {some:?}");
}

async fn every_account_shows_the_subscription_of_the_highest_rank(test: &Company<80>) {
    // One more subscription for each subscriber, to a lower and a higher plan in turn, and two for some.
    let current = "SELECT * FROM subscriptions WHERE status IN ('trialing', 'active', 'past_due') ORDER BY id";
    let held = sql::models::<subscriptions::Model>(test.db(), current).await;
    let version = "SELECT v.id FROM product_versions v JOIN products p ON p.id = v.product_id \
                   WHERE v.status = 'published' AND p.code = $1";
    for (index, row) in held.iter().enumerate() {
        for code in [&["free"][..], &["business"], &["business", "starter"]][index % 3] {
            let version = sql::ids(test.db(), version, [(*code).into()]).await.remove(0);
            let (id, external_id) = (test.app.new_id(), format!("more-{code}-{index}"));
            let more = subscriptions::Model {
                id,
                external_id,
                product_version_id: Some(version),
                price_id: None,
                ..row.clone()
            };
            more.into_active_model().insert(test.db()).await.unwrap();
        }
    }
    let admin = test.admin();
    admin.data("{ viewer { role } }", json!({})).await;
    for (table, root, belong) in [
        ("accounts", "accounts", "s.account_id = $1"),
        (
            "users",
            "users",
            "s.account_id IN (SELECT account_id FROM account_members WHERE user_id = $1 \
          AND left_at IS NULL)",
        ),
    ] {
        let document =
            format!("{{ {root}(first: 60) {{ nodes {{ id subscription {{ status plan {{ rank }} }} }} }} }}");
        let (data, taken) = counted(test, &admin, &document, json!({})).await;
        let highest = format!(
            "SELECT MAX(p.rank) FROM subscriptions s JOIN product_versions v ON v.id = s.product_version_id \
             JOIN products p ON p.id = v.product_id WHERE s.status IN ('trialing', 'active', 'past_due') AND {belong}"
        );
        let mut held = 0;
        for holder in data[root]["nodes"].as_array().unwrap() {
            let highest: Option<i64> =
                sql::column(test.db(), &highest, [local_id(&holder["id"]).into()]).await.remove(0);
            let shown = holder["subscription"]["plan"]["rank"].as_i64();
            assert_eq!(shown, highest, "{table}");
            held += usize::from(highest.is_some());
        }
        assert!(held > 10, "{table}");
        assert_eq!(taken, 2, "{document}");
    }
}
