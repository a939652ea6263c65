//! Uses that are checked before they are counted: each becomes an event, so that counters and sums can be computed from
//! the events.

use super::daily::{Addition, DayKey, DaySum, Days};
use super::event::CONSUME_PREFIX;
use super::store;
use super::values::MeterAggregation;
use crate::db::{Txn, insert_all};
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use entity::usage_events;
use sea_orm::ActiveValue::Set;
use std::collections::{BTreeSet, HashSet};
use uuid::Uuid;

/// A use of a meter that sums.
#[derive(Debug, Clone)]
pub struct Use {
    /// The account.
    pub account_id: Uuid,
    /// The meter.
    pub meter_id: Uuid,
    /// Units.
    pub amount: i64,
    /// Credits that it costs; 0 for none.
    pub credits: i64,
    /// Their unit; `None` for none.
    pub credit_unit_id: Option<Uuid>,
    /// The rate card that priced it; `None` if none did.
    pub rate_card_id: Option<Uuid>,
    /// The ledger transaction that spent them; `None` for none.
    pub ledger_txn_id: Option<Uuid>,
    /// The kind and the id of the object in the host application that it is about.
    pub reference: Option<(String, String)>,
}

/// The uses of a transaction, which happen at its instant.
pub struct Uses {
    now: DateTime<Utc>,
    days: Days,
    rows: Vec<usage_events::ActiveModel>,
}

/// Locks accounts until the commit, before their usage is read.
pub async fn lock_accounts(txn: &Txn, ids: &BTreeSet<Uuid>) -> Result<()> {
    store::lock_accounts(txn, ids).await?;
    Ok(())
}

impl Uses {
    /// Reads the sums of the day for accounts and meters, under the locks of the accounts.
    pub async fn load(txn: &Txn, meters: impl IntoIterator<Item = (Uuid, Uuid)>) -> Result<Uses> {
        let now = txn.now();
        let keys: HashSet<DayKey> = meters.into_iter().map(|(account, meter)| key(account, meter, now)).collect();
        let days = if keys.is_empty() { Days::default() } else { Days::load(txn, keys).await? };
        Ok(Uses { now, days, rows: Vec::new() })
    }

    /// Checks that a use can be recorded.
    pub fn check(&self, new: &Use) -> Result<()> {
        self.sum(new)?;
        Ok(())
    }

    /// Records a use and returns the id of its event; refused, without a change, if the sum of the day would leave the
    /// range of 64 bits.
    pub fn add(&mut self, txn: &Txn, new: Use, actor: &str) -> Result<Uuid> {
        let sum = self.sum(&new)?;
        self.days.set(key(new.account_id, new.meter_id, self.now), sum);
        let id = txn.new_id();
        let now = self.now.fixed_offset();
        let (ref_type, ref_id) = new.reference.unzip();
        self.rows.push(usage_events::ActiveModel {
            id: Set(id),
            account_id: Set(new.account_id),
            meter_id: Set(new.meter_id),
            user_id: Set(None),
            device_id: Set(None),
            dedupe_key: Set(format!("{CONSUME_PREFIX}{id}")),
            occurred_at: Set(now),
            recorded_at: Set(now),
            value: Set(new.amount),
            unique_value: Set(None),
            dimensions: Set(None),
            ref_type: Set(ref_type),
            ref_id: Set(ref_id),
            credits: Set(new.credits),
            credit_unit_id: Set(new.credit_unit_id),
            ledger_txn_id: Set(new.ledger_txn_id),
            rate_card_id: Set(new.rate_card_id),
            verified: Set(false),
            proof: Set(None),
            content_hash: Set(None),
            corrects_id: Set(None),
            recorded_by: Set(actor.to_owned()),
        });
        Ok(id)
    }

    /// Writes the events and the sums of their days.
    pub async fn write(self, txn: &Txn) -> Result<()> {
        insert_all::<usage_events::Entity>(txn, self.rows).await?;
        self.days.write(txn).await
    }

    fn sum(&self, new: &Use) -> Result<DaySum> {
        let addition =
            Addition { aggregation: MeterAggregation::Sum, value: new.amount, credits: new.credits, is_new: false };
        let sum = self.days.sum(&key(new.account_id, new.meter_id, self.now));
        sum.with(addition).map_err(|_| {
            let message = "`amount` would take the sum of the day beyond 9,223,372,036,854,775,807 units.";
            Error::refused("AMOUNT_INVALID", &["amount"], message)
        })
    }
}

fn key(account_id: Uuid, meter_id: Uuid, at: DateTime<Utc>) -> DayKey {
    DayKey { account_id, meter_id, day: at.date_naive(), group: String::new() }
}
