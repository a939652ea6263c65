//! Published versions are sold at Stripe: created once, adopted if they exist, archived when superseded.

use crate::checkouts::buy;
use crate::support::{Shop, TestApp, both_engines};
use chrono::TimeDelta;
use sandbox::Fault;
use serde_json::{Value, json};
use tollgate::auth::Permission;

both_engines!(
    publishing_makes_what_is_missing_and_archives_what_is_past,
    nothing_is_made_twice_however_often_and_by_however_many,
    a_change_without_an_answer_is_found_the_next_day,
    a_price_created_by_hand_is_adopted,
    a_price_that_somebody_has_is_not_adopted,
    a_plan_is_called_at_stripe_what_it_is_called_here,
    add_ons_and_packs_are_sold_too,
    a_version_that_cannot_be_sold_is_refused,
);

const CREATE_PLAN: &str = "mutation($input: CreatePlanInput!) {
    createPlan(input: $input) { plan { id } userErrors { code } } }";
const CREATE_VERSION: &str = "mutation($input: CreatePlanVersionInput!) {
    createPlanVersion(input: $input) { planVersion { id } userErrors { code } } }";
const PUBLISH: &str = "mutation($input: PublishPlanVersionInput!) {
    publishPlanVersion(input: $input) { planVersion { id } userErrors { code } } }";
const PUSH: &str = "mutation($input: PublishPlanToStripeInput!) { publishPlanToStripe(input: $input) {
    planVersion { prices { amount { amount } active providerPrices { externalId active packCredits } } }
    productExternalId userErrors { code field message } } }";
const UPDATE: &str =
    "mutation($input: UpdatePlanInput!) { updatePlan(input: $input) { plan { id } userErrors { code } } }";
const PLAN: &str = "query($code: String!) { plan(code: $code) { name rank versions { nodes { stage prices {
    amount { amount } interval active providerPrices { externalId active } } } } } }";

async fn plan(shop: &Shop, code: &str, kind: &str) -> Value {
    let input = json!({"code": code, "kind": kind, "name": "Team", "description": "For all of us", "rank": 30});
    shop.ask(&shop.test.admin(), CREATE_PLAN, input).await["plan"]["id"].take()
}

fn monthly(amount: i64) -> Value {
    json!({"currency": "USD", "unitAmount": amount, "interval": "MONTH"})
}

async fn version(shop: &Shop, plan: &Value, prices: Value, allowances: Value) -> Value {
    let input = json!({"planId": plan, "prices": prices, "creditAllowances": allowances});
    let mut made = shop.ask(&shop.test.admin(), CREATE_VERSION, input).await;
    assert_eq!(made["userErrors"], json!([]));
    made["planVersion"]["id"].take()
}

/// Puts a version of one price on sale here, without anything done at Stripe.
async fn on_sale(shop: &Shop, plan: &Value, amount: i64) -> Value {
    let version = version(shop, plan, json!([monthly(amount)]), json!([])).await;
    let published = shop.ask(&shop.test.admin(), PUBLISH, json!({"planVersionId": version})).await;
    assert_eq!(published["userErrors"], json!([]));
    version
}

async fn push(test: &TestApp, version: &Value, key: &str) -> Value {
    let input = json!({"planVersionId": version, "idempotencyKey": key});
    test.admin().data(PUSH, json!({"input": input})).await["publishPlanToStripe"].take()
}

/// Runs the jobs, in a second of their own, and delivers the events.
async fn settle(shop: &Shop) {
    shop.advance(TimeDelta::seconds(1)).await;
    shop.advance(TimeDelta::seconds(1)).await;
}

/// The prices of this amount at Stripe.
fn priced(shop: &Shop, amount: i64) -> Vec<Value> {
    shop.stripe.objects("price").into_iter().filter(|price| price["unit_amount"] == amount).collect()
}

async fn publishing_makes_what_is_missing_and_archives_what_is_past(shop: &Shop) {
    let team = plan(shop, "team", "PLAN").await;
    let yearly = json!({"currency": "EUR", "unitAmount": 49_000, "interval": "YEAR"});
    let first = version(shop, &team, json!([monthly(4_900), yearly]), json!([])).await;
    let writer = shop.test.service(&[Permission::CatalogueWrite]);
    shop.ask(&writer, PUBLISH, json!({"planVersionId": first})).await;
    assert!(priced(shop, 4_900).is_empty(), "Stripe is not asked before the answer");
    settle(shop).await;
    let (old, dear) = (priced(shop, 4_900).remove(0), priced(shop, 49_000).remove(0));
    assert_eq!((&old["currency"], &dear["currency"]), (&json!("usd"), &json!("eur")));
    assert_eq!((&old["recurring"]["interval"], &dear["recurring"]["interval"]), (&json!("month"), &json!("year")));
    assert_eq!(old["product"], dear["product"]);
    let product = shop.stripe.object(old["product"].as_str().unwrap()).unwrap();
    assert_eq!((&product["name"], &product["description"]), (&json!("Team"), &json!("For all of us")));
    assert_eq!(product["metadata"], json!({"plan": "team", "tier": "30"}));
    assert_eq!((&old["metadata"]["plan"], &old["metadata"]["tier"]), (&json!("team"), &json!("30")));

    let second = on_sale(shop, &team, 5_900).await;
    settle(shop).await;
    let seen = shop.test.anonymous().data(PLAN, json!({"code": "team"})).await["plan"].take();
    let there = |price: &Value, active: bool| json!([{"externalId": price["id"], "active": active}]);
    let shown = |amount: &str, interval: &str, price: &Value, active: bool| {
        json!({"amount": {"amount": amount}, "interval": interval, "active": active,
            "providerPrices": there(price, active)})
    };
    let new = priced(shop, 5_900).remove(0);
    let expected = json!([
        {"stage": "PUBLISHED", "prices": [shown("5900", "MONTH", &new, true)]},
        {"stage": "SUPERSEDED", "prices": [
            shown("4900", "MONTH", &old, false), shown("49000", "YEAR", &dear, false)]},
    ]);
    assert_eq!(seen["versions"]["nodes"], expected);
    assert_eq!((&seen["name"], &seen["rank"]), (&json!("Team"), &json!(30)));
    for (price, active) in [(&old, false), (&dear, false), (&new, true)] {
        assert_eq!(shop.stripe.object(price["id"].as_str().unwrap()).unwrap()["active"], active);
    }
    // A price that was archived at Stripe is not created again.
    let mut archived = new.clone();
    archived["active"] = json!(false);
    shop.stripe.put(archived);
    settle(shop).await;
    let again = push(&shop.test, &second, "again").await;
    assert_eq!(again["planVersion"]["prices"][0]["active"], false);
    assert_eq!(priced(shop, 5_900).len(), 1);
}

async fn nothing_is_made_twice_however_often_and_by_however_many(shop: &Shop) {
    let team = plan(shop, "team", "PLAN").await;
    let version = on_sale(shop, &team, 4_900).await;
    let other = shop.another_node().await;
    let (one, two) = tokio::join!(push(&shop.test, &version, "a"), push(&other, &version, "b"));
    assert_eq!((&one["userErrors"], &two["userErrors"]), (&json!([]), &json!([])));
    assert_eq!(one, two);
    assert_eq!(push(&shop.test, &version, "a").await, one, "the same again");
    assert_eq!(push(&shop.test, &version, "c").await, one);
    settle(shop).await;
    shop.advance(TimeDelta::days(2)).await;
    assert_eq!(push(&shop.test, &version, "d").await, one, "when Stripe has forgotten the keys");
    settle(shop).await;
    assert_eq!(priced(shop, 4_900).len(), 1);
    let products = shop.stripe.objects("product").into_iter();
    assert_eq!(products.filter(|product| product["metadata"]["plan"] == "team").count(), 1);

    let reused = json!({"input": {"planVersionId": on_sale(shop, &team, 5_000).await, "idempotencyKey": "a"}});
    assert_eq!(shop.test.admin().code(PUSH, reused.clone()).await, "IDEMPOTENCY_KEY_REUSED");
    let reader = shop.test.service(&[Permission::BillingRead, Permission::BillingWrite]);
    assert_eq!(reader.code(PUSH, reused.clone()).await, "FORBIDDEN");
    assert_eq!(shop.test.anonymous().code(PUSH, reused).await, "UNAUTHENTICATED");
    settle(shop).await;
}

async fn a_change_without_an_answer_is_found_the_next_day(shop: &Shop) {
    let team = plan(shop, "team", "PLAN").await;
    let version = on_sale(shop, &team, 4_900).await;
    // The product is created with a response; the price is created, but no response arrives.
    let broken = Fault::Answer { status: 500, should_retry: Some(false), acted: true, saved: false };
    shop.stripe.fail_next(Fault::CutAfter);
    shop.stripe.fail_next(broken);
    let input = json!({"input": {"planVersionId": version, "idempotencyKey": "a"}});
    let reply = shop.test.admin().post(PUSH, input).await.json();
    assert_eq!(reply["errors"][0]["extensions"]["code"], "PROVIDER_UNAVAILABLE", "{reply}");
    assert_eq!(reply["errors"][0]["extensions"]["retriedLater"], true);
    // No worker runs and no webhook arrives until Stripe has forgotten the keys.
    shop.stripe.take_events();
    shop.test.advance(TimeDelta::days(2));
    let other = shop.another_node().await;
    other.run_jobs().await;
    settle(shop).await;
    assert_eq!(priced(shop, 4_900).len(), 1);
    let found = push(&other, &version, "b").await;
    assert_eq!(found["planVersion"]["prices"][0]["providerPrices"][0]["externalId"], priced(shop, 4_900)[0]["id"]);
    settle(shop).await;
}

/// A product and a price as they are made in the dashboard, without a word of ours but the code of the plan.
fn by_hand(shop: &Shop, amount: i64) {
    let product = json!({"id": "prod_hand", "object": "product", "name": "By hand", "active": true,
        "metadata": {"plan": "team", "tier": "5"}});
    shop.stripe.put(product);
    shop.stripe.put(json!({"id": "price_hand", "object": "price", "product": "prod_hand", "active": true,
        "currency": "usd", "unit_amount": amount, "type": "recurring", "metadata": {}, "created": 1_760_000_000,
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"}}));
}

async fn a_price_created_by_hand_is_adopted(shop: &Shop) {
    let team = plan(shop, "team", "PLAN").await;
    let draft = version(shop, &team, json!([monthly(4_900)]), json!([])).await;
    by_hand(shop, 4_900);
    // While there is but a draft, what is sold at Stripe is a version of its own.
    settle(shop).await;
    shop.ask(&shop.test.admin(), PUBLISH, json!({"planVersionId": draft})).await;
    settle(shop).await;
    assert_eq!(priced(shop, 4_900).len(), 1);
    let price = shop.stripe.object("price_hand").unwrap();
    assert_eq!((&price["active"], &price["metadata"]["plan"]), (&json!(true), &json!("team")));
    let done = push(&shop.test, &draft, "a").await;
    assert_eq!(done["productExternalId"], "prod_hand");
    assert_eq!(done["planVersion"]["prices"][0]["providerPrices"][0]["externalId"], "price_hand");
    settle(shop).await;

    // A price without a webhook is found by searching.
    let next = on_sale(shop, &team, 6_000).await;
    shop.stripe.put(json!({"id": "price_lost", "object": "price", "product": "prod_hand", "active": true,
        "currency": "usd", "unit_amount": 6_000, "type": "recurring", "metadata": {}, "created": 1_760_000_001,
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"}}));
    shop.stripe.take_events();
    let done = push(&shop.test, &next, "b").await;
    assert_eq!(done["planVersion"]["prices"][0]["providerPrices"][0]["externalId"], "price_lost");
    assert_eq!(priced(shop, 6_000).len(), 1);
    settle(shop).await;
}

async fn a_price_that_somebody_has_is_not_adopted(shop: &Shop) {
    // Somebody has the plan at the price that is to be that of the next version.
    buy(shop, "ann", "price_basic", "a").await;
    let basic = shop.test.admin().data("{ plan(code: \"basic\") { id } }", json!({})).await["plan"]["id"].take();
    on_sale(shop, &basic, 900).await;
    settle(shop).await;
    assert_eq!(priced(shop, 900).len(), 2, "the old one for ann, and one for the new version");
    assert_eq!(shop.stripe.object("price_basic").unwrap()["active"], false);
    let query = "{ viewer { plan { plan { code } } } subscriptions { nodes { id } } }";
    let hers = shop.test.user("ann").data(query, json!({})).await;
    assert_eq!(hers["viewer"]["plan"]["plan"]["code"], "basic");
}

async fn a_plan_is_called_at_stripe_what_it_is_called_here(shop: &Shop) {
    let team = plan(shop, "team", "PLAN").await;
    on_sale(shop, &team, 4_900).await;
    settle(shop).await;
    for (name, rank) in [("Crew", 31), ("Team", 32), ("Crew", 33)] {
        let input = json!({"planId": team, "name": name, "rank": rank, "description": null});
        shop.ask(&shop.test.admin(), UPDATE, input).await;
        settle(shop).await;
        let price = priced(shop, 4_900).remove(0);
        let product = shop.stripe.object(price["product"].as_str().unwrap()).unwrap();
        assert_eq!((&product["name"], &product["description"]), (&json!(name), &Value::Null));
        assert_eq!(price["metadata"]["tier"], rank.to_string());
        let seen = shop.test.anonymous().data(PLAN, json!({"code": "team"})).await["plan"].take();
        assert_eq!((&seen["name"], &seen["rank"]), (&json!(name), &json!(rank)));
    }
    let off = json!({"planId": team, "active": false});
    shop.ask(&shop.test.admin(), UPDATE, off).await;
    settle(shop).await;
    let product = priced(shop, 4_900)[0]["product"].clone();
    assert_eq!(shop.stripe.object(product.as_str().unwrap()).unwrap()["active"], false);
}

async fn add_ons_and_packs_are_sold_too(shop: &Shop) {
    let unit = "mutation { createCreditUnit(input: {code: \"spark\", name: \"Spark\", decimals: 0}) {
        creditUnit { id } } }";
    shop.test.admin().data(unit, json!({})).await;
    let once = |amount: i64| json!([{"currency": "USD", "unitAmount": amount, "interval": "ONE_TIME"}]);
    let sparks = json!([{"unit": "spark", "amount": 250, "cadence": "ONCE"}]);
    let pack = plan(shop, "bundle", "CREDIT_PACK").await;
    let pack = version(shop, &pack, once(700), sparks).await;
    let extra = plan(shop, "extra", "ADDON").await;
    let extra = version(shop, &extra, json!([monthly(300)]), json!([])).await;
    for version in [&pack, &extra] {
        shop.ask(&shop.test.admin(), PUBLISH, json!({"planVersionId": version})).await;
    }
    settle(shop).await;
    let price = priced(shop, 700).remove(0);
    assert_eq!((&price["type"], &price["metadata"]["credits"]), (&json!("one_time"), &json!("250")));
    assert_eq!(price["metadata"]["credit_unit"], "spark");
    let sold = push(&shop.test, &pack, "a").await;
    assert_eq!(sold["planVersion"]["prices"][0]["providerPrices"][0]["packCredits"], "250");
    assert_eq!(priced(shop, 300)[0]["metadata"]["addon"], "extra");
    let plans = "{ plans(filter: {kind: [CREDIT_PACK, ADDON]}) { nodes { code } } }";
    let codes = shop.test.anonymous().data(plans, json!({})).await;
    let codes: Vec<&str> =
        codes["plans"]["nodes"].as_array().unwrap().iter().map(|plan| plan["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"bundle") && codes.contains(&"extra") && !codes.contains(&"pack-bundle"), "{codes:?}");
    settle(shop).await;
}

async fn a_version_that_cannot_be_sold_is_refused(shop: &Shop) {
    let team = plan(shop, "team", "PLAN").await;
    let draft = version(shop, &team, json!([monthly(4_900)]), json!([])).await;
    let code = |answer: Value| answer["userErrors"][0]["code"].as_str().unwrap().to_owned();
    assert_eq!(code(push(&shop.test, &draft, "a").await), "NOT_ON_SALE");
    let nothing = json!(crate::support::global_id("PlanVersion", shop.test.app.new_id()));
    assert_eq!(code(push(&shop.test, &nothing, "b").await), "NOT_FOUND");
    for (kind, refused) in [("GIFT", "KIND_NOT_SOLD"), ("CREDIT_PACK", "CREDITS_INVALID")] {
        let thing = plan(shop, &kind.to_lowercase(), kind).await;
        let version = on_sale(shop, &thing, 1_100).await;
        assert_eq!(code(push(&shop.test, &version, kind).await), refused);
    }
    settle(shop).await;
    assert!(priced(shop, 1_100).is_empty());
    // A refusal by Stripe is returned, and listed in the calls.
    let version = on_sale(shop, &team, 4_900).await;
    let no = Fault::Answer { status: 400, should_retry: None, acted: false, saved: true };
    shop.stripe.fail_next(no);
    assert_eq!(code(push(&shop.test, &version, "c").await), "PROVIDER_REFUSED");
    settle(shop).await;
}
