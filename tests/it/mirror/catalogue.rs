//! The providers' products are matched with those created by hand.

use super::observed::{Observed, at, prices};
use super::{account, apply};
use crate::support::{TestApp, both_engines};
use entity::{prices as own, product_versions, products, provider_prices};
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use tollgate::plans::{ObservedPrice, ObservedProduct};

both_engines!(a_price_made_by_hand_is_taken_once, a_price_that_changes_is_another, the_price_that_is_sold_has_the_say);

async fn product(test: &TestApp, code: &str) -> products::Model {
    let rows = products::Entity::find().filter(products::Column::Code.eq(code));
    rows.one(test.app.db.read()).await.unwrap().unwrap()
}

async fn mirrored(test: &TestApp, id: &str) -> provider_prices::Model {
    let rows = provider_prices::Entity::find().filter(provider_prices::Column::ExternalId.eq(id));
    rows.one(test.app.db.read()).await.unwrap().unwrap()
}

async fn price(test: &TestApp, id: uuid::Uuid) -> own::Model {
    own::Entity::find_by_id(id).one(test.app.db.read()).await.unwrap().unwrap()
}

fn called(name: &str) -> ObservedPrice {
    prices("").find(|price| price.external_id == name).unwrap()
}

async fn a_price_made_by_hand_is_taken_once(test: &TestApp) {
    let account = account(test, "someone").await;
    let plan =
        "mutation { createPlan(input: {code: \"pro\", kind: PLAN, name: \"Pro\", rank: 1, description: \"By hand\"}) {
        plan { id } userErrors { code } } }";
    let plan = test.admin().data(plan, json!({})).await["createPlan"]["plan"]["id"].take();
    let draft = "mutation($plan: ID!, $amount: BigInt!) { createPlanVersion(input: {planId: $plan, prices: [
        {currency: \"USD\", unitAmount: $amount, interval: MONTH}]}) {
        planVersion { id } userErrors { code } } }";
    let publish = "mutation($id: ID!) { publishPlanVersion(input: {planVersionId: $id}) { userErrors { code } } }";
    let mut versions = Vec::new();
    for amount in ["1900", "2900"] {
        let made = test.admin().data(draft, json!({"plan": plan, "amount": amount})).await;
        versions.push(made["createPlanVersion"]["planVersion"]["id"].clone());
    }
    // There is a draft and nothing published: what is sold is a version of its own.
    apply(test, account, &Observed::Price(called("pro_old"))).await;
    let first = mirrored(test, "pro_old").await;
    let version = product_versions::Entity::find_by_id(first.product_version_id).one(test.app.db.read()).await;
    let version = version.unwrap().unwrap();
    assert_eq!((&*version.status, version.number), ("published", 3));
    let made = product(test, "pro").await;
    assert_eq!((made.description.as_deref(), &*made.name, made.rank), (Some("By hand"), "As pro_old says", 20));

    let answer = test.admin().data(publish, json!({"id": versions[0]})).await;
    assert_eq!(answer["publishPlanVersion"]["userErrors"], json!([]));
    // The second price is the one of the version now on sale; the third, of the same amount, is one more.
    let third = ObservedPrice { external_id: "pro_third".to_owned(), ..called("pro_same") };
    for observed in [called("pro_same"), third.clone(), called("pro_old"), called("pro_same")] {
        apply(test, account, &Observed::Price(observed)).await;
    }
    let (second, third) = (mirrored(test, "pro_same").await, mirrored(test, "pro_third").await);
    assert_eq!(mirrored(test, "pro_old").await, first, "who is on a version stays there");
    assert_ne!(second.product_version_id, first.product_version_id);
    assert_eq!(third.product_version_id, second.product_version_id);
    assert_ne!(third.price_id, second.price_id);
    let of_version = own::Column::ProductVersionId.eq(second.product_version_id);
    assert_eq!(own::Entity::find().filter(of_version).all(test.app.db.read()).await.unwrap().len(), 2);
    let by_hand = price(test, second.price_id.unwrap()).await;
    assert!(by_hand.created_at.to_utc() == test.app.now() && by_hand.active);
    // The other provider sells the same; as long as either does, it is sold.
    let paddle =
        |active| ObservedPrice { provider: "paddle", external_id: "pri_1".to_owned(), active, ..called("pro_same") };
    apply(test, account, &Observed::Price(paddle(true))).await;
    assert_eq!(mirrored(test, "pri_1").await.price_id, second.price_id);
    let retired = ObservedPrice { active: false, ..called("pro_same") };
    apply(test, account, &Observed::Price(retired)).await;
    assert!(price(test, second.price_id.unwrap()).await.active);
    apply(test, account, &Observed::Price(paddle(false))).await;
    assert!(!price(test, second.price_id.unwrap()).await.active);
}

async fn a_price_that_changes_is_another(test: &TestApp) {
    let account = account(test, "someone").await;
    apply(test, account, &Observed::Price(called("pro_old"))).await;
    let before = mirrored(test, "pro_old").await.price_id.unwrap();
    let dearer = ObservedPrice { unit_amount_minor: Some(2_100), ..called("pro_old") };
    let changed = apply(test, account, &Observed::Price(dearer.clone())).await;
    let after = mirrored(test, "pro_old").await.price_id.unwrap();
    assert_ne!(before, after);
    let states = (price(test, before).await, price(test, after).await);
    assert_eq!((states.0.unit_amount_minor, states.0.active), (1_900, false));
    assert_eq!((states.1.unit_amount_minor, states.1.active), (2_100, true));
    let tables: Vec<_> = changed.iter().map(|difference| &*difference.table).collect();
    assert_eq!(tables, ["prices", "provider_prices", "prices"]);
    assert_eq!(apply(test, account, &Observed::Price(dearer)).await, []);
    // A price without a single amount has no price row, but a version.
    let tiered = ObservedPrice { unit_amount_minor: None, ..called("pro_old") };
    apply(test, account, &Observed::Price(tiered)).await;
    assert_eq!(mirrored(test, "pro_old").await.price_id, None);
    assert!(!price(test, after).await.active);
    let back = apply(test, account, &Observed::Price(called("pro_old"))).await;
    assert_eq!(mirrored(test, "pro_old").await.price_id, Some(before), "{back:?}");
    assert!(price(test, before).await.active);
}

async fn the_price_that_is_sold_has_the_say(test: &TestApp) {
    let account = account(test, "someone").await;
    for name in ["pro_gone", "pro_new", "pro_old"] {
        apply(test, account, &Observed::Price(called(name))).await;
    }
    assert_eq!(product(test, "pro").await.name, "As pro_new says");
    let retired = ObservedPrice { active: false, ..called("pro_new") };
    apply(test, account, &Observed::Price(retired)).await;
    assert_eq!(product(test, "pro").await.name, "As pro_old says");
    let moved = ObservedProduct { code: " 2 Prö/".to_owned(), name: " \0 ".to_owned(), ..called("pro_old").product };
    apply(test, account, &Observed::Price(ObservedPrice { product: moved, ..called("pro_old") })).await;
    assert_eq!(product(test, "pro").await.name, "As pro_gone says");
    let clean = product(test, "p_2_pr__").await;
    assert_eq!((&*clean.name, clean.rank), ("p_2_pr__", 20));
    let row = products::ActiveModel { active: Set(false), ..Default::default() };
    products::Entity::update_many().set(row).exec(test.app.db.schema()).await.unwrap();
    let again = ObservedPrice { created_at: at(9), ..called("pro_old") };
    apply(test, account, &Observed::Price(again)).await;
    assert!(!product(test, "pro").await.active, "whether a plan is offered is decided here");
}
