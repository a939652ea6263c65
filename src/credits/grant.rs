//! Credits given by hand.

use super::post::Posting;
use super::store;
use super::values::{GrantSource, LedgerBucket, LedgerOperation};
use crate::app::App;
use crate::audit::AuditEntry;
use crate::auth::{Permission, Viewer};
use crate::db::{IdempotencyKey, Txn};
use crate::error::{Error, Result};
use crate::{accounts, plans};
use chrono::{DateTime, Utc};
use entity::credit_grants;
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

/// The most credits in one grant, in the smallest step of the unit; far from the range of 64 bits.
pub(super) const LARGEST_GRANT: i64 = 1_000_000_000_000_000;

/// Credits that an account is to be given.
#[derive(Debug, Clone, Serialize)]
pub struct NewGrant {
    /// The account.
    pub account_id: Uuid,
    /// The code of the credit unit.
    pub unit: String,
    /// How many, in the smallest step of the unit.
    pub amount: i64,
    /// Why, for people.
    pub reason: Option<String>,
    /// When what is left of them goes; `None` for never.
    pub expires_at: Option<DateTime<Utc>>,
    /// Lower numbers are spent first.
    pub priority: i64,
}

/// Gives credits to an account; the same key and input again give the first answer and nothing else.
pub async fn grant(app: &App, viewer: &Viewer, new: NewGrant, idempotency_key: &str) -> Result<credit_grants::Model> {
    viewer.require(Permission::CreditsWrite)?;
    check(&new)?;
    let key = IdempotencyKey::new(viewer.actor(), idempotency_key, "credits.grant", &new)?;
    let actor = viewer.actor().to_owned();
    let id: Uuid = app.db.run_idempotent(key, move |txn| Box::pin(insert(txn, actor, new))).await?;
    // Which grant it was is what is remembered; what became of it is read as it is now.
    let granted = store::grant_by_id(app.db.read(), id).await?;
    granted.ok_or_else(|| Error::internal(anyhow::anyhow!("a grant vanished")))
}

async fn insert(txn: &Txn, actor: String, new: NewGrant) -> Result<Uuid> {
    let (id, now) = (txn.new_id(), txn.now());
    if new.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::refused("EXPIRY_INVALID", &["expiresAt"], "the credits would be gone from the start"));
    }
    if !accounts::account_exists(txn, new.account_id).await? {
        return Err(Error::refused("ACCOUNT_NOT_FOUND", &["accountId"], "there is no such account"));
    }
    let unit = plans::credit_unit(txn, &new.unit).await?;
    let unit = unit.ok_or(Error::refused("UNIT_NOT_FOUND", &["unit"], "there is no credit unit with this code"))?;
    let row = credit_grants::ActiveModel {
        id: Set(id),
        account_id: Set(new.account_id),
        credit_unit_id: Set(unit.id),
        source: Set(GrantSource::Admin.to_string()),
        amount: Set(new.amount),
        remaining: Set(new.amount),
        priority: Set(new.priority),
        starts_at: Set(now.fixed_offset()),
        expires_at: Set(new.expires_at.map(|at| at.fixed_offset())),
        business_key: Set(format!("admin:{id}")),
        payment_id: Set(None),
        reason: Set(new.reason.clone()),
        granted_by: Set(actor.clone()),
        created_at: Set(now.fixed_offset()),
    };
    credit_grants::Entity::insert(row).exec_without_returning(txn).await?;
    let entry = AuditEntry::new("credits.grant", "CreditGrant", id).account(new.account_id).after(json!(new));
    txn.audit(&actor, entry).await?;
    let posting = Posting {
        account_id: new.account_id,
        credit_unit_id: unit.id,
        grant_id: Some(id),
        kind: LedgerOperation::Grant,
        from: LedgerBucket::Issued,
        to: LedgerBucket::Available,
        amount: new.amount,
        business_key: format!("grant:{id}"),
        effective_at: now,
        actor,
        reason: new.reason,
    };
    posting.post(txn).await?;
    Ok(id)
}

/// Checks what does not change with time; the rest waits until the request is known to be the first of its key.
fn check(new: &NewGrant) -> Result<()> {
    if !(1..=LARGEST_GRANT).contains(&new.amount) {
        return Err(Error::refused("AMOUNT_INVALID", &["amount"], "an amount is 1 to 1,000,000,000,000,000 steps"));
    }
    if new.reason.as_ref().is_some_and(|reason| reason.chars().count() > 500) {
        return Err(Error::refused("REASON_INVALID", &["reason"], "a reason has at most 500 characters"));
    }
    Ok(())
}
