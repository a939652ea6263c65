//! Credits that are bought, and what goes back of the money.

use super::{Client, Shop, global_id, webhooks};
use entity::refunds;
use sandbox::Card;
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::{Value, json};
use tollgate::providers::Provider;

pub(crate) const REQUEST: &str = "mutation($input: RequestRefundInput!) { requestRefund(input: $input) {
    refund { id processingStatus amount { amount } } userErrors { code field message } } }";
pub(crate) const APPROVE: &str = "mutation($input: ApproveRefundInput!) { approveRefund(input: $input) {
    refund { id processingStatus amount { amount } requestedAmount { amount } providerRefundId failureCode }
    userErrors { code field message } } }";
pub(crate) const DENY: &str = "mutation($input: DenyRefundInput!) { denyRefund(input: $input) {
    refund { id processingStatus denialReason decidedBy } userErrors { code field } } }";

/// A payment of 1,000 for 100 credits, by the person called `name`: its global id, and its id at Stripe.
pub(crate) async fn bought(shop: &Shop, name: &str) -> (String, String) {
    const START: &str = "mutation($input: StartCheckoutInput!) { startCheckout(input: $input) {
        checkout { sessionExternalId } userErrors { code message } } }";
    let price = shop.price("price_credits").await;
    let key = format!("{name} buys {}", shop.test.app.new_id());
    let input = json!({"priceId": price, "successUrl": "https://a.example/", "idempotencyKey": key});
    let begun = shop.ask(&shop.test.user(name), START, input).await;
    let session = begun["checkout"]["sessionExternalId"].as_str().unwrap_or_else(|| panic!("{begun}"));
    shop.stripe.pay(session, Card::Good).unwrap();
    shop.deliver().await;
    let intent = shop.stripe.object(session).unwrap()["payment_intent"].as_str().unwrap().to_owned();
    let query = "query($id: String!) { payments(filter: {externalId: $id}) { nodes { id } } }";
    let found = shop.test.admin().data(query, json!({"id": intent})).await;
    (found["payments"]["nodes"][0]["id"].as_str().unwrap().to_owned(), intent)
}

/// Asks for a refund, which must be had: its global id.
pub(crate) async fn requested(shop: &Shop, caller: &Client<'_>, payment: &str, amount: Option<i64>) -> String {
    let key = format!("request {}", shop.test.app.new_id());
    let input = json!({"paymentId": payment, "amount": amount, "reason": "not for me", "idempotencyKey": key});
    let asked = shop.ask(caller, REQUEST, input).await;
    assert_eq!(asked["userErrors"], json!([]));
    asked["refund"]["id"].as_str().unwrap().to_owned()
}

/// Approves a refund, which must be had.
pub(crate) async fn approved(shop: &Shop, refund: &str) -> Value {
    let input = json!({"refundId": refund, "idempotencyKey": format!("approve {refund}")});
    let done = shop.ask(&shop.test.admin(), APPROVE, input).await;
    assert_eq!(done["userErrors"], json!([]));
    done["refund"].clone()
}

/// Tells once more of all that ever happened at Stripe.
pub(crate) async fn tell_all_again(shop: &Shop) {
    for event in shop.stripe.events() {
        assert_eq!(webhooks::deliver(&shop.test, Provider::Stripe, &event).await.status, 200);
    }
    shop.test.run_jobs().await;
}

/// Every refund there is: its id, status, amount and credits taken back, oldest first.
pub(crate) async fn all(shop: &Shop) -> Vec<(String, String, i64, i64)> {
    let rows = refunds::Entity::find().order_by_asc(refunds::Column::Id).all(shop.test.app.db.read()).await.unwrap();
    let told =
        |row: refunds::Model| (global_id("Refund", row.id), row.status, row.amount_minor, row.credits_taken_back);
    rows.into_iter().map(told).collect()
}

/// Returns the available credits of a person.
pub(crate) async fn credits(shop: &Shop, name: &str) -> String {
    let query = "{ viewer { account { creditBalances { available } } } }";
    let data = shop.test.user(name).data(query, json!({})).await;
    data["viewer"]["account"]["creditBalances"][0]["available"].as_str().unwrap().to_owned()
}
