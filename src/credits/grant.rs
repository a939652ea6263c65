//! Granting credits by hand.

use super::posting::Posting;
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

/// Maximum credits in one grant, in the smallest step of the unit; far from the range of 64 bits.
pub(super) const MAX_GRANT: i64 = 1_000_000_000_000_000;

/// A grant to be made.
#[derive(Debug, Clone, Serialize)]
pub struct NewGrant {
    /// The account.
    pub account_id: Uuid,
    /// The code of the credit unit.
    pub unit: String,
    /// Amount in the smallest step of the unit.
    pub amount: i64,
    /// A reason for people to read.
    pub reason: Option<String>,
    /// Time at which unspent credits expire; `None` for no expiry.
    pub expires_at: Option<DateTime<Utc>>,
    /// Lower numbers are spent first.
    pub priority: i64,
}

/// Grants credits to an account. A repetition with the same key and input returns the first grant and changes nothing.
pub async fn grant(app: &App, viewer: &Viewer, new: NewGrant, idempotency_key: &str) -> Result<credit_grants::Model> {
    viewer.require(Permission::CreditsWrite)?;
    check(&new)?;
    let key = IdempotencyKey::new(viewer.actor(), idempotency_key, "credits.grant", &new)?;
    let actor = viewer.actor().to_owned();
    let id: Uuid = app.db.run_idempotent(key, move |txn| Box::pin(insert(txn, actor, new))).await?;
    // The idempotency key stores the grant's id; its state is read as it is now.
    let granted = store::grant_by_id(app.db.read(), id).await?;
    granted.ok_or_else(|| Error::internal(anyhow::anyhow!("The grant is missing after its commit.")))
}

async fn insert(txn: &Txn, actor: String, new: NewGrant) -> Result<Uuid> {
    let (id, now) = (txn.new_id(), txn.now());
    if new.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::refused("EXPIRY_INVALID", &["expiresAt"], "`expiresAt` must be in the future."));
    }
    if !accounts::account_exists(txn, new.account_id).await? {
        return Err(Error::refused("ACCOUNT_NOT_FOUND", &["accountId"], "Account not found."));
    }
    let unit = plans::credit_unit(txn, &new.unit).await?;
    let unit = unit.ok_or(Error::refused("UNIT_NOT_FOUND", &["unit"], "Credit unit not found."))?;
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
        ..Default::default()
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

/// Checks the rules that do not depend on time; the others wait until the request is known to be the first with its
/// key.
fn check(new: &NewGrant) -> Result<()> {
    if !(1..=MAX_GRANT).contains(&new.amount) {
        return Err(Error::refused(
            "AMOUNT_INVALID",
            &["amount"],
            "`amount` must be 1 to 1,000,000,000,000,000 steps.",
        ));
    }
    if new.reason.as_ref().is_some_and(|reason| reason.chars().count() > 500) {
        return Err(Error::refused("REASON_INVALID", &["reason"], "`reason` must have at most 500 characters."));
    }
    Ok(())
}
