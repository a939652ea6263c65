//! Projects purchased credits, and their refunds, to the ledger.

use super::posting::Posting;
use super::store;
use super::values::{GrantSource, LedgerBucket, LedgerOperation};
use crate::auth::Viewer;
use crate::db::{Mirror, Txn};
use crate::error::{Error, Result};
use crate::plans;
use chrono::{DateTime, Utc};
use entity::credit_grants;
use sea_orm::ActiveValue::Set;
use uuid::Uuid;

/// Priority of purchased credits: after those of a plan, which are granted again.
const PRIORITY: i64 = 20;

/// A purchase of credits at a payment provider, with the returned part of the money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedPurchase {
    /// The key that identifies the purchase in every report of it, such as `stripe:cs_123`.
    pub business_key: String,
    /// The code of the credit unit.
    pub unit: String,
    /// Amount in the smallest step of the unit.
    pub credits: i64,
    /// Amount paid in minor units; zero for a free pack.
    pub amount_minor: i64,
    /// Returned part of the amount: refunds and lost disputes.
    pub returned_minor: i64,
    /// Our payment; `None` if nothing was to be paid.
    pub payment_id: Option<Uuid>,
    /// Time of payment.
    pub paid_at: DateTime<Utc>,
}

/// Grants the purchased credits once, and keeps `floor(credits x (amount - returned) / amount)` of them granted: the
/// others are revoked unless they are spent, and restored if the money comes again. Returns whether anything changed.
///
/// The grant keeps its first terms: another account, unit or number of credits under the same key changes nothing.
pub async fn project_purchase(mirror: &mut Mirror<'_>, account_id: Uuid, purchase: &ObservedPurchase) -> Result<bool> {
    // All balances of the account at once, in the order in which `expire` locks them, and before the grant moves one.
    // Under this lock, the rest and the revoked part of a grant do not change.
    let found = store::grant_by_key(mirror.txn, &purchase.business_key).await?;
    let holder = found.as_ref().map_or(account_id, |grant| grant.account_id);
    store::lock_balances(mirror.txn, std::iter::once(holder)).await?;
    let (grant, new) = match store::grant_by_key(mirror.txn, &purchase.business_key).await? {
        Some(grant) => (grant, false),
        None if purchase.credits < 1 => return Ok(false),
        None => (insert_grant(mirror, account_id, purchase).await?, true),
    };
    let taken = store::revocations(mirror.txn, grant.id).await?;
    let wanted = grant.amount - credits_kept(grant.amount, purchase.amount_minor, purchase.returned_minor);
    let missing = wanted - taken.iter().sum::<i64>();
    let moved = match missing {
        0 => 0,
        1.. => missing.min(grant.remaining),
        _ => missing,
    };
    let mut change = credit_grants::ActiveModel { payment_id: Set(purchase.payment_id), ..Default::default() };
    if purchase.payment_id.is_none() {
        change.payment_id.take();
    }
    let expired = grant.expires_at.is_some_and(|at| at <= mirror.txn.now());
    if moved > 0 || !expired {
        change.remaining = Set(grant.remaining - moved);
    }
    if moved != 0 {
        revoke(mirror, &grant, moved, taken.len(), expired).await?;
    }
    let written = mirror.write::<credit_grants::Entity>(&purchase.business_key, Some(grant), change).await?;
    Ok(new || written.changed || moved != 0)
}

/// Credits of a purchase, in the smallest step of their unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purchase {
    /// Credits granted.
    pub granted: i64,
    /// Credits revoked so far.
    pub revoked: i64,
}

/// Returns the credits of a purchase; `None` if there is no grant with this business key.
pub async fn find_purchase(txn: &Txn, business_key: &str) -> Result<Option<Purchase>> {
    let Some(grant) = store::grant_by_key(txn, business_key).await? else { return Ok(None) };
    let revoked = store::revocations(txn, grant.id).await?.iter().sum();
    Ok(Some(Purchase { granted: grant.amount, revoked }))
}

/// Returns the part of `credits` that the customer keeps, after `returned` of the paid `amount` was returned.
pub fn credits_kept(credits: i64, amount: i64, returned: i64) -> i64 {
    if amount <= 0 {
        return credits;
    }
    let paid = i128::from(amount - returned.clamp(0, amount));
    // At most `credits`, as `paid` is at most `amount`.
    i64::try_from(i128::from(credits) * paid / i128::from(amount)).unwrap_or(credits)
}

async fn insert_grant(
    mirror: &mut Mirror<'_>,
    account_id: Uuid,
    purchase: &ObservedPurchase,
) -> Result<credit_grants::Model> {
    if purchase.credits > super::grant::MAX_GRANT {
        return Err(Error::internal(anyhow::anyhow!("{}: too many credits in one purchase", purchase.business_key)));
    }
    let unit = plans::known_credit_unit(mirror, &purchase.unit).await?;
    let (now, actor) = (mirror.txn.now(), Viewer::system("mirror").actor().to_owned());
    let row = credit_grants::ActiveModel {
        id: Set(mirror.txn.new_id()),
        account_id: Set(account_id),
        credit_unit_id: Set(unit.id),
        source: Set(GrantSource::Purchase.to_string()),
        amount: Set(purchase.credits),
        remaining: Set(purchase.credits),
        priority: Set(PRIORITY),
        starts_at: Set(purchase.paid_at.fixed_offset()),
        expires_at: Set(None),
        business_key: Set(purchase.business_key.clone()),
        payment_id: Set(purchase.payment_id),
        reason: Set(None),
        granted_by: Set(actor.clone()),
        created_at: Set(now.fixed_offset()),
        ..Default::default()
    };
    let grant = mirror.write::<credit_grants::Entity>(&purchase.business_key, None, row).await?.row;
    let posting = Posting {
        account_id,
        credit_unit_id: unit.id,
        grant_id: Some(grant.id),
        kind: LedgerOperation::Grant,
        from: LedgerBucket::Issued,
        to: LedgerBucket::Available,
        amount: purchase.credits,
        business_key: format!("grant:{}", grant.id),
        effective_at: purchase.paid_at,
        actor,
        reason: None,
    };
    posting.post(mirror.txn).await?;
    Ok(grant)
}

/// Revokes `amount` of a grant as its `step`-th revocation; restores credits if the amount is negative.
async fn revoke(
    mirror: &mut Mirror<'_>,
    grant: &credit_grants::Model,
    amount: i64,
    step: usize,
    expired: bool,
) -> Result<()> {
    let now = mirror.txn.now();
    let (from, to) = match (amount > 0, expired) {
        (true, _) => (LedgerBucket::Available, LedgerBucket::Revoked),
        (false, false) => (LedgerBucket::Revoked, LedgerBucket::Available),
        // Credits restored after the expiry expire at once.
        (false, true) => (LedgerBucket::Revoked, LedgerBucket::Expired),
    };
    let posting = Posting {
        account_id: grant.account_id,
        credit_unit_id: grant.credit_unit_id,
        grant_id: Some(grant.id),
        kind: LedgerOperation::Revoke,
        from,
        to,
        amount: amount.abs(),
        business_key: format!("revoke:{}:{step}", grant.id),
        effective_at: now,
        actor: Viewer::system("mirror").actor().to_owned(),
        reason: None,
    };
    posting.post(mirror.txn).await?;
    Ok(())
}
