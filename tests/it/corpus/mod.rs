//! Realistic lives of customers at Stripe and Paddle: however their events are delivered, the mirror ends as expected.

mod derived;
mod facts;
mod fetching;
pub(crate) mod sequences;

use crate::support::{TestApp, both_engines, webhooks};
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

/// A Tollgate that takes the corpus's webhooks.
pub(crate) const SETTINGS: [(&str, &str); 3] = [
    ("TOLLGATE_JWT_HS256_SECRET", crate::support::SECRET),
    ("TOLLGATE_STRIPE_WEBHOOK_SECRETS", sequences::STRIPE_SECRET),
    ("TOLLGATE_PADDLE_WEBHOOK_SECRETS", sequences::PADDLE_SECRET),
];

pub(crate) async fn sign_in(test: &TestApp, sequences: &[Sequence]) {
    for user in sequences.iter().flat_map(Sequence::users) {
        test.user(&user).data("{ viewer { user { id } } }", json!({})).await;
    }
}

/// Delivers events one by one, each once acknowledged.
pub(crate) async fn deliver(test: &TestApp, events: &[Event]) {
    for event in events {
        let reply = webhooks::deliver(test, event.provider, event.secret(), &event.body).await;
        assert_eq!(reply.status, 200, "{}: {}", event.file, reply.body);
    }
}

/// The rows of the database are what each sequence expects, in facts and in what follows from them.
pub(crate) async fn check(test: &TestApp, sequences: &[Sequence], run: &str) {
    for sequence in sequences {
        facts::check(test, sequence, run).await;
        derived::check(test, sequence, run).await;
    }
}

fn shuffled(mut events: Vec<Event>, seed: u64) -> Vec<Event> {
    events.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    events
}

async fn in_the_order_of_delivery(given: &TestApp) {
    for sequence in sequences::all() {
        let test = given.beside(&SETTINGS).await;
        let sequences = [sequence];
        sign_in(&test, &sequences).await;
        for event in &sequences[0].events {
            deliver(&test, std::slice::from_ref(event)).await;
            test.run_jobs().await;
        }
        check(&test, &sequences, "in order").await;
    }
}

async fn backwards(given: &TestApp) {
    let test = given.beside(&SETTINGS).await;
    let sequences = sequences::all();
    sign_in(&test, &sequences).await;
    let mut events: Vec<Event> = sequences.iter().flat_map(|sequence| sequence.events.clone()).collect();
    events.reverse();
    for event in &events {
        deliver(&test, std::slice::from_ref(event)).await;
        test.run_jobs().await;
    }
    check(&test, &sequences, "backwards").await;
}

/// Each seed has its own users, customers and ids, so that one database holds all of them.
async fn shuffled_by_seeds(given: &TestApp) {
    let test = given.beside(&SETTINGS).await;
    for seed in 0..20 {
        let sequences: Vec<Sequence> = sequences::all().into_iter().map(|sequence| sequence.renamed(seed)).collect();
        sign_in(&test, &sequences).await;
        let events = sequences.iter().flat_map(|sequence| sequence.events.clone()).collect();
        for (index, event) in shuffled(events, seed).iter().enumerate() {
            deliver(&test, std::slice::from_ref(event)).await;
            if index % 3 == 0 {
                test.run_jobs().await;
            }
        }
        test.run_jobs().await;
        check(&test, &sequences, &format!("seed {seed}")).await;
    }
}

async fn all_mixed_and_everything_twice(given: &TestApp) {
    let test = given.beside(&SETTINGS).await;
    let sequences = sequences::all();
    sign_in(&test, &sequences).await;
    let once: Vec<Event> = sequences.iter().flat_map(|sequence| sequence.events.clone()).collect();
    let twice = shuffled(once.iter().chain(&once).cloned().collect(), 99);
    for events in twice.chunks(7) {
        deliver(&test, events).await;
        test.run_jobs().await;
    }
    check(&test, &sequences, "twice").await;
}

async fn users_who_appear_last(given: &TestApp) {
    let test = given.beside(&SETTINGS).await;
    let sequences = sequences::all();
    let events: Vec<Event> = sequences.iter().flat_map(|sequence| sequence.events.clone()).collect();
    deliver(&test, &shuffled(events, 3)).await;
    test.run_jobs().await;
    sign_in(&test, &sequences).await;
    test.run_jobs().await;
    check(&test, &sequences, "users last").await;
}
