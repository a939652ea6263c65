//! The use of features: counted in all windows at once, exact under many callers, banked, and never lost.

use crate::support::entitlements::{CONSUME, consume, entitlement, features, plan, refusal, set, standing, subscribe};
use crate::support::usage::account;
use crate::support::{SECRET, TestApp, both_engines, local_id, sql};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::sync::Arc;
use tollgate::auth::Permission;

both_engines!(
    a_use_is_counted_in_all_windows_or_in_none,
    of_many_callers_on_two_nodes_exactly_the_limit_is_admitted,
    a_repetition_counts_nothing,
    days_have_23_and_25_hours_where_the_clocks_change,
    unused_units_are_banked_up_to_the_cap,
    a_change_of_plan_keeps_what_was_used,
    beyond_a_limit_the_plan_warns_charges_or_blocks,
    credits_pay_beyond_a_limit_where_the_plan_says_so,
    unlimited_is_never_a_number,
    a_use_that_makes_no_sense_is_refused,
    nobody_without_the_permission_uses_anything,
    uses_at_random_are_what_the_model_says,
);

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Moves the clock to an instant.
fn go_to(test: &TestApp, instant: &str) {
    test.advance(at(instant) - test.app.now());
}

/// Creates the feature `chat` and a plan with it, and returns Alice's account with a subscription.
async fn alice_with(test: &TestApp, chat: Value) -> Value {
    features(test, &[("chat", "LIMIT")]).await;
    let version = plan(test, "sold", 1, "PLAN", chat, json!({})).await;
    let alice = account(test, "alice").await;
    subscribe(test, &alice, version, "active").await;
    alice
}

/// The use and what is left in each window.
fn windows(payload: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let windows = payload["windows"].as_array().unwrap().iter();
    windows
        .map(|window| format!("{} {}/{}", text(&window["window"]), text(&window["used"]), text(&window["remaining"])))
        .collect()
}

async fn a_use_is_counted_in_all_windows_or_in_none(test: &TestApp) {
    let alice = alice_with(
        test,
        json!([{"feature": "chat", "limit": 3, "window": "HOUR"}, {"feature": "chat", "limit": 5, "window": "DAY"},
            {"feature": "chat", "limit": 6, "window": "BILLING"}, {"feature": "chat", "window": "LIFETIME"}]),
    )
    .await;
    let used = consume(test, &alice, "chat", 2, "a").await;
    assert_eq!(
        (&used["consumed"], &used["creditsSpent"], &used["creditUnit"]),
        (&json!("2"), &json!("0"), &Value::Null)
    );
    assert_eq!(windows(&used["entitlement"]), ["HOUR 2/1", "DAY 2/3", "BILLING 2/4", "LIFETIME 2/-"]);
    let refused = consume(test, &alice, "chat", 2, "b").await;
    let message = "Only 1 of 3 are left (window: hour): wait until 2026-01-15T13:00:00Z, or change the plan.";
    assert_eq!(refused["userErrors"], json!([{"code": "LIMIT_REACHED", "field": ["amount"], "message": message}]));
    assert_eq!((&refused["consumed"], &refused["creditsSpent"]), (&Value::Null, &Value::Null));
    assert_eq!(windows(&refused["entitlement"]), windows(&used["entitlement"]), "nothing is counted");
    test.advance(TimeDelta::hours(1));
    assert_eq!(refusal(&consume(test, &alice, "chat", 3, "c").await), None);
    let answer = entitlement(test, &alice, "chat").await;
    assert_eq!(windows(&answer), ["HOUR 3/0", "DAY 5/0", "BILLING 5/1", "LIFETIME 5/-"]);
    // Of two that are used up, the one that resets later counts.
    assert_eq!((&answer["reason"], &answer["resetsAt"]), (&json!("LIMIT_REACHED"), &json!("2026-01-16T00:00:00Z")));
    go_to(test, "2026-01-16T00:00:00Z");
    assert_eq!(refusal(&consume(test, &alice, "chat", 1, "d").await), None);
    let last = consume(test, &alice, "chat", 1, "e").await;
    assert_eq!(refusal(&last), Some("LIMIT_REACHED"));
    assert_eq!(last["entitlement"]["resetsAt"], "2026-02-10T12:00:00Z", "the billing period is used up");
    go_to(test, "2026-02-10T12:00:00Z");
    // The next period begins, even if the provider has not said so yet.
    assert_eq!(refusal(&consume(test, &alice, "chat", 3, "f").await), None);
    assert_eq!(windows(&entitlement(test, &alice, "chat").await)[2..], ["BILLING 3/3", "LIFETIME 9/-"]);
}

async fn of_many_callers_on_two_nodes_exactly_the_limit_is_admitted(test: &TestApp) {
    let alice = alice_with(
        test,
        json!([{"feature": "chat", "limit": 1, "window": "HOUR"}, {"feature": "chat", "limit": 7, "window": "DAY"}]),
    )
    .await;
    let clock = Arc::clone(&test.app.clock);
    let node = test.beside_at(clock, &[("TOLLGATE_JWT_HS256_SECRET", SECRET)]).await;
    for hour in 0..8 {
        let uses = (0..64).map(|number| {
            let (on, alice) = (if number % 2 == 0 { test } else { &node }, alice.clone());
            async move { consume(on, &alice, "chat", 1, &format!("{hour} {number}")).await }
        });
        let payloads = join_all(uses).await;
        let admitted = payloads.iter().filter(|payload| payload["consumed"] == "1").count();
        assert_eq!(admitted, usize::from(hour < 7), "hour {hour}");
        assert!(payloads.iter().all(|payload| matches!(refusal(payload), None | Some("LIMIT_REACHED"))));
        test.advance(TimeDelta::hours(1));
    }
    let used = "SELECT CAST(used AS TEXT) FROM usage_counters WHERE limit_window = 'day'";
    assert_eq!(sql::column::<String>(test.app.db.schema(), used, []).await, ["7"]);
}

async fn a_repetition_counts_nothing(test: &TestApp) {
    let alice = alice_with(test, json!([{"feature": "chat", "limit": 10, "window": "DAY"}])).await;
    let first = consume(test, &alice, "chat", 4, "same").await;
    let again = join_all((0..16).map(|_| consume(test, &alice, "chat", 4, "same"))).await;
    assert!(again.iter().all(|payload| *payload == first), "{again:?}");
    assert_eq!(entitlement(test, &alice, "chat").await["used"], "4");
    let other = json!({"account": alice, "feature": "chat", "amount": "5", "key": "same"});
    let service = test.service(&[Permission::CreditsWrite]);
    assert_eq!(service.code(CONSUME, other).await, "IDEMPOTENCY_KEY_REUSED");
    // A refusal is not kept: once there is room, the same request succeeds.
    assert_eq!(refusal(&consume(test, &alice, "chat", 7, "later").await), Some("LIMIT_REACHED"));
    test.advance(TimeDelta::days(1));
    assert_eq!(refusal(&consume(test, &alice, "chat", 7, "later").await), None);
}

async fn days_have_23_and_25_hours_where_the_clocks_change(test: &TestApp) {
    let alice = alice_with(test, json!([{"feature": "chat", "limit": 1, "window": "DAY"}])).await;
    sql::execute(test.app.db.schema(), "UPDATE accounts SET time_zone = 'Europe/Zurich'").await;
    for (key, day, end) in [
        ("spring", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("autumn", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
    ] {
        go_to(test, day);
        let used = consume(test, &alice, "chat", 1, key).await;
        assert_eq!((refusal(&used), &used["entitlement"]["resetsAt"]), (None, &json!(end)));
        test.advance(at(end) - at(day) - TimeDelta::microseconds(1));
        assert_eq!(refusal(&consume(test, &alice, "chat", 1, &format!("{key} late")).await), Some("LIMIT_REACHED"));
        test.advance(TimeDelta::microseconds(1));
        assert_eq!(refusal(&consume(test, &alice, "chat", 1, &format!("{key} next")).await), None);
    }
}

async fn unused_units_are_banked_up_to_the_cap(test: &TestApp) {
    let minutes = json!([{"feature": "chat", "limit": 10, "window": "DAY", "rolloverCap": 25}]);
    let alice = alice_with(test, minutes).await;
    // The subscription began on the 10th: of the five days before this one, 25 of 50 are banked.
    let banked = async || {
        let chat = entitlement(test, &alice, "chat").await;
        let window = &chat["windows"][0];
        [&window["banked"], &window["used"], &window["remaining"]].map(|value| value.as_str().unwrap().to_owned())
    };
    assert_eq!(banked().await, ["25", "0", "35"]);
    assert_eq!(refusal(&consume(test, &alice, "chat", 36, "a").await), Some("LIMIT_REACHED"));
    assert_eq!(refusal(&consume(test, &alice, "chat", 33, "b").await), None);
    assert_eq!(banked().await, ["25", "33", "2"], "what is banked stays as it was at the first use");
    test.advance(TimeDelta::days(1));
    assert_eq!(banked().await, ["2", "0", "12"]);
    assert_eq!(refusal(&consume(test, &alice, "chat", 12, "c").await), None);
    test.advance(TimeDelta::days(1));
    assert_eq!(banked().await, ["0", "0", "10"]);
    // Nobody touches it for three days.
    test.advance(TimeDelta::days(2));
    assert_eq!(banked().await, ["20", "0", "30"]);
    test.advance(TimeDelta::days(30));
    assert_eq!(banked().await, ["25", "0", "35"]);
}

async fn a_change_of_plan_keeps_what_was_used(test: &TestApp) {
    features(test, &[("chat", "LIMIT")]).await;
    let large = json!([{"feature": "chat", "limit": 100, "window": "MONTH"}]);
    let small = json!([{"feature": "chat", "limit": 50, "window": "MONTH"}]);
    let large = plan(test, "large", 2, "PLAN", large, json!({})).await;
    let small = plan(test, "small", 1, "PLAN", small, json!({})).await;
    let alice = account(test, "alice").await;
    let old = subscribe(test, &alice, large, "active").await;
    assert_eq!(refusal(&consume(test, &alice, "chat", 70, "a").await), None);
    // A downgrade in the middle of the month.
    subscribe(test, &alice, small, "active").await;
    set(test, old, "status = 'canceled'").await;
    let chat = entitlement(test, &alice, "chat").await;
    assert_eq!((&chat["limit"], &chat["used"], &chat["remaining"]), (&json!("50"), &json!("70"), &json!("0")));
    assert_eq!(refusal(&consume(test, &alice, "chat", 1, "b").await), Some("LIMIT_REACHED"));
    // And an upgrade.
    set(test, old, "status = 'active'").await;
    assert_eq!(refusal(&consume(test, &alice, "chat", 30, "c").await), None);
    assert_eq!(standing(test, &alice, "chat").await, (false, "LIMIT_REACHED".to_owned()));
}

async fn beyond_a_limit_the_plan_warns_charges_or_blocks(test: &TestApp) {
    let chat = json!([{"feature": "chat", "limit": 2, "window": "HOUR", "onExceed": "WARN"},
        {"feature": "chat", "limit": 4, "window": "DAY", "onExceed": "OVERAGE"},
        {"feature": "chat", "limit": 6, "window": "MONTH"}]);
    let alice = alice_with(test, chat).await;
    let mut seen = Vec::new();
    for number in 0..7 {
        let (allowed, reason) = standing(test, &alice, "chat").await;
        let used = consume(test, &alice, "chat", 1, &format!("{number}")).await;
        assert_eq!(refusal(&used).is_none(), allowed, "the read and the use agree");
        seen.push(format!("{reason} {}", used["consumed"].as_str().unwrap_or("none")));
    }
    let expected = ["INCLUDED 1", "INCLUDED 1", "LIMIT_REACHED 1", "LIMIT_REACHED 1", "OVERAGE 1", "OVERAGE 1"];
    assert_eq!(seen[..6], expected);
    assert_eq!(seen[6], "LIMIT_REACHED none");
}

async fn credits_pay_beyond_a_limit_where_the_plan_says_so(test: &TestApp) {
    let unit = "mutation { createCreditUnit(input: {code: \"coin\", name: \"Coins\"}) { creditUnit { id } } }";
    test.admin().data(unit, json!({})).await;
    let chat = json!([{"feature": "chat", "limit": 2, "window": "HOUR", "onExceed": "OVERAGE",
        "overage": {"unit": "coin", "credits": 3}}]);
    let alice = alice_with(test, chat).await;
    assert_eq!(refusal(&consume(test, &alice, "chat", 2, "a").await), None);
    assert_eq!(standing(test, &alice, "chat").await, (false, "LIMIT_REACHED".to_owned()), "there are no credits");
    assert_eq!(refusal(&consume(test, &alice, "chat", 1, "b").await), Some("INSUFFICIENT_CREDITS"));
    let grant = "mutation($account: ID!) { grantCredits(input: {accountId: $account, unit: \"coin\", amount: 20,
        idempotencyKey: \"k\"}) { userErrors { code } } }";
    test.admin().data(grant, json!({"account": alice})).await;
    assert_eq!(standing(test, &alice, "chat").await, (true, "OVERAGE".to_owned()));
    // 64 callers at once: the credits pay for six units.
    let uses = (0..64).map(|number| {
        let alice = alice.clone();
        async move { consume(test, &alice, "chat", 1, &format!("many {number}")).await }
    });
    let payloads = join_all(uses).await;
    let spent: Vec<_> = payloads.iter().filter(|payload| refusal(payload).is_none()).collect();
    assert_eq!(spent.len(), 6);
    assert!(spent.iter().all(|payload| payload["creditsSpent"] == "3" && payload["creditUnit"]["code"] == "coin"));
    let balance = "query($id: ID!) { account(id: $id) { creditBalance(unit: \"coin\") { available spent } } }";
    let balance = test.admin().data(balance, json!({"id": alice})).await["account"]["creditBalance"].take();
    assert_eq!(balance, json!({"available": "2", "spent": "18"}));
    assert_eq!(entitlement(test, &alice, "chat").await["used"], "8", "units that credits paid for are counted too");
    test.advance(TimeDelta::hours(1));
    let mixed = consume(test, &alice, "chat", 3, "mixed").await;
    assert_eq!(refusal(&mixed), Some("INSUFFICIENT_CREDITS"), "two are free, and one costs three");
    assert_eq!(entitlement(test, &alice, "chat").await["used"], "0");
}

async fn unlimited_is_never_a_number(test: &TestApp) {
    let alice = alice_with(test, json!([{"feature": "chat", "window": "MONTH"}])).await;
    for number in 0..3 {
        let used = consume(test, &alice, "chat", 1_000_000_000_000_000, &format!("{number}")).await;
        assert_eq!(refusal(&used), None);
        assert_eq!((&used["entitlement"]["limit"], &used["entitlement"]["remaining"]), (&Value::Null, &Value::Null));
    }
    assert_eq!(entitlement(test, &alice, "chat").await["used"], "3000000000000000");
    // A counter that would leave its range refuses the use.
    let near = format!("UPDATE usage_counters SET used = {}", i64::MAX - 1);
    sql::execute(test.app.db.schema(), &near).await;
    assert_eq!(refusal(&consume(test, &alice, "chat", 1, "last").await), None);
    assert_eq!(refusal(&consume(test, &alice, "chat", 1, "more").await), Some("AMOUNT_INVALID"));
}

async fn a_use_that_makes_no_sense_is_refused(test: &TestApp) {
    let chat = json!([{"feature": "chat", "limit": 5}, {"feature": "chat", "limit": 100, "window": "DAY"}]);
    let alice = alice_with(test, chat).await;
    features(test, &[("export", "SWITCH"), ("other", "LIMIT")]).await;
    let bob = account(test, "bob").await;
    let nobody = crate::support::entitlements::account_id(test.app.new_id());
    for (account, feature, amount, code) in [
        (&alice, "chat", 0, "AMOUNT_INVALID"),
        (&alice, "chat", -1, "AMOUNT_INVALID"),
        (&alice, "chat", i64::MAX, "AMOUNT_INVALID"),
        (&alice, "chat", i64::MIN, "AMOUNT_INVALID"),
        (&nobody, "chat", 1, "ACCOUNT_NOT_FOUND"),
        (&alice, "nothing", 1, "FEATURE_NOT_FOUND"),
        (&alice, "export", 1, "FEATURE_NOT_COUNTED"),
        (&alice, "other", 1, "NOT_ENTITLED"),
        (&bob, "chat", 1, "NOT_ENTITLED"),
        // A limit without a window holds for each use.
        (&alice, "chat", 6, "LIMIT_REACHED"),
    ] {
        let refused = consume(test, account, feature, amount, "k").await;
        assert_eq!(refusal(&refused), Some(code), "{feature} {amount}");
    }
    for number in 0..20 {
        assert_eq!(refusal(&consume(test, &alice, "chat", 5, &format!("{number}")).await), None);
    }
    assert_eq!(refusal(&consume(test, &alice, "chat", 5, "last").await), Some("LIMIT_REACHED"));
}

async fn nobody_without_the_permission_uses_anything(test: &TestApp) {
    let alice = alice_with(test, json!([{"feature": "chat", "limit": 5, "window": "DAY"}])).await;
    let variables = json!({"account": alice, "feature": "chat", "amount": 1, "key": "k"});
    let others: Vec<_> = Permission::ALL.into_iter().filter(|other| *other != Permission::CreditsWrite).collect();
    for caller in [test.user("alice"), test.user("eve"), test.service(&others)] {
        assert_eq!(caller.code(CONSUME, variables.clone()).await, "FORBIDDEN");
    }
    assert_eq!(test.anonymous().code(CONSUME, variables).await, "UNAUTHENTICATED");
    assert_eq!(entitlement(test, &alice, "chat").await["used"], "0");
}

/// A limit of the model.
struct Limit {
    start: fn(DateTime<Utc>) -> i64,
    units: i64,
    cap: i64,
    /// The use by the number of the window; what is banked follows from all of them.
    used: std::collections::BTreeMap<i64, i64>,
    since: i64,
}

impl Limit {
    fn left(&self, number: i64) -> i64 {
        let used = |number| self.used.get(&number).copied().unwrap_or_default();
        let mut banked = 0;
        for past in self.since..number {
            banked = (self.units + banked - used(past)).clamp(0, self.cap);
        }
        self.units + banked - used(number)
    }
}

async fn uses_at_random_are_what_the_model_says(test: &TestApp) {
    for seed in 0..4 {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let name = format!("chat{seed}");
        features(test, &[(&name, "LIMIT")]).await;
        let (hour, day) = (dice.random_range(1..6), dice.random_range(3..15));
        let cap = dice.random_range(0..20);
        let limits = json!([{"feature": name, "limit": hour, "window": "HOUR"},
            {"feature": name, "limit": day, "window": "DAY", "rolloverCap": cap}]);
        let version = plan(test, &format!("plan{seed}"), 1, "PLAN", limits, json!({})).await;
        let holder = account(test, &format!("user{seed}")).await;
        subscribe(test, &holder, version, "active").await;
        let start = at("2026-01-10T12:00:00Z").timestamp();
        let mut model = [
            Limit {
                start: |at| at.timestamp() / 3600,
                units: hour,
                cap: 0,
                used: Default::default(),
                since: start / 3600,
            },
            Limit {
                start: |at| at.timestamp() / 86_400,
                units: day,
                cap,
                used: Default::default(),
                since: start / 86_400,
            },
        ];
        for step in 0..60 {
            let now = test.app.now();
            let amount = dice.random_range(1..6);
            let fits = model.iter().all(|limit| limit.left((limit.start)(now)) >= amount);
            let payload = consume(test, &holder, &name, amount, &format!("{seed} {step}")).await;
            assert_eq!(refusal(&payload).is_none(), fits, "seed {seed}, step {step}: {payload}");
            if fits {
                model.iter_mut().for_each(|limit| *limit.used.entry((limit.start)(now)).or_default() += amount);
            }
            let left: Vec<String> =
                model.iter().map(|limit| limit.left((limit.start)(now)).max(0).to_string()).collect();
            let shown = entitlement(test, &holder, &name).await;
            let shown = shown["windows"].as_array().unwrap().iter().map(|window| window["remaining"].as_str().unwrap());
            assert_eq!(shown.collect::<Vec<_>>(), left, "seed {seed}, step {step}");
            test.advance(TimeDelta::minutes([1, 7, 30, 61, 600, 3_000][dice.random_range(0..6)]));
        }
        let (_, id) = local_id(holder.as_str().unwrap());
        let negative = "SELECT CAST(used AS TEXT) FROM usage_counters WHERE account_id = $1 AND used < 0";
        assert_eq!(sql::column::<String>(test.app.db.schema(), negative, [id.into()]).await, Vec::<String>::new());
    }
}
