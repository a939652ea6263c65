//! Purchases and changes for a shared account: its owner and its admins make them, its members see them, and to others
//! there is no such account.

use crate::checkouts::CHECKOUT;
use crate::support::gifts::{begun, paid};
use crate::support::{self, Client, Shop, both_engines, global_id, local_id};
use entity::{account_members, accounts};
use sandbox::Card;
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::{Value, json};
use tollgate::auth::Permission;
use uuid::Uuid;

both_engines!(
    each_member_does_what_their_role_allows,
    what_is_bought_for_an_account_is_the_account_s,
    an_admin_of_an_account_acts_for_it_alone,
);

/// A team: Ann owns it, Ada is its admin, Max a member, and Old has left it. Eve is nobody to it.
struct Team<'a> {
    shop: &'a Shop,
    id: Uuid,
}

const MEMBERS: [(&str, &str, bool); 4] =
    [("ann", "owner", false), ("ada", "admin", false), ("max", "member", false), ("old", "admin", true)];

impl<'a> Team<'a> {
    async fn make(shop: &'a Shop) -> Self {
        let (db, at) = (shop.test.app.db.schema(), shop.test.app.now().fixed_offset());
        let id = shop.test.app.new_id();
        for (name, role, has_left) in MEMBERS {
            let user = shop.test.user(name).data("{ viewer { user { id } } }", json!({})).await;
            let (_, user_id) = local_id(user["viewer"]["user"]["id"].as_str().unwrap());
            if role == "owner" {
                let row = accounts::ActiveModel {
                    id: Set(id),
                    kind: Set("team".to_owned()),
                    owner_id: Set(user_id),
                    name: Set(Some("The Band".to_owned())),
                    created_at: Set(at),
                    ..Default::default()
                };
                accounts::Entity::insert(row).exec_without_returning(db).await.unwrap();
            }
            let member = account_members::ActiveModel {
                id: Set(shop.test.app.new_id()),
                account_id: Set(id),
                user_id: Set(user_id),
                role: Set(role.to_owned()),
                joined_at: Set(at),
                left_at: Set(has_left.then_some(at)),
            };
            account_members::Entity::insert(member).exec_without_returning(db).await.unwrap();
        }
        shop.test.user("eve").data("{ viewer { role } }", json!({})).await;
        Team { shop, id }
    }

    fn account(&self) -> String {
        global_id("Account", self.id)
    }

    /// Buys something for the team in a checkout, as one of its members.
    async fn buy(&self, name: &str, price: &str) {
        let input = json!({"priceId": self.shop.price(price).await, "accountId": self.account(),
            "successUrl": "https://a.example/", "idempotencyKey": format!("{name} buys {price}")});
        let begun = self.shop.ask(&self.shop.test.user(name), CHECKOUT, input).await;
        assert_eq!(begun["userErrors"], json!([]), "{begun}");
        self.shop.stripe.pay(begun["checkout"]["sessionExternalId"].as_str().unwrap(), Card::Good).unwrap();
        self.shop.deliver().await;
    }

    /// Returns what a field of the account has, for its owner.
    async fn of_account(&self, fields: &str) -> Value {
        let query = format!("query($id: ID!) {{ account(id: $id) {{ {fields} }} }}");
        self.shop.test.user("ann").data(&query, json!({"id": self.account()})).await["account"].take()
    }
}

/// The callers, each with the outcome of every attempt.
enum Outcome {
    /// As the rules of the mutation say.
    Allowed,
    /// The code `FORBIDDEN`: the caller knows of the account, or may act for none.
    Forbidden,
    /// The refusal of an unknown object.
    Hidden,
}
use Outcome::*;

fn callers(shop: &Shop) -> Vec<(&'static str, Client<'_>, Outcome)> {
    vec![
        ("owner", shop.test.user("ann"), Allowed),
        ("admin of the account", shop.test.user("ada"), Allowed),
        ("member", shop.test.user("max"), Forbidden),
        ("former admin", shop.test.user("old"), Hidden),
        ("stranger", shop.test.user("eve"), Hidden),
        ("back office", shop.test.service(&[Permission::BillingWrite]), Allowed),
        ("reader", shop.test.service(&[Permission::BillingRead]), Forbidden),
        ("admin", shop.test.admin(), Allowed),
    ]
}

/// A mutation with its input, and the codes for those who may and for those who know nothing of the account.
type Attempt = (&'static str, Value, &'static [&'static str], &'static str);

async fn attempts(team: &Team<'_>) -> Vec<Attempt> {
    let shop = team.shop;
    let own = team.of_account("subscriptions { nodes { id } } payments(last: 1) { nodes { id } }").await;
    let (subscription, payment) = (&own["subscriptions"]["nodes"][0]["id"], &own["payments"]["nodes"][0]["id"]);
    let [basic, credits] = [shop.price("price_basic").await, shop.price("price_credits").await];
    let (_, code) = paid(shop, &shop.test.user("eve")).await;
    let account = team.account();
    let page = json!({"priceId": credits, "successUrl": "https://a.example/", "accountId": account});
    let gift = json!({"priceId": basic, "successUrl": "https://a.example/", "cancelUrl": "https://a.example/",
        "accountId": account});
    vec![
        ("startCheckout", page, &[], "ACCOUNT_NOT_FOUND"),
        ("purchaseCredits", json!({"priceId": credits, "accountId": account}), &[], "ACCOUNT_NOT_FOUND"),
        (
            "createSubscription",
            json!({"priceId": basic, "accountId": account}),
            &["ALREADY_SUBSCRIBED"],
            "ACCOUNT_NOT_FOUND",
        ),
        ("buyGift", gift, &[], "ACCOUNT_NOT_FOUND"),
        ("redeemGift", json!({"code": code, "accountId": account}), &["ALREADY_SUBSCRIBED"], "ACCOUNT_NOT_FOUND"),
        (
            "pauseSubscription",
            json!({"subscriptionId": subscription, "until": "2020-01-01T00:00:00Z"}),
            &["UNTIL_INVALID"],
            "SUBSCRIPTION_NOT_FOUND",
        ),
        (
            "resumeSubscription",
            json!({"subscriptionId": subscription}),
            &["NOTHING_TO_RESUME"],
            "SUBSCRIPTION_NOT_FOUND",
        ),
        (
            "changePlan",
            json!({"subscriptionId": subscription, "priceId": basic}),
            &["NOTHING_TO_CHANGE"],
            "SUBSCRIPTION_NOT_FOUND",
        ),
        (
            "undoScheduledChange",
            json!({"subscriptionId": subscription}),
            &["NOTHING_PLANNED"],
            "SUBSCRIPTION_NOT_FOUND",
        ),
        (
            "addAddon",
            json!({"subscriptionId": subscription, "priceId": basic}),
            &["PRICE_NOT_FOUND"],
            "SUBSCRIPTION_NOT_FOUND",
        ),
        (
            "applyPromoCode",
            json!({"subscriptionId": subscription, "promoCode": "NO"}),
            &["PROMO_CODE_NOT_FOUND"],
            "SUBSCRIPTION_NOT_FOUND",
        ),
        ("requestRefund", json!({"paymentId": payment, "amount": "0"}), &["AMOUNT_INVALID"], "PAYMENT_NOT_FOUND"),
        ("cancelSubscription", json!({"subscriptionId": subscription}), &[], "SUBSCRIPTION_NOT_FOUND"),
    ]
}

async fn each_member_does_what_their_role_allows(shop: &Shop) {
    let team = Team::make(shop).await;
    team.buy("ann", "price_basic").await;
    for (mutation, input, allowed, hidden) in attempts(&team).await {
        let query = support::mutation(mutation, "userErrors { code }");
        for (who, caller, outcome) in callers(shop) {
            let mut input = input.clone();
            input["idempotencyKey"] = format!("{who} {mutation}").into();
            let reply = caller.post(&query, json!({"input": input})).await.json();
            let errors = &reply["data"][mutation]["userErrors"];
            let codes = |codes: &[&str]| json!(codes.iter().map(|code| json!({"code": code})).collect::<Vec<_>>());
            match outcome {
                Allowed => assert_eq!(*errors, codes(allowed), "{who} {mutation}: {reply}"),
                Hidden => assert_eq!(*errors, codes(&[hidden]), "{who} {mutation}: {reply}"),
                Forbidden => {
                    assert_eq!(reply["errors"][0]["extensions"]["code"], "FORBIDDEN", "{who} {mutation}: {reply}")
                }
            }
            shop.deliver().await;
        }
        let reply = shop.test.anonymous().post(&query, json!({"input": with_key(&input)})).await.json();
        assert_eq!(reply["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{mutation}");
    }
    let ended = team.of_account("subscriptions { nodes { cancelAtPeriodEnd } }").await;
    assert_eq!(
        ended["subscriptions"]["nodes"],
        json!([{"cancelAtPeriodEnd": true}]),
        "the last attempt is carried out"
    );
}

fn with_key(input: &Value) -> Value {
    let mut input = input.clone();
    input["idempotencyKey"] = "anonymous".into();
    input
}

async fn what_is_bought_for_an_account_is_the_account_s(shop: &Shop) {
    let team = Team::make(shop).await;
    team.buy("ada", "price_basic").await;
    team.buy("ann", "price_credits").await;
    let shown = team
        .of_account(
            "subscriptions { totalCount nodes { status plan { code } } } payments { totalCount nodes { amount { amount } } }
            providerCustomers { totalCount } creditBalances { available } subscription { plan { code } }",
        )
        .await;
    assert_eq!(shown["subscriptions"]["nodes"], json!([{"status": "ACTIVE", "plan": {"code": "basic"}}]));
    assert_eq!(
        (&shown["payments"]["totalCount"], &shown["creditBalances"]),
        (&json!(2), &json!([{"available": "100"}]))
    );
    assert_eq!(shown["providerCustomers"]["totalCount"], 1, "one customer at Stripe, whoever buys");
    assert_eq!(shown["subscription"]["plan"]["code"], "basic");
    // Nothing of it is in the own accounts of those who bought, and all members see it.
    for (name, _, has_left) in MEMBERS {
        let query = "query($id: ID!) { viewer { account { payments { totalCount } } plan { plan { code } } }
            account(id: $id) { displayName payments { totalCount } } }";
        let seen = shop.test.user(name).data(query, json!({"id": team.account()})).await;
        assert_eq!(seen["viewer"]["account"]["payments"]["totalCount"], 0, "{name}");
        if has_left {
            assert_eq!((&seen["account"], &seen["viewer"]["plan"]), (&Value::Null, &Value::Null), "{name}");
        } else {
            assert_eq!(seen["account"], json!({"displayName": "The Band", "payments": {"totalCount": 2}}), "{name}");
            assert_eq!(seen["viewer"]["plan"]["plan"]["code"], "basic", "{name}");
        }
    }
}

async fn an_admin_of_an_account_acts_for_it_alone(shop: &Shop) {
    let team = Team::make(shop).await;
    let (gift, _) = begun(shop, &shop.test.user("ann")).await;
    shop.deliver().await;
    let portal =
        "mutation($account: ID) { openBillingPortal(input: {returnUrl: \"https://a.example/\", accountId: $account}) {
        url userErrors { code } } }";
    let replace = "mutation($gift: ID!) { replaceGiftCode(input: {giftId: $gift}) { code userErrors { code } } }";
    let ann = shop.test.user("ann").data("{ viewer { account { id } } }", json!({})).await;
    let own = &ann["viewer"]["account"]["id"];
    for name in ["ada", "max", "eve"] {
        let caller = shop.test.user(name);
        let refused = caller.data(portal, json!({"account": own})).await["openBillingPortal"].take();
        assert_eq!(refused["userErrors"], json!([{"code": "ACCOUNT_NOT_FOUND"}]), "{name}: Ann's own account is hers");
        let refused = caller.data(replace, json!({"gift": gift})).await["replaceGiftCode"].take();
        assert_eq!(refused["userErrors"], json!([{"code": "GIFT_NOT_FOUND"}]), "{name}: and so is her gift");
    }
    let opened =
        shop.test.user("ada").data(portal, json!({"account": team.account()})).await["openBillingPortal"].take();
    assert_eq!(opened["userErrors"], json!([]), "{opened}");
    // A service has no account of its own, and must name one.
    let office = shop.test.service(&[Permission::BillingWrite]);
    assert_eq!(office.code(portal, json!({"account": null})).await, "FORBIDDEN");
    let opened = office.data(portal, json!({"account": team.account()})).await["openBillingPortal"].take();
    assert!(opened["url"].is_string(), "{opened}");
    shop.deliver().await;
}
