//! Many changes of credits at once: by many callers, from two nodes, and in one request.

use crate::spending::{SPEND, ask, code, person, spend};
use crate::support::credits::{balance, grant, number};
use crate::support::{Engine, SECRET, TestApp, both_engines, run};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::sync::Arc;

both_engines!(
    the_last_credit_goes_to_one_of_many,
    a_batch_has_a_result_for_each_change,
    batches_of_all_sizes_are_written_whole,
    a_malformed_change_is_refused_alone,
);

const CHANGE: &str = "mutation($input: ChangeCreditsInput!) { changeCredits(input: $input) {
    results { transaction { id } creditGrant { id } creditHold { id } available userErrors { code field } }
    userErrors { code } } }";

async fn the_last_credit_goes_to_one_of_many(test: &TestApp) {
    let id = person(test, "ann", 1).await;
    let answers = join_all((0..64).map(|_| ask(test, SPEND, spend(&id, 1)))).await;
    let won = answers.iter().filter(|answer| code(answer).is_empty()).count();
    assert_eq!((won, balance(test, "ann").await), (1, [0, 0, 1, 0]));
    // Of one key, all callers are told the same.
    grant(test, &id, 10, json!({})).await;
    let one = json!({"accountId": id, "unit": "credit", "amount": 7, "idempotencyKey": "one"});
    let answers = join_all((0..64).map(|_| ask(test, SPEND, one.clone()))).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(balance(test, "ann").await, [3, 0, 8, 0]);
}

#[test]
fn two_nodes_spend_no_credit_twice() {
    run(Engine::Postgres, async |test: &TestApp| {
        let id = person(test, "ann", 100).await;
        let settings = [("TOLLGATE_JWT_HS256_SECRET", SECRET), ("TOLLGATE_REPORT_COST", "false")];
        let other = test.beside_at(Arc::clone(&test.app.clock), &settings).await;
        let nodes = [test, &other];
        let asks = (0..128).map(|number| {
            // Each request goes to both nodes under one key.
            let input =
                json!({"accountId": id, "unit": "credit", "amount": 3, "idempotencyKey": format!("k{}", number / 2)});
            ask(nodes[number % 2], SPEND, input)
        });
        let answers = join_all(asks).await;
        for pair in answers.chunks(2) {
            let done = pair.iter().filter(|answer| code(answer).is_empty()).count();
            // A node that found too few credits refused; the other one may have found them afterwards.
            assert!(done != 1 || code(&pair[0]) == "INSUFFICIENT_CREDITS" || code(&pair[1]) == "INSUFFICIENT_CREDITS");
            assert!(done < 2 || pair[0] == pair[1], "{pair:?}");
        }
        assert_eq!(balance(test, "ann").await, [1, 0, 99, 0]);
    });
}

async fn a_batch_has_a_result_for_each_change(test: &TestApp) {
    let id = person(test, "ann", 10).await;
    let one = |kind: &str, amount: i64, key: &str| json!({kind: {"accountId": id, "unit": "credit", "amount": amount, "idempotencyKey": key}});
    let changes = json!([
        one("spend", 6, "a"),
        one("spend", 6, "b"),
        one("grant", 5, "c"),
        one("spend", 6, "d"),
        one("spend", 6, "a"),
        one("hold", 3, "e"),
        one("spend", 0, "f"),
        one("spend", 7, "a")
    ]);
    let done = ask(test, CHANGE, json!({"changes": changes})).await;
    let results = done["results"].as_array().unwrap();
    let codes: Vec<_> = results.iter().map(code).collect();
    let (few, bad, used) = ("INSUFFICIENT_CREDITS", "AMOUNT_INVALID", "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(codes, ["", few, "", "", "", "", bad, used]);
    assert_eq!(results[4], results[0], "one key, one answer");
    let available: Vec<_> = results.iter().map(|result| number(&result["available"])).collect();
    assert_eq!(available, [4, 0, 9, 3, 4, 0, 0, 0]);
    assert_eq!(balance(test, "ann").await, [0, 3, 12, 0]);
    grant(test, &id, 1_000, json!({})).await;
    let many = |count: usize| (0..count).map(|number| one("spend", 1, &format!("n{number}"))).collect::<Vec<_>>();
    let done = ask(test, CHANGE, json!({"changes": many(1_000)})).await;
    assert!(done["results"].as_array().unwrap().iter().all(|result| code(result).is_empty()));
    assert_eq!(balance(test, "ann").await, [0, 3, 1_012, 0]);
    assert_eq!(code(&ask(test, CHANGE, json!({"changes": many(1_001)})).await), "TOO_MANY_OPERATIONS");
}

async fn batches_of_all_sizes_are_written_whole(test: &TestApp) {
    let id = person(test, "ann", 1_000).await;
    let mut spent = 0;
    // Rows are written in parts with a power of two of them.
    for size in [1, 2, 3, 5, 63, 64, 65, 127, 128, 129, 200] {
        let spend = |number: i64| {
            let key = format!("{size}:{number}");
            json!({"spend": {"accountId": id, "unit": "credit", "amount": 1, "idempotencyKey": key}})
        };
        let changes: Vec<_> = (0..size).map(spend).collect();
        let done = ask(test, CHANGE, json!({"changes": changes})).await;
        let again = ask(test, CHANGE, json!({"changes": changes})).await;
        assert_eq!(done["results"], again["results"], "each key is found again");
        for result in done["results"].as_array().unwrap() {
            spent += 1;
            assert_eq!((code(result), number(&result["available"])), ("", 1_000 - spent));
        }
        assert_eq!(balance(test, "ann").await, [1_000 - spent, 0, spent, 0]);
    }
}

async fn a_malformed_change_is_refused_alone(test: &TestApp) {
    let id = person(test, "ann", 10).await;
    let (long, nul) = ("x".repeat(2_001), "a\u{0}");
    let spend = |changes: Value| {
        let mut input = json!({"accountId": id, "unit": "credit", "amount": 1, "idempotencyKey": test.app.new_id()});
        input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        input
    };
    let key = || json!(test.app.new_id());
    let cases = [
        (json!({"spend": spend(json!({"accountId": "acct_1"}))}), "ACCOUNT_NOT_FOUND", "accountId"),
        (json!({"spend": spend(json!({"unit": nul}))}), "UNIT_NOT_FOUND", "unit"),
        (json!({"spend": spend(json!({"reason": long}))}), "REASON_INVALID", "reason"),
        (json!({"spend": spend(json!({"refType": nul, "refId": "7"}))}), "REFERENCE_INVALID", "refType"),
        (json!({"hold": spend(json!({"refType": "chat", "refId": long}))}), "REFERENCE_INVALID", "refId"),
        (json!({"grant": spend(json!({"accountId": ""}))}), "ACCOUNT_NOT_FOUND", "accountId"),
        (json!({"grant": spend(json!({"reason": long}))}), "REASON_INVALID", "reason"),
        (json!({"transfer": spend(json!({"toAccountId": "x"}))}), "ACCOUNT_NOT_FOUND", "toAccountId"),
        (json!({"capture": {"holdId": id, "idempotencyKey": key()}}), "HOLD_NOT_FOUND", "holdId"),
        (json!({"release": {"holdId": "", "idempotencyKey": key()}}), "HOLD_NOT_FOUND", "holdId"),
        (json!({"reverse": {"transactionId": "7", "idempotencyKey": key()}}), "TRANSACTION_NOT_FOUND", "transactionId"),
    ];
    let mut changes = vec![json!({"spend": spend(json!({}))})];
    changes.extend(cases.iter().map(|(change, ..)| change.clone()));
    changes.push(json!({"spend": spend(json!({}))}));
    let done = ask(test, CHANGE, json!({"changes": changes})).await;
    let results = done["results"].as_array().unwrap();
    assert_eq!((code(&results[0]), code(&results[cases.len() + 1])), ("", ""));
    for ((change, expected, field), result) in cases.iter().zip(&results[1..]) {
        assert_eq!(code(result), *expected, "{change}: {result}");
        assert_eq!(result["userErrors"][0]["field"], json!([field]), "{change}");
    }
    assert_eq!(balance(test, "ann").await, [8, 0, 2, 0]);
    // 1,001 are too many, even if some of them are malformed.
    let wrong = json!({"release": {"holdId": "", "idempotencyKey": "k"}});
    assert_eq!(code(&ask(test, CHANGE, json!({"changes": vec![wrong; 1_001]})).await), "TOO_MANY_OPERATIONS");
}
