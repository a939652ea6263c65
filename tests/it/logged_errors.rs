//! Errors of the host application: recorded once, in groups that do not depend on their order, with figures that equal those
//! computed here from the inputs alone.

use crate::revenue_rollups::is_rounded;
use crate::support::{Client, TestApp, both_engines, global_id};
use chrono::{DateTime, Days, NaiveDate, SecondsFormat, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tollgate::auth::Permission::{AnalyticsRead, CreditsWrite, EventsWrite};
use tollgate::subscriptions::Exact;

both_engines!(
    errors_of_one_cause_are_one_group_in_any_order,
    a_resolved_group_opens_again_with_a_later_error,
    each_malformed_error_is_refused_alone,
    users_log_their_own_errors_and_no_others,
    error_rates_equal_those_of_the_inputs,
);

const LOG: &str = "mutation($errors: [LoggedErrorInput!]!) { logErrors(input: {errors: $errors}) {
    results { outcome userErrors { code field message } } userErrors { code field } } }";
const GROUPS: &str = "query($filter: ErrorGroupFilter) { errorGroups(filter: $filter, first: 100) { nodes {
    id errorType message errorSeverity errorCount firstSeenAt lastSeenAt isResolved
    errors(first: 100) { totalCount } } } }";

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Returns the outcomes of the parts of a mutation.
fn outcomes(done: &Value) -> Vec<&str> {
    assert_eq!(done["userErrors"], json!([]));
    done["results"].as_array().unwrap().iter().map(|result| result["outcome"].as_str().unwrap()).collect()
}

async fn log(caller: &Client<'_>, errors: &[Value]) -> Value {
    caller.data(LOG, json!({"errors": errors})).await["logErrors"].take()
}

async fn user(test: &TestApp, subject: &str) -> String {
    let me = test.user(subject).data("{ viewer { user { id } } }", json!({})).await;
    me["viewer"]["user"]["id"].as_str().unwrap().to_owned()
}

/// Groups by their types and messages: severity, count, first and last time.
type Groups = BTreeMap<(String, String), (String, i64, String, String)>;

async fn groups(test: &TestApp) -> Groups {
    let found = test.admin().data(GROUPS, json!({})).await;
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let time = |value: &Value| text(DateTime::parse_from_rfc3339(value.as_str().unwrap()).unwrap().to_utc());
    let groups = found["errorGroups"]["nodes"].as_array().unwrap().iter();
    let rows = groups.map(|group| {
        let count = group["errorCount"].as_i64().unwrap();
        assert_eq!(group["errors"]["totalCount"], count, "the count is that of the errors");
        let times = (time(&group["firstSeenAt"]), time(&group["lastSeenAt"]));
        let key = (word(&group["errorType"]), word(&group["message"]));
        (key, (word(&group["errorSeverity"]), count, times.0, times.1))
    });
    rows.collect()
}

async fn errors_of_one_cause_are_one_group_in_any_order(test: &TestApp) {
    let service = test.service(&[EventsWrite]);
    let severities = ["INFO", "WARNING", "ERROR", "CRITICAL"];
    let mut dice = StdRng::seed_from_u64(20);
    let mut errors = Vec::new();
    let mut wanted = Groups::new();
    for number in 0..300 {
        let (kind, severity) = (dice.random_range(0..3), dice.random_range(0..4));
        let (error_type, message, general) = match kind {
            0 => ("Timeout", format!("no answer from node-{number} in {number} s"), "no answer from node-# in # s"),
            1 => ("Timeout", format!("\"job {number}\" was lost"), "\"\" was lost"),
            _ => ("Declined", format!("\"card {number}\" was lost"), "\"\" was lost"),
        };
        let at = test.app.now() - TimeDelta::seconds(dice.random_range(0..900_000));
        errors.push(json!({"errorType": error_type, "message": message, "errorSeverity": severities[severity],
            "dedupeKey": number.to_string(), "occurredAt": text(at)}));
        let first = (severities[severity].to_owned(), 0, text(at), text(at));
        let group = wanted.entry((error_type.to_owned(), general.to_owned())).or_insert(first);
        let highest = severities.iter().position(|word| *word == group.0).unwrap().max(severity);
        *group =
            (severities[highest].to_owned(), group.1 + 1, text(at).min(group.2.clone()), text(at).max(group.3.clone()));
    }
    // In another order, in batches, and partly again.
    errors.shuffle(&mut dice);
    for batch in errors.chunks(70) {
        assert_eq!(outcomes(&log(&service, batch).await), vec!["RECORDED"; batch.len()]);
    }
    let again = [&errors[100..190], &errors[..1], &errors[..1]].concat();
    assert_eq!(outcomes(&log(&service, &again).await), vec!["DUPLICATE"; 92]);
    assert_eq!(groups(test).await, wanted);

    let own =
        |key: &str, kind: &str| json!({"errorType": kind, "message": key, "dedupeKey": key, "fingerprint": "checkout"});
    log(&service, &[own("a", "First"), own("b", "Second")]).await;
    let found = groups(test).await;
    assert_eq!(found[&("First".to_owned(), "a".to_owned())].1, 2, "the host application's own fingerprint decides");

    let many: Vec<Value> = (0..101).map(|key| own(&key.to_string(), "First")).collect();
    let refused = log(&service, &many).await;
    assert_eq!(refused, json!({"results": null, "userErrors": [{"code": "TOO_MANY_ERRORS", "field": ["errors"]}]}));
    assert_eq!(log(&service, &[]).await["results"], json!([]));
}

async fn a_resolved_group_opens_again_with_a_later_error(test: &TestApp) {
    let admin = test.admin();
    let error = |key: &str, at: DateTime<Utc>| json!({"errorType": "Timeout", "message": "no answer", "dedupeKey": key, "occurredAt": text(at)});
    let begin = test.app.now();
    log(&admin, &[error("1", begin - TimeDelta::minutes(9))]).await;
    let ids = async |is_resolved: bool| {
        let found = admin.data(GROUPS, json!({"filter": {"resolved": is_resolved}})).await;
        let nodes = found["errorGroups"]["nodes"].as_array().unwrap().clone();
        assert!(nodes.iter().all(|group| group["isResolved"] == is_resolved));
        nodes.into_iter().map(|group| group["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let id = ids(false).await.remove(0);
    let resolve = "mutation($id: ID!) { resolveErrorGroup(input: {errorGroupId: $id}) {
        errorGroup { id isResolved resolvedAt } userErrors { code } } }";
    let done = admin.data(resolve, json!({"id": id})).await["resolveErrorGroup"].take();
    assert_eq!((&done["errorGroup"]["isResolved"], &done["userErrors"]), (&json!(true), &json!([])));
    assert_eq!((ids(true).await, ids(false).await.len()), (vec![id.clone()], 0));
    let again = admin.data(resolve, json!({"id": id})).await["resolveErrorGroup"].take();
    assert_eq!(again["userErrors"], json!([{"code": "ALREADY_RESOLVED"}]));
    let unknown = json!({"id": global_id("ErrorGroup", test.app.new_id())});
    let unknown = admin.data(resolve, unknown).await["resolveErrorGroup"].take();
    assert_eq!(unknown["userErrors"], json!([{"code": "NOT_FOUND"}]));
    // An error that happened before, and is known late, does not open it.
    log(&admin, &[error("2", begin - TimeDelta::minutes(1))]).await;
    assert_eq!(ids(true).await.len(), 1);
    test.advance(TimeDelta::minutes(2));
    log(&admin, &[error("3", begin + TimeDelta::minutes(1))]).await;
    assert_eq!(ids(false).await, std::slice::from_ref(&id));
    let done = admin.data(resolve, json!({"id": id})).await["resolveErrorGroup"].take();
    assert_eq!(done["userErrors"], json!([]));
    // Resolving is for those who record events, who need not see the group.
    log(&admin, &[error("4", test.app.now() + TimeDelta::minutes(1))]).await;
    let done = test.service(&[EventsWrite]).data(resolve, json!({"id": id})).await["resolveErrorGroup"].take();
    assert_eq!(done, json!({"errorGroup": null, "userErrors": []}));
    assert_eq!(test.service(&[AnalyticsRead]).code(resolve, json!({"id": id})).await, "FORBIDDEN");
}

async fn each_malformed_error_is_refused_alone(test: &TestApp) {
    let service = test.service(&[EventsWrite]);
    let cases = [
        (json!({"errorType": ""}), "ERROR_TYPE_INVALID", "errorType"),
        (json!({"errorType": "a".repeat(201)}), "ERROR_TYPE_INVALID", "errorType"),
        (json!({"message": ""}), "MESSAGE_INVALID", "message"),
        (json!({"message": "a".repeat(2_001)}), "MESSAGE_INVALID", "message"),
        (json!({"message": "a\u{0}"}), "MESSAGE_INVALID", "message"),
        (json!({"fingerprint": ""}), "FINGERPRINT_INVALID", "fingerprint"),
        (json!({"stack": "a".repeat(8_001)}), "STACK_INVALID", "stack"),
        (json!({"release": "a".repeat(101)}), "RELEASE_INVALID", "release"),
        (json!({"page": ""}), "PAGE_INVALID", "page"),
        (json!({"userId": global_id("User", test.app.new_id())}), "USER_NOT_FOUND", "userId"),
        (json!({"userId": "no"}), "USER_NOT_FOUND", "userId"),
        (json!({"dedupeKey": ""}), "DEDUPE_KEY_INVALID", "dedupeKey"),
        (json!({"properties": [1]}), "PROPERTIES_INVALID", "properties"),
        (json!({"occurredAt": text(test.app.now() + TimeDelta::minutes(6))}), "OCCURRED_AT_INVALID", "occurredAt"),
        (json!({"occurredAt": text(test.app.now() - TimeDelta::days(401))}), "OCCURRED_AT_INVALID", "occurredAt"),
    ];
    let good = json!({"errorType": "Timeout", "message": "no answer", "dedupeKey": "1"});
    let errors = cases.iter().map(|(change, ..)| {
        let mut error = good.clone();
        error.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        error
    });
    let errors: Vec<Value> = errors.chain([good.clone()]).collect();
    let done = log(&service, &errors).await;
    let results = done["results"].as_array().unwrap();
    for ((change, code, field), result) in cases.iter().zip(results) {
        let error = &result["userErrors"][0];
        assert_eq!((&result["outcome"], &error["code"]), (&json!("REFUSED"), &json!(code)), "{change}");
        assert_eq!(error["field"], json!([field]), "{change}");
        assert!(error["message"].as_str().unwrap().ends_with('.'), "{error}");
    }
    assert_eq!(results[cases.len()]["outcome"], "RECORDED");
    assert_eq!(groups(test).await.len(), 1);
}

async fn users_log_their_own_errors_and_no_others(test: &TestApp) {
    let (ann, bob) = (user(test, "ann").await, user(test, "bob").await);
    let error =
        |user: Option<&String>, key: &str| json!({"errorType": "T", "message": "m", "userId": user, "dedupeKey": key});
    let done = log(&test.user("ann"), &[error(None, "1"), error(Some(&ann), "2"), error(Some(&bob), "3")]).await;
    assert_eq!(outcomes(&done), ["RECORDED", "RECORDED", "REFUSED"]);
    assert_eq!(done["results"][2]["userErrors"][0]["code"], "USER_NOT_FOUND");
    // Keys are of a user, so that nobody can take those of another.
    let service = test.service(&[EventsWrite]);
    let done = log(&service, &[error(Some(&bob), "1"), error(None, "1"), error(Some(&ann), "1")]).await;
    assert_eq!(outcomes(&done), ["RECORDED", "RECORDED", "DUPLICATE"]);
    let one = json!({"errors": [error(None, "9")]});
    assert_eq!(test.anonymous().code(LOG, one.clone()).await, "UNAUTHENTICATED");
    assert_eq!(test.service(&[CreditsWrite]).code(LOG, one).await, "FORBIDDEN");
    // Those who read analytics see the errors; only an admin sees the people too.
    let seen = async |caller: Client<'_>| {
        let people = "{ errorGroups { nodes { errors { nodes { user { id } } } } } }";
        let found = caller.data(people, json!({})).await["errorGroups"]["nodes"].take();
        let errors = found.as_array().unwrap().iter().flat_map(|group| group["errors"]["nodes"].as_array().unwrap());
        let users: BTreeSet<String> =
            errors.filter_map(|error| Some(error["user"]["id"].as_str()?.to_owned())).collect();
        (found.as_array().unwrap().len(), users)
    };
    assert_eq!(seen(test.admin()).await, (1, BTreeSet::from([ann, bob])));
    assert_eq!(seen(test.service(&[AnalyticsRead])).await, (1, BTreeSet::new()));
    assert_eq!(test.user("ann").code("{ errorGroups { nodes { id } } }", json!({})).await, "FORBIDDEN");
}

async fn error_rates_equal_those_of_the_inputs(test: &TestApp) {
    let mut ids = Vec::new();
    for subject in ["ann", "bob", "cid", "dan"] {
        ids.push(user(test, subject).await);
    }
    let admin = test.admin();
    let mut dice = StdRng::seed_from_u64(7);
    let today = test.app.now().date_naive();
    let (mut errors, mut events) = (Vec::new(), Vec::new());
    // The errors and the critical ones, and those affected and active, by day.
    let mut days: BTreeMap<NaiveDate, (i64, i64, BTreeSet<usize>, BTreeSet<usize>)> = BTreeMap::new();
    for number in 0..90 {
        let at = test.app.now() - TimeDelta::seconds(dice.random_range(0..1_000_000));
        let day = days.entry(at.date_naive()).or_default();
        let who = dice.random_range(0..5);
        let (key, at) = (number.to_string(), text(at));
        if number % 3 > 0 {
            events.push(match who {
                4 => json!({"name": "seen", "anonymousId": "v", "dedupeKey": key, "occurredAt": at}),
                _ => json!({"name": "seen", "userId": ids[who], "dedupeKey": key, "occurredAt": at}),
            });
            // The visitor turns out to be the first user.
            day.3.insert(who % 4);
        } else {
            let severity = if number % 2 == 0 { "CRITICAL" } else { "ERROR" };
            errors.push(json!({"errorType": "T", "message": "m", "errorSeverity": severity, "dedupeKey": key,
                "userId": ids.get(who), "occurredAt": at}));
            day.0 += 1;
            day.1 += i64::from(number % 2 == 0);
            if who < 4 {
                day.2.insert(who);
                day.3.insert(who);
            }
        }
    }
    let service = test.service(&[EventsWrite]);
    log(&service, &errors).await;
    let track =
        "mutation($events: [TrackedEventInput!]!) { trackEvents(input: {events: $events}) { userErrors { code } } }";
    service.data(track, json!({"events": events})).await;
    let identify =
        "mutation($user: ID) { identify(input: {anonymousId: \"v\", userId: $user}) { userErrors { code } } }";
    service.data(identify, json!({"user": ids[0]})).await;
    days.retain(|_, day| day.0 > 0);
    let wanted: Vec<Value> = days
        .iter()
        .map(|(day, (errors, critical, affected, active))| {
            json!({"day": day, "errorCount": errors, "criticalCount": critical, "affectedUserCount": affected.len(),
                "activeUserCount": active.len()})
        })
        .collect();
    let rates = "query($from: Date!, $to: Date!) { analytics { errorRates(from: $from, to: $to) {
        day errorCount criticalCount affectedUserCount activeUserCount } } }";
    let range = json!({"from": today - Days::new(20), "to": today + Days::new(1)});
    let found = admin.data(rates, range).await["analytics"]["errorRates"].take();
    assert_eq!(found, json!(wanted));
    let rate = rates.replace("day errorCount criticalCount affectedUserCount activeUserCount", "affectedRate");
    let range = json!({"from": today - Days::new(20), "to": today + Days::new(1)});
    let found = admin.data(&rate, range).await["analytics"]["errorRates"].take();
    for (rate, (_, _, affected, active)) in found.as_array().unwrap().iter().zip(days.values()) {
        let count = |people: &BTreeSet<usize>| i128::try_from(people.len()).unwrap();
        let wanted = (!active.is_empty()).then(|| Exact::new(count(affected), count(active)));
        assert!(is_rounded(&rate["affectedRate"], wanted, 12), "{rate}");
    }
    assert_eq!(
        test.service(&[EventsWrite]).code(rates, json!({"from": today, "to": today + Days::new(1)})).await,
        "FORBIDDEN"
    );
}
