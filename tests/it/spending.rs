//! Credits that are spent, held, reversed and transferred: exact, once, and never below zero.

use crate::support::credits::{account, balance, grant, number, unit};
use crate::support::{TestApp, both_engines, global_id, local_id, sql};
use chrono::{SecondsFormat, TimeDelta};
use entity::accounts;
use futures_util::future::join_all;
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::{Value, json};
use tollgate::auth::Permission;

both_engines!(
    credits_that_expire_first_are_spent_first,
    one_key_spends_once_and_gives_one_answer,
    a_hold_is_captured_in_parts_and_releases_the_rest,
    a_hold_that_times_out_releases_itself_at_its_instant,
    a_reversal_returns_credits_to_their_grants,
    credits_move_between_accounts_of_one_owner,
    a_balance_at_a_past_instant_is_the_sum_of_the_entries,
    a_user_only_reads,
    amounts_out_of_range_are_refused,
    credits_that_begin_later_count_from_their_start,
);

pub(crate) const SPEND: &str = "mutation($input: SpendCreditsInput!) { spendCredits(input: $input) {
    transaction { id operation refType refId reason } available held userErrors { code field message } } }";
const HOLD: &str = "mutation($input: HoldCreditsInput!) { holdCredits(input: $input) {
    creditHold { id reservationState remaining captured releasesAt } available held userErrors { code } } }";
const CAPTURE: &str = "mutation($input: CaptureHoldInput!) { captureHold(input: $input) {
    creditHold { reservationState remaining captured } transaction { id } available held userErrors { code } } }";
const RELEASE: &str = "mutation($input: ReleaseHoldInput!) { releaseHold(input: $input) {
    creditHold { reservationState remaining } available held userErrors { code } } }";
const REVERSE: &str = "mutation($input: ReverseLedgerTransactionInput!) { reverseLedgerTransaction(input: $input) {
    transaction { operation reverses { id } } available userErrors { code } } }";
const TRANSFER: &str = "mutation($input: TransferCreditsInput!) { transferCredits(input: $input) {
    available userErrors { code } } }";

/// Runs a mutation as an admin, and returns its payload.
pub(crate) async fn ask(test: &TestApp, mutation: &str, mut input: Value) -> Value {
    if input.get("idempotencyKey").is_none() && input.get("changes").is_none() {
        input["idempotencyKey"] = json!(test.app.new_id());
    }
    let mut data = test.admin().data(mutation, json!({"input": input})).await;
    data.as_object_mut().unwrap().values_mut().next().unwrap().take()
}

pub(crate) fn spend(account: &str, amount: i64) -> Value {
    json!({"accountId": account, "unit": "credit", "amount": amount})
}

pub(crate) fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or("")
}

/// A person with these credits.
pub(crate) async fn person(test: &TestApp, name: &str, amount: i64) -> String {
    unit(test, "credit").await;
    let id = account(test, name).await;
    if amount > 0 {
        grant(test, &id, amount, json!({})).await;
    }
    id
}

/// The instant so many minutes from now.
fn in_minutes(test: &TestApp, minutes: i64) -> Value {
    json!((test.app.now() + TimeDelta::minutes(minutes)).to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

async fn credits_that_expire_first_are_spent_first(test: &TestApp) {
    let id = person(test, "ann", 0).await;
    let mut grants = Vec::new();
    // In the order in which they are spent, granted in another.
    let terms = [(json!(10), 5), (json!(20), 1), (json!(20), 3), (Value::Null, 0), (Value::Null, 0)];
    for place in [3, 1, 4, 2, 0] {
        let (minutes, priority) = &terms[place];
        let expires_at = minutes.as_i64().map_or(Value::Null, |minutes| in_minutes(test, minutes));
        let more = json!({"expiresAt": expires_at, "priority": priority});
        grants.push((place, grant(test, &id, 10, more).await["creditGrant"]["id"].clone()));
        test.advance(TimeDelta::milliseconds(1));
    }
    grants.sort_by_key(|(place, _)| *place);
    let left = async || {
        let query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on CreditGrant { remaining } } }";
        let ids: Vec<_> = grants.iter().map(|(_, id)| id).collect();
        let found = test.admin().data(query, json!({"ids": ids})).await["nodes"].take();
        found.as_array().unwrap().iter().map(|grant| number(&grant["remaining"])).collect::<Vec<_>>()
    };
    assert_eq!(left().await, [10, 10, 10, 10, 10]);
    assert_eq!(ask(test, SPEND, spend(&id, 15)).await["available"], "35");
    assert_eq!(left().await, [0, 5, 10, 10, 10]);
    assert_eq!(ask(test, SPEND, spend(&id, 18)).await["available"], "17");
    assert_eq!(left().await, [0, 0, 0, 7, 10]);
    assert_eq!(ask(test, SPEND, spend(&id, 17)).await["available"], "0");
    let refused = ask(test, SPEND, spend(&id, 1)).await;
    assert_eq!((code(&refused), &refused["userErrors"][0]["field"]), ("INSUFFICIENT_CREDITS", &json!(["amount"])));
    assert_eq!(refused["userErrors"][0]["message"], "1 credit is needed, and 0 are available: grant or buy more.");
}

async fn one_key_spends_once_and_gives_one_answer(test: &TestApp) {
    let id = person(test, "ann", 100).await;
    let mut input = spend(&id, 30);
    input["idempotencyKey"] = json!("k");
    input["refType"] = json!("message");
    input["refId"] = json!("m_1");
    input["reason"] = json!("a question");
    let first = ask(test, SPEND, input.clone()).await;
    let transaction = &first["transaction"];
    assert_eq!((&transaction["operation"], &transaction["refId"]), (&json!("SPEND"), &json!("m_1")));
    ask(test, SPEND, spend(&id, 5)).await;
    let again = join_all((0..32).map(|_| ask(test, SPEND, input.clone()))).await;
    assert!(again.iter().all(|answer| *answer == first), "the answer of then, also after later changes");
    input["amount"] = json!(31);
    assert_eq!(test.admin().code(SPEND, json!({"input": input})).await, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(balance(test, "ann").await, [65, 0, 35, 0]);
    // A refusal is no answer to keep: the request succeeds once there are enough.
    let much = json!({"accountId": id, "unit": "credit", "amount": 100, "idempotencyKey": "much"});
    assert_eq!(code(&ask(test, SPEND, much.clone()).await), "INSUFFICIENT_CREDITS");
    grant(test, &id, 50, json!({})).await;
    assert_eq!(ask(test, SPEND, much).await["available"], "15");
}

async fn a_hold_is_captured_in_parts_and_releases_the_rest(test: &TestApp) {
    let id = person(test, "ann", 100).await;
    let held = ask(test, HOLD, spend(&id, 60)).await;
    assert_eq!((&held["available"], &held["held"]), (&json!("40"), &json!("60")));
    let hold = &held["creditHold"]["id"];
    assert_eq!(code(&ask(test, SPEND, spend(&id, 41)).await), "INSUFFICIENT_CREDITS");
    let part = ask(test, CAPTURE, json!({"holdId": hold, "amount": 10, "keepOpen": true})).await;
    assert_eq!(part["creditHold"], json!({"reservationState": "OPEN", "remaining": "50", "captured": "10"}));
    assert_eq!(code(&ask(test, CAPTURE, json!({"holdId": hold, "amount": 51})).await), "AMOUNT_TOO_LARGE");
    let last = ask(test, CAPTURE, json!({"holdId": hold, "amount": 20})).await;
    assert_eq!(last["creditHold"], json!({"reservationState": "CAPTURED", "remaining": "0", "captured": "30"}));
    assert_eq!((&last["available"], &last["held"]), (&json!("70"), &json!("0")));
    for (mutation, input) in [(CAPTURE, json!({"holdId": hold})), (RELEASE, json!({"holdId": hold}))] {
        assert_eq!(code(&ask(test, mutation, input).await), "HOLD_ENDED");
    }
    let other = ask(test, HOLD, spend(&id, 70)).await["creditHold"]["id"].take();
    let released = ask(test, RELEASE, json!({"holdId": other})).await;
    assert_eq!(released["creditHold"], json!({"reservationState": "RELEASED", "remaining": "0"}));
    assert_eq!(balance(test, "ann").await, [70, 0, 30, 0]);
    let open = ask(test, HOLD, spend(&id, 1)).await["creditHold"]["id"].take();
    let long = "x".repeat(501);
    let refused = [
        (CAPTURE, json!({"holdId": open, "amount": 0}), "AMOUNT_INVALID"),
        (CAPTURE, json!({"holdId": open, "reason": long}), "REASON_INVALID"),
        (RELEASE, json!({"holdId": open, "reason": long}), "REASON_INVALID"),
        (CAPTURE, json!({"holdId": NOBODY}), "HOLD_NOT_FOUND"),
        (RELEASE, json!({"holdId": NOBODY}), "HOLD_NOT_FOUND"),
    ];
    for (mutation, input, expected) in refused {
        assert_eq!(code(&ask(test, mutation, input).await), expected);
    }
}

/// The id of a hold that does not exist.
const NOBODY: &str = "Q3JlZGl0SG9sZDowMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDA=";

async fn a_hold_that_times_out_releases_itself_at_its_instant(test: &TestApp) {
    let id = person(test, "ann", 0).await;
    grant(test, &id, 50, json!({"expiresAt": in_minutes(test, 5)})).await;
    grant(test, &id, 50, json!({})).await;
    let mut input = spend(&id, 80);
    input["expiresAt"] = in_minutes(test, 10);
    let hold = ask(test, HOLD, input).await["creditHold"]["id"].take();
    test.advance(TimeDelta::minutes(10) - TimeDelta::microseconds(1));
    assert_eq!(balance(test, "ann").await, [20, 80, 0, 0], "the part that is held does not expire");
    test.advance(TimeDelta::microseconds(1));
    let expected = [50, 0, 0, 50];
    assert_eq!(balance(test, "ann").await, expected, "no job has run; what was held of the expired grant expires");
    let query = "query($id: ID!) { node(id: $id) { ... on CreditHold { reservationState remaining } } }";
    let found = test.admin().data(query, json!({"id": hold})).await["node"].take();
    assert_eq!(found, json!({"reservationState": "EXPIRED", "remaining": "0"}));
    assert_eq!(code(&ask(test, CAPTURE, json!({"holdId": hold})).await), "HOLD_ENDED");
    test.run_jobs().await;
    assert_eq!(balance(test, "ann").await, expected);
    let left = sql::number(test.app.db.read(), "SELECT COUNT(*) FROM credit_holds WHERE state = 'open'").await;
    assert_eq!(left, 0);
}

async fn a_reversal_returns_credits_to_their_grants(test: &TestApp) {
    let id = person(test, "ann", 0).await;
    grant(test, &id, 10, json!({"expiresAt": in_minutes(test, 5)})).await;
    grant(test, &id, 10, json!({})).await;
    let spent = ask(test, SPEND, spend(&id, 15)).await["transaction"]["id"].take();
    let undone = ask(test, REVERSE, json!({"transactionId": spent, "reason": "failed"})).await;
    assert_eq!(undone["transaction"], json!({"operation": "REVERSE", "reverses": {"id": spent}}));
    assert_eq!(balance(test, "ann").await, [20, 0, 0, 0]);
    assert_eq!(code(&ask(test, REVERSE, json!({"transactionId": spent})).await), "ALREADY_REVERSED");
    let spent = ask(test, SPEND, spend(&id, 15)).await["transaction"]["id"].take();
    test.advance(TimeDelta::minutes(5));
    let at_once = join_all((0..8).map(|_| ask(test, REVERSE, json!({"transactionId": spent})))).await;
    assert_eq!(at_once.iter().filter(|answer| code(answer).is_empty()).count(), 1);
    assert_eq!(balance(test, "ann").await, [10, 0, 0, 10], "what came from the expired grant expires");
    let query =
        "{ viewer { account { ledgerEntries(unit: \"credit\", bucket: ISSUED) { nodes { transaction { id } } } } } }";
    let granted = test.user("ann").data(query, json!({})).await["viewer"]["account"]["ledgerEntries"]["nodes"].take();
    let last = &granted[0]["transaction"]["id"];
    assert_eq!(ask(test, REVERSE, json!({"transactionId": last})).await["available"], "0");
    let first = &granted[1]["transaction"]["id"];
    assert_eq!(code(&ask(test, REVERSE, json!({"transactionId": first})).await), "CREDITS_SPENT");
    let held = ask(test, HOLD, spend(&id, 1)).await;
    assert_eq!(code(&held), "INSUFFICIENT_CREDITS");
    let nothing = "TGVkZ2VyVHJhbnNhY3Rpb246MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAw";
    assert_eq!(code(&ask(test, REVERSE, json!({"transactionId": nothing})).await), "TRANSACTION_NOT_FOUND");
    let undone = sql::ids(test.app.db.read(), "SELECT id FROM ledger_txns WHERE kind = 'reverse' LIMIT 1", []).await[0];
    let undone = json!({"transactionId": global_id("LedgerTransaction", undone)});
    assert_eq!(code(&ask(test, REVERSE, undone).await), "NOT_REVERSIBLE");
}

async fn credits_move_between_accounts_of_one_owner(test: &TestApp) {
    let ann = person(test, "ann", 0).await;
    grant(test, &ann, 30, json!({"expiresAt": in_minutes(test, 5)})).await;
    let bob = account(test, "bob").await;
    let send = |to: &str, amount: i64| json!({"accountId": ann, "toAccountId": to, "unit": "credit", "amount": amount});
    assert_eq!(code(&ask(test, TRANSFER, send(&bob, 1)).await), "OWNER_DIFFERS");
    assert_eq!(code(&ask(test, TRANSFER, send(&ann, 1)).await), "SAME_ACCOUNT");
    let team = accounts::ActiveModel {
        id: Set(test.app.new_id()),
        kind: Set("team".to_owned()),
        owner_id: Set(accounts::Entity::find_by_id(local_id(&ann).1)
            .one(test.app.db.read())
            .await
            .unwrap()
            .unwrap()
            .owner_id),
        created_at: Set(test.app.now().fixed_offset()),
        ..Default::default()
    };
    let team = accounts::Entity::insert(team).exec_with_returning(test.app.db.schema()).await.unwrap();
    let team = global_id("Account", team.id);
    assert_eq!(code(&ask(test, TRANSFER, send(&team, 31)).await), "INSUFFICIENT_CREDITS");
    assert_eq!(ask(test, TRANSFER, send(&team, 20)).await["available"], "10");
    let read = async || {
        let query =
            "query($id: ID!) { account(id: $id) { creditBalance(unit: \"credit\") { available expired issued } } }";
        test.admin().data(query, json!({"id": team})).await["account"]["creditBalance"].take()
    };
    assert_eq!(balance(test, "ann").await, [10, 0, 0, 0]);
    assert_eq!(read().await, json!({"available": "20", "expired": "0", "issued": "20"}));
    test.advance(TimeDelta::minutes(5));
    assert_eq!(balance(test, "ann").await, [0, 0, 0, 10]);
    assert_eq!(read().await, json!({"available": "0", "expired": "20", "issued": "20"}));
}

async fn a_balance_at_a_past_instant_is_the_sum_of_the_entries(test: &TestApp) {
    let id = person(test, "ann", 0).await;
    let mut instants = vec![test.app.now()];
    for number in 0..12 {
        grant(test, &id, 20 + number, json!({"expiresAt": in_minutes(test, 3 + number % 4)})).await;
        ask(test, SPEND, spend(&id, 5)).await;
        let mut hold = spend(&id, 4);
        hold["expiresAt"] = in_minutes(test, 2);
        ask(test, HOLD, hold).await;
        instants.push(test.app.now());
        test.advance(TimeDelta::minutes(1));
        instants.push(test.app.now());
    }
    let query = "query($at: DateTime!) { viewer { account { creditBalanceAt(unit: \"credit\", at: $at) {
        available held spent expired issued owed revoked } } } }";
    let read = async |at: &Value| {
        test.user("ann").data(query, json!({"at": at})).await["viewer"]["account"]["creditBalanceAt"].take()
    };
    let mut before = Vec::new();
    for at in &instants {
        before.push(read(&json!(at.to_rfc3339())).await);
    }
    test.advance(TimeDelta::hours(1));
    test.run_jobs().await;
    let rows = sql::rows(test.app.db.read(), "SELECT bucket, amount, effective_at FROM ledger_entries", []).await;
    for (at, before) in instants.iter().zip(before) {
        let sum = |bucket: &str| -> i64 {
            let entries = rows.iter().filter(|row| {
                let effective: chrono::DateTime<chrono::Utc> = row.try_get("", "effective_at").unwrap();
                row.try_get::<String>("", "bucket").unwrap() == bucket && effective <= *at
            });
            entries.map(|row| row.try_get::<i64>("", "amount").unwrap()).sum()
        };
        let expected = json!({"available": sum("available").to_string(), "held": sum("held").to_string(),
            "spent": sum("spent").to_string(), "expired": sum("expired").to_string(),
            "issued": (-sum("issued")).to_string(), "owed": "0", "revoked": "0"});
        assert_eq!((&read(&json!(at.to_rfc3339())).await, &before), (&expected, &expected), "{at}");
    }
    let later = json!({"at": in_minutes(test, 1)});
    assert_eq!(test.user("ann").code(query, later).await, "BAD_USER_INPUT");
}

async fn a_user_only_reads(test: &TestApp) {
    let id = person(test, "ann", 10).await;
    let mut input = spend(&id, 1);
    input["idempotencyKey"] = json!("k");
    for mutation in [SPEND, HOLD] {
        let input = json!({"input": input});
        assert_eq!(test.user("ann").code(mutation, input.clone()).await, "FORBIDDEN");
        assert_eq!(test.service(&[Permission::BillingRead]).code(mutation, input.clone()).await, "FORBIDDEN");
        assert_eq!(test.anonymous().code(mutation, input).await, "UNAUTHENTICATED");
    }
    let service = test.service(&[Permission::CreditsWrite]);
    assert_eq!(service.data(SPEND, json!({"input": input})).await["spendCredits"]["available"], "9");
    let query = "{ viewer { account { creditHolds { totalCount } } } }";
    assert_eq!(test.user("ann").data(query, json!({})).await["viewer"]["account"]["creditHolds"]["totalCount"], 0);
}

async fn amounts_out_of_range_are_refused(test: &TestApp) {
    let id = person(test, "ann", 10).await;
    for amount in [json!("0"), json!("-1"), json!("1000000000000001"), json!("9223372036854775807")] {
        let mut input = spend(&id, 1);
        input["amount"] = amount.clone();
        for mutation in [SPEND, HOLD] {
            assert_eq!(code(&ask(test, mutation, input.clone()).await), "AMOUNT_INVALID", "{amount}");
        }
    }
    let mut input = spend(&id, 1);
    input["unit"] = json!("nothing");
    assert_eq!(code(&ask(test, SPEND, input).await), "UNIT_NOT_FOUND");
    for minutes in [-1, 0, 366 * 24 * 60 + 1] {
        let mut input = spend(&id, 1);
        input["expiresAt"] = in_minutes(test, minutes);
        assert_eq!(code(&ask(test, HOLD, input).await), "EXPIRY_INVALID", "{minutes}");
    }
    let mut input = spend(&id, 1);
    input["refType"] = json!("message");
    assert_eq!(code(&ask(test, SPEND, input).await), "REFERENCE_INVALID");
    assert_eq!(balance(test, "ann").await, [10, 0, 0, 0]);
}

async fn credits_that_begin_later_count_from_their_start(test: &TestApp) {
    let id = person(test, "ann", 0).await;
    let made = grant(test, &id, 10, json!({"startsAt": in_minutes(test, 5)})).await;
    assert_eq!((&made["available"], code(&made)), (&json!("0"), ""));
    assert_eq!(code(&ask(test, SPEND, spend(&id, 1)).await), "INSUFFICIENT_CREDITS");
    test.advance(TimeDelta::minutes(5));
    assert_eq!(balance(test, "ann").await, [10, 0, 0, 0]);
    assert_eq!(ask(test, SPEND, spend(&id, 1)).await["available"], "9");
}
