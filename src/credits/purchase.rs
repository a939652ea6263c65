//! Projects purchased credits, and their refunds, to the ledger.

use super::checks::MAX_AMOUNT;
use super::ledger::{Ledger, Named};
use super::store;
use super::term::Term;
use super::values::GrantSource;
use super::wallet::Cause;
use crate::auth::Viewer;
use crate::db::{Mirror, Txn};
use crate::error::{Error, Result};
use crate::plans;
use chrono::{DateTime, Utc};
use entity::credit_grants;
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
/// others are revoked, and restored if the money comes again. Those that were spent are owed if `owes`, and otherwise
/// forgiven. Returns whether anything changed.
///
/// The grant keeps its first terms: another account, unit or number of credits under the same key changes nothing.
pub async fn project_purchase(
    mirror: &mut Mirror<'_>,
    account_id: Uuid,
    purchase: &ObservedPurchase,
    owes: bool,
) -> Result<bool> {
    let txn = mirror.txn;
    let found = store::grant_by_key(txn, &purchase.business_key).await?;
    let key = match &found {
        Some(grant) => (grant.account_id, grant.credit_unit_id),
        None if purchase.credits < 1 => return Ok(false),
        None => (account_id, plans::known_credit_unit(mirror, &purchase.unit).await?.id),
    };
    let named = Named { grants: found.iter().map(|grant| grant.id).collect(), ..Named::default() };
    let mut ledger = Ledger::load_with(txn, [key], named).await?;
    let id = match &found {
        Some(grant) => grant.id,
        None => insert_grant(&mut ledger, key, purchase)?,
    };
    // Under the lock of the balance, the rest and the revoked part of a grant do not change.
    let before = found.and_then(|_| ledger.grant(key, id).cloned());
    let taken = store::revocations(txn, id).await?;
    let missing = purchase.credits_missing(ledger.grant(key, id), &taken);
    let moved = ledger.change(key, |wallet, at| {
        let before = wallet.entries.len();
        let cause = || Cause { actor: Viewer::system("mirror").actor().to_owned(), ..Cause::default() };
        let step = format!("revoke:{id}:{}", taken.len());
        match missing {
            0.. => {
                wallet.revoke(id, (missing, owes), step, cause(), at);
            }
            _ => wallet.restore(id, -missing, step, cause(), at),
        }
        if let (Some(payment_id), Some(grant)) = (purchase.payment_id, wallet.grant_mut(id))
            && grant.row.payment_id != Some(payment_id)
        {
            grant.change().payment_id = Some(payment_id);
        }
        Ok(wallet.entries.len() > before)
    })?;
    let after = ledger.grant(key, id).cloned();
    ledger.write().await?;
    let changed = before != after;
    if let Some(after) = after.filter(|_| changed) {
        mirror.changed::<credit_grants::Entity>(&purchase.business_key, before.as_ref(), &after);
    }
    Ok(changed || moved)
}

impl ObservedPurchase {
    /// Returns the credits of the grant that have to be revoked beside those that were, or, negative, restored.
    fn credits_missing(&self, grant: Option<&credit_grants::Model>, taken: &[i64]) -> i64 {
        let amount = grant.map_or(0, |grant| grant.amount);
        amount - credits_kept(amount, self.amount_minor, self.returned_minor) - taken.iter().sum::<i64>()
    }
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

fn insert_grant(ledger: &mut Ledger<'_>, key: (Uuid, Uuid), purchase: &ObservedPurchase) -> Result<Uuid> {
    if purchase.credits > MAX_AMOUNT {
        return Err(Error::internal(anyhow::anyhow!("{}: too many credits in one purchase", purchase.business_key)));
    }
    let term = Term {
        source: GrantSource::Purchase,
        amount: purchase.credits,
        priority: PRIORITY,
        starts_at: purchase.paid_at,
        expires_at: None,
        business_key: Some(purchase.business_key.clone()),
        payment_id: purchase.payment_id,
        allowance: None,
        reason: None,
    };
    let cause = Cause { actor: Viewer::system("mirror").actor().to_owned(), ..Cause::default() };
    let (id, _) = ledger.change(key, |wallet, at| {
        // A clock ahead of ours does not delay what was paid for.
        wallet.grant(Term { starts_at: term.starts_at.min(at.now), ..term }, cause, at)
    })?;
    Ok(id)
}
