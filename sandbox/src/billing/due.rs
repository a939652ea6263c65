//! Work that is due by the clock, done in order of the due times.

use serde_json::{Value, json};

use crate::billing::{ending, payments, pending, periods, schedules};
use crate::objects::sessions;
use crate::objects::subscriptions::first_item;
use crate::store::{Store, number, text};

/// The hours that a subscription waits for its first payment.
const INCOMPLETE_HOURS: i64 = 23;
/// The seconds between the notice and the end of a trial.
const TRIAL_NOTICE_SECONDS: i64 = 3 * 86_400;

/// Kinds of due work, in the order of work with the same due time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    NextPhase,
    Cancel,
    ExpireSession,
    ExpireIncomplete,
    ExpirePending,
    Unpause,
    TrialEndsSoon,
    Renew,
    Retry,
}

/// Does all work due until `until`, and moves the present there.
pub(crate) fn catch_up(store: &mut Store, until: i64) {
    while let Some((at, due, id)) = next(store).filter(|(at, ..)| *at <= until) {
        store.now = at.max(store.now);
        run(store, due, &id);
        store.commit();
    }
    store.now = until.max(store.now);
}

fn next(store: &Store) -> Option<(i64, Due, String)> {
    let subscriptions = store.all("subscription").filter(|it| it["ended_at"].is_null());
    let subscriptions = subscriptions.flat_map(|it| due_of_subscription(store, it));
    let sessions = store.all("checkout.session").filter(|it| it["status"] == "open");
    let schedules = store.all("subscription_schedule").filter(|it| it["status"] == "active");
    let invoices = store.all("invoice").filter(|it| it["status"] == "open");
    let all = subscriptions
        .chain(sessions.map(|it| (it["expires_at"].as_i64(), Due::ExpireSession, it)))
        .chain(schedules.map(|it| (it["current_phase"]["end_date"].as_i64(), Due::NextPhase, it)))
        .chain(invoices.map(|it| (it["next_payment_attempt"].as_i64(), Due::Retry, it)));
    let dated = all.filter_map(|(at, due, it)| Some((at?, due, text(it, "id"))));
    dated.min().map(|(at, due, id)| (at, due, id.to_owned()))
}

fn due_of_subscription<'s>(store: &Store, it: &'s Value) -> Vec<(Option<i64>, Due, &'s Value)> {
    let status = text(it, "status");
    if status == "incomplete" {
        return vec![(Some(number(it, "created") + INCOMPLETE_HOURS * 3600), Due::ExpireIncomplete, it)];
    }
    let mut dues = vec![
        (it["cancel_at"].as_i64(), Due::Cancel, it),
        (it["pause_collection"]["resumes_at"].as_i64(), Due::Unpause, it),
        (it["pending_update"]["expires_at"].as_i64(), Due::ExpirePending, it),
    ];
    if status != "paused" {
        dues.push((first_item(it)["current_period_end"].as_i64(), Due::Renew, it));
    }
    if status == "trialing" && store.get(&notice(it)).is_null() {
        dues.push((
            it["trial_end"].as_i64().map(|end| (end - TRIAL_NOTICE_SECONDS).max(number(it, "created"))),
            Due::TrialEndsSoon,
            it,
        ));
    }
    dues
}

/// Returns the id of the marker that the notice of a trial was sent.
fn notice(subscription: &Value) -> String {
    format!("notice:{}:{}", text(subscription, "id"), number(subscription, "trial_end"))
}

fn run(store: &mut Store, due: Due, id: &str) {
    match due {
        Due::NextPhase => schedules::advance(store, id),
        Due::Cancel => ending::end(store, id, "cancellation_requested"),
        Due::ExpireSession => sessions::expire(store, id),
        Due::ExpireIncomplete => ending::expire(store, id),
        Due::ExpirePending => pending::expire(store, id),
        Due::Unpause => {
            store.update(id, "customer.subscription.updated", |subscription| {
                subscription["pause_collection"] = Value::Null;
            });
        }
        Due::TrialEndsSoon => {
            let notice = notice(store.get(id));
            store.insert(json!({"id": notice, "object": "sandbox.notice"}));
            store.emit("customer.subscription.trial_will_end", id);
        }
        Due::Renew => periods::renew(store, id),
        Due::Retry => _ = payments::collect(store, id, true),
    }
}
