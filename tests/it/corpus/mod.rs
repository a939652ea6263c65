//! Realistic lives of customers at Stripe and Paddle: however their events are delivered, the mirror ends as expected.

mod derived;
mod drift;
mod facts;
mod fetching;
pub(crate) mod sequences;
mod storm;

use crate::support::{TestApp, both_engines, sql, webhooks};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use sequences::{Event, Sequence};
use serde_json::json;

both_engines!(
    in_the_order_of_delivery,
    backwards,
    shuffled_by_seeds,
    all_mixed_and_everything_twice,
    users_who_appear_last,
);

pub(crate) async fn sign_in(test: &TestApp, sequences: &[Sequence]) {
    for user in sequences.iter().flat_map(Sequence::users) {
        test.user(&user).data("{ viewer { user { id } } }", json!({})).await;
    }
}

/// Delivers events one by one, each once acknowledged.
pub(crate) async fn deliver(test: &TestApp, events: &[Event]) {
    for event in events {
        let (provider, at, body) = (event.provider, test.app.now().timestamp(), event.body.as_bytes());
        let header = webhooks::signature(provider, &[webhooks::secret(provider)], at, body);
        let reply = webhooks::send(test, provider, Some(&header), body).await;
        assert_eq!(reply.status, 200, "{}: {}", event.file, reply.body);
    }
}

/// The rows of the database are what each sequence expects, in facts and in what follows from them.
pub(crate) async fn check(test: &TestApp, sequences: &[Sequence], run: &str) {
    let left = "SELECT external_id FROM inbox_events WHERE state NOT IN ('applied', 'ignored')";
    let left: Vec<String> = sql::column(test.app.db.read(), left, []).await;
    assert_eq!(left, [""; 0], "{run}: not applied");
    for sequence in sequences {
        facts::check(test, sequence, run).await;
        derived::check(test, sequence, run).await;
    }
}

fn shuffled(mut events: Vec<Event>, seed: u64) -> Vec<Event> {
    events.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    events
}

async fn in_the_order_of_delivery(test: &TestApp) {
    for sequence in sequences::all() {
        let sequences = [sequence];
        sign_in(test, &sequences).await;
        for event in &sequences[0].events {
            deliver(test, std::slice::from_ref(event)).await;
            test.run_jobs().await;
        }
        check(test, &sequences, "in order").await;
    }
}

async fn backwards(test: &TestApp) {
    let sequences = sequences::all();
    sign_in(test, &sequences).await;
    let mut events: Vec<Event> = sequences.iter().flat_map(|sequence| sequence.events.clone()).collect();
    events.reverse();
    for event in &events {
        deliver(test, std::slice::from_ref(event)).await;
        test.run_jobs().await;
    }
    check(test, &sequences, "backwards").await;
}

/// Each seed has people and ids of its own, so that one database holds all of them, and lets more events gather before
/// they are applied.
async fn shuffled_by_seeds(test: &TestApp) {
    for seed in 0..20 {
        let sequences: Vec<Sequence> = sequences::all().into_iter().map(|sequence| sequence.renamed(seed)).collect();
        sign_in(test, &sequences).await;
        let events = sequences.iter().flat_map(|sequence| sequence.events.clone()).collect();
        let gathered = 1 + usize::try_from(seed).unwrap() * 4;
        for events in shuffled(events, seed).chunks(gathered) {
            deliver(test, events).await;
            test.run_jobs().await;
        }
        check(test, &sequences, &format!("seed {seed}")).await;
    }
}

async fn all_mixed_and_everything_twice(test: &TestApp) {
    let sequences = sequences::all();
    sign_in(test, &sequences).await;
    let once: Vec<Event> = sequences.iter().flat_map(|sequence| sequence.events.clone()).collect();
    let twice = shuffled(once.iter().chain(&once).cloned().collect(), 99);
    for events in twice.chunks(7) {
        deliver(test, events).await;
        test.run_jobs().await;
    }
    check(test, &sequences, "twice").await;
}

async fn users_who_appear_last(test: &TestApp) {
    let sequences = sequences::all();
    let events: Vec<Event> = sequences.iter().flat_map(|sequence| sequence.events.clone()).collect();
    deliver(test, &shuffled(events, 3)).await;
    test.run_jobs().await;
    sign_in(test, &sequences).await;
    test.run_jobs().await;
    check(test, &sequences, "users last").await;
}
