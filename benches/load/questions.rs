//! The five queries, each as GraphQL requests and as one SQL statement.

use crate::flat::{self, Param};
use crate::sample::Samples;
use crate::support::Engine;
use crate::support::client::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Days, FixedOffset, NaiveDate};
use entity::users;
use serde_json::{Value, json};
use tollgate::accounts::Users;
use tollgate::credits::{Entries, LedgerBucket};
use tollgate::db::{Between, Listing};
use uuid::Uuid;

/// The days that Q5 covers.
const REVENUE_DAYS: u64 = 90;
/// The number of different ends of that period.
const REVENUE_ENDS: u64 = 180;

/// A query in all its forms.
pub(crate) struct Question {
    /// The short name.
    pub(crate) name: &'static str,
    /// A description of the data.
    pub(crate) about: &'static str,
    /// The target as a fraction of the SQL ceiling; zero without a target.
    pub(crate) target: f64,
    /// The flat statement.
    pub(crate) sql: &'static str,
    /// The parameters of the statement, for each request those of the same data.
    pub(crate) params: Vec<Vec<Param>>,
    document: &'static str,
    variables: Vec<Value>,
    expected: &'static str,
}

impl Question {
    /// The requests, ready to be sent.
    pub(crate) fn requests(&self, address: &str, token: &str) -> Vec<Request> {
        let request = |variables: &Value| {
            let body = json!({"query": self.document, "variables": variables}).to_string();
            Request::post(address, token, &body, self.expected)
        };
        self.variables.iter().map(request).collect()
    }
}

/// Returns all five queries.
pub(crate) fn all(engine: Engine, samples: &Samples) -> Vec<Question> {
    vec![
        user(engine, &samples.subscribers),
        subscriptions(engine, &samples.users),
        ledger(engine, samples),
        payments(engine, &samples.users),
        revenue(engine, samples.now),
    ]
}

fn user(engine: Engine, ids: &[Uuid]) -> Question {
    Question {
        name: "q1",
        about: "a user, their subscription and plan",
        target: 0.29,
        document: "query Q1($id: ID!) { user(id: $id) { id fullName email \
            subscription { status currentPeriodEnd plan { code name } } } }",
        variables: ids.iter().map(|id| json!({"id": global_id("User", *id)})).collect(),
        expected: "\"plan\":{",
        sql: flat::user(engine),
        params: ids.iter().map(|id| vec![Param::Id(*id)]).collect(),
    }
}

fn subscriptions(engine: Engine, after: &[users::Model]) -> Question {
    Question {
        name: "q2",
        about: "20 users, their subscriptions and plans",
        target: 0.20,
        document: "query Q2($after: String!) { users(first: 20, after: $after) { nodes { id \
            subscriptions(first: 5) { nodes { status plan { name } } } } } }",
        variables: behind(after),
        expected: "\"subscriptions\":",
        sql: flat::subscriptions(engine),
        params: positions(after),
    }
}

fn ledger(engine: Engine, samples: &Samples) -> Question {
    let order = Entries { unit: "credit".to_owned(), bucket: LedgerBucket::Available }.order();
    let variables = |entry| {
        let account: &entity::ledger_entries::Model = entry;
        json!({"id": global_id("Account", account.account_id), "after": order.cursor(account)})
    };
    Question {
        name: "q3",
        about: "50 credit entries with the balance",
        target: 0.20,
        document: "query Q3($id: ID!, $after: String!) { account(id: $id) { \
            ledgerEntries(unit: \"credit\", first: 50, after: $after) { \
            nodes { credits balanceAfter recordedAt } pageInfo { endCursor hasNextPage } } } }",
        variables: samples.entries.iter().map(variables).collect(),
        expected: "\"balanceAfter\":",
        sql: flat::ledger(engine),
        params: samples
            .entries
            .iter()
            .map(|entry| {
                let ids = [entry.account_id, entry.credit_unit_id, entry.id].map(Param::Id);
                ids.into_iter().chain([Param::Int(entry.seq)]).collect()
            })
            .collect(),
    }
}

fn payments(engine: Engine, after: &[users::Model]) -> Question {
    Question {
        name: "q4",
        about: "100 users, the last 10 payments of each",
        target: 0.22,
        document: "query Q4($after: String!) { users(first: 100, after: $after) { nodes { id \
            payments(first: 10) { nodes { amount { amount currency } chargeStatus createdAt } } } } }",
        variables: behind(after),
        expected: "\"chargeStatus\":",
        sql: flat::payments(engine),
        params: positions(after),
    }
}

fn revenue(engine: Engine, now: DateTime<FixedOffset>) -> Question {
    let day = |date: NaiveDate| date.and_time(chrono::NaiveTime::MIN).and_utc().fixed_offset();
    let spans: Vec<(NaiveDate, NaiveDate)> = (0..REVENUE_ENDS)
        .map(|back| now.date_naive() - Days::new(back))
        .map(|to| (to - Days::new(REVENUE_DAYS), to))
        .collect();
    Question {
        name: "q5",
        about: "daily revenue over 90 days",
        target: 0.0,
        document: "query Q5($from: Date!, $to: Date!) { analytics { revenue(from: $from, to: $to, period: DAY) { \
            startsOn stream gross { amount currency } net { amount } } } }",
        variables: spans.iter().map(|(from, to)| json!({"from": from, "to": to})).collect(),
        expected: "\"gross\":",
        sql: flat::revenue(engine),
        params: spans.iter().map(|(from, to)| vec![Param::Time(day(*from)), Param::Time(day(*to))]).collect(),
    }
}

fn behind(after: &[users::Model]) -> Vec<Value> {
    let order = Users { email: None, role: None, created: Between::default(), descending: true }.order();
    after.iter().map(|user| json!({"after": order.cursor(user)})).collect()
}

fn positions(after: &[users::Model]) -> Vec<Vec<Param>> {
    after.iter().map(|user| vec![Param::Time(user.created_at), Param::Id(user.id)]).collect()
}

/// Returns the global id of a row.
fn global_id(name: &str, id: Uuid) -> String {
    STANDARD.encode(format!("{name}:{id}"))
}
