//! The filters of each list, each with its condition in SQL.

use crate::support::company::global_id;
use crate::support::{Schema, sql};
use chrono::{DateTime, FixedOffset, SecondsFormat};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use sea_orm::DatabaseConnection;
use uuid::Uuid;

/// A field of a filter, with the column that it is about.
pub(super) enum Filter {
    /// One value of an enum.
    One(&'static str, &'static str, &'static str),
    /// Any of several values of an enum; an empty list is no condition.
    Any(&'static str, &'static str, &'static str),
    /// Like `Any`, with the condition that holds without it.
    AnyElse(&'static str, &'static str, &'static str, &'static str),
    /// True or false.
    Flag(&'static str, &'static str),
    /// Like `Flag`, with the condition that holds without it.
    FlagElse(&'static str, &'static str, &'static str),
    /// The exact text of a column.
    Text(&'static str, &'static str),
    /// Any of the codes of plans.
    Plans(&'static str),
    /// The id of an account.
    Account(&'static str, &'static str),
    /// The id of an object of any type.
    Object(&'static str, &'static str),
    /// A span of time.
    Span(&'static str, &'static str),
}
use Filter::*;

/// A list, as a type and its field, with its filters.
type Of = ((&'static str, &'static str), Vec<Filter>);

fn subscriptions() -> Vec<Filter> {
    vec![
        Any("status", "SubscriptionStatus", "status"),
        Plans("plan"),
        Text("externalId", "external_id"),
        Span("createdAt", "created_at"),
    ]
}

fn payments() -> Vec<Filter> {
    vec![
        Any("status", "PaymentStatus", "status"),
        One("stream", "RevenueStream", "stream"),
        Text("externalId", "external_id"),
        Span("createdAt", "created_at"),
    ]
}

fn invoices() -> Vec<Filter> {
    vec![Any("status", "InvoiceStatus", "status"), Text("externalId", "external_id"), Span("createdAt", "created_at")]
}

fn refunds() -> Vec<Filter> {
    vec![Any("status", "RefundStatus", "status"), Text("externalId", "external_id"), Span("createdAt", "created_at")]
}

fn gifts() -> Vec<Filter> {
    vec![Any("status", "GiftStatus", "status"), Text("codePrefix", "prefix"), Span("createdAt", "created_at")]
}

fn accounts() -> Vec<Filter> {
    vec![One("kind", "AccountKind", "kind"), Span("createdAt", "created_at")]
}

fn customers() -> Vec<Filter> {
    vec![One("provider", "Provider", "provider"), Text("externalId", "external_id"), Flag("delinquent", "delinquent")]
}

fn licences() -> Vec<Filter> {
    vec![
        Any("status", "LicenseKeyStatus", "status"),
        One("source", "LicenseKeySource", "source"),
        Text("keyPrefix", "prefix"),
        Span("issuedAt", "created_at"),
    ]
}

fn events() -> Vec<Filter> {
    vec![
        Any("state", "WebhookEventState", "state"),
        Text("eventType", "kind"),
        One("provider", "Provider", "provider"),
        Text("externalId", "external_id"),
        Text("objectId", "object_id"),
        Flag("waiting", "waits_for IS NOT NULL"),
        Span("receivedAt", "received_at"),
    ]
}

fn security_events() -> Vec<Filter> {
    vec![
        Any("severity", "Severity", "severity"),
        Any("suspicion", "SecurityEventKind", "kind"),
        Flag("resolved", "resolved_at IS NOT NULL"),
        Span("lastAt", "last_at"),
    ]
}

fn error_groups() -> Vec<Filter> {
    vec![
        Flag("resolved", "resolved_at IS NOT NULL AND last_seen_at <= resolved_at"),
        One("errorSeverity", "ErrorSeverity", "severity"),
    ]
}

/// The code of the meter of a row.
const METER: &str = "(SELECT m.code FROM meters m WHERE m.id = meter_id)";

/// Returns the filters of every list that has some.
pub(super) fn filters() -> Vec<Of> {
    vec![
        (
            ("Query", "users"),
            vec![Text("email", "email"), One("role", "UserRole", "role"), Span("createdAt", "created_at")],
        ),
        (("Query", "accounts"), accounts()),
        (("Query", "providerCustomers"), customers()),
        (
            ("Query", "plans"),
            vec![AnyElse("kind", "PlanKind", "kind", "kind = 'plan'"), FlagElse("active", "active", "active")],
        ),
        (("Query", "subscriptions"), subscriptions()),
        (("Query", "payments"), payments()),
        (("Query", "refunds"), refunds()),
        (("Query", "invoices"), invoices()),
        (("Query", "coupons"), vec![Flag("active", "active"), Text("code", "code")]),
        (("Query", "gifts"), gifts()),
        (("Query", "meters"), vec![Text("code", "code")]),
        (("Query", "rateCards"), vec![Text("meter", METER)]),
        (("Query", "emailCampaigns"), vec![Span("sentAt", "sent_at")]),
        (("Query", "errorGroups"), error_groups()),
        (
            ("Account", "entitlementOverrides"),
            vec![
                Text("feature", "(SELECT f.code FROM features f WHERE f.id = feature_id)"),
                Flag("revoked", "revoked_at IS NOT NULL"),
            ],
        ),
        (("Account", "usageEvents"), usage_events()),
        (("Query", "licenseKeys"), licences()),
        (("Query", "webhookEvents"), events()),
        (
            ("Query", "providerCalls"),
            vec![
                One("state", "ProviderCallState", "state"),
                Account("accountId", "account_id"),
                Span("createdAt", "created_at"),
            ],
        ),
        (
            ("Query", "auditLog"),
            vec![Text("actor", "actor"), Text("action", "action"), Object("entityId", "entity_id"), Span("at", "at")],
        ),
        (("Query", "securityEvents"), security_events()),
        (("Account", "subscriptions"), subscriptions()),
        (("Account", "payments"), payments()),
        (("Account", "invoices"), invoices()),
        (("Account", "refunds"), refunds()),
        (("Account", "gifts"), gifts()),
        (("Account", "redeemedGifts"), gifts()),
        (("Account", "providerCustomers"), customers()),
        (("Account", "licenseKeys"), licences()),
        (
            ("Account", "creditGrants"),
            vec![
                One("source", "CreditSource", "source"),
                Text("unit", "(SELECT u.code FROM credit_units u WHERE u.id = credit_unit_id)"),
            ],
        ),
        (("Account", "creditHolds"), vec![One("state", "CreditHoldState", "state")]),
        (("Invoice", "payments"), payments()),
        (("Payment", "refunds"), refunds()),
        (("Subscription", "payments"), payments()),
        (("Subscription", "invoices"), invoices()),
        (("User", "accounts"), accounts()),
        (("User", "subscriptions"), subscriptions()),
        (("User", "payments"), payments()),
        (("Viewer", "accounts"), accounts()),
    ]
}

fn usage_events() -> Vec<Filter> {
    vec![Text("meter", METER), Text("refType", "ref_type"), Text("refId", "ref_id"), Span("occurredAt", "occurred_at")]
}

/// The values that a filter can take.
pub(super) struct Values(Vec<String>);

impl Values {
    /// Reads the values of each filter: those of its enum, or some of its column and one that no row has.
    pub(super) async fn read(db: &DatabaseConnection, schema: &Schema, table: &str, filters: &[Filter]) -> Vec<Values> {
        let mut all = Vec::new();
        for filter in filters {
            all.push(Values(filter.values(db, schema, table).await));
        }
        all
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("'{}'", word.to_lowercase())).collect::<Vec<_>>().join(", ")
}

impl Filter {
    /// Returns the name of the field.
    pub(super) fn name(&self) -> &str {
        match self {
            One(name, ..) | Any(name, ..) | AnyElse(name, ..) | Flag(name, _) | FlagElse(name, ..) => name,
            Text(name, _) | Plans(name) | Account(name, _) | Object(name, _) | Span(name, _) => name,
        }
    }

    async fn values(&self, db: &DatabaseConnection, schema: &Schema, table: &str) -> Vec<String> {
        let known = |column: &str| format!("SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL");
        let with_stranger = |mut values: Vec<String>| {
            values.push("nobody".to_owned());
            values
        };
        match self {
            One(_, ty, _) | Any(_, ty, _) | AnyElse(_, ty, ..) => schema.values(ty),
            Flag(..) | FlagElse(..) => vec!["true".to_owned(), "false".to_owned()],
            Plans(_) => with_stranger(sql::column(db, "SELECT code FROM products ORDER BY code", []).await),
            Text(_, column) => {
                let select = format!("{} ORDER BY {column} LIMIT 12", known(column));
                with_stranger(sql::column(db, &select, []).await)
            }
            Account(_, column) | Object(_, column) => {
                let ids = sql::ids(db, &format!("{} LIMIT 5", known(column)), []).await;
                ids.iter().map(Uuid::to_string).collect()
            }
            Span(_, column) => {
                let select = format!("{} ORDER BY {column}", known(column));
                let times: Vec<DateTime<FixedOffset>> = sql::column(db, &select, []).await;
                let picked = times.iter().step_by((times.len() / 8).max(1));
                picked.map(|time| time.to_utc().to_rfc3339_opts(SecondsFormat::AutoSi, false)).collect()
            }
        }
    }

    /// Returns the condition without the filter, and no part of the filter's text.
    pub(super) fn absent(&self) -> (Option<String>, Option<String>) {
        match self {
            AnyElse(.., condition) | FlagElse(.., condition) => (None, Some((*condition).to_owned())),
            _ => (None, None),
        }
    }

    /// Returns the filter at random, and its condition.
    pub(super) fn at_random(&self, known: &Values, dice: &mut ChaCha8Rng) -> (Option<String>, Option<String>) {
        let mut pick = || known.0[dice.random_range(0..known.0.len())].as_str();
        let (part, condition) = match self {
            Any(..) | AnyElse(..) | Plans(_) => {
                let words = [pick(), pick(), pick()];
                self.with(&words)
            }
            Span(name, column) => {
                let (from, to) = (pick(), pick());
                let part = format!("{name}: {{from: \"{from}\", to: \"{to}\"}}");
                (part, format!("{} AND {}", since(column, from), before(column, to)))
            }
            _ => self.with(&[pick()]),
        };
        (Some(part), Some(condition))
    }

    /// Returns the filter with each of its values, and its condition.
    pub(super) fn each(&self, known: &Values) -> Vec<(String, String)> {
        let mut all: Vec<_> = known.0.iter().map(|value| self.with(&[value.as_str()])).collect();
        match self {
            // No value is no condition.
            Any(name, ..) | Plans(name) => all.push((format!("{name}: []"), "TRUE".to_owned())),
            Span(name, column) => {
                let (first, last) = (&known.0[0], &known.0[known.0.len() - 1]);
                all.push((format!("{name}: {{to: \"{last}\"}}"), before(column, last)));
                all.push((format!("{name}: {{to: \"{first}\"}}"), before(column, first)));
                all.push((format!("{name}: {{}}"), "TRUE".to_owned()));
                all.push((format!("{name}: null"), "TRUE".to_owned()));
            }
            _ => {}
        }
        all
    }

    /// Returns the filter with these values, and its condition.
    fn with(&self, words: &[&str]) -> (String, String) {
        let one = words[0];
        match self {
            One(name, _, column) => (format!("{name}: {one}"), format!("{column} = {}", quoted(&[one]))),
            Any(name, _, column) | AnyElse(name, _, column, _) => {
                (format!("{name}: [{}]", words.join(", ")), format!("{column} IN ({})", quoted(words)))
            }
            Flag(name, condition) | FlagElse(name, condition, _) => {
                (format!("{name}: {one}"), format!("({condition}) = {one}"))
            }
            Text("email", column) => (format!("email: \" {} \"", one.to_uppercase()), format!("{column} = '{one}'")),
            Text(name, column) => (format!("{name}: \"{one}\""), format!("{column} = '{one}'")),
            Plans(name) => {
                let codes: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
                let versions = "SELECT v.id FROM product_versions v JOIN products p ON p.id = v.product_id";
                let condition = format!("product_version_id IN ({versions} WHERE p.code IN ({}))", quoted(words));
                (format!("{name}: [{}]", codes.join(", ")), condition)
            }
            Account(name, column) => of_id(name, "Account", column, one),
            Object(name, column) => of_id(name, "Plan", column, one),
            Span(name, column) => (format!("{name}: {{from: \"{one}\"}}"), since(column, one)),
        }
    }
}

fn since(column: &str, time: &str) -> String {
    format!("{column} >= '{time}'")
}

fn before(column: &str, time: &str) -> String {
    format!("{column} < '{time}'")
}

/// Returns a filter by id. [`super::in_sql`] writes the id as the engine does.
fn of_id(name: &str, ty: &str, column: &str, id: &str) -> (String, String) {
    let id: Uuid = id.parse().unwrap();
    (format!("{name}: \"{}\"", global_id(ty, id)), format!("{column} = #{}#", id.simple()))
}
