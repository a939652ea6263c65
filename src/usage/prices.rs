//! The prices of uses that are checked before they are counted: what the rate cards of their meters say.

use super::cards::{Card, Charge, charge};
use super::store;
use crate::db::Txn;
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// The rate cards of some meters.
#[derive(Debug, Default)]
pub struct Prices(HashMap<Uuid, Vec<Card>>);

impl Prices {
    /// Reads the rate cards of these meters.
    pub async fn load(txn: &Txn, meters: BTreeSet<Uuid>) -> Result<Prices> {
        let mut prices = Prices::default();
        if meters.is_empty() {
            return Ok(prices);
        }
        for row in store::cards_of(txn, &meters.into_iter().collect::<Vec<_>>()).await? {
            let card = Card::read(row)?;
            prices.0.entry(card.meter_id()).or_default().push(card);
        }
        Ok(prices)
    }

    /// Returns the credit unit that the cards of a meter cost; `None` if it has none.
    pub fn unit(&self, meter_id: Uuid) -> Option<Uuid> {
        self.0.get(&meter_id)?.first().map(Card::unit_id)
    }

    /// Returns the price of units at an instant, by the card without a dimension; `None` if none holds. A refusal if it is
    /// out of range.
    pub fn charge(&self, meter_id: Uuid, at: DateTime<Utc>, units: i64) -> Result<Option<Charge>> {
        let Some(cards) = self.0.get(&meter_id) else { return Ok(None) };
        charge(cards, at, units, None).map_err(|error| match error {
            Error::Refused(_) => {
                let message = "`amount` would cost more than 1,000,000,000,000,000 credits: split it.";
                Error::refused("AMOUNT_INVALID", &["amount"], message)
            }
            error => error,
        })
    }
}
