//! The sequences with an API key, so that each object is fetched from Stripe: the fetched objects decide, whatever the
//! order of deliveries, and without a response the order of the events does.

use super::sequences::{self, Sequence};
use super::{check, deliver, shuffled, sign_in};
use crate::support::stripe::Stripe;
use crate::support::{TestApp, both_engines};
use chrono::TimeDelta;
use serde_json::json;
use tollgate::accounts::UserAppeared;
use tollgate::inbox::{ApplyObject, ReapplyPrice, WakeWaiting};
use tollgate::jobs::Worker;
use tollgate::metrics::FetchOutcome;

both_engines!(asked_while_shuffled, asked_while_stripe_fails, fetched_objects_count_for_more_than_received_ones);

/// Sequences in which fetching matters: all versions, references, bursts of events, refunds that fail.
const LIVES: [&str; 7] = [
    "00-catalog",
    "03-resume-basil",
    "04-past-due-prebasil",
    "06-credits-refund-part-basil",
    "08-dispute-lost-prebasil",
    "11-promo-repeating-clover",
    "12-lifecycle-burst-reversed",
];

/// Without the schedules that would learn everything by themselves.
async fn work(test: &TestApp) {
    let worker = Worker::new().on_demand::<ApplyObject>().on_demand::<ReapplyPrice>().on_demand::<UserAppeared>();
    let worker = worker.every::<WakeWaiting>(TimeDelta::minutes(1));
    assert_eq!(worker.run_due(&test.app).await.unwrap().failed, 0, "jobs failed; their errors are in the table jobs");
}

async fn run(given: &TestApp, seed: u64, failing: u32) -> [u64; 2] {
    let stripe = Stripe::start(&sequences::objects(), Vec::new()).await;
    let test = given.beside(&stripe.settings()).await;
    stripe.fail(failing);
    let sequences: Vec<Sequence> =
        sequences::all().into_iter().filter(|sequence| LIVES.contains(&sequence.name.as_str())).collect();
    sign_in(&test, &sequences).await;
    let events = sequences.iter().flat_map(|sequence| sequence.events.clone()).collect();
    for events in shuffled(events, seed).chunks(3) {
        deliver(&test, events).await;
        work(&test).await;
    }
    check(&test, &sequences, &format!("asked, seed {seed}, {failing} of 100 failing")).await;
    [FetchOutcome::Answered, FetchOutcome::Failed].map(|outcome| test.app.metrics.fetches(outcome))
}

async fn asked_while_shuffled(given: &TestApp) {
    let [answered, failed] = run(given, 11, 0).await;
    assert!(answered > 100 && failed == 0, "{answered} {failed}");
}

async fn asked_while_stripe_fails(given: &TestApp) {
    let [answered, failed] = run(given, 12, 50).await;
    assert!(answered > 10 && failed > 10, "{answered} {failed}");
}

async fn fetched_objects_count_for_more_than_received_ones(given: &TestApp) {
    let sequence = sequences::all().into_iter().find(|sequence| sequence.name == "03-resume-basil").unwrap();
    let stripe = Stripe::start(&sequences::objects(), Vec::new()).await;
    let test = given.beside(&stripe.settings()).await;
    sign_in(&test, std::slice::from_ref(&sequence)).await;
    // The first event of each object alone: what came after it is learned by asking.
    let mut seen = std::collections::BTreeSet::new();
    let first: Vec<_> = sequence.events.iter().filter(|event| seen.insert(event.object_id())).cloned().collect();
    assert!(first.len() < sequence.events.len());
    deliver(&test, &first).await;
    work(&test).await;
    check(&test, std::slice::from_ref(&sequence), "first events alone").await;

    // Delivered again it is no news, and neither is what Stripe answers to it.
    let events = "{ webhookEvents(first: 100) { nodes { eventType learnedBy state } } }";
    let before = test.admin().data(events, json!({})).await;
    let rest: Vec<_> = sequence.events.to_vec();
    deliver(&test, &rest).await;
    work(&test).await;
    let fetched = |data: &serde_json::Value| {
        let nodes = data["webhookEvents"]["nodes"].as_array().unwrap();
        nodes.iter().filter(|event| event["learnedBy"] == "FETCHED").count()
    };
    let after = test.admin().data(events, json!({})).await;
    assert!(fetched(&before) > 0);
    assert_eq!(fetched(&before), fetched(&after));
    check(&test, &[sequence], "the rest").await;
}
