//! Sessions while events, aliases and the job come at once, and the work that a late event makes.

use super::model::{Facts, NAMES, PAGES, Sent};
use super::{compare, compare_rows, event, identify, run_job, send, sessions, user};
use crate::support::{TestApp, both_engines, sql};
use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use sea_orm::{ConnectionTrait, Statement};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tollgate::analytics::RecomputeVisits;
use tollgate::jobs::Job;

both_engines!(
    events_and_aliases_at_once_with_the_job_lose_nothing,
    the_work_of_a_late_event_does_not_grow_with_the_life_of_the_visitor,
);

async fn events_and_aliases_at_once_with_the_job_lose_nothing(test: &TestApp) {
    let ann = user(test, "ann").await;
    let start = test.app.now() - TimeDelta::days(3);
    let writers = (0..4).map(|writer: usize| {
        let ann = &ann;
        async move {
            let mut facts = Facts::default();
            for batch in 0..5 {
                let events = (0..12).map(|number| {
                    // Each instant once: the order of recording is not known here. Writers share the visitors.
                    let minute = i64::try_from((batch * 12 + number) * 4 + writer).unwrap();
                    let mut sent = event(&format!("v-{}", number % 4), start + TimeDelta::minutes(minute * 9));
                    sent.name = NAMES[number % NAMES.len()];
                    sent.page = (number % 2 == 0).then_some(number % PAGES.len());
                    // The key is of the writer.
                    sent.key = Some(format!("{writer} {batch} {number}"));
                    sent
                });
                send(test, &mut facts, events.collect::<Vec<Sent>>()).await;
                if batch == writer {
                    identify(test, &mut facts, &format!("v-{writer}"), ann).await;
                }
            }
            facts
        }
    });
    let is_done = AtomicBool::new(false);
    let job = async {
        let mut runs = 0;
        while !is_done.load(Ordering::Relaxed) || runs < 3 {
            RecomputeVisits {}.run(&test.app).await.unwrap();
            runs += 1;
            tokio::task::yield_now().await;
        }
    };
    let writers = async {
        let written = join_all(writers).await;
        is_done.store(true, Ordering::Relaxed);
        written
    };
    let (written, ()) = join(writers, job).await;
    let mut facts = Facts::default();
    for part in written {
        facts.events.extend(part.events);
        facts.users.extend(part.users);
    }
    assert_eq!((facts.events.len(), facts.users.len()), (240, 4));
    compare(test, &facts, "before the last job").await;
    RecomputeVisits {}.run(&test.app).await.unwrap();
    compare(test, &facts, "after the last job").await;
    test.advance(TimeDelta::days(1));
    run_job(test).await;
    compare_rows(test, &facts).await;
}

/// Sends a late event and runs the job, and returns the number of its statements and of the rows that they read.
async fn work_of(test: &TestApp, facts: &mut Facts, sent: Sent, seen: &Mutex<Vec<Statement>>) -> (usize, usize) {
    send(test, facts, vec![sent]).await;
    seen.lock().unwrap().clear();
    RecomputeVisits {}.run(&test.app).await.unwrap();
    let statements = std::mem::take(&mut *seen.lock().unwrap());
    let (count, mut rows) = (statements.len(), 0);
    for statement in statements.into_iter().filter(|statement| statement.sql.starts_with("WITH g AS")) {
        rows += test.app.db.read().query_all_raw(statement).await.unwrap().len();
    }
    (count, rows)
}

async fn the_work_of_a_late_event_does_not_grow_with_the_life_of_the_visitor(test: &TestApp) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    test.app.db.observe(move |statement| kept.lock().unwrap().push(statement.clone()));
    let mut facts = Facts::default();
    let at = |day: i64, hour: i64| test.app.now() - TimeDelta::days(200 - day) + TimeDelta::hours(hour);
    // A visitor with events on three days, and one with events on two hundred.
    let life = |visitor: &'static str, days: std::ops::Range<i64>| {
        days.flat_map(move |day| (0..4).map(move |hour| event(visitor, at(day, hour - 8)))).collect::<Vec<_>>()
    };
    for events in [life("young", 99..102), life("old", 0..199)] {
        for batch in events.chunks(400) {
            send(test, &mut facts, batch.to_vec()).await;
        }
    }
    RecomputeVisits {}.run(&test.app).await.unwrap();
    assert_eq!(sql::number(test.app.db.schema(), "SELECT COUNT(*) FROM visitor_sessions").await, 4 * 202);
    let young = work_of(test, &mut facts, event("young", at(100, 2)), &seen).await;
    let old = work_of(test, &mut facts, event("old", at(100, 2)), &seen).await;
    assert!(young.0 > 5 && young.1 > 5, "statements were seen: {young:?}");
    assert_eq!(old, young);
    assert_eq!(sessions(test, at(0, 0).date_naive()).await, facts.days(at(0, 0).date_naive()));
}
