//! A rebuild of the rollups that is killed at any moment: what it has not made yet is still marked, so that figures stay exact,
//! and the next one makes the rest.

use crate::commands::{done, url};
use crate::support::{Company, TestApp, both_engines, sql};
use chrono::Days;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use std::process::{Command, Stdio};

both_engines!(a_rebuild_that_is_killed_leaves_exact_figures);

const FIGURES: &str = "query($from: Date!, $to: Date!) { analytics {
    revenue(from: $from, to: $to, period: MONTH) { startsOn stream gross { amount currency } refunded { amount } }
    movements(from: $from, to: $to) { startsOn currency start { arr { amount } customerCount }
        new { arr { amount } movementCount } churn { arr { amount } movementCount } end { arr { amount } } }
    weekly: cohorts(from: $from, to: $to, period: WEEK) { startsOn customerCount periods { number arr { amount } } }
    cohorts(from: $from, to: $to) { startsOn currency customerCount periods { number customerCount } }
    allMovements(from: $from, to: $to, first: 20) { totalCount nodes { day movementKind arrAfter { amount } } }
    sessions(from: $from, to: $to) { day sessionCount pageViewCount }
} }";

async fn figures(test: &TestApp) -> Value {
    let today = test.app.now().date_naive();
    let range = json!({"from": today - Days::new(800), "to": today + Days::new(1)});
    test.admin().data(FIGURES, range).await
}

/// Records events of some visitors over some days.
async fn visits(test: &TestApp) {
    let mut dice = StdRng::seed_from_u64(5);
    let now = test.app.now();
    let events = (0..900).map(|number| {
        let at = now - chrono::TimeDelta::seconds(dice.random_range(0..2_000_000));
        json!({"name": "seen", "anonymousId": format!("v{}", dice.random_range(0..40)), "dedupeKey": number.to_string(),
            "page": "/", "occurredAt": at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)})
    });
    let track =
        "mutation($events: [TrackedEventInput!]!) { trackEvents(input: {events: $events}) { userErrors { code } } }";
    test.admin().data(track, json!({"events": events.collect::<Vec<_>>()})).await;
}

async fn a_rebuild_that_is_killed_leaves_exact_figures(test: &Company<120>) {
    test.complete().await;
    visits(test).await;
    done(test, &["analytics", "rebuild"], &[]);
    let wanted = figures(test).await;
    let mut dice = StdRng::seed_from_u64(9);
    let db = test.db();
    let (mut marked, mut unmarked) = (0, 0);
    for round in 0..8 {
        let mut rebuild = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        rebuild.args(["analytics", "rebuild"]).env_clear().env("TOLLGATE_DATABASE_URL", url(test));
        let mut rebuild = rebuild.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Any moment will do, since the figures are exact whatever it has done; most are while marks are left.
        let marks = "SELECT COUNT(*) FROM analytics_marks";
        while rebuild.try_wait().unwrap().is_none() && sql::number(db, marks).await == 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..dice.random_range(0..40) {
            sql::number(db, marks).await;
        }
        rebuild.kill().unwrap();
        rebuild.wait().unwrap();
        let left = sql::number(db, marks).await;
        if left > 0 {
            marked += 1
        } else {
            unmarked += 1
        }
        assert_eq!(figures(test).await, wanted, "round {round}, {left} marks left");
    }
    println!("{marked} were killed with marks left, {unmarked} before or after");
    // The next one makes what is marked, as the worker would.
    let out = done(test, &["analytics", "rebuild"], &[]);
    assert!(out.contains(" 0 movements corrected") && out.contains(" 0 rows of cash corrected"), "{out}");
    assert_eq!(sql::number(db, "SELECT COUNT(*) FROM analytics_marks").await, 0);
    assert_eq!(figures(test).await, wanted);
}
