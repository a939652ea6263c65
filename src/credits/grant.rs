//! Granting credits by hand.

use super::checks::{check_amount, check_reason};
use super::operation::{Moved, Operation, Unit, Verb};
use super::store;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::db::IdempotencyKey;
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use entity::credit_grants;
use serde::Serialize;
use uuid::Uuid;

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
    /// Time from which the credits can be spent; `None` for now.
    pub starts_at: Option<DateTime<Utc>>,
    /// Time at which unspent credits expire; `None` for no expiry.
    pub expires_at: Option<DateTime<Utc>>,
    /// Of credits that expire at one time, those with a lower number are spent first.
    pub priority: i64,
}

impl NewGrant {
    /// Checks the rules that do not depend on time, and returns the operation; the others wait until the request is
    /// known to be the first with its key.
    pub(super) fn operation(self, actor: &str) -> Result<Operation> {
        check_amount(self.amount)?;
        check_reason(self.reason.as_deref())?;
        Ok(Operation {
            account_id: self.account_id,
            unit: Unit::Code(self.unit),
            verb: Verb::Grant {
                amount: self.amount,
                priority: self.priority,
                starts_at: self.starts_at,
                expires_at: self.expires_at,
            },
            actor: actor.to_owned(),
            reason: self.reason,
            reference: None,
        })
    }
}

/// Grants credits to an account. A repetition with the same key and input returns the first grant and changes nothing.
pub async fn grant(
    app: &App,
    viewer: &Viewer,
    new: NewGrant,
    idempotency_key: &str,
) -> Result<(credit_grants::Model, Moved)> {
    viewer.require(Permission::CreditsWrite)?;
    let key = IdempotencyKey::new(viewer.actor(), idempotency_key, "credits.grant", &new)?;
    let moved = app.db.combine(new.operation(viewer.actor())?, Some(key)).await?;
    // The idempotency key stores the grant's id; its state is read as it is now.
    let granted = store::grant_by_id(app.db.read(), moved.grant_id.unwrap_or_default()).await?;
    let granted = granted.ok_or_else(|| Error::internal(anyhow::anyhow!("The grant is missing after its commit.")))?;
    Ok((granted, moved))
}
