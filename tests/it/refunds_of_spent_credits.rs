//! Refunds of purchased credits that were spent before, by each setting.

use crate::support::credits::number;
use crate::support::refunds::{APPROVE, REQUEST, bought, tell_all_again};
use crate::support::{Shop, TestApp, both_engines};
use serde_json::{Value, json};

both_engines!(
    spent_credits_are_owed_until_grants_repay_them,
    a_refund_of_spent_credits_is_refused,
    credits_that_are_held_are_taken_back_when_they_return,
    forgiven_credits_are_taken_back_when_their_use_is_reversed,
    credits_that_return_repay_a_debt,
);

/// Runs a mutation at a node, and returns its payload.
async fn ask(node: &TestApp, mutation: &str, mut input: Value) -> Value {
    input["idempotencyKey"] = json!(node.app.new_id());
    let mut data = node.admin().data(mutation, json!({"input": input})).await;
    data.as_object_mut().unwrap().values_mut().next().unwrap().take()
}

/// Available and owed credits of Ann.
async fn balance(node: &TestApp) -> (i64, i64) {
    let query = "{ viewer { account { creditBalances { available owed } } } }";
    let found = node.user("ann").data(query, json!({})).await["viewer"]["account"]["creditBalances"][0].take();
    (number(&found["available"]), number(&found["owed"]))
}

/// The account of Ann, and the code of the unit that she bought.
async fn account(node: &TestApp) -> (Value, Value) {
    let query = "{ viewer { account { id creditBalances { unit { code } } } } }";
    let mut found = node.user("ann").data(query, json!({})).await["viewer"]["account"].take();
    (found["id"].take(), found["creditBalances"][0]["unit"]["code"].take())
}

/// Buys 100 credits for 1,000, spends 80, and requests all the money back: the refund.
async fn spent(shop: &Shop, node: &TestApp) -> Value {
    let (payment, _) = bought(shop, "ann").await;
    let (account, unit) = account(node).await;
    let spend =
        "mutation($input: SpendCreditsInput!) { spendCredits(input: $input) { available userErrors { code } } }";
    let done = ask(node, spend, json!({"accountId": account, "unit": unit, "amount": 80})).await;
    assert_eq!(done, json!({"available": "20", "userErrors": []}));
    ask(node, REQUEST, json!({"paymentId": payment})).await["refund"]["id"].take()
}

async fn spent_credits_are_owed_until_grants_repay_them(shop: &Shop) {
    let node = &shop.node_with(&[("TOLLGATE_REFUND_SPENT_CREDITS", "owe")]).await;
    let refund = spent(shop, node).await;
    let done = ask(node, APPROVE, json!({"refundId": refund})).await;
    assert_eq!(done["refund"]["processingStatus"], "PROCESSED", "{done}");
    assert_eq!(balance(node).await, (0, 80));
    let (account, unit) = account(node).await;
    let grant =
        "mutation($input: GrantCreditsInput!) { grantCredits(input: $input) { available userErrors { code } } }";
    let some = |amount: i64| json!({"accountId": account, "unit": unit, "amount": amount});
    assert_eq!(ask(node, grant, some(30)).await["available"], "0");
    assert_eq!(balance(node).await, (0, 50));
    assert_eq!(ask(node, grant, some(100)).await["available"], "50");
    assert_eq!(balance(node).await, (50, 0));
    shop.deliver().await;
    assert_eq!(balance(node).await, (50, 0), "the webhooks say nothing new");
}

async fn a_refund_of_spent_credits_is_refused(shop: &Shop) {
    let node = &shop.node_with(&[("TOLLGATE_REFUND_SPENT_CREDITS", "refuse")]).await;
    let refund = spent(shop, node).await;
    let refused = ask(node, APPROVE, json!({"refundId": refund})).await;
    assert_eq!(refused["userErrors"][0]["code"], "CREDITS_SPENT", "{refused}");
    assert_eq!(shop.count("refund"), 0, "nothing was asked of Stripe");
    let done = ask(node, APPROVE, json!({"refundId": refund, "amount": 200})).await;
    assert_eq!(done["refund"]["processingStatus"], "PROCESSED", "{done}");
    assert_eq!(balance(node).await, (0, 0));
    shop.deliver().await;
}

const HOLD: &str = "mutation($input: HoldCreditsInput!) { holdCredits(input: $input) { creditHold { id } } }";
const RELEASE: &str = "mutation($input: ReleaseHoldInput!) { releaseHold(input: $input) { available } }";

/// Buys 100 credits for 1,000, holds all of them, and gets all the money back: the hold.
async fn refunded_while_held(shop: &Shop, node: &TestApp) -> Value {
    let (payment, _) = bought(shop, "ann").await;
    let (account, unit) = account(node).await;
    let hold = ask(node, HOLD, json!({"accountId": account, "unit": unit, "amount": 100})).await;
    let refund = ask(node, REQUEST, json!({"paymentId": payment})).await["refund"]["id"].take();
    let done = ask(node, APPROVE, json!({"refundId": refund})).await;
    assert_eq!(done["refund"]["processingStatus"], "PROCESSED", "{done}");
    hold["creditHold"]["id"].clone()
}

async fn credits_that_are_held_are_taken_back_when_they_return(shop: &Shop) {
    let node = &shop.test;
    let hold = refunded_while_held(shop, node).await;
    assert_eq!(ask(node, RELEASE, json!({"holdId": hold})).await["available"], "0");
    shop.deliver().await;
    tell_all_again(shop).await;
    assert_eq!(balance(node).await, (0, 0), "the webhooks say nothing new");
}

async fn forgiven_credits_are_taken_back_when_their_use_is_reversed(shop: &Shop) {
    let node = &shop.test;
    let (payment, _) = bought(shop, "ann").await;
    let (account, unit) = account(node).await;
    let spend = "mutation($input: SpendCreditsInput!) { spendCredits(input: $input) { transaction { id } } }";
    let spent = ask(node, spend, json!({"accountId": account, "unit": unit, "amount": 60})).await;
    let refund = ask(node, REQUEST, json!({"paymentId": payment})).await["refund"]["id"].take();
    ask(node, APPROVE, json!({"refundId": refund})).await;
    assert_eq!(balance(node).await, (0, 0));
    let reverse = "mutation($input: ReverseLedgerTransactionInput!) { reverseLedgerTransaction(input: $input) {
        available userErrors { code } } }";
    let back = ask(node, reverse, json!({"transactionId": spent["transaction"]["id"]})).await;
    assert_eq!(back, json!({"available": "0", "userErrors": []}));
    shop.deliver().await;
    tell_all_again(shop).await;
    assert_eq!(balance(node).await, (0, 0), "the webhooks say nothing new");
}

async fn credits_that_return_repay_a_debt(shop: &Shop) {
    let node = &shop.node_with(&[("TOLLGATE_REFUND_SPENT_CREDITS", "owe")]).await;
    let hold = refunded_while_held(shop, node).await;
    assert_eq!(balance(node).await, (0, 100));
    assert_eq!(ask(node, RELEASE, json!({"holdId": hold})).await["available"], "0");
    assert_eq!(balance(node).await, (0, 0));
    shop.deliver().await;
    assert_eq!(balance(node).await, (0, 0), "the webhooks say nothing new");
}
