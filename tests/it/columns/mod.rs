//! Every field of every type of the API shows the column that it is about, for every row, on both engines.

mod billing;
mod office;

use crate::support::company::global_id;
use crate::support::{Company, Schema, both_engines, sql};
use chrono::{DateTime, FixedOffset, SecondsFormat};
use sea_orm::QueryResult;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

both_engines!(every_field_shows_its_column, every_field_of_a_type_has_its_column_here);

/// The form of a field, with the SQL expressions of its value over the row's table.
enum Shows {
    Text(&'static str),
    /// The name of an enum's value, which is stored in lower case.
    Word(&'static str),
    /// Texts separated by spaces.
    Words(&'static str),
    Int(&'static str),
    /// A whole number as a text.
    Long(&'static str),
    Flag(&'static str),
    Time(&'static str),
    Json(&'static str),
    /// An amount in the currency of the row.
    Money(&'static str),
    /// Another object of this type.
    Row(&'static str, &'static str),
    /// The global id of an object whose type is in the first column.
    AnyId(&'static str, &'static str),
}

/// A type of the API, its table, and its fields.
struct Columns {
    ty: &'static str,
    table: &'static str,
    fields: &'static [(&'static str, Shows)],
}

macro_rules! columns {
    ($($ty:ident from $table:ident { $($field:ident: $shows:ident($($sql:expr),+);)* })*) => {
        pub(super) const COLUMNS: &[super::Columns] = &[$(super::Columns {
            ty: stringify!($ty),
            table: stringify!($table),
            fields: &[$((stringify!($field), super::Shows::$shows($($sql),+))),*],
        }),*];
    };
}
use columns;

impl Shows {
    /// Returns the part of a document that selects the field.
    fn selection(&self, field: &str) -> String {
        match self {
            Shows::Money(_) => format!("{field} {{ amount currency }}"),
            Shows::Row(..) => format!("{field} {{ id }}"),
            _ => field.to_owned(),
        }
    }

    /// Returns the expressions that the field is made of.
    fn expressions(&self) -> Vec<&'static str> {
        match *self {
            Shows::Money(amount) => vec![amount, "currency"],
            Shows::AnyId(ty, id) => vec![ty, id],
            Shows::Text(sql) | Shows::Word(sql) | Shows::Words(sql) | Shows::Int(sql) | Shows::Long(sql) => vec![sql],
            Shows::Flag(sql) | Shows::Time(sql) | Shows::Json(sql) | Shows::Row(_, sql) => vec![sql],
        }
    }

    /// Returns the value that the API shows for the columns of a row from the position `at`.
    fn expected(&self, row: &QueryResult, at: usize) -> Value {
        let text = |at: usize| row.try_get_by_index::<Option<String>>(at).unwrap();
        let number = || row.try_get_by_index::<Option<i64>>(at).unwrap();
        match self {
            Shows::Text(_) => json!(text(at)),
            Shows::Word(_) => json!(text(at).map(|word| word.to_uppercase())),
            Shows::Words(_) => json!(text(at).unwrap().split(' ').collect::<Vec<_>>()),
            Shows::Int(_) => json!(number()),
            Shows::Long(_) => json!(number().map(|number| number.to_string())),
            Shows::Flag(_) => json!(row.try_get_by_index::<bool>(at).unwrap()),
            Shows::Time(_) => {
                let time = row.try_get_by_index::<Option<DateTime<FixedOffset>>>(at).unwrap();
                json!(time.map(|time| time.to_utc().to_rfc3339_opts(SecondsFormat::AutoSi, true)))
            }
            Shows::Json(_) => row.try_get_by_index::<Option<Value>>(at).unwrap().unwrap_or_default(),
            Shows::Money(_) => match (number(), text(at + 1)) {
                (Some(amount), Some(currency)) => json!({"amount": amount.to_string(), "currency": currency}),
                _ => Value::Null,
            },
            Shows::Row(ty, _) => match row.try_get_by_index::<Option<Uuid>>(at).unwrap() {
                Some(id) => json!({"id": global_id(ty, id)}),
                None => Value::Null,
            },
            Shows::AnyId(..) => json!(global_id(&text(at).unwrap(), row.try_get_by_index(at + 1).unwrap())),
        }
    }
}

impl Columns {
    fn query(&self) -> String {
        let fields: Vec<_> = self.fields.iter().map(|(field, shows)| shows.selection(field)).collect();
        let fields = fields.join(" ");
        format!("query($ids: [ID!]!) {{ nodes(ids: $ids) {{ id ... on {} {{ {fields} }} }} }}", self.ty)
    }

    /// Returns each row as the API must show it, oldest first.
    async fn expected(&self, test: &Company<60>) -> Vec<Value> {
        let expressions: Vec<_> = self.fields.iter().flat_map(|(_, shows)| shows.expressions()).collect();
        let (table, expressions) = (self.table, expressions.join(", "));
        let select = format!("SELECT {table}.id, {expressions} FROM {table} ORDER BY {table}.id");
        let rows = sql::rows(test.db(), &select, []).await;
        let object = |row: &QueryResult| {
            let id = global_id(self.ty, row.try_get_by_index(0).unwrap());
            let mut object = Map::from_iter([("id".to_owned(), json!(id))]);
            let mut at = 1;
            for (field, shows) in self.fields {
                object.insert((*field).to_owned(), shows.expected(row, at));
                at += shows.expressions().len();
            }
            Value::Object(object)
        };
        rows.iter().map(object).collect()
    }
}

fn all() -> impl Iterator<Item = &'static Columns> {
    billing::COLUMNS.iter().chain(office::COLUMNS)
}

/// Fields that no column holds, and that host_reports.rs computes.
const COMPUTED: &[&str] = &[
    "EmailCampaign.deliveryRate",
    "EmailCampaign.openRate",
    "EmailCampaign.clickRate",
    "EmailCampaign.unsubscribeRate",
];

/// Columns that no row of the company has a value in, and a value for one row.
const RARE: &[(&str, &str)] = &[
    ("accounts", "name = 'The Band', ref_type = 'band', ref_id = '7'"),
    ("account_members", "left_at = joined_at"),
    ("api_keys", "expires_at = created_at, last_used_at = created_at, parent_id = id"),
    ("coupons", "max_redemptions = 7, redeem_by = created_at, provider = 'stripe', external_id = 'co_rare'"),
    ("promo_codes", "max_redemptions = 7, expires_at = created_at, provider = 'stripe', external_id = 'promo_rare'"),
    ("credit_allowances", "expires_after_days = 30, rollover_cap = 500"),
    ("devices", "name = 'Laptop', os = 'Linux', app_version = '1.2.3', revoked_at = first_seen_at"),
    (
        "disputes",
        "reason = 'fraudulent', status = 'lost', closed_at = created_at, charge_external_id = 'ch_rare', \
         provider_status = 'lost'",
    ),
    ("features", "meter_id = (SELECT id FROM meters ORDER BY id LIMIT 1)"),
    (
        "gifts",
        "prefix = 'TGG-RARE', hash = 'rare', recipient_email = 'bob@example.com', message = 'Enjoy', expires_at = created_at, \
         payment_id = (SELECT id FROM payments ORDER BY id LIMIT 1), \
         subscription_id = (SELECT id FROM subscriptions ORDER BY id LIMIT 1)",
    ),
    (
        "inbox_events",
        "waits_for = 'customer:cus_rare', note = 'A note.', error = 'An error.', state = 'failed', applied_at = NULL, \
         next_attempt_at = received_at, object_id = 'cus_rare', api_version = '2025-08-27.basil'",
    ),
    ("invoices", "number = 'A-1', billing_reason = 'manual', hosted_url = 'https://a.example/', due_at = created_at"),
    (
        "license_keys",
        "status = 'revoked', revoked_at = created_at, revoked_by = 'admin', source = 'purchase', provider = 'paddle', order_external_id = 'txn_rare', product_external_id = 'pro_rare', \
         last_verified_at = created_at, payment_id = (SELECT id FROM payments ORDER BY id LIMIT 1)",
    ),
    (
        "outbox_calls",
        "object_kind = 'coupon', object_id = 'co_1', error_code = 'card_declined', error_param = 'coupon', \
         decline_code = 'do_not_honor', \
         account_id = (SELECT id FROM accounts ORDER BY id LIMIT 1)",
    ),
    ("payments", "description = 'A payment', fee_minor = 59, failure_code = 'card_declined'"),
    ("product_features", "value = 'eu', limit_units = 10, limit_window = 'hour', rollover_cap = 5, on_exceed = 'warn'"),
    ("products", "description = 'For bands'"),
    ("provider_customers", "email = 'ann@example.com', name = 'Ann', delinquent = TRUE, deleted = TRUE"),
    ("provider_prices", "credits = 100"),
    ("publishable_keys", "revoked_at = created_at"),
    (
        "refunds",
        "status = 'denied', denial_reason = 'too late', reason = 'not for me', requested_by = 'user:1', \
         decided_by = 'user:2', requested_minor = 100, charge_external_id = 'ch_rare', credits_taken_back = 3",
    ),
    (
        "scheduled_changes",
        "price_external_id = 'price_rare', quantity = 4, price_id = (SELECT id FROM prices ORDER BY id LIMIT 1), \
         product_version_id = (SELECT product_version_id FROM prices ORDER BY id LIMIT 1)",
    ),
    ("security_events", "detail = 'A detail.', resolution = 'A false alarm.'"),
    (
        "subscription_discounts",
        "percent_basis_points = NULL, amount_off_minor = 500, currency = 'EUR', per_unit = TRUE, ends_at = created_at, \
         item_external_id = 'si_rare', coupon_external_id = 'co_rare'",
    ),
    ("subscription_items", "external_id = 'si_rare', quantity = 9"),
    (
        "subscriptions",
        "schedule_external_id = 'sub_sched_rare', latest_invoice_external_id = 'in_rare', next_billed_at = created_at, \
         paused_at = created_at, trial_start = created_at, trial_end = created_at, cancel_at_period_end = TRUE",
    ),
    ("users", "avatar_url = 'https://a.example/ann.png', locale = 'de-AT', last_active_at = created_at"),
];

/// Adds rows of the kinds that the company has none of, and a value for each column that it leaves out.
async fn complete(test: &Company<60>) {
    test.complete().await;
    let key =
        "mutation($name: String!) { createApiKey(input: {name: $name, scopes: [\"audit:read\", \"billing:read\"]}) {
        apiKey { id } }
        createPublishableKey(input: {name: $name, origins: [\"https://a.example\", \"https://b.example\"]}) {
            publishableKey { id } } }";
    for name in ["office", "warehouse"] {
        let made = test.admin().data(key, json!({"name": name})).await;
        let revoke = "mutation($id: ID!) { revokeApiKey(input: {apiKeyId: $id}) { userErrors { code } } }";
        test.admin().data(revoke, json!({"id": made["createApiKey"]["apiKey"]["id"]})).await;
    }
    let failed = "UPDATE refunds SET status = 'failed', failure_code = 'lost_or_stolen_card', denial_reason = NULL \
        WHERE id = (SELECT id FROM refunds ORDER BY id DESC LIMIT 1)";
    sql::execute(test.db(), failed).await;
    for (table, values) in RARE {
        let one = format!("UPDATE {table} SET {values} WHERE id = (SELECT id FROM {table} ORDER BY id LIMIT 1)");
        sql::execute(test.db(), &one).await;
    }
}

async fn every_field_shows_its_column(test: &Company<60>) {
    complete(test).await;
    let admin = test.admin();
    let mut never = BTreeSet::new();
    for columns in all() {
        let expected = columns.expected(test).await;
        assert!(!expected.is_empty(), "{} has no rows", columns.table);
        let query = columns.query();
        for rows in expected.chunks(100) {
            let ids: Vec<_> = rows.iter().map(|row| row["id"].clone()).collect();
            let shown = admin.data(&query, json!({"ids": ids})).await["nodes"].take();
            for (shown, expected) in shown.as_array().unwrap().iter().zip(rows) {
                assert_eq!(shown, expected, "{}", columns.ty);
            }
        }
        let empty = columns.fields.iter().filter(|(field, _)| expected.iter().all(|row| row[*field].is_null()));
        never.extend(empty.map(|(field, _)| format!("{}.{field}", columns.ty)));
    }
    assert_eq!(never, BTreeSet::new(), "a field that no row has a value in proves nothing");
}

async fn every_field_of_a_type_has_its_column_here(test: &Company<1>) {
    let schema = Schema::of(test).await;
    let here: BTreeMap<_, BTreeSet<_>> =
        all().map(|columns| (columns.ty, columns.fields.iter().map(|(field, _)| *field).collect())).collect();
    let mut missing = Vec::new();
    for ty in schema.implementors("Node") {
        for field in schema.fields(&ty).iter().filter(|field| field.args.is_empty() && !field.ty.starts_with('[')) {
            let known = here.get(ty.as_str()).is_some_and(|fields| fields.contains(field.name.as_str()));
            let name = format!("{ty}.{}", field.name);
            if !known && field.name != "id" && !COMPUTED.contains(&name.as_str()) {
                missing.push(name);
            }
        }
    }
    assert_eq!(missing, [""; 0], "add a row for each of these fields");
}
