//! The requests that are measured.

use crate::events::today;
use crate::support::client::{Request, Source};
use crate::support::{Bench, server};
use chrono::{Days, NaiveDate};
use std::sync::Arc;
use tollgate::clock::Clock;

/// A kind of request to measure.
pub(crate) struct Case {
    pub(crate) name: String,
    /// Events that a request records.
    pub(crate) events: f64,
    pub(crate) source: Source,
}

/// The selections of `analytics`, with a text in every reply. `{range}` is a range of days.
const FIGURES: [(&str, &str, &str); 22] = [
    ("revenue", "revenue({range}, period: DAY) { startsOn stream net { amount } }", "\"net\""),
    ("recurringRevenue", "recurringRevenue { mrr { amount } }", "\"mrr\""),
    ("subscriptionCounts", "subscriptionCounts { status subscriptionCount }", "\"status\""),
    ("recurringRevenueByPlan", "recurringRevenueByPlan { recurring { mrr { amount } } }", "\"mrr\""),
    ("topCustomers", "topCustomers(currency: \"USD\") { recurring { mrr { amount } } }", "\"mrr\""),
    ("movements", "movements({range}) { startsOn }", "\"startsOn\""),
    ("allMovements", "allMovements({range}, first: 50) { nodes { movementKind } }", "\"movementKind\""),
    ("rates", "rates({range}) { netRetention }", "\"netRetention\""),
    ("cohorts", "cohorts({range}) { startsOn }", "\"startsOn\""),
    ("trialCohorts", "trialCohorts({range}) { startsOn }", "\"startsOn\""),
    ("creditSummaries", "creditSummaries({range}) { __typename }", "\"creditSummaries\""),
    ("activeUsers", "activeUsers({range}) { dailyCount weeklyCount monthlyCount }", "\"dailyCount\""),
    (
        "activeUsers with visitors",
        "activeUsers({range}, withVisitors: true) { dailyCount weeklyCount monthlyCount }",
        "\"dailyCount\"",
    ),
    (
        "eventCounts",
        "eventCounts({range}, names: [\"message_sent\", \"export_made\"]) { eventCount peopleCount }",
        "\"peopleCount\"",
    ),
    ("sessions", "sessions({range}) { sessionCount bounceRate }", "\"bounceRate\""),
    ("pageViews", "pageViews({range}) { __typename }", "\"pageViews\""),
    ("storedFunnel", "storedFunnel({range}, code: \"plan\") { __typename }", "\"storedFunnel\""),
    ("engagement", "engagement({range}, code: \"product\") { __typename }", "\"engagement\""),
    ("experiment", "experiment(code: \"pricing_page\") { __typename }", "\"experiment\""),
    ("errorRates", "errorRates({range}) { __typename }", "\"errorRates\""),
    ("partners", "partners({range}) { __typename }", "\"partners\""),
    ("dashboard", DASHBOARD, "\"activeUsers\""),
];

const DASHBOARD: &str = "dashboard({range}) { recurringRevenue { mrr { amount } } movements { startsOn } \
    rates { netRetention } revenue { net { amount } } trialCohorts { startsOn } \
    subscriptionCounts { status subscriptionCount } activeUsers { dailyCount monthlyCount } errorRates { __typename } openErrorGroupCount }";

/// The days of the ranges.
const RANGES: [u64; 2] = [30, 90];

/// Returns all cases, in the order in which they are measured.
pub(crate) fn all(bench: &Bench, address: &str) -> anyhow::Result<Vec<Case>> {
    let (admin, today) = (server::admin_token(&bench.app)?, today(bench));
    let mut cases = Vec::new();
    for (name, selection, expected) in FIGURES {
        for days in RANGES {
            let name = format!("{name}, {days} days");
            cases.push(Case { name, events: 0.0, source: figure(address, &admin, selection, expected, (today, days)) });
            if !selection.contains("{range}") {
                break;
            }
        }
    }
    for events in [100_u32, 1_000] {
        let source = tracked(address, &admin, events);
        cases.push(Case { name: format!("trackEvents of {events}"), events: f64::from(events), source });
    }
    Ok(cases)
}

/// Returns requests of a figure over `days` that end on one of the last 30 days.
fn figure(
    address: &str,
    token: &str,
    selection: &'static str,
    expected: &'static str,
    (today, days): (NaiveDate, u64),
) -> Source {
    let before = |count: u64| today.checked_sub_days(Days::new(count)).unwrap_or(today);
    let requests: Vec<Request> = (0..30)
        .map(|ago| {
            let range = format!("from: \\\"{}\\\", to: \\\"{}\\\"", before(ago + days), before(ago));
            let selection = selection.replace('"', "\\\"").replace("{range}", &range);
            Request::post(address, token, &format!("{{\"query\":\"{{ analytics {{ {selection} }} }}\"}}"), expected)
        })
        .collect();
    Arc::new(move |connection, number| requests[(connection * 7 + number) % requests.len()].clone())
}

/// Returns requests that record events of visitors.
fn tracked(address: &str, token: &str, events: u32) -> Source {
    const TRACK: &str = "mutation($events: [TrackedEventInput!]!) { trackEvents(input: {events: $events}) { \
        results { outcome userErrors { code } } } }";
    let (address, token) = (address.to_owned(), token.to_owned());
    Arc::new(move |connection, number| {
        let event = |each: u32| {
            let (visitor, key) = (each / 8, Clock::System.new_id());
            format!(
                "{{\"name\":\"app_opened\",\"anonymousId\":\"load_{connection}_{number}_{visitor}\",\"dedupeKey\":\"{key}\",\
                 \"properties\":{{\"plan\":\"pro\"}}}}"
            )
        };
        let list: Vec<String> = (0..events).map(event).collect();
        let body = format!("{{\"query\":\"{TRACK}\",\"variables\":{{\"events\":[{}]}}}}", list.join(","));
        Request::post(&address, &token, &body, "RECORDED")
    })
}
