//! Rows as they compare across orders of arrival: ids become what tells the rows apart at the provider, and the times
//! at which they were written down are left out.

use entity::*;
use sea_orm::sea_query::sea_value_to_json_value;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, IdenStatic, Iterable, ModelTrait, QueryFilter};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The columns with the time of recording.
const RECORDED: [&str; 4] = ["id", "updated_at", "recorded_at", "entry_count"];

type Row = Map<String, Value>;

fn row<M: ModelTrait>(row: &M) -> Row {
    let column = |column: <M::Entity as EntityTrait>::Column| {
        (column.as_str().to_owned(), sea_value_to_json_value(&row.get(column)))
    };
    <M::Entity as EntityTrait>::Column::iter().map(column).collect()
}

macro_rules! all {
    ($db:expr, $($table:ident),*) => {
        vec![$((stringify!($table), $table::Entity::find().all($db).await.unwrap().iter().map(row).collect::<Vec<_>>())),*]
    };
}

/// All that was mirrored for `account` and things named after `name`, one line each.
pub(super) async fn rows(db: &DatabaseConnection, name: &str, (account, event): (Uuid, Uuid)) -> Vec<String> {
    let mut tables = all!(
        db,
        provider_customers,
        products,
        product_versions,
        prices,
        provider_prices,
        subscriptions,
        subscription_items,
        subscription_discounts,
        scheduled_changes,
        coupons,
        promo_codes,
        discount_redemptions,
        invoices,
        payments,
        refunds,
        disputes,
        credit_units,
        credit_grants,
        balances
    );
    tables.push(("subscription_versions", valid_versions(db, account).await));
    let mut names =
        BTreeMap::from([(account.to_string(), "account".to_owned()), (event.to_string(), "event".to_owned())]);
    for (table, rows) in &tables {
        for row in rows {
            names.insert(text(row, "id"), format!("{table}:{}", known_as(table, row, &names)));
        }
    }
    let mut lines = Vec::new();
    for (table, rows) in tables {
        for mut row in rows {
            row.retain(|column, _| !RECORDED.contains(&column.as_str()));
            if [
                "products",
                "product_versions",
                "subscription_items",
                "subscription_discounts",
                "scheduled_changes",
                "credit_grants",
            ]
            .contains(&table)
            {
                row.retain(|column, _| !["created_at", "published_at"].contains(&column.as_str()));
            }
            let mut line = format!("{table} {}", Value::Object(row));
            for (id, known_as) in &names {
                line = line.replace(id, known_as);
            }
            // A product stays when its last price has gone over to another.
            if line.contains("former-") {
                continue;
            }
            let mine = line.contains(name) || line.contains("\"account_id\":\"account\"");
            if mine {
                lines.push(line.replace(name, ""));
            }
        }
    }
    lines.sort();
    lines
}

/// Of the states of one time, the one that was recorded last.
async fn valid_versions(db: &DatabaseConnection, account: Uuid) -> Vec<Row> {
    let rows = subscription_versions::Entity::find().filter(subscription_versions::Column::AccountId.eq(account));
    let mut rows = rows.all(db).await.unwrap();
    rows.sort_by_key(|row| (row.recorded_at, row.id));
    let valid: BTreeMap<_, _> = rows.iter().map(|row| ((row.subscription_id, row.effective_at), row)).collect();
    valid.into_values().map(row).collect()
}

fn text(row: &Row, column: &str) -> String {
    match row.get(column) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}

/// Returns the key that identifies a row, without its id.
fn known_as(table: &str, row: &Row, names: &BTreeMap<String, String>) -> String {
    let named = |column: &str| names.get(&text(row, column)).cloned().unwrap_or_default();
    match table {
        "products" | "credit_units" => text(row, "code"),
        "product_versions" => format!("{}/{}", named("product_id"), text(row, "number")),
        "prices" => {
            let parts = ["currency", "unit_amount_minor", "interval", "interval_count"].map(|column| text(row, column));
            format!("{}/{}", named("product_version_id"), parts.join("/"))
        }
        "credit_grants" => text(row, "business_key"),
        _ => text(row, "external_id"),
    }
}
