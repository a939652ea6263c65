//! Licences and devices, as rows.

use super::sql;
use entity::{devices, license_keys};
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use tollgate::app::App;
use tollgate::auth::LicenseKeySecret;
use uuid::Uuid;

/// A licence that an admin issued, for three devices, and its key.
pub(crate) async fn issued(app: &App, account: Uuid) -> (Uuid, LicenseKeySecret) {
    let secret = LicenseKeySecret::generate(&mut rand::rng());
    let row = license_keys::ActiveModel {
        prefix: Set(Some(secret.prefix())),
        hash: Set(Some(secret.hash())),
        source: Set("admin".to_owned()),
        ..licence(app, account)
    };
    (insert(app, row).await, secret)
}

/// A licence that was bought and has no key yet, and its order.
pub(crate) async fn bought(app: &App, account: Uuid) -> (Uuid, String) {
    let order = format!("txn_{}", app.new_id());
    let row = license_keys::ActiveModel {
        source: Set("purchase".to_owned()),
        provider: Set(Some("paddle".to_owned())),
        order_external_id: Set(Some(order.clone())),
        product_external_id: Set(Some("pro_1".to_owned())),
        ..licence(app, account)
    };
    (insert(app, row).await, order)
}

/// A device that has a place.
pub(crate) async fn device(app: &App, account: Uuid, licence: Uuid) -> Uuid {
    let (id, at) = (app.new_id(), app.now().fixed_offset());
    let row = devices::ActiveModel {
        id: Set(id),
        account_id: Set(account),
        license_key_id: Set(licence),
        fingerprint: Set(format!("f-{id}")),
        first_seen_at: Set(at),
        last_seen_at: Set(at),
        ..Default::default()
    };
    devices::Entity::insert(row).exec_without_returning(app.db.schema()).await.unwrap();
    id
}

/// Licences with devices for the oldest accounts; others have none.
pub(crate) async fn for_some(app: &App) {
    for account in sql::ids(app.db.schema(), "SELECT id FROM accounts ORDER BY id LIMIT 30", []).await {
        for _ in 0..4 {
            let (licence, _) = issued(app, account).await;
            device(app, account, licence).await;
        }
    }
    let busiest = "SELECT * FROM license_keys ORDER BY id LIMIT 1";
    let busiest = sql::models::<license_keys::Model>(app.db.schema(), busiest).await.remove(0);
    for _ in 0..5 {
        device(app, busiest.account_id, busiest.id).await;
    }
}

fn licence(app: &App, account: Uuid) -> license_keys::ActiveModel {
    license_keys::ActiveModel {
        id: Set(app.new_id()),
        account_id: Set(account),
        status: Set("active".to_owned()),
        max_devices: Set(3),
        unit_number: Set(1),
        created_at: Set(app.now().fixed_offset()),
        ..Default::default()
    }
}

async fn insert(app: &App, row: license_keys::ActiveModel) -> Uuid {
    license_keys::Entity::insert(row).exec_with_returning(app.db.schema()).await.unwrap().id
}
