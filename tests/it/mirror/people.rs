//! The owner of a provider's object.

use super::observed::{Observed, at};
use super::{account, apply};
use crate::support::{TestApp, both_engines};
use entity::{jobs, user_identities, users};
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use tollgate::accounts::{self, ObservedCustomer};
use uuid::Uuid;

both_engines!(a_user_is_known_by_subject_or_id, a_customer_follows_its_metadata, a_new_user_is_announced);

async fn known(test: &TestApp, user: &str) -> Option<Uuid> {
    let user = user.to_owned();
    let found = test.app.db.write(move |txn| Box::pin(async move { accounts::account_of_user(txn, &user).await }));
    found.await.unwrap()
}

async fn user_with(test: &TestApp, subject: &str) -> user_identities::Model {
    let rows = user_identities::Entity::find().filter(user_identities::Column::Subject.eq(subject));
    rows.one(test.app.db.read()).await.unwrap().unwrap()
}

async fn a_user_is_known_by_subject_or_id(test: &TestApp) {
    let (alice, bob) = (account(test, "alice").await, account(test, "bob").await);
    let ids = (user_with(test, "alice").await, user_with(test, "bob").await);
    assert_eq!(known(test, "alice").await, Some(alice));
    assert_eq!(known(test, "bob").await, Some(bob));
    assert_eq!(known(test, &ids.0.user_id.to_string()).await, Some(alice));
    for nobody in ["", "Alice", "carol", "bob@example.com", "00000000-0000-0000-0000-000000000000"] {
        assert_eq!(known(test, nobody).await, None, "{nobody}");
    }
    let identity = |issuer: &str, user_id, subject: &str| user_identities::ActiveModel {
        id: Set(test.app.new_id()),
        user_id: Set(user_id),
        issuer: Set(issuer.to_owned()),
        subject: Set(subject.to_owned()),
        created_at: Set(test.app.now().fixed_offset()),
    };
    let db = test.app.db.schema();
    // One user at two issuers is one; two users with one subject are ambiguous.
    user_identities::Entity::insert(identity("https://two", ids.0.user_id, "alice")).exec(db).await.unwrap();
    assert_eq!(known(test, "alice").await, Some(alice));
    user_identities::Entity::insert(identity("https://three", ids.1.user_id, "alice")).exec(db).await.unwrap();
    assert_eq!(known(test, "alice").await, None);
    let erased = users::ActiveModel { erased_at: Set(Some(test.app.now().fixed_offset())), ..Default::default() };
    users::Entity::update_many().set(erased).exec(db).await.unwrap();
    for erased in ["bob", &ids.1.user_id.to_string()] {
        assert_eq!(known(test, erased).await, None);
    }
}

async fn a_customer_follows_its_metadata(test: &TestApp) {
    let (alice, bob) = (account(test, "alice").await, account(test, "bob").await);
    let customer = Observed::Customer(ObservedCustomer {
        provider: "paddle",
        external_id: "ctm_1".to_owned(),
        email: Some("alice@example.com".to_owned()),
        name: None,
        delinquent: false,
        deleted: false,
        created_at: at(0),
    });
    let owner = async |provider: &'static str| {
        let found = test
            .app
            .db
            .write(move |txn| Box::pin(async move { accounts::account_of_customer(txn, provider, "ctm_1").await }));
        found.await.unwrap()
    };
    assert_eq!(owner("paddle").await, None);
    apply(test, alice, &customer).await;
    assert_eq!((owner("paddle").await, owner("stripe").await), (Some(alice), None));
    let changed = apply(test, bob, &customer).await;
    assert_eq!(owner("paddle").await, Some(bob));
    let moved = json!([{"table": "provider_customers", "external_id": "ctm_1",
        "before": {"account_id": alice}, "after": {"account_id": bob}}]);
    assert_eq!(serde_json::to_value(changed).unwrap(), moved);
}

async fn a_new_user_is_announced(test: &TestApp) {
    account(test, "alice").await;
    account(test, "alice").await;
    let rows = jobs::Entity::find().filter(jobs::Column::Kind.eq("user_appeared"));
    let rows = rows.all(test.app.db.read()).await.unwrap();
    let told: Vec<_> = rows.iter().map(|row| (row.payload.clone(), row.unique_key.as_deref())).collect();
    assert_eq!(told, [(json!({"user": "alice"}), Some("alice"))]);
}
