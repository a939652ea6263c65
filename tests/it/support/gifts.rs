//! Gifts that are bought.

use super::{Client, Shop, sql};
use entity::gifts;
use sandbox::{Card, Fault};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::{Value, json};
use tollgate::app::App;
use uuid::Uuid;

pub(crate) const BUY: &str = "mutation($input: BuyGiftInput!) { buyGift(input: $input) {
    gift { id redemptionStatus codePrefix amount { amount currency } } code checkout { url } userErrors { code field } } }";
pub(crate) const REDEEM: &str = "mutation($input: RedeemGiftInput!) { redeemGift(input: $input) {
    gift { id redemptionStatus } subscription { id status cancelAtPeriodEnd } userErrors { code field message } } }";
pub(crate) const REPLACE: &str = "mutation($input: ReplaceGiftCodeInput!) { replaceGiftCode(input: $input) {
    gift { id codePrefix } code userErrors { code field } } }";

/// An error of Stripe's that nothing was done for, and that may pass.
pub(crate) const BUSY: Fault = Fault::Answer { status: 503, should_retry: Some(false), acted: false, saved: false };
/// An answer of Stripe's that nothing changes.
pub(crate) const REFUSED: Fault = Fault::Answer { status: 400, should_retry: None, acted: false, saved: true };

/// Returns the input that buys a gift of the price with this id at Stripe.
pub(crate) async fn input(shop: &Shop, price: &str, key: &str) -> Value {
    json!({"priceId": shop.price(price).await, "message": "Enjoy", "recipientEmail": "bob@example.com",
        "successUrl": "https://a.example/", "cancelUrl": "https://a.example/back", "idempotencyKey": key})
}

/// The checkout that was begun last.
pub(crate) fn last_session(shop: &Shop) -> String {
    shop.stripe.objects("checkout.session").last().unwrap()["id"].as_str().unwrap().to_owned()
}

/// A gift of a month of `basic`, begun by `caller`: its global id, and its code.
pub(crate) async fn begun(shop: &Shop, caller: &Client<'_>) -> (String, String) {
    let key = format!("buy {}", shop.test.app.new_id());
    let bought = shop.ask(caller, BUY, input(shop, "price_basic", &key).await).await;
    assert_eq!(bought["userErrors"], json!([]));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&bought["gift"]["id"]), text(&bought["code"]))
}

/// Buys and pays a gift of a month of `basic`: its global id, and its code.
pub(crate) async fn paid(shop: &Shop, caller: &Client<'_>) -> (String, String) {
    let gift = begun(shop, caller).await;
    shop.stripe.pay(&last_session(shop), Card::Good).unwrap();
    shop.deliver().await;
    gift
}

/// Redeems a code under a key of its own.
pub(crate) async fn redeem(shop: &Shop, caller: &Client<'_>, code: &str) -> Value {
    let key = format!("redeem {}", shop.test.app.new_id());
    shop.ask(caller, REDEEM, json!({"code": code, "idempotencyKey": key})).await
}

/// The status of a gift.
pub(crate) async fn status(shop: &Shop, gift: &str) -> String {
    let query = "query($id: ID!) { node(id: $id) { ... on Gift { redemptionStatus } } }";
    let data = shop.test.admin().data(query, json!({"id": gift})).await;
    data["node"]["redemptionStatus"].as_str().unwrap().to_owned()
}

/// The codes of what was refused.
pub(crate) fn codes(payload: &Value) -> Vec<&str> {
    payload["userErrors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect()
}

/// The row of a gift that an account has bought and paid.
pub(crate) async fn row(app: &App, account: Uuid, price: Uuid) -> Uuid {
    let (id, at) = (app.new_id(), app.now().fixed_offset());
    let row = gifts::ActiveModel {
        id: Set(id),
        account_id: Set(account),
        price_id: Set(price),
        status: Set("paid".to_owned()),
        currency: Set("USD".to_owned()),
        amount_minor: Set(900),
        created_at: Set(at),
        paid_at: Set(Some(at)),
        ..Default::default()
    };
    gifts::Entity::insert(row).exec_without_returning(app.db.schema()).await.unwrap();
    id
}

/// Gifts of the oldest accounts, each redeemed by one of them; others have none.
pub(crate) async fn for_some(app: &App) {
    let db = app.db.schema();
    let price = sql::ids(db, "SELECT id FROM prices ORDER BY id LIMIT 1", []).await.remove(0);
    let accounts = sql::ids(db, "SELECT id FROM accounts ORDER BY id LIMIT 30", []).await;
    for (buyer, redeemer) in accounts.iter().zip(accounts.iter().rev()) {
        for _ in 0..4 {
            let redeemed = gifts::ActiveModel {
                id: Set(row(app, *buyer, price).await),
                status: Set("redeemed".to_owned()),
                redeemed_account_id: Set(Some(*redeemer)),
                redeemed_at: Set(Some(app.now().fixed_offset())),
                ..Default::default()
            };
            gifts::Entity::update(redeemed).exec(db).await.unwrap();
        }
    }
}
