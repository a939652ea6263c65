//! What time brings: each thing that is due is done at its own time, the oldest first.

use serde_json::{Value, json};

use super::cancel;
use super::changes;
use super::checkout;
use super::invoices;
use super::renewals;
use super::schedules;
use super::state::{State, number, text};
use super::subscriptions::first_item;

/// For how long a first payment is awaited.
const INCOMPLETE_HOURS: i64 = 23;
/// How long before its end a trial is said to end soon.
const NOTICE: i64 = 3 * 86_400;

/// Things that are due, in the order of those that are due at the same time.
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

/// Does all that is due until `until`, which is the present after that.
pub(super) fn pass(state: &mut State, until: i64) {
    while let Some((at, due, id)) = next(state).filter(|(at, ..)| *at <= until) {
        state.now = at.max(state.now);
        act(state, due, &id);
        state.settle();
    }
    state.now = until.max(state.now);
}

fn next(state: &State) -> Option<(i64, Due, String)> {
    let subscriptions = state.of_kind("subscription").filter(|it| it["ended_at"].is_null());
    let subscriptions = subscriptions.flat_map(|it| of_subscription(state, it));
    let sessions = state.of_kind("checkout.session").filter(|it| it["status"] == "open");
    let schedules = state.of_kind("subscription_schedule").filter(|it| it["status"] == "active");
    let invoices = state.of_kind("invoice").filter(|it| it["status"] == "open");
    let all = subscriptions
        .chain(sessions.map(|it| (it["expires_at"].as_i64(), Due::ExpireSession, it)))
        .chain(schedules.map(|it| (it["current_phase"]["end_date"].as_i64(), Due::NextPhase, it)))
        .chain(invoices.map(|it| (it["next_payment_attempt"].as_i64(), Due::Retry, it)));
    let dated = all.filter_map(|(at, due, it)| Some((at?, due, text(it, "id"))));
    dated.min().map(|(at, due, id)| (at, due, id.to_owned()))
}

fn of_subscription<'s>(state: &State, it: &'s Value) -> Vec<(Option<i64>, Due, &'s Value)> {
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
    if status == "trialing" && state.get(&notice(it)).is_null() {
        dues.push((
            it["trial_end"].as_i64().map(|end| (end - NOTICE).max(number(it, "created"))),
            Due::TrialEndsSoon,
            it,
        ));
    }
    dues
}

/// The id of the note that the end of this trial was announced.
fn notice(subscription: &Value) -> String {
    format!("notice:{}:{}", text(subscription, "id"), number(subscription, "trial_end"))
}

fn act(state: &mut State, due: Due, id: &str) {
    match due {
        Due::NextPhase => schedules::next_phase(state, id),
        Due::Cancel => cancel::end(state, id, "cancellation_requested"),
        Due::ExpireSession => checkout::expire(state, id),
        Due::ExpireIncomplete => cancel::expire(state, id),
        Due::ExpirePending => changes::expire_pending(state, id),
        Due::Unpause => {
            state.update(id, "customer.subscription.updated", |subscription| {
                subscription["pause_collection"] = Value::Null;
            });
        }
        Due::TrialEndsSoon => {
            let notice = notice(state.get(id));
            state.put(json!({"id": notice, "object": "sandbox.notice"}));
            state.tell("customer.subscription.trial_will_end", id);
        }
        Due::Renew => renewals::renew(state, id),
        Due::Retry => _ = invoices::collect(state, id, true),
    }
}
