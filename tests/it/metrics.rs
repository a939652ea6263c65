//! The definitions of the metrics, case by case, over a company made by hand.

use crate::support::{TestApp, both_engines, company::local_id};
use chrono::{DateTime, FixedOffset};
use entity::{payments, refunds, subscription_versions, subscriptions};
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use uuid::Uuid;

both_engines!(
    a_day_ends_where_the_next_begins,
    weeks_are_those_of_iso_across_a_year_end,
    a_refund_counts_on_its_own_date,
    currencies_and_streams_stay_apart,
    only_what_recurs_and_was_paid_for_counts,
    a_state_is_in_force_from_its_instant_on,
    later_knowledge_changes_the_past_and_nothing_else,
    ranges_that_make_no_sense_are_refused,
    figures_are_for_those_who_may_see_them,
);

/// A company made by hand.
struct Books<'a> {
    test: &'a TestApp,
    account: Uuid,
}

/// In UTC, as everything is stored.
fn instant(text: &str) -> DateTime<FixedOffset> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc().fixed_offset()
}

impl<'a> Books<'a> {
    async fn new(test: &'a TestApp, subject: &str) -> Self {
        let mine = test.user(subject).data("{ viewer { account { id } } }", json!({})).await;
        Books { test, account: local_id(&mine["viewer"]["account"]["id"]) }
    }

    async fn pay(&self, at: &str, amount: i64, currency: &str, stream: &str) -> Uuid {
        let id = self.test.app.new_id();
        let row = payments::ActiveModel {
            id: Set(id),
            account_id: Set(self.account),
            provider: Set("stripe".to_owned()),
            external_id: Set(id.to_string()),
            stream: Set(stream.to_owned()),
            status: Set("succeeded".to_owned()),
            currency: Set(currency.to_owned()),
            amount_minor: Set(amount),
            received_minor: Set(amount),
            refunded_minor: Set(0),
            paid_at: Set(Some(instant(at))),
            created_at: Set(instant(at)),
            ..Default::default()
        };
        payments::Entity::insert(row).exec_without_returning(self.test.app.db.schema()).await.unwrap();
        id
    }

    async fn refund(&self, payment: Uuid, status: &str, at: &str, amount: i64, currency: &str) {
        let row = refunds::ActiveModel {
            id: Set(self.test.app.new_id()),
            account_id: Set(self.account),
            payment_id: Set(payment),
            provider: Set("stripe".to_owned()),
            status: Set(status.to_owned()),
            currency: Set(currency.to_owned()),
            amount_minor: Set(amount),
            credits_taken_back: Set(0),
            created_at: Set(instant(at)),
            processed_at: Set(Some(instant(at))),
            ..Default::default()
        };
        refunds::Entity::insert(row).exec_without_returning(self.test.app.db.schema()).await.unwrap();
    }

    async fn subscribe(&self, first_paid: Option<&str>) -> Uuid {
        let id = self.test.app.new_id();
        let began = instant("2025-01-01T00:00:00Z");
        let row = subscriptions::ActiveModel {
            id: Set(id),
            account_id: Set(self.account),
            provider: Set("stripe".to_owned()),
            external_id: Set(id.to_string()),
            status: Set("active".to_owned()),
            started_at: Set(began),
            first_paid_at: Set(first_paid.map(instant)),
            created_at: Set(began),
            updated_at: Set(began),
            ..Default::default()
        };
        subscriptions::Entity::insert(row).exec_without_returning(self.test.app.db.schema()).await.unwrap();
        id
    }

    /// A state from `at` on: its status, and the yearly revenue before and after discounts that end.
    async fn state(&self, subscription: Uuid, at: &str, status: &str, arr: (i64, i64)) {
        self.state_known(subscription, at, at, status, arr).await;
    }

    async fn state_known(&self, subscription: Uuid, at: &str, known: &str, status: &str, arr: (i64, i64)) {
        let (status, paused) = status.strip_suffix(" but paused").map_or((status, false), |status| (status, true));
        let row = subscription_versions::ActiveModel {
            id: Set(self.test.app.new_id()),
            account_id: Set(self.account),
            subscription_id: Set(subscription),
            effective_at: Set(instant(at)),
            recorded_at: Set(instant(known)),
            status: Set(status.to_owned()),
            paused: Set(paused),
            items: Set(json!([])),
            currency: Set(Some("EUR".to_owned())),
            arr_minor: Set(Some(arr.0)),
            discounted_arr_minor: Set(Some(arr.1)),
            cause: Set("test".to_owned()),
            ..Default::default()
        };
        subscription_versions::Entity::insert(row).exec_without_returning(self.test.app.db.schema()).await.unwrap();
    }
}

/// Revenue as lines `start stream gross refunded currency payments`.
async fn revenue(test: &TestApp, from: &str, to: &str, period: &str) -> Vec<String> {
    let document = format!(
        "{{ analytics {{ revenue(from: \"{from}\", to: \"{to}\", period: {period}) {{ startsOn stream \
         gross {{ amount currency }} refunded {{ amount }} net {{ amount }} paymentCount }} }} }}"
    );
    let data = test.admin().data(&document, json!({})).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let line = |row: &Value| {
        let (gross, refunded) = (text(&row["gross"]["amount"]), text(&row["refunded"]["amount"]));
        let net = gross.parse::<i64>().unwrap() - refunded.parse::<i64>().unwrap();
        assert_eq!(row["net"]["amount"], net.to_string());
        let [starts, stream] = ["startsOn", "stream"].map(|field| text(&row[field]));
        let payments = &row["paymentCount"];
        format!("{starts} {stream} {gross} {refunded} {} {payments}", text(&row["gross"]["currency"]))
    };
    data["analytics"]["revenue"].as_array().unwrap().iter().map(line).collect()
}

/// Yearly and monthly revenue, subscriptions and accounts: for discounts for ever, and for all.
async fn recurring(test: &TestApp, at: &str) -> [Vec<i64>; 2] {
    let document = format!(
        "{{ analytics {{ f: recurringRevenue(asOf: \"{at}\") {{ ...x }} \
         a: recurringRevenue(asOf: \"{at}\", discounts: ALL_ACTIVE) {{ ...x }} }} }} \
         fragment x on RecurringRevenueSummary {{ arr {{ amount }} mrr {{ amount }} subscriptionCount customerCount }}"
    );
    let data = test.admin().data(&document, json!({})).await["analytics"].take();
    ["f", "a"].map(|policy| {
        let rows = data[policy].as_array().unwrap();
        assert!(rows.len() < 2, "one currency");
        let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap();
        let figures = |row: &Value| {
            [&row["arr"]["amount"], &row["mrr"]["amount"], &row["subscriptionCount"], &row["customerCount"]].map(number)
        };
        rows.iter().flat_map(figures).collect()
    })
}

async fn a_day_ends_where_the_next_begins(test: &TestApp) {
    let books = Books::new(test, "alice").await;
    for (at, amount) in [
        ("2025-03-01T00:00:00Z", 1),
        ("2025-03-01T23:59:59.999999Z", 10),
        ("2025-03-02T00:00:00Z", 100),
        // Equal instants in another time zone.
        ("2025-03-02T01:30:00+02:00", 1_000),
        ("2025-03-01T23:30:00-01:00", 10_000),
    ] {
        books.pay(at, amount, "EUR", "subscription").await;
    }
    let first = "2025-03-01 SUBSCRIPTION 1011 0 EUR 3";
    let second = "2025-03-02 SUBSCRIPTION 10100 0 EUR 2";
    assert_eq!(revenue(test, "2025-03-01", "2025-03-02", "DAY").await, [first]);
    assert_eq!(revenue(test, "2025-03-02", "2025-03-03", "DAY").await, [second]);
    assert_eq!(revenue(test, "2025-02-01", "2025-04-01", "DAY").await, [first, second]);
    assert!(revenue(test, "2025-03-03", "2025-04-01", "DAY").await.is_empty());
}

async fn weeks_are_those_of_iso_across_a_year_end(test: &TestApp) {
    let books = Books::new(test, "alice").await;
    // A Sunday, the Monday after, and the first days of 2026, which are of the same week.
    for (at, amount) in [
        ("2025-12-28T12:00:00Z", 1),
        ("2025-12-29T12:00:00Z", 10),
        ("2026-01-01T12:00:00Z", 100),
        ("2026-01-04T23:59:59Z", 1_000),
        ("2026-01-05T00:00:00Z", 10_000),
    ] {
        books.pay(at, amount, "EUR", "gift").await;
    }
    let weeks = ["2025-12-22 GIFT 1 0 EUR 1", "2025-12-29 GIFT 1110 0 EUR 3", "2026-01-05 GIFT 10000 0 EUR 1"];
    assert_eq!(revenue(test, "2025-12-01", "2026-02-01", "WEEK").await, weeks);
    let months = ["2025-12-01 GIFT 11 0 EUR 2", "2026-01-01 GIFT 11100 0 EUR 3"];
    assert_eq!(revenue(test, "2025-12-01", "2026-02-01", "MONTH").await, months);
    // A range cuts its first week; the week keeps its name.
    assert_eq!(revenue(test, "2026-01-01", "2026-01-05", "WEEK").await, ["2025-12-29 GIFT 1100 0 EUR 2"]);
}

async fn a_refund_counts_on_its_own_date(test: &TestApp) {
    let books = Books::new(test, "alice").await;
    let payment = books.pay("2025-03-10T12:00:00Z", 5_000, "EUR", "addon").await;
    books.refund(payment, "processed", "2025-04-02T12:00:00Z", 2_000, "EUR").await;
    // Asked for, given up, refused: no money moved.
    for status in ["requested", "approved", "denied", "failed"] {
        books.refund(payment, status, "2025-04-03T12:00:00Z", 1_000, "EUR").await;
    }
    let months = ["2025-03-01 ADDON 5000 0 EUR 1", "2025-04-01 ADDON 0 2000 EUR 0"];
    assert_eq!(revenue(test, "2025-01-01", "2026-01-01", "MONTH").await, months);
    assert_eq!(revenue(test, "2025-04-01", "2025-05-01", "DAY").await, ["2025-04-02 ADDON 0 2000 EUR 0"]);
}

async fn currencies_and_streams_stay_apart(test: &TestApp) {
    let books = Books::new(test, "alice").await;
    for (amount, currency, stream) in [
        (1, "EUR", "subscription"),
        (10, "USD", "subscription"),
        (100, "EUR", "credits"),
        (1_000, "JPY", "other"),
        (10_000, "USD", "subscription"),
    ] {
        books.pay("2025-03-10T12:00:00Z", amount, currency, stream).await;
    }
    let rows = [
        "2025-03-10 CREDITS 100 0 EUR 1",
        "2025-03-10 SUBSCRIPTION 1 0 EUR 1",
        "2025-03-10 OTHER 1000 0 JPY 1",
        "2025-03-10 SUBSCRIPTION 10010 0 USD 2",
    ];
    assert_eq!(revenue(test, "2025-03-10", "2025-03-11", "DAY").await, rows);
}

async fn only_what_recurs_and_was_paid_for_counts(test: &TestApp) {
    let began = "2025-01-01T00:00:00Z";
    let paid = Some("2025-01-02T00:00:00Z");
    // One account for each case; the last two share one.
    for (subject, status, first_paid, arr) in [
        ("active", "active", paid, (1_000, 900)),
        ("past due", "past_due", paid, (2_000, 2_000)),
        ("never paid", "past_due", None, (4_000, 4_000)),
        ("paid later", "active", Some("2026-01-01T00:00:00Z"), (8_000, 8_000)),
        ("trial", "trialing", paid, (16_000, 16_000)),
        ("unpaid", "unpaid", paid, (32_000, 32_000)),
        ("paused", "active but paused", paid, (64_000, 64_000)),
        ("paused too", "paused", paid, (64_000, 64_000)),
        ("incomplete", "incomplete", paid, (128_000, 128_000)),
        ("expired", "incomplete_expired", paid, (128_000, 128_000)),
        ("gone", "canceled", paid, (256_000, 256_000)),
        ("free", "active", paid, (0, 0)),
        ("free for now", "active", paid, (6, 0)),
        ("active", "active", paid, (10_000, 10_000)),
    ] {
        let books = Books::new(test, subject).await;
        let subscription = books.subscribe(first_paid).await;
        books.state(subscription, began, status, arr).await;
    }
    // 1,000 + 2,000 + 10,000 + 6; a month of 13,006 is 1,083.8, and one of 12,900 exactly 1,075.
    let expected = [vec![13_006, 1_084, 4, 3], vec![12_900, 1_075, 3, 2]];
    assert_eq!(recurring(test, "2025-06-01T00:00:00Z").await, expected);
    let nothing: [Vec<i64>; 2] = [vec![], vec![]];
    assert_eq!(recurring(test, "2025-01-01T12:00:00Z").await, nothing, "nobody had paid yet");
}

async fn a_state_is_in_force_from_its_instant_on(test: &TestApp) {
    let books = Books::new(test, "alice").await;
    let subscription = books.subscribe(Some("2025-02-01T00:00:00Z")).await;
    for (at, status, arr) in [
        ("2025-01-15T00:00:00Z", "trialing", 0),
        ("2025-02-01T00:00:00Z", "active", 1_200),
        ("2025-03-01T00:00:00Z", "active", 2_400),
        ("2025-04-01T00:00:00Z", "canceled", 0),
    ] {
        books.state(subscription, at, status, (arr, arr)).await;
    }
    for (at, arr) in [
        ("2025-01-31T23:59:59.999999Z", None),
        ("2025-02-01T00:00:00Z", Some(1_200)),
        ("2025-02-28T23:59:59.999999Z", Some(1_200)),
        ("2025-03-01T00:00:00Z", Some(2_400)),
        ("2025-03-31T23:59:59.999999Z", Some(2_400)),
        ("2025-04-01T00:00:00Z", None),
        // The first instant of April at another place is still March here.
        ("2025-04-01T00:00:00+02:00", Some(2_400)),
    ] {
        let expected: Vec<i64> = arr.map(|arr| vec![arr, arr / 12, 1, 1]).unwrap_or_default();
        assert_eq!(recurring(test, at).await, [expected.clone(), expected], "{at}");
    }
}

async fn later_knowledge_changes_the_past_and_nothing_else(test: &TestApp) {
    let books = Books::new(test, "alice").await;
    let subscription = books.subscribe(Some("2025-01-01T00:00:00Z")).await;
    books.state(subscription, "2025-01-01T00:00:00Z", "active", (1_200, 1_200)).await;
    books.state(subscription, "2025-03-01T00:00:00Z", "active", (3_600, 3_600)).await;
    let march = recurring(test, "2025-03-15T00:00:00Z").await;
    // An event of February that came in June, and one that corrects what was written of January.
    let june = "2025-06-01T00:00:00Z";
    books.state_known(subscription, "2025-02-01T00:00:00Z", june, "active", (2_400, 2_400)).await;
    books.state_known(subscription, "2025-01-01T00:00:00Z", june, "active", (600, 600)).await;
    assert_eq!(recurring(test, "2025-03-15T00:00:00Z").await, march);
    assert_eq!(recurring(test, "2025-02-15T00:00:00Z").await[0][0], 2_400);
    assert_eq!(recurring(test, "2025-01-15T00:00:00Z").await[0][0], 600);
}

async fn ranges_that_make_no_sense_are_refused(test: &TestApp) {
    for (from, to) in [
        ("2025-01-02", "2025-01-02"),
        ("2025-01-02", "2025-01-01"),
        ("2015-11-25", "2026-01-12"),
        ("1969-12-31", "1970-01-02"),
        ("9999-12-31", "+10000-01-01"),
        ("2025-02-29", "2025-03-01"),
    ] {
        let document = format!("{{ analytics {{ revenue(from: \"{from}\", to: \"{to}\") {{ startsOn }} }} }}");
        let reply = test.admin().post(&document, json!({})).await.json();
        let code = reply["errors"][0]["extensions"]["code"].as_str().unwrap_or_default();
        assert!(["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"].contains(&code), "{from} {to}: {reply}");
    }
    // The longest range there is.
    assert!(revenue(test, "2015-11-25", "2026-01-11", "MONTH").await.is_empty());
}

async fn figures_are_for_those_who_may_see_them(test: &TestApp) {
    let document = "{ analytics { recurringRevenue { currency } } }";
    assert_eq!(test.user("alice").code(document, json!({})).await, "FORBIDDEN");
}
