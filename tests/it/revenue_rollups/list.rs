//! The list of all movements, page by page, equals the book.

use super::model::Book;
use crate::support::{TestApp, global_id};
use chrono::{Days, NaiveDate};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

const LIST: &str = "query($from: Date!, $to: Date!, $discounts: DiscountPolicy!, $filter: CustomerMovementFilter,
        $first: Int, $after: String, $last: Int, $before: String) {
    analytics { allMovements(from: $from, to: $to, discounts: $discounts, filter: $filter,
            first: $first, after: $after, last: $last, before: $before) {
        totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        nodes { account { id } day movementKind currency arrBefore { amount } arrAfter { amount } }
    } }
}";

/// The day, account, currency, kind, and the annual revenue before and after.
type Row = (NaiveDate, String, String, String, i64, i64);

fn row(node: &Value) -> Row {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let number = |value: &Value| value["amount"].as_str().unwrap().parse().unwrap();
    (
        word(&node["day"]).parse().unwrap(),
        word(&node["account"]["id"]),
        word(&node["currency"]),
        word(&node["movementKind"]),
        number(&node["arrBefore"]),
        number(&node["arrAfter"]),
    )
}

async fn page(test: &TestApp, mut arguments: Value, more: Value) -> Value {
    arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    test.admin().data(LIST, arguments).await["analytics"]["allMovements"].take()
}

/// Compares the list with the book: forwards and backwards, and with filters.
pub(super) async fn compare(test: &TestApp, book: &Book, from: NaiveDate, to: NaiveDate, policy: &str) {
    let to = to.min(test.app.now().date_naive() + Days::new(1));
    let movements = book.iter().flat_map(|((account, currency), movements)| {
        let account: Uuid = *account;
        movements.iter().filter(move |movement| from <= movement.day && movement.day < to).map(move |movement| {
            let kind = movement.kind.to_uppercase();
            (movement.day, global_id("Account", account), currency.clone(), kind, movement.before, movement.after)
        })
    });
    let wanted: BTreeSet<Row> = movements.collect();
    let arguments = json!({"from": from, "to": to, "discounts": policy});
    let mut pages = Vec::new();
    for (size, cursor, end, has_more) in
        [("first", "after", "endCursor", "hasNextPage"), ("last", "before", "startCursor", "hasPreviousPage")]
    {
        let mut rows: Vec<Row> = Vec::new();
        let mut position = Value::Null;
        loop {
            let found = page(test, arguments.clone(), json!({size: 100, cursor: position})).await;
            assert_eq!(found["totalCount"], wanted.len());
            let nodes = found["nodes"].as_array().unwrap().iter().map(row);
            // A page read backwards has its rows in the order of the list.
            rows = if size == "first" { rows.into_iter().chain(nodes).collect() } else { nodes.chain(rows).collect() };
            if found["pageInfo"][has_more] == false {
                break;
            }
            position = found["pageInfo"][end].clone();
        }
        assert!(rows.iter().rev().is_sorted_by_key(|row| row.0), "newest first");
        assert_eq!((rows.len(), rows.iter().cloned().collect()), (wanted.len(), wanted.clone()));
        pages.push(rows);
    }
    assert_eq!(pages[0], pages[1]);
    for filter in [json!({"kinds": ["CHURN"]}), json!({"kinds": ["NEW", "EXPANSION"], "currency": "EUR"})] {
        let kinds = filter["kinds"].as_array().unwrap();
        let is_wanted =
            |row: &&Row| kinds.contains(&json!(row.3)) && (filter["currency"].is_null() || filter["currency"] == row.2);
        let found = page(test, arguments.clone(), json!({"filter": filter, "first": 100})).await;
        assert_eq!(found["totalCount"], wanted.iter().filter(is_wanted).count(), "{filter}");
        let rows: Vec<Row> = found["nodes"].as_array().unwrap().iter().map(row).collect();
        let first: Vec<Row> = pages[0].iter().filter(is_wanted).take(100).cloned().collect();
        assert_eq!(rows, first, "{filter}");
    }
}
