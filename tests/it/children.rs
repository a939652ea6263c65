//! Lists under many parents in one document: each parent has its own rows, page and count.

use crate::support::company::{global_id, local_id};
use crate::support::lists::{LISTS, List, ids};
use crate::support::{Company, both_engines, sql};
use sea_orm::Value as SqlValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

both_engines!(
    each_parent_has_its_own_page,
    several_pages_of_one_list_do_not_mix,
    a_page_goes_on_after_a_cursor_of_its_parent,
    lists_without_pages_have_every_row_in_order,
    lists_under_lists_under_lists_are_each_their_parents,
);

/// Returns the lists of objects, which many parents have at a time.
fn children() -> impl Iterator<Item = &'static List> {
    LISTS.iter().filter(|list| !["Query", "Viewer"].contains(&list.field.0))
}

/// Returns the parents with most rows, and some with few or none.
async fn parents(test: &Company<60>, list: &List) -> Vec<Uuid> {
    let all = list.all_parents(test.db()).await;
    let last = all.iter().rev().take(12).filter(|id| !all[..all.len().min(18)].contains(id));
    all.iter().take(18).chain(last).copied().collect()
}

/// Returns the document that selects pages of a list under each of its parents, each page under a name.
fn document(list: &List, pages: &[(&str, String)]) -> String {
    let (owner, field) = list.field;
    let page = |(name, arguments): &(&str, String)| {
        let comma = if arguments.is_empty() || list.arguments.is_empty() { "" } else { ", " };
        let all = format!("{}{comma}{arguments}", list.arguments);
        let all = if all.is_empty() { all } else { format!("({all})") };
        format!(
            "{name}: {field}{all} {{ nodes {{ id }} edges {{ cursor node {{ id }} }} totalCount
             pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }}"
        )
    };
    let pages: Vec<_> = pages.iter().map(page).collect();
    format!("query($ids: [ID!]!) {{ nodes(ids: $ids) {{ id ... on {owner} {{ {} }} }} }}", pages.join(" "))
}

/// Asks for pages under all parents at once, and returns the answer of each.
async fn ask(test: &Company<60>, list: &List, parents: &[Uuid], pages: &[(&str, String)]) -> Vec<Value> {
    let asked: Vec<_> = parents.iter().map(|id| global_id(list.field.0, *id)).collect();
    let document = document(list, pages);
    let mut data = test.admin().data(&document, json!({"ids": asked})).await;
    let found = data["nodes"].as_array_mut().unwrap();
    assert_eq!(found.len(), parents.len());
    for (node, parent) in found.iter().zip(parents) {
        assert_eq!(local_id(&node["id"]), *parent, "{document}");
    }
    std::mem::take(found)
}

async fn each_parent_has_its_own_page(test: &Company<60>) {
    test.complete().await;
    for list in children() {
        let parents = parents(test, list).await;
        let mut rows = 0;
        for (way, size) in [("first", 0), ("first", 1), ("first", 3), ("last", 1), ("last", 3), ("first", 40)] {
            let found = ask(test, list, &parents, &[("list", format!("{way}: {size}"))]).await;
            for (node, parent) in found.iter().zip(&parents) {
                let all = list.expected(test.db(), Some(*parent), list.descending).await;
                let page = &node["list"];
                let cut = all.len().saturating_sub(size);
                let expected = if way == "first" { &all[..all.len() - cut] } else { &all[cut..] };
                assert_eq!(ids(page), expected, "{:?} {way} {size}", list.field);
                assert_eq!(page["totalCount"], all.len(), "{:?}", list.field);
                let more = if way == "first" {
                    ("hasNextPage", "hasPreviousPage")
                } else {
                    ("hasPreviousPage", "hasNextPage")
                };
                assert_eq!(page["pageInfo"][more.0], cut > 0, "{:?} {way} {size}", list.field);
                assert_eq!(page["pageInfo"][more.1], false, "{:?} {way} {size}", list.field);
                rows += expected.len();
            }
        }
        assert!(rows > 0, "{:?} has no rows under any parent", list.field);
    }
}

async fn several_pages_of_one_list_do_not_mix(test: &Company<60>) {
    test.complete().await;
    for list in children() {
        let parents = parents(test, list).await;
        let order = |way: &str| match list.order.1 {
            Some(word) => format!(", orderBy: {{field: {word}, direction: {way}}}"),
            None => String::new(),
        };
        let pages = [
            ("a", "first: 2".to_owned()),
            ("b", "last: 2".to_owned()),
            ("c", format!("first: 2{}", order("ASC"))),
            ("d", format!("first: 2{}", order("DESC"))),
            ("e", "first: 5".to_owned()),
        ];
        let found = ask(test, list, &parents, &pages).await;
        for (node, parent) in found.iter().zip(&parents) {
            let all = list.expected(test.db(), Some(*parent), list.descending).await;
            let other = list.expected(test.db(), Some(*parent), !list.descending).await;
            let first = |rows: &[Uuid], size: usize| rows[..rows.len().min(size)].to_vec();
            let (up, down) = match (list.order.1, list.descending) {
                (None, _) => (&all, &all),
                (_, true) => (&other, &all),
                (_, false) => (&all, &other),
            };
            let mut last = first(&other, 2);
            last.reverse();
            assert_eq!(ids(&node["a"]), first(&all, 2), "{:?}", list.field);
            assert_eq!(ids(&node["b"]), last, "{:?}", list.field);
            assert_eq!(ids(&node["c"]), first(up, 2), "{:?}", list.field);
            assert_eq!(ids(&node["d"]), first(down, 2), "{:?}", list.field);
            assert_eq!(ids(&node["e"]), first(&all, 5), "{:?}", list.field);
        }
    }
}

async fn a_page_goes_on_after_a_cursor_of_its_parent(test: &Company<60>) {
    test.complete().await;
    for list in children() {
        let parents = parents(test, list).await;
        let found = ask(test, list, &parents, &[("list", "first: 2".to_owned())]).await;
        let long = found.iter().zip(&parents).find(|(node, _)| node["list"]["pageInfo"]["hasNextPage"] == true);
        let Some((node, parent)) = long else { continue };
        let cursor = &node["list"]["edges"][0]["cursor"];
        let all = list.expected(test.db(), Some(*parent), list.descending).await;
        let pages = [
            ("after", format!("first: 30, after: {cursor}")),
            ("before", format!("last: 30, before: {}", node["list"]["edges"][1]["cursor"])),
        ];
        let found = ask(test, list, &[*parent], &pages).await;
        assert_eq!(ids(&found[0]["after"]), all[1..all.len().min(31)], "{:?}", list.field);
        assert_eq!(ids(&found[0]["before"]), all[..1], "{:?}", list.field);
        // It marks the same place for another parent, who has other rows.
        let found = ask(test, list, &parents, &pages[..1]).await;
        for (node, other) in found.iter().zip(&parents).filter(|(_, other)| *other != parent) {
            let rows = list.expected(test.db(), Some(*other), list.descending).await;
            let shown = ids(&node["after"]);
            let begin = shown.first().map_or(rows.len(), |first| rows.iter().position(|row| row == first).unwrap());
            let end = (begin + 30).min(rows.len());
            assert_eq!(shown, rows[begin..end], "{:?}", list.field);
        }
    }
}

/// Lists without pages: the parent's type and table, the field, and the rows of a parent in SQL, in order.
const WHOLE: &[(&str, &str, &str, &str, &str)] = &[
    (
        "PlanVersion",
        "product_versions",
        "prices",
        "Price",
        "prices WHERE product_version_id = $1 ORDER BY unit_amount_minor, id",
    ),
    (
        "PlanVersion",
        "product_versions",
        "providerPrices",
        "ProviderPrice",
        "provider_prices WHERE product_version_id = $1 ORDER BY id",
    ),
    (
        "PlanVersion",
        "product_versions",
        "features",
        "PlanFeature",
        "product_features WHERE product_version_id = $1 ORDER BY id",
    ),
    (
        "PlanVersion",
        "product_versions",
        "creditAllowances",
        "CreditAllowance",
        "credit_allowances WHERE product_version_id = $1 ORDER BY priority, id",
    ),
    ("Price", "prices", "providerPrices", "ProviderPrice", "provider_prices WHERE price_id = $1 ORDER BY id"),
    ("Coupon", "coupons", "promoCodes", "PromoCode", "promo_codes WHERE coupon_id = $1 ORDER BY id"),
    ("Payment", "payments", "disputes", "Dispute", "disputes WHERE payment_id = $1 ORDER BY created_at DESC, id DESC"),
    (
        "Subscription",
        "subscriptions",
        "items",
        "SubscriptionItem",
        "subscription_items WHERE subscription_id = $1 ORDER BY id",
    ),
    (
        "Subscription",
        "subscriptions",
        "scheduledChanges",
        "ScheduledChange",
        "scheduled_changes WHERE subscription_id = $1 ORDER BY effective_at, id",
    ),
    (
        "Subscription",
        "subscriptions",
        "discounts",
        "SubscriptionDiscount",
        "subscription_discounts WHERE subscription_id = $1 ORDER BY id",
    ),
    (
        "SubscriptionVersion",
        "subscription_versions",
        "arrChanges",
        "SubscriptionArrChange",
        "subscription_arr_changes WHERE subscription_version_id = $1 ORDER BY effective_at, id",
    ),
    ("Account", "accounts", "creditBalances", "CreditBalance", "balances WHERE account_id = $1 ORDER BY id"),
    (
        "Account",
        "accounts",
        "usageDaily(meter: \"tokens\", from: \"2026-01-01\", to: \"2026-01-15\")",
        "UsageDay",
        "usage_daily WHERE account_id = $1 AND meter_id = (SELECT id FROM meters WHERE code = 'tokens') \
         AND CAST(day AS TEXT) BETWEEN '2026-01-01' AND '2026-01-14' ORDER BY day, dimension_value",
    ),
];

async fn lists_without_pages_have_every_row_in_order(test: &Company<60>) {
    test.complete().await;
    // Another allowance with a lower number, which is spent first though it is younger.
    let first = "UPDATE credit_allowances SET priority = -1 WHERE id = (SELECT id FROM credit_allowances ORDER BY id DESC LIMIT 1)";
    sql::execute(test.db(), first).await;
    for (owner, table, field, ty, rows) in WHOLE {
        let all = sql::ids(test.db(), &format!("SELECT id FROM {table} ORDER BY id"), []).await;
        let mut found = 0;
        for parents in all.chunks(100).take(4) {
            let asked: Vec<_> = parents.iter().map(|id| global_id(owner, *id)).collect();
            let query = format!(
                "query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {owner} {{ {field} {{ __typename id }} }} }} }}"
            );
            let data = test.admin().data(&query, json!({"ids": asked})).await;
            for (node, parent) in data["nodes"].as_array().unwrap().iter().zip(parents) {
                let select = format!("SELECT id FROM {rows}");
                let expected = sql::ids(test.db(), &select, [SqlValue::from(*parent)]).await;
                let expected: Vec<_> =
                    expected.iter().map(|id| json!({"__typename": ty, "id": global_id(ty, *id)})).collect();
                assert_eq!(node[field.split('(').next().unwrap()], json!(expected), "{owner}.{field}");
                found += expected.len();
            }
        }
        assert!(found > 0, "{owner}.{field} has no rows, which proves nothing");
    }
}

async fn lists_under_lists_under_lists_are_each_their_parents(test: &Company<60>) {
    let query = "{ accounts(first: 40) { nodes { id subscriptions(first: 2) { nodes { id account { id }
        invoices(first: 2) { totalCount nodes { id payments(first: 3) { nodes { id invoice { id }
            refunds(first: 3) { nodes { id payment { id } } } } } } } } } } } }";
    let data = test.admin().data(query, json!({})).await;
    let nodes = |value: &Value| value["nodes"].as_array().unwrap().clone();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for account in nodes(&data["accounts"]) {
        for subscription in nodes(&account["subscriptions"]) {
            assert_eq!(subscription["account"]["id"], account["id"]);
            let of_subscription = "SELECT id FROM invoices WHERE subscription_id = $1";
            let all = sql::ids(test.db(), of_subscription, [local_id(&subscription["id"]).into()]).await;
            assert_eq!(subscription["invoices"]["totalCount"], all.len());
            for invoice in nodes(&subscription["invoices"]) {
                assert!(all.contains(&local_id(&invoice["id"])));
                for payment in nodes(&invoice["payments"]) {
                    assert_eq!(payment["invoice"]["id"], invoice["id"]);
                    for refund in nodes(&payment["refunds"]) {
                        assert_eq!(refund["payment"]["id"], payment["id"]);
                    }
                    *counts.entry("payments").or_default() += 1;
                }
            }
            *counts.entry("subscriptions").or_default() += 1;
        }
    }
    assert!(counts["subscriptions"] > 5 && counts["payments"] > 10, "{counts:?}");
}
