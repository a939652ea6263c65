//! The customers that the tests act with, each in a state of their own.

use super::Request;
use crate::checkouts::buy;
use crate::support::gifts::{begun, paid};
use crate::support::{Shop, global_id, sql};
use serde_json::{Value, json};
use uuid::Uuid;

/// The ids that inputs refer to.
pub(super) struct Cast<'a> {
    pub(super) shop: &'a Shop,
}

impl<'a> Cast<'a> {
    /// Returns the global id of the newest subscription of a user.
    pub(super) async fn subscription(&self, subject: &str) -> Value {
        let query = "{ viewer { account { subscriptions(first: 1) { nodes { id } } } } }";
        let mut data = self.shop.test.user(subject).data(query, json!({})).await;
        let id = data["viewer"]["account"]["subscriptions"]["nodes"][0]["id"].take();
        assert!(id.is_string(), "{subject} has no subscription");
        id
    }

    /// Subscribes a user to a price.
    pub(super) async fn subscriber(&self, subject: &str, price: &str) -> Value {
        buy(self.shop, subject, price, &format!("{subject} buys {price}")).await;
        self.subscription(subject).await
    }

    /// Sends a request that must succeed, and applies what follows from it.
    pub(super) async fn done(&self, mutation: &'static str, caller: &'static str, input: Value) {
        let request = Request { mutation, caller, input };
        assert_eq!(request.codes(self.shop).await, [""; 0], "{mutation} {}", request.input);
        self.shop.deliver().await;
    }

    /// Returns the id that one statement selects, as a global id.
    pub(super) async fn id(&self, ty: &str, sql: &str) -> Value {
        let ids = sql::ids(self.shop.test.app.db.read(), sql, []).await;
        global_id(ty, *ids.first().unwrap_or_else(|| panic!("{sql} finds nothing"))).into()
    }

    /// Returns the global id of the only payment of a user.
    pub(super) async fn payment(&self, subject: &str) -> Value {
        let query = "{ viewer { account { payments(first: 1) { nodes { id } } } } }";
        let mut data = self.shop.test.user(subject).data(query, json!({})).await;
        data["viewer"]["account"]["payments"]["nodes"][0]["id"].take()
    }

    /// Requests a refund of the only payment of a user, and returns its global id.
    pub(super) async fn refund(&self, subject: &'static str) -> Value {
        let payment = self.payment(subject).await;
        let key = format!("refund {payment}");
        let input = json!({"paymentId": payment, "amount": 100, "idempotencyKey": key});
        self.done("requestRefund", subject, input).await;
        self.id("Refund", "SELECT id FROM refunds ORDER BY id DESC").await
    }

    /// Creates a coupon with a promotion code of the same letters, and returns their global ids.
    pub(super) async fn promotion(&self, code: &str) -> (Value, Value) {
        let input = json!({"code": code, "name": "Half off", "percentBasisPoints": 5000, "duration": "ONCE",
            "idempotencyKey": format!("coupon {code}")});
        self.done("createCoupon", "admin", input).await;
        let coupon = self.id("Coupon", "SELECT id FROM coupons ORDER BY id DESC").await;
        let input = json!({"couponId": coupon, "code": code, "idempotencyKey": format!("code {code}")});
        self.done("createPromoCode", "admin", input).await;
        (coupon, self.id("PromoCode", "SELECT id FROM promo_codes ORDER BY id DESC").await)
    }

    /// Publishes a plan of a kind, and returns the global id of its version.
    pub(super) async fn published(&self, code: &str, kind: &str, interval: &str) -> Value {
        let admin = self.shop.test.admin();
        let plan = "mutation($input: CreatePlanInput!) { createPlan(input: $input) { plan { id } } }";
        let input = json!({"code": code, "kind": kind, "name": code, "rank": 5});
        let plan = self.shop.ask(&admin, plan, input).await["plan"]["id"].take();
        let version = "mutation($input: CreatePlanVersionInput!) { createPlanVersion(input: $input) {
            planVersion { id } userErrors { code } } }";
        let price = json!({"currency": "USD", "unitAmount": 700, "interval": interval});
        let version = self.shop.ask(&admin, version, json!({"planId": plan, "prices": [price]})).await;
        let id = version["planVersion"]["id"].clone();
        let publish = "mutation($id: ID!) { publishPlanVersion(input: {planVersionId: $id}) { userErrors { code } } }";
        assert_eq!(admin.data(publish, json!({"id": id})).await["publishPlanVersion"]["userErrors"], json!([]));
        self.shop.deliver().await;
        id
    }

    /// Buys a gift that is paid, and returns its global id and its code.
    pub(super) async fn gift(&self, buyer: &str) -> (String, String) {
        paid(self.shop, &self.shop.test.user(buyer)).await
    }

    /// Begins to buy a gift, and returns its global id and its code.
    pub(super) async fn unpaid_gift(&self, buyer: &str) -> (String, String) {
        begun(self.shop, &self.shop.test.user(buyer)).await
    }

    /// Has a subscription, or what a condition selects, come from Paddle.
    pub(super) async fn at_paddle(&self, table: &str, id: &Value) {
        let (_, id) = crate::support::local_id(id.as_str().unwrap());
        let update = format!("UPDATE {table} SET provider = 'paddle' WHERE id = $1");
        sql::rows(self.shop.test.app.db.schema(), &update, [id.into()]).await;
    }
}

/// Returns an id of a type that no row has.
pub(super) fn unknown(ty: &str) -> Value {
    global_id(ty, Uuid::nil()).into()
}
