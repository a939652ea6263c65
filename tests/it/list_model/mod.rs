//! Lists with filters, orders and pages at random, against the same list in SQL.

mod filters;

use crate::support::lists::{LISTS, List, ids};
use crate::support::{Company, Schema, both_engines, sql};
use filters::{Values, filters};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sea_orm::DbBackend;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

both_engines!(
    filters_at_random_keep_what_sql_keeps_on_every_page,
    every_value_of_every_filter_keeps_what_sql_keeps,
    every_filter_of_the_schema_is_tried,
);

/// Adds rows of the kinds that the company has none of.
async fn complete(test: &Company<60>) {
    test.complete().await;
    for change in [
        "UPDATE provider_customers SET delinquent = external_id < 'cus_8'",
        "UPDATE products SET active = FALSE WHERE code = 'starter'",
        "UPDATE outbox_calls SET account_id = (SELECT id FROM accounts ORDER BY id LIMIT 1) WHERE state = 'done'",
        "UPDATE license_keys SET source = 'backfill' WHERE id = (SELECT id FROM license_keys ORDER BY id LIMIT 1)",
        "UPDATE inbox_events SET waits_for = 'customer:cus_1', state = 'parked', applied_at = NULL WHERE external_id < 'evt_4'",
        "UPDATE gifts SET prefix = 'TGG-A', hash = 'a' WHERE id = (SELECT id FROM gifts ORDER BY id LIMIT 1)",
        // Rows of one day are as old as each other, so that the id decides.
        "UPDATE payments SET created_at = (SELECT MIN(o.created_at) FROM payments o \
         WHERE substr(CAST(o.created_at AS TEXT), 1, 10) = substr(CAST(payments.created_at AS TEXT), 1, 10))",
    ] {
        sql::execute(test.db(), change).await;
    }
}

/// Writes the ids of a condition as the engine does: SQLite holds their bytes.
fn in_sql(test: &Company<60>, condition: &str) -> String {
    let is_sqlite = test.db().get_database_backend() == DbBackend::Sqlite;
    let parts = condition.split('#').enumerate().map(|(number, part)| match (number % 2, is_sqlite) {
        (0, _) => part.to_owned(),
        (_, true) => format!("x'{part}'"),
        (_, false) => format!("'{part}'"),
    });
    parts.collect()
}

/// A page size and a direction to walk in.
struct Walk {
    size: usize,
    backward: bool,
    descending: Option<bool>,
}

/// Walks through a filtered list, and returns its rows in order and its total.
async fn walk(test: &Company<60>, list: &List, parent: Option<Uuid>, filter: &str, walk: &Walk) -> (Vec<Uuid>, Value) {
    let document = list.filtered_by(filter, walk.descending);
    let (size, after, more) = if walk.backward {
        ("last", "before", ("hasPreviousPage", "startCursor"))
    } else {
        ("first", "after", ("hasNextPage", "endCursor"))
    };
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page = list.page(test, &document, parent, json!({size: walk.size, after: cursor})).await;
        let rows = ids(&page);
        assert!(rows.len() <= walk.size, "{document}");
        if walk.backward {
            seen.splice(0..0, rows);
        } else {
            seen.extend(rows);
        }
        if page["pageInfo"][more.0] == false {
            return (seen, page["totalCount"].clone());
        }
        cursor = page["pageInfo"][more.1].clone();
    }
}

async fn filters_at_random_keep_what_sql_keeps_on_every_page(test: &Company<60>) {
    complete(test).await;
    let schema = Schema::of(test).await;
    let mut dice = ChaCha8Rng::seed_from_u64(20_260_115);
    let (mut kept, mut cut) = (0, 0);
    for (field, filters) in filters() {
        let list = LISTS.iter().find(|list| list.field == field).unwrap();
        let values = Values::read(test.db(), &schema, list.rows.1, &filters).await;
        let parents = list.parents(test.db()).await;
        for round in 0..12 {
            let parent = parents[round % parents.len()];
            let (mut parts, mut conditions) = (Vec::new(), vec![list.scope().to_owned()]);
            for (filter, known) in filters.iter().zip(&values) {
                let part = dice.random_bool(0.5).then(|| filter.at_random(known, &mut dice));
                let (part, condition) = part.unwrap_or_else(|| filter.absent());
                parts.extend(part);
                conditions.extend(condition);
            }
            let filter = format!("{{{}}}", parts.join(", "));
            let condition = in_sql(test, &conditions.join(" AND "));
            let descending = list.order.1.and_then(|_| [None, Some(true), Some(false)][round % 3]);
            let expected = list.select(test.db(), parent, &condition, descending.unwrap_or(list.descending)).await;
            let size = [1, 3, 20, 100][dice.random_range(0..4)].max(expected.len() / 8);
            let how = Walk { size: size.min(100), backward: dice.random_bool(0.5), descending };
            let (seen, total) = walk(test, list, parent, &filter, &how).await;
            assert_eq!(seen, expected, "{field:?} {filter} is {condition}");
            assert_eq!(total, expected.len(), "{field:?} {filter}");
            kept += usize::from(!expected.is_empty());
            cut += usize::from(expected.len() > how.size);
        }
    }
    assert!(kept > 100 && cut > 30, "most combinations keep something, and many take several pages: {kept} {cut}");
}

async fn every_value_of_every_filter_keeps_what_sql_keeps(test: &Company<60>) {
    complete(test).await;
    let schema = Schema::of(test).await;
    for (field, filters) in filters().into_iter().filter(|(field, _)| field.0 == "Query") {
        let list = LISTS.iter().find(|list| list.field == field).unwrap();
        let values = Values::read(test.db(), &schema, list.rows.1, &filters).await;
        for (number, (filter, known)) in filters.iter().zip(&values).enumerate() {
            let others = filters.iter().enumerate().filter(|(other, _)| *other != number);
            let mut conditions: Vec<String> = others.filter_map(|(_, other)| other.absent().1).collect();
            conditions.push(list.scope().to_owned());
            let mut kept = 0;
            for (part, condition) in filter.each(known) {
                let condition = in_sql(test, &format!("{} AND {condition}", conditions.join(" AND ")));
                let expected = list.select(test.db(), None, &condition, list.descending).await;
                let document = list.filtered(&format!("{{{part}}}"));
                let page = list.page(test, &document, None, json!({"first": 100})).await;
                assert_eq!(page["totalCount"], expected.len(), "{document}: {condition}");
                assert_eq!(ids(&page), expected[..expected.len().min(100)], "{document}: {condition}");
                kept += expected.len();
            }
            assert!(kept > 0, "{field:?} {} keeps nothing, which proves nothing", filter.name());
        }
    }
}

async fn every_filter_of_the_schema_is_tried(test: &Company<1>) {
    let schema = Schema::of(test).await;
    let tried = filters();
    let mut missing = BTreeSet::new();
    for list in LISTS {
        let of_type = schema.fields(list.field.0);
        let field = of_type.iter().find(|field| field.name == list.field.1).unwrap();
        let Some(filter) = field.args.iter().find(|arg| arg.name == "filter") else { continue };
        let known = tried.iter().find(|(field, _)| *field == list.field).map(|(_, filters)| filters);
        for input in schema.inputs(filter.named()) {
            let is_tried = known.is_some_and(|filters| filters.iter().any(|filter| filter.name() == input.name));
            // The kinds of reference are one input of two texts, which filters.rs tries.
            if !is_tried && input.named() != "ReferenceInput" {
                missing.insert(format!("{}.{}: {}", list.field.0, list.field.1, input.name));
            }
        }
    }
    assert_eq!(missing, BTreeSet::new(), "add a filter to list_model/filters.rs for each of these");
}
