//! The corpus in many orders, after each of which a rebuild finds no row that differs: the records follow from the
//! events alone, and not from the order in which they came.

use super::sequences::{self, Event, Sequence};
use super::{deliver, shuffled, sign_in};
use crate::support::{Engine, Subject as _, TestApp, TestDatabase, both_engines};
use tollgate::auth::Viewer;
use tollgate::config::DatabaseUrl;
use tollgate::inbox::rebuild;

both_engines!(
    a_rebuild_finds_nothing_after_any_order,
    a_rebuild_finds_nothing_where_the_catalogue_comes_last,
    a_rebuild_finds_nothing_where_the_users_come_last,
);

fn engine(test: &TestApp) -> Engine {
    match test.app.config.database.url {
        DatabaseUrl::Sqlite(_) => Engine::Sqlite,
        DatabaseUrl::Postgres(_) => Engine::Postgres,
    }
}

fn events(sequences: &[Sequence]) -> Vec<Event> {
    sequences.iter().flat_map(|sequence| sequence.events.clone()).collect()
}

/// Delivers events in this order, so many before each run of the jobs.
async fn apply(test: &TestApp, events: &[Event], gathered: usize) {
    for events in events.chunks(gathered) {
        deliver(test, events).await;
        test.run_jobs().await;
    }
}

async fn assert_no_drift(test: &TestApp, order: &str) {
    let rebuilt = rebuild(&test.app, &Viewer::system("test"), true, |_, _| ()).await.unwrap();
    let differences: Vec<_> = rebuilt.drift.differences.iter().map(|it| format!("{it:?}")).collect();
    assert!(differences.is_empty(), "{order}: {}", differences.join("\n"));
    assert_eq!(rebuilt.drift.failures, [""; 0], "{order}");
    assert!(rebuilt.objects > 100, "{order}: {} objects", rebuilt.objects);
}

async fn a_rebuild_finds_nothing_after_any_order(given: &TestApp) {
    let sequences = sequences::all();
    let mut found = Vec::new();
    for seed in 40..43 {
        let database = TestDatabase::create(engine(given)).unwrap();
        let test = TestApp::start(&database).await;
        sign_in(&test, &sequences).await;
        let gathered = [1, 5, 40][usize::try_from(seed).unwrap() % 3];
        apply(&test, &shuffled(events(&sequences), seed), gathered).await;
        let rebuilt = rebuild(&test.app, &Viewer::system("test"), true, |_, _| ()).await.unwrap();
        found.extend(rebuilt.drift.differences.iter().map(|it| format!("seed {seed}: {it:?}")));
        found.extend(rebuilt.drift.failures);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

async fn a_rebuild_finds_nothing_where_the_catalogue_comes_last(test: &TestApp) {
    let sequences = sequences::all();
    sign_in(test, &sequences).await;
    let is_catalogue = |event: &Event| {
        ["product.", "price.", "coupon.", "promotion_code."]
            .iter()
            .any(|kind| event.body.contains(&format!("\"{kind}")))
    };
    let (catalogue, others): (Vec<_>, Vec<_>) = events(&sequences).into_iter().partition(is_catalogue);
    assert!(catalogue.len() > 10, "{}", catalogue.len());
    apply(test, &others, 20).await;
    apply(test, &catalogue, 1).await;
    assert_no_drift(test, "the catalogue last").await;
}

async fn a_rebuild_finds_nothing_where_the_users_come_last(test: &TestApp) {
    let sequences = sequences::all();
    apply(test, &shuffled(events(&sequences), 7), 9).await;
    for sequence in &sequences {
        sign_in(test, std::slice::from_ref(sequence)).await;
        test.run_jobs().await;
    }
    assert_no_drift(test, "the users last").await;
}
