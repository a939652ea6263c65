//! The code of a gift: created with its checkout, and replaceable until it is used.

use super::store;
use super::values::GiftStatus;
use crate::accounts::authorize_payer_of;
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{GiftCode, Permission, Viewer};
use crate::error::{Error, Result};
use entity::gifts::{ActiveModel, Entity, Model};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::json;
use uuid::Uuid;

/// Creates the code of a gift; returns `None` if the gift has one, which was shown before.
pub async fn first_code(app: &App, id: Uuid) -> Result<Option<GiftCode>> {
    let code = GiftCode::generate(&mut rand::rng());
    let change = with_code(id, &code);
    let written = app.db.write(move |txn| {
        Box::pin(async move {
            let gift = store::lock_by_id(txn, id).await?;
            if gift.is_none_or(|gift| gift.hash.is_some()) {
                return Ok(false);
            }
            Entity::update(change).exec(txn).await?;
            Ok(true)
        })
    });
    Ok(written.await?.then_some(code))
}

/// Replaces the code of a gift that was not redeemed, for callers who may bill its buyer. The old code stops working.
pub async fn replace_code(app: &App, viewer: &Viewer, id: Uuid) -> Result<(Model, GiftCode)> {
    if viewer.user_id().is_none() {
        viewer.require(Permission::BillingWrite)?;
    }
    let code = GiftCode::generate(&mut rand::rng());
    let (change, caller) = (with_code(id, &code), viewer.clone());
    let written = app.db.write(move |txn| {
        Box::pin(async move {
            let unknown = || Error::refused("GIFT_NOT_FOUND", &["giftId"], "Gift not found.");
            let gift = store::lock_by_id(txn, id).await?.ok_or_else(unknown)?;
            authorize_payer_of(txn, &caller, gift.account_id, unknown).await?;
            let status = GiftStatus::parse(&gift.status)?;
            if !matches!(status, GiftStatus::Open | GiftStatus::Paid) {
                let message = format!("The code of a gift that is {status} cannot be replaced.");
                return Err(Error::refused("GIFT_OVER", &["giftId"], message));
            }
            let row = Entity::update(change).exec(txn).await?;
            let shown = |row: &Model| json!({"codePrefix": row.prefix});
            let entry = AuditEntry::new("gifts.replace_code", "Gift", id).account(row.account_id);
            txn.audit(caller.actor(), entry.before(shown(&gift)).after(shown(&row))).await?;
            Ok(row)
        })
    });
    Ok((written.await?, code))
}

fn with_code(id: Uuid, code: &GiftCode) -> ActiveModel {
    ActiveModel { id: Set(id), prefix: Set(Some(code.prefix())), hash: Set(Some(code.hash())), ..Default::default() }
}
