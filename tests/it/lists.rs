//! Every list of the API: each row once, in its order, from either end, whatever the size of a page.

use crate::support::lists::{LISTS, List, ids};
use crate::support::{
    Company, TestApp, both_engines, credits, definitions, entitlements, experiments, gifts, host_reports,
    insert_security_events, licences, rows, sql, usage,
};
use entity::{discount_redemptions, payments, provider_customers, refunds};
use sea_orm::{ActiveModelTrait, IntoActiveModel};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

both_engines!(
    every_list_of_the_schema_is_tested,
    every_list_is_walked_from_either_end,
    rows_that_come_between_pages_do_not_disturb,
    a_page_of_nothing_says_so,
    arguments_that_make_no_page_are_refused,
);

async fn every_list_of_the_schema_is_tested(test: &TestApp) {
    const TYPES: &str = "{ __schema { types { name fields { name type { name ofType { name } } } } } }";
    let data = test.admin().data(TYPES, json!({})).await;
    let mut found = BTreeSet::new();
    for of in data["__schema"]["types"].as_array().unwrap() {
        for field in of["fields"].as_array().into_iter().flatten() {
            let named = [&field["type"]["name"], &field["type"]["ofType"]["name"]];
            if named.iter().any(|name| name.as_str().is_some_and(|name| name.ends_with("Connection"))) {
                found.insert(format!("{}.{}", of["name"].as_str().unwrap(), field["name"].as_str().unwrap()));
            }
        }
    }
    // Its rows have no ids: revenue_rollups has it.
    assert!(found.remove("AnalyticsSummary.allMovements"));
    let tested: BTreeSet<_> = LISTS.iter().map(|list| format!("{}.{}", list.field.0, list.field.1)).collect();
    assert_eq!(found, tested);
}

/// Lets many rows share what they are sorted by: all of a month are as old as its first.
async fn tie(test: &Company<40>) {
    for (table, column) in [
        ("users", "created_at"),
        ("accounts", "created_at"),
        ("provider_customers", "created_at"),
        ("account_members", "joined_at"),
        ("subscriptions", "created_at"),
        ("payments", "created_at"),
        ("refunds", "created_at"),
        ("invoices", "created_at"),
        ("coupons", "created_at"),
        ("inbox_events", "received_at"),
        ("discount_redemptions", "redeemed_at"),
        ("credit_grants", "created_at"),
        ("license_keys", "created_at"),
    ] {
        let month = |alias: &str| format!("substr(CAST({alias}.{column} AS TEXT), 1, 7)");
        let first = format!("SELECT MIN(o.{column}) FROM {table} AS o WHERE {} = {}", month("o"), month(table));
        sql::execute(test.db(), &format!("UPDATE {table} SET {column} = ({first})")).await;
    }
    sql::execute(test.db(), "UPDATE products SET rank = rank / 20").await;
    insert_security_events(&test.app, 30).await;
    rows::calls(&test.app, 30).await;
    for name in ["a", "b", "c", "d", "e"] {
        let key = "mutation($name: String!) {
            createApiKey(input: {name: $name, scopes: [\"audit:read\"]}) { userErrors { code } }
            createPublishableKey(input: {name: $name, origins: [\"https://a.example\"]}) { userErrors { code } } }";
        test.admin().data(key, json!({"name": name})).await;
    }
}

/// Gives a payment more refunds, an invoice more attempts to pay it and an account more discounts than the seed does.
async fn repeat(test: &Company<40>) {
    let refund = sql::models::<refunds::Model>(test.db(), "SELECT * FROM refunds ORDER BY id LIMIT 1").await.remove(0);
    let paid = "SELECT * FROM payments WHERE invoice_id IS NOT NULL ORDER BY id LIMIT 1";
    let payment = sql::models::<payments::Model>(test.db(), paid).await.remove(0);
    let used = "SELECT * FROM discount_redemptions ORDER BY id LIMIT 1";
    let discount = sql::models::<discount_redemptions::Model>(test.db(), used).await.remove(0);
    let billed = "SELECT * FROM provider_customers ORDER BY id LIMIT 1";
    let customer = sql::models::<provider_customers::Model>(test.db(), billed).await.remove(0);
    for number in 0..5 {
        let (id, external_id) = (test.app.new_id(), format!("repeated-{number}"));
        let row = provider_customers::Model { id, external_id, ..customer.clone() };
        row.into_active_model().insert(test.db()).await.unwrap();
        let row = discount_redemptions::Model { id: test.app.new_id(), subscription_id: None, ..discount.clone() };
        row.into_active_model().insert(test.db()).await.unwrap();
        let (id, external_id) = (test.app.new_id(), format!("repeated-{number}"));
        let row = refunds::Model { id, external_id: Some(external_id.clone()), ..refund.clone() };
        row.into_active_model().insert(test.db()).await.unwrap();
        let row = payments::Model { id: test.app.new_id(), external_id, ..payment.clone() };
        row.into_active_model().insert(test.db()).await.unwrap();
    }
}

async fn every_list_is_walked_from_either_end(test: &Company<40>) {
    repeat(test).await;
    licences::for_some(&test.app).await;
    gifts::for_some(&test.app).await;
    usage::for_some(&test.app).await;
    entitlements::for_some(&test.app).await;
    experiments::for_some(&test.app).await;
    host_reports::for_some(&test.app).await;
    definitions::for_some(&test.app).await;
    credits::for_some(&test.app).await;
    tie(test).await;
    for list in LISTS {
        let mut most = 0;
        for parent in list.parents(test.db()).await {
            let asked: &[_] = if list.order.1.is_some() { &[None, Some(false), Some(true)] } else { &[None] };
            for &descending in asked {
                let expected = list.expected(test.db(), parent, descending.unwrap_or(list.descending)).await;
                most = most.max(expected.len());
                walk(test, list, parent, descending, &expected).await;
            }
        }
        assert!(
            most > 1 || list.field.0 == "Viewer",
            "{:?} has {most} rows at most, too few to page through",
            list.field
        );
    }
}

async fn walk(test: &TestApp, list: &List, parent: Option<Uuid>, descending: Option<bool>, expected: &[Uuid]) {
    let document = list.document(descending);
    let whole = list.page(test, &document, parent, json!({"first": 100})).await;
    assert_eq!(ids(&whole), expected[..expected.len().min(100)], "{document}");
    assert_eq!(whole["totalCount"], expected.len(), "{document}");

    // Pages of two for short lists; the sizes go down with the length, so that long ones take no longer.
    for size in [2, 7, 25].into_iter().filter(|size| expected.len() <= 30 * size) {
        let (mut seen, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let page = list.page(test, &document, parent, json!({"first": size, "after": cursor})).await;
            assert_eq!(page["pageInfo"]["hasPreviousPage"], !cursor.is_null());
            seen.extend(ids(&page));
            assert_eq!(page["pageInfo"]["hasNextPage"], seen.len() < expected.len(), "{document} {size}");
            cursor = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(seen, expected, "forward by {size}: {document}");

        let (mut seen, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let page = list.page(test, &document, parent, json!({"last": size, "before": cursor})).await;
            assert_eq!(page["pageInfo"]["hasNextPage"], !cursor.is_null());
            seen.splice(0..0, ids(&page));
            assert_eq!(page["pageInfo"]["hasPreviousPage"], seen.len() < expected.len(), "{document} {size}");
            cursor = page["pageInfo"]["startCursor"].clone();
            if page["pageInfo"]["hasPreviousPage"] == false {
                break;
            }
        }
        assert_eq!(seen, expected, "backward by {size}: {document}");
    }
}

async fn rows_that_come_between_pages_do_not_disturb(test: &Company<40>) {
    let users = LISTS.iter().find(|list| list.field == ("Query", "users")).unwrap();
    for descending in [true, false] {
        test.admin().data("{ viewer { role } }", json!({})).await;
        let before = users.expected(test.db(), None, descending).await;
        let document = users.document(Some(descending));
        let (mut seen, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let page = users.page(test, &document, None, json!({"first": 3, "after": cursor})).await;
            seen.extend(ids(&page));
            cursor = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
            // Someone new, of the present: in front of the first page, or behind the last.
            if seen.len() <= before.len() {
                let subject = format!("new-{descending}-{}", seen.len());
                test.user(&subject).data("{ viewer { user { id } } }", json!({})).await;
            }
        }
        let after = users.expected(test.db(), None, descending).await;
        assert!(after.len() > before.len() + 2);
        assert_eq!(seen, if descending { before } else { after });
    }
}

async fn a_page_of_nothing_says_so(test: &TestApp) {
    const NONE: &str = "{ payments { nodes { id } edges { cursor } totalCount \
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    let page_info = json!({"hasNextPage": false, "hasPreviousPage": false, "startCursor": null, "endCursor": null});
    let nothing = json!({"nodes": [], "edges": [], "totalCount": 0, "pageInfo": page_info});
    assert_eq!(test.admin().data(NONE, json!({})).await["payments"], nothing);
    for way in ["first", "last"] {
        let document = NONE.replace("payments", &format!("users({way}: 0)"));
        let page = test.admin().data(&document, json!({})).await["users"].take();
        // The calling admin is a user, and is outside the empty page.
        let more = if way == "first" { "hasNextPage" } else { "hasPreviousPage" };
        let mut expected = json!({"nodes": [], "edges": [], "totalCount": 1, "pageInfo": page_info});
        expected["pageInfo"][more] = true.into();
        assert_eq!(page, expected, "{way}: 0");
    }
}

async fn arguments_that_make_no_page_are_refused(test: &TestApp) {
    let admin = test.admin();
    let users = "{ users(first: 1) { pageInfo { endCursor } } accounts(first: 1) { pageInfo { endCursor } } }";
    let ends = admin.data(users, json!({})).await;
    let foreign = &ends["accounts"]["pageInfo"]["endCursor"];
    let own = &ends["users"]["pageInfo"]["endCursor"];
    for arguments in [
        "first: -1".to_owned(),
        "last: -1".to_owned(),
        "first: 101".to_owned(),
        "last: 101".to_owned(),
        "first: 1, last: 1".to_owned(),
        format!("first: 1, before: {own}"),
        format!("last: 1, after: {own}"),
        format!("after: {own}, before: {own}"),
        format!("after: {foreign}"),
        format!("before: {foreign}"),
        "after: \"\"".to_owned(),
        "after: \"x\"".to_owned(),
        "after: \"dXNlcnMuY3JlYXRlZF9hdHw\"".to_owned(),
    ] {
        let document = format!("{{ users({arguments}) {{ nodes {{ id }} }} }}");
        assert_eq!(admin.code(&document, json!({})).await, "BAD_USER_INPUT", "{arguments}");
    }
}
