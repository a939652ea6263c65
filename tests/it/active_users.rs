//! Active users by day equal those that are counted here from the events alone, whenever the events arrive, visitors turn out
//! to be users, and the job runs.

use crate::support::{TestApp, both_engines, sql};
use chrono::{NaiveDate, SecondsFormat, TimeDelta};
use entity::active_users_daily;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tollgate::analytics;
use tollgate::auth::{Permission, Viewer};

both_engines!(active_users_never_depend_on_the_time_of_events_and_jobs, people_leave_the_windows_without_any_event);

const TRACK: &str = "mutation($events: [TrackedEventInput!]!) { trackEvents(input: {events: $events}) {
    results { outcome } userErrors { code } } }";
const IDENTIFY: &str = "mutation($visitor: String!, $user: ID!) {
    identify(input: {anonymousId: $visitor, userId: $user}) { userErrors { code } } }";

/// The days on which each person has events, as they were sent: true for a user.
#[derive(Default)]
struct Facts {
    days: BTreeSet<((bool, String), NaiveDate)>,
    users: BTreeMap<String, String>,
    sent: usize,
}

impl Facts {
    /// Returns the people active on the `length` days up to `day`.
    fn active(&self, day: NaiveDate, length: i64, with_visitors: bool) -> usize {
        let window = day - TimeDelta::days(length - 1)..=day;
        let people = self.days.iter().filter(|(_, day)| window.contains(day)).map(|((is_user, name), _)| {
            let user = self.users.get(name).filter(|_| !is_user);
            user.map_or((*is_user, name), |user| (true, user))
        });
        people.filter(|(is_user, _)| with_visitors || *is_user).collect::<BTreeSet<_>>().len()
    }
}

async fn send(test: &TestApp, facts: &mut Facts, events: &[((bool, String), i64)]) {
    let now = test.app.now();
    let inputs = events.iter().map(|(person, days_ago)| {
        let at = now - TimeDelta::days(*days_ago);
        facts.days.insert((person.clone(), at.date_naive()));
        facts.sent += 1;
        let field = if person.0 { "userId" } else { "anonymousId" };
        let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
        json!({"name": "visit", field: person.1, "dedupeKey": facts.sent.to_string(), "occurredAt": at})
    });
    let inputs: Vec<Value> = inputs.collect();
    let done = test.service(&[Permission::EventsWrite]).data(TRACK, json!({"events": inputs})).await;
    let results = done["trackEvents"]["results"].as_array().unwrap().clone();
    assert!(results.iter().all(|result| result["outcome"] == "RECORDED"), "{done}");
}

async fn compare(test: &TestApp, facts: &Facts, (from, to): (i64, i64), when: &str) {
    let today = test.app.now().date_naive();
    let (from, to) = (today - TimeDelta::days(from), today + TimeDelta::days(to));
    for with_visitors in [false, true] {
        let query = "query($from: Date!, $to: Date!, $all: Boolean!) { analytics {
            it: activeUsers(from: $from, to: $to, withVisitors: $all) { day dailyCount weeklyCount monthlyCount } } }";
        let found = test.admin().data(query, json!({"from": from, "to": to, "all": with_visitors})).await;
        let expected: Vec<Value> = from
            .iter_days()
            .take_while(|day| *day < to)
            .map(|day| {
                let [daily, weekly, monthly] = [1, 7, 30].map(|length| facts.active(day, length, with_visitors));
                json!({"day": day, "dailyCount": daily, "weeklyCount": weekly, "monthlyCount": monthly})
            })
            .collect();
        assert_eq!(found["analytics"]["it"], json!(expected), "{when}, with visitors: {with_visitors}");
    }
}

async fn run_job(test: &TestApp) {
    test.advance(TimeDelta::minutes(1));
    test.run_jobs().await;
}

async fn rows(test: &TestApp) -> Vec<active_users_daily::Model> {
    sql::models(test.app.db.schema(), "SELECT * FROM active_users_daily ORDER BY id").await
}

async fn user(test: &TestApp, subject: &str) -> String {
    let me = test.user(subject).data("{ viewer { user { id } } }", json!({})).await;
    me["viewer"]["user"]["id"].as_str().unwrap().to_owned()
}

async fn active_users_never_depend_on_the_time_of_events_and_jobs(test: &TestApp) {
    let mut dice = StdRng::seed_from_u64(50);
    let mut people: Vec<(bool, String)> = (0..6).map(|number| (false, format!("visitor {number}"))).collect();
    for subject in ["ann", "bob", "cy"] {
        people.push((true, user(test, subject).await));
    }
    let mut facts = Facts::default();
    for batch in 0..20 {
        let events = (0..4).map(|_| {
            // The windows are 7 and 30 days long, so that gaps about as long matter.
            let ago = [0, 1, 6, 7, 8, 29, 30, 31, dice.random_range(0..70)][dice.random_range(0..9)];
            (people[dice.random_range(0..people.len())].clone(), ago)
        });
        let events: Vec<_> = events.collect();
        send(test, &mut facts, &events).await;
        if batch % 5 == 4 {
            let (visitor, user) = (format!("visitor {}", batch / 5), people[6 + batch % 2].1.clone());
            let input = json!({"visitor": visitor, "user": user});
            let done = test.service(&[Permission::EventsWrite]).data(IDENTIFY, input).await;
            assert_eq!(done["identify"]["userErrors"], json!([]));
            facts.users.insert(visitor, user);
        }
        let from = dice.random_range(0..50);
        compare(test, &facts, (from, 3), &format!("before the job after batch {batch}")).await;
        if dice.random_bool(0.6) {
            run_job(test).await;
            compare(test, &facts, (from, 3), &format!("after the job after batch {batch}")).await;
        }
        if dice.random_bool(0.3) {
            test.advance(TimeDelta::days(dice.random_range(1..12)));
            compare(test, &facts, (from, 40), &format!("days after batch {batch}")).await;
        }
    }
    test.advance(TimeDelta::days(1));
    run_job(test).await;
    let db = test.app.db.schema();
    assert_eq!(sql::number(db, "SELECT COUNT(*) FROM active_users_marks").await, 0);
    compare(test, &facts, (60, 40), "in the end").await;
    let stored = rows(test).await;
    assert!(stored.len() > 40 && stored.iter().any(|row| row.monthly_change < 0), "{stored:?}");
    let rebuild = async || analytics::rebuild(&test.app, &Viewer::system("test"), |_| {}).await.unwrap().visits;
    assert_eq!(rebuild().await.active_rows, 0);
    assert_eq!(rows(test).await, stored, "a rebuild gives the same rows");
    sql::execute(db, "UPDATE active_users_daily SET weekly_change = weekly_change + 1 WHERE are_visitors").await;
    sql::execute(db, "DELETE FROM active_users_daily WHERE NOT are_visitors AND daily_count = 1").await;
    assert!(rebuild().await.active_rows > 5);
    assert_eq!(rows(test).await, stored);
}

async fn people_leave_the_windows_without_any_event(test: &TestApp) {
    let mut facts = Facts::default();
    let person = (true, user(test, "ann").await);
    send(test, &mut facts, &[(person.clone(), 1)]).await;
    run_job(test).await;
    // Days pass without any event, and so without any mark.
    for days in [5, 2, 20, 2, 1, 5] {
        test.advance(TimeDelta::days(days));
        run_job(test).await;
        compare(test, &facts, (35, 35), &format!("{days} days later")).await;
    }
    send(test, &mut facts, &[(person, 0)]).await;
    compare(test, &facts, (35, 35), "after a return").await;
}
