//! Credits in the hands of all accounts at an instant, by the way in which they came.

use super::settled::settle_wallets;
use super::store::flows::due;
use super::store::outstanding::{self as store, ByOrigin, Origin};
use super::values::{GrantSource, LedgerBucket};
use super::wallet::{RowState, Wallet, held_parts};
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// Balances that are settled in memory at a time.
const BATCH: usize = 500;

/// Credits of one unit in the hands of accounts, of one source, and if they were bought of one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outstanding {
    /// The unit.
    pub credit_unit_id: Uuid,
    /// The source of the grants; that of transferred credits is the source of the grants from which they were taken.
    pub source: GrantSource,
    /// ISO 4217 code of the payments; `None` for credits that were not paid for.
    pub currency: Option<String>,
    /// Credits available and held, in the smallest step of the unit.
    pub credits: i64,
    /// The part of the payments that was for these credits, in minor units; without the credits in `unpriced`.
    pub paid_minor: i64,
    /// Bought credits whose price is not known, as their payment was for other things too or is not known.
    pub unpriced: i64,
}

/// Returns the credits that accounts held at `as_of`, or now if that is sooner, by unit, source and currency. Balances that
/// time has changed are settled in memory.
pub async fn outstanding(app: &App, viewer: &Viewer, as_of: DateTime<Utc>) -> Result<Vec<Outstanding>> {
    viewer.require(Permission::AnalyticsRead)?;
    let until = as_of.min(app.now());
    let snapshot = app.db.snapshot().await?;
    let mut found = store::remaining(&snapshot).await?;
    for (origin, amount) in store::changes_after(&snapshot, until).await? {
        add(&mut found, origin, -amount)?;
    }
    let mut of_grants: HashMap<Uuid, i64> = HashMap::new();
    for hold in store::open_holds(&snapshot).await? {
        for (grant_id, amount) in held_parts(&hold)? {
            *of_grants.entry(grant_id).or_default() += amount;
        }
    }
    for batch in due(&snapshot, until).await?.chunks(BATCH) {
        for wallet in settle_wallets(&snapshot, batch.to_vec(), until).await? {
            add_changes(&wallet, &mut of_grants, &mut found)?;
        }
    }
    let ids: Vec<Uuid> = of_grants.keys().copied().collect();
    let origins = store::origins(&snapshot, &ids).await?;
    for (grant_id, amount) in of_grants {
        if let Some(origin) = origins.get(&grant_id) {
            add(&mut found, origin.clone(), amount)?;
        }
    }
    rows(follow_transfers(&snapshot, found).await?)
}

/// Adds the changes that time has brought to a balance and that nobody has written yet. Grants that it has brought have
/// ids of their own in each batch, and are added by their origin.
fn add_changes(wallet: &Wallet, of_grants: &mut HashMap<Uuid, i64>, found: &mut ByOrigin) -> Result<()> {
    let brought = wallet.grants.iter().filter(|grant| grant.state == RowState::New);
    let brought: HashMap<Uuid, Origin> = brought.map(|grant| (grant.row.id, unpaid(&grant.row))).collect();
    for entry in &wallet.entries {
        let is_held = matches!(LedgerBucket::parse(&entry.bucket)?, LedgerBucket::Available | LedgerBucket::Held);
        let Some(grant_id) = entry.grant_id.filter(|_| is_held) else { continue };
        match brought.get(&grant_id) {
            Some(origin) => add(found, origin.clone(), entry.amount)?,
            None => *of_grants.entry(grant_id).or_default() += entry.amount,
        }
    }
    Ok(())
}

/// Returns the origin of a grant that nobody paid for.
fn unpaid(grant: &entity::credit_grants::Model) -> Origin {
    Origin {
        credit_unit_id: grant.credit_unit_id,
        source: grant.source.clone(),
        transfer_id: None,
        currency: None,
        received_minor: None,
        granted: None,
    }
}

fn add(found: &mut ByOrigin, origin: Origin, more: i64) -> Result<()> {
    let sum = found.entry(origin).or_default();
    *sum = sum.checked_add(more).ok_or_else(too_large)?;
    Ok(())
}

fn too_large() -> Error {
    Error::internal(anyhow::anyhow!("A sum of credits exceeds 64 bits."))
}

/// Gives transferred credits the origin of those from which they were taken, which may have been transferred too.
async fn follow_transfers(db: &impl ConnectionTrait, mut found: ByOrigin) -> Result<ByOrigin> {
    loop {
        let of_transfers: Vec<(Origin, i64)> = found.extract_if(.., |origin, _| origin.transfer_id.is_some()).collect();
        if of_transfers.is_empty() {
            return Ok(found);
        }
        let grants: Vec<Uuid> = of_transfers.iter().filter_map(|(origin, _)| origin.transfer_id).collect();
        let keys: HashMap<Uuid, (Uuid, usize)> = store::business_keys(db, &grants)
            .await?
            .into_iter()
            .filter_map(|(grant_id, key)| Some((grant_id, place(&key)?)))
            .collect();
        let transfers: Vec<Uuid> = keys.values().map(|(transfer_id, _)| *transfer_id).collect();
        let sources = store::transferred(db, &transfers).await?;
        let source_of = |grant: Uuid| {
            let (transfer_id, number) = keys.get(&grant)?;
            sources.get(transfer_id)?.get(*number).copied()
        };
        let ids: Vec<Uuid> = grants.iter().filter_map(|grant| source_of(*grant)).collect();
        let origins = store::origins(db, &ids).await?;
        for (origin, amount) in of_transfers {
            let source = origin.transfer_id.and_then(source_of).and_then(|id| origins.get(&id)).cloned();
            add(&mut found, source.unwrap_or(Origin { transfer_id: None, ..origin }), amount)?;
        }
    }
}

/// Returns the transfer and the place in it that the business key of a transferred grant names.
fn place(business_key: &str) -> Option<(Uuid, usize)> {
    let (transfer_id, number) = business_key.strip_prefix("transfer:")?.split_once(':')?;
    Some((transfer_id.parse().ok()?, number.parse().ok()?))
}

fn rows(found: ByOrigin) -> Result<Vec<Outstanding>> {
    let mut rows: BTreeMap<(Uuid, String, Option<String>), Outstanding> = BTreeMap::new();
    for (origin, credits) in found {
        let Origin { credit_unit_id, source, currency, received_minor, granted, .. } = origin;
        let row = Outstanding {
            credit_unit_id,
            source: GrantSource::parse(&source)?,
            currency: currency.clone(),
            credits: 0,
            paid_minor: 0,
            unpriced: 0,
        };
        let row = rows.entry((credit_unit_id, source, currency)).or_insert(row);
        row.credits = row.credits.checked_add(credits).ok_or_else(too_large)?;
        match received_minor.zip(granted) {
            Some((received, granted)) => {
                let paid = part(credits, received, granted).ok_or_else(too_large)?;
                row.paid_minor = row.paid_minor.checked_add(paid).ok_or_else(too_large)?;
            }
            None if row.source == GrantSource::Purchase => row.unpriced += credits,
            None => {}
        }
    }
    rows.retain(|_, row| row.credits != 0);
    Ok(rows.into_values().collect())
}

/// Returns `credits` of `granted` as a part of the money received for these, rounded half up.
fn part(credits: i64, received: i64, granted: i64) -> Option<i64> {
    let (credits, received, granted) = (i128::from(credits), i128::from(received), i128::from(granted));
    let doubled = (2 * granted).max(1);
    i64::try_from((2 * credits * received + granted).div_euclid(doubled)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_rounded_half_up() {
        for (credits, received, granted, wanted) in
            [(500, 999, 1_000, 500), (1, 1, 3, 0), (1, 1, 2, 1), (0, 5, 7, 0), (i64::MAX, i64::MAX, i64::MAX, i64::MAX)]
        {
            assert_eq!(part(credits, received, granted), Some(wanted), "{credits} of {granted} for {received}");
        }
    }

    #[test]
    fn keys_of_transferred_grants_name_their_transfer() {
        let id = Uuid::from_u128(7);
        assert_eq!(place(&format!("transfer:{id}:3")), Some((id, 3)));
        assert_eq!(place("stripe:cs_1"), None);
        assert_eq!(place(&format!("transfer:{id}:out")), None);
    }
}
