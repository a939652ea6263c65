//! Credits that were bought, and taken back with the money.

use super::post::Posting;
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

/// When purchased credits are spent: after those of a plan, which come again.
const PRIORITY: i64 = 20;

/// Credits that were paid for at a payment provider, and what became of the money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedPurchase {
    /// What makes this the same purchase however often it is told, e.g. `stripe:cs_123`.
    pub business_key: String,
    /// The code of the credit unit.
    pub unit: String,
    /// How many, in the smallest step of the unit.
    pub credits: i64,
    /// What was paid, in the currency's smallest unit; zero for a pack that cost nothing.
    pub amount_minor: i64,
    /// How much of it the customer has back: refunds and lost disputes.
    pub returned_minor: i64,
    /// The payment here; `None` where nothing was to be paid.
    pub payment_id: Option<Uuid>,
    /// When it was paid.
    pub paid_at: DateTime<Utc>,
}

/// Grants what was bought, once, and keeps of it `floor(credits x (amount - returned) / amount)`: the rest is taken
/// back as far as it is not spent, and given back when the money comes again.
///
/// The grant stays what it was at first: another account, unit or number of credits under the same key change nothing.
/// Whether anything changed.
pub async fn project_purchase(mirror: &mut Mirror<'_>, account_id: Uuid, purchase: &ObservedPurchase) -> Result<bool> {
    let (grant, new) = match store::grant_by_key(mirror.txn, &purchase.business_key).await? {
        Some(grant) => (grant, false),
        None if purchase.credits < 1 => return Ok(false),
        None => (give(mirror, account_id, purchase).await?, true),
    };
    // What is left of the grant, and what was taken of it, stand still under the lock of its balance.
    store::lock_balances(mirror.txn, std::iter::once(grant.account_id)).await?;
    let grant = store::grant_by_id(mirror.txn, grant.id).await?.unwrap_or(grant);
    let taken = store::taken_back(mirror.txn, grant.id).await?;
    let wanted = grant.amount - kept(grant.amount, purchase.amount_minor, purchase.returned_minor);
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
        take(mirror, &grant, moved, taken.len(), expired).await?;
    }
    let written = mirror.write::<credit_grants::Entity>(&purchase.business_key, Some(grant), change).await?;
    Ok(new || written.changed || moved != 0)
}

/// How many credits a purchase gave at first, and how many of them are taken back by now; `None` where there is no grant
/// under this business key.
pub async fn taken_back(txn: &Txn, business_key: &str) -> Result<Option<(i64, i64)>> {
    let Some(grant) = store::grant_by_key(txn, business_key).await? else { return Ok(None) };
    let taken = store::taken_back(txn, grant.id).await?;
    Ok(Some((grant.amount, taken.iter().sum())))
}

/// What the customer keeps of `credits` that were paid with `amount`, of which `returned` went back.
pub fn kept(credits: i64, amount: i64, returned: i64) -> i64 {
    if amount <= 0 {
        return credits;
    }
    let paid = i128::from(amount - returned.clamp(0, amount));
    // Not more than `credits`, as not more than `amount` is paid.
    i64::try_from(i128::from(credits) * paid / i128::from(amount)).unwrap_or(credits)
}

async fn give(mirror: &mut Mirror<'_>, account_id: Uuid, purchase: &ObservedPurchase) -> Result<credit_grants::Model> {
    if purchase.credits > super::grant::LARGEST_GRANT {
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

/// Takes `amount` of a grant back, the `step`-th time that it is done; gives it back where it is negative.
async fn take(
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
        // What comes back too late is gone all the same.
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
