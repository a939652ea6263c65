//! Events, errors, reports and rebuilds at once, from two nodes: each is recorded once, and the figures are those of the
//! records.

use crate::support::{Client, Company, SECRET, TestApp, both_engines, sql};
use chrono::{Days, SecondsFormat, TimeDelta};
use futures_util::future::{join, join_all};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tollgate::analytics;
use tollgate::auth::Permission::{AnalyticsRead, EventsWrite};
use tollgate::auth::Viewer;

both_engines!(
    an_event_that_many_send_is_recorded_once,
    a_visitor_becomes_one_user_however_many_claim_it,
    first_assignments_at_once_are_one,
    errors_at_once_are_all_counted_in_their_groups,
    of_reports_at_once_the_newest_stays,
    rebuilds_and_changes_at_once_end_in_the_rows_of_the_facts,
);

/// A second node.
async fn other(test: &TestApp) -> TestApp {
    let settings = [
        ("TOLLGATE_JWT_HS256_SECRET", SECRET),
        ("TOLLGATE_REPORT_COST", "false"),
        ("TOLLGATE_ANALYTICS_MINIMUM_GROUP", "1"),
    ];
    test.beside_at(Arc::clone(&test.app.clock), &settings).await
}

async fn ask(caller: &Client<'_>, field: &str, input: (&str, Value)) -> Value {
    let (ty, input) = input;
    let document = match field {
        "trackEvents" | "logErrors" | "recordPartnerStats" => {
            format!(
                "mutation($input: {ty}!) {{ it: {field}(input: $input) {{ results {{ outcome }} userErrors {{ code }} }} }}"
            )
        }
        "assignVariant" => {
            format!("mutation($input: {ty}!) {{ it: {field}(input: $input) {{ variant userErrors {{ code }} }} }}")
        }
        _ => format!("mutation($input: {ty}!) {{ it: {field}(input: $input) {{ userErrors {{ code }} }} }}"),
    };
    caller.data(&document, json!({"input": input})).await["it"].take()
}

fn outcomes(answers: &[Value]) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for result in answers.iter().flat_map(|answer| answer["results"].as_array().unwrap()) {
        *found.entry(result["outcome"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    found
}

async fn an_event_that_many_send_is_recorded_once(test: &TestApp) {
    let other = other(test).await;
    let callers = [test.service(&[EventsWrite]), other.service(&[EventsWrite])];
    let mut dice = StdRng::seed_from_u64(1);
    // Sixteen requests of forty events out of sixty, in random orders, of which eight persons have some each.
    let requests: Vec<Value> = (0..16)
        .map(|_| {
            let mut events: Vec<Value> = (0..60)
                .map(|number| {
                    json!({"name": (["seen", "bought"][number % 2]), "anonymousId": format!("v{}", number % 8),
                        "dedupeKey": number.to_string()})
                })
                .collect();
            events.shuffle(&mut dice);
            events.truncate(40);
            json!(events)
        })
        .collect();
    let sent: BTreeSet<&str> = requests
        .iter()
        .flat_map(|events| events.as_array().unwrap())
        .map(|event| event["dedupeKey"].as_str().unwrap())
        .collect();
    let asks = requests.iter().enumerate().map(|(number, events)| {
        ask(&callers[number % 2], "trackEvents", ("TrackEventsInput", json!({"events": events})))
    });
    let outcomes = outcomes(&join_all(asks).await);
    assert_eq!(outcomes["RECORDED"], sent.len());
    assert_eq!(outcomes["DUPLICATE"], 16 * 40 - sent.len());
    let db = test.app.db.schema();
    assert_eq!(sql::number(db, "SELECT COUNT(*) FROM analytics_events").await, i64::try_from(sent.len()).unwrap());
    assert_eq!(sql::number(db, "SELECT COUNT(*) FROM visitor_days").await, 8, "one day of each person");
}

async fn user(test: &TestApp, subject: &str) -> String {
    let me = test.user(subject).data("{ viewer { user { id } } }", json!({})).await;
    me["viewer"]["user"]["id"].as_str().unwrap().to_owned()
}

async fn a_visitor_becomes_one_user_however_many_claim_it(test: &TestApp) {
    let other = other(test).await;
    let mut users = Vec::new();
    for number in 0..6 {
        users.push(user(test, &format!("user-{number}")).await);
    }
    let callers = [test.service(&[EventsWrite]), other.service(&[EventsWrite])];
    let asks = users.iter().cycle().take(24).enumerate().map(|(number, user)| {
        let input = json!({"anonymousId": "v", "userId": user});
        ask(&callers[number % 2], "identify", ("IdentifyInput", input))
    });
    let answers = join_all(asks).await;
    let taken = answers.iter().filter(|answer| answer["userErrors"] == json!([{"code": "ANONYMOUS_ID_TAKEN"}])).count();
    let done = answers.iter().filter(|answer| answer["userErrors"] == json!([])).count();
    // Each user asked four times.
    assert_eq!((done, taken), (4, 20), "{answers:?}");
    assert_eq!(sql::number(test.app.db.schema(), "SELECT COUNT(*) FROM identity_aliases").await, 1);
}

async fn first_assignments_at_once_are_one(test: &TestApp) {
    let other = other(test).await;
    let input =
        json!({"code": "checkout", "name": "A", "conversionEvent": "paid", "windowSeconds": 60, "plannedUnitCount": 9});
    ask(&test.admin(), "createExperiment", ("CreateExperimentInput", input)).await;
    let callers = [test.service(&[EventsWrite]), other.service(&[EventsWrite])];
    let asks = (0..60).map(|number| {
        let input = json!({"code": "checkout", "anonymousId": format!("v{}", number / 6)});
        ask(&callers[number % 2], "assignVariant", ("AssignVariantInput", input))
    });
    let answers = join_all(asks).await;
    assert!(
        answers.chunks(6).all(|same| same.iter().all(|answer| *answer == same[0] && answer["userErrors"] == json!([])))
    );
    assert_eq!(sql::number(test.app.db.schema(), "SELECT COUNT(*) FROM experiment_assignments").await, 10);
}

async fn errors_at_once_are_all_counted_in_their_groups(test: &TestApp) {
    let other = other(test).await;
    let callers = [test.service(&[EventsWrite]), other.service(&[EventsWrite])];
    let mut dice = StdRng::seed_from_u64(2);
    let now = test.app.now();
    // Twelve requests of fifty errors in four groups; every error comes in two requests, in other orders.
    let errors: Vec<Value> = (0..300)
        .map(|number: i64| {
            let at = (now - TimeDelta::seconds(number)).to_rfc3339_opts(SecondsFormat::Secs, true);
            json!({"errorType": (["A", "B", "C", "D"][dice.random_range(0..4)]), "message": "no answer",
                "dedupeKey": number.to_string(), "occurredAt": at})
        })
        .collect();
    let mut again = errors.clone();
    again.shuffle(&mut dice);
    let requests =
        errors.chunks(50).chain(again.chunks(50)).enumerate().map(|(number, errors)| {
            ask(&callers[number % 2], "logErrors", ("LogErrorsInput", json!({"errors": errors})))
        });
    let outcomes = outcomes(&join_all(requests).await);
    assert_eq!(outcomes, BTreeMap::from([("DUPLICATE".to_owned(), 300), ("RECORDED".to_owned(), 300)]));
    let mut wanted: BTreeMap<&str, i64> = BTreeMap::new();
    for error in &errors {
        *wanted.entry(error["errorType"].as_str().unwrap()).or_default() += 1;
    }
    let query = "{ errorGroups { nodes { errorType errorCount errors { totalCount } } } }";
    let found = test.admin().data(query, json!({})).await["errorGroups"]["nodes"].take();
    let found: BTreeMap<&str, i64> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            assert_eq!(group["errorCount"], group["errors"]["totalCount"]);
            (group["errorType"].as_str().unwrap(), group["errorCount"].as_i64().unwrap())
        })
        .collect();
    assert_eq!(found, wanted);
}

async fn of_reports_at_once_the_newest_stays(test: &TestApp) {
    let other = other(test).await;
    let callers = [test.service(&[EventsWrite]), other.service(&[EventsWrite])];
    let (now, today) = (test.app.now(), test.app.now().date_naive());
    let mut dice = StdRng::seed_from_u64(3);
    let at = |age: i64| (now - TimeDelta::seconds(age)).to_rfc3339_opts(SecondsFormat::Secs, true);
    let mut ages: Vec<i64> = (0..40).collect();
    ages.shuffle(&mut dice);
    let days = ages.chunks(4).enumerate().map(|(number, ages)| {
        let stats = ages.iter().flat_map(|age| {
            ["hotels", "flights"].map(|partner| {
                json!({"partnerCode": partner, "day": today, "currency": "EUR", "bookingCount": age, "revenueMinor": "1",
                    "reportedAt": at(*age)})
            })
        });
        let input = json!({"stats": stats.collect::<Vec<_>>()});
        ask(&callers[number % 2], "recordPartnerStats", ("RecordPartnerStatsInput", input))
    });
    let campaigns = ages.iter().enumerate().map(|(number, age)| {
        let input = json!({"code": "spring", "name": format!("Spring {age}"), "sentAt": at(60), "sentCount": 100,
            "deliveredCount": age, "reportedAt": at(*age)});
        ask(&callers[number % 2], "recordEmailCampaign", ("RecordEmailCampaignInput", input))
    });
    let (days, campaigns) = join(join_all(days), join_all(campaigns)).await;
    assert!(days.iter().chain(&campaigns).all(|answer| answer["userErrors"] == json!([])));
    let query = "query($from: Date!, $to: Date!) { analytics { partners(from: $from, to: $to) { bookingCount } }
        emailCampaigns { nodes { name deliveredCount } } }";
    let found = test.service(&[AnalyticsRead]).data(query, json!({"from": today, "to": today + Days::new(1)})).await;
    assert_eq!(found["analytics"]["partners"], json!([{"bookingCount": 0}, {"bookingCount": 0}]));
    assert_eq!(found["emailCampaigns"]["nodes"], json!([{"name": "Spring 0", "deliveredCount": 0}]));
}

/// The rollups of revenue, as texts.
async fn rollups(test: &TestApp) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (table, columns) in [
        ("mrr_movements", "id, day, kind, arr_before_minor, arr_after_minor"),
        ("mrr_daily", "id, new_minor, churn_minor, expansion_minor, contraction_minor, new_count, churn_count"),
        ("mrr_cohorts", "id, started_count, started_minor, customer_change, arr_change_minor"),
        ("revenue_daily", "id, gross_minor, refunded_minor, payment_count"),
    ] {
        let columns =
            columns.split(", ").map(|column| format!("CAST({column} AS TEXT)")).collect::<Vec<_>>().join(" || ' ' || ");
        let columns = columns.replacen("CAST(id AS TEXT)", "'row'", 1);
        let mut rows: Vec<String> =
            sql::column(test.app.db.schema(), &format!("SELECT {columns} FROM {table}"), []).await;
        rows.sort();
        found.push(rows);
    }
    found
}

async fn rebuilds_and_changes_at_once_end_in_the_rows_of_the_facts(test: &Company<60>) {
    test.complete().await;
    let other = other(test).await;
    let rebuild = async |node: &TestApp| {
        let operator = Viewer::system("analytics");
        analytics::rebuild(&node.app, &operator, |_| {}).await.unwrap();
    };
    rebuild(test).await;
    let before = rollups(test).await;
    // Two rebuilds at once, while payments and refunds change their days and amounts and back.
    let db = test.db();
    let change = async |sign: &str| {
        for table in ["payments SET received_minor = received_minor", "refunds SET amount_minor = amount_minor"] {
            sql::execute(db, &format!("UPDATE {table} {sign} 1")).await;
        }
    };
    let changes = async {
        change("+").await;
        change("-").await;
    };
    join(changes, join(rebuild(test), rebuild(&other))).await;
    test.advance(TimeDelta::minutes(1));
    test.run_jobs().await;
    assert_eq!(sql::number(db, "SELECT COUNT(*) FROM analytics_marks").await, 0);
    assert_eq!(rollups(test).await, before);
    assert!(before.iter().all(|rows| !rows.is_empty()));
}
