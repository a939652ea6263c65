//! Spending, and taking credits from grants in their order.

use super::post::{Cause, Move};
use super::state::{Moment, Wallet};
use crate::credits::values::{LedgerBucket, LedgerOperation};
use crate::error::{Error, Result};
use uuid::Uuid;

impl Wallet {
    /// Spends credits, and returns the id of the transaction.
    pub(in crate::credits) fn spend(&mut self, amount: i64, cause: Cause, at: Moment<'_>) -> Result<Uuid> {
        self.check_available(amount)?;
        let moves = self.draw(amount, LedgerBucket::Spent)?;
        Ok(self.post((LedgerOperation::Spend, at.now), &moves, |id| format!("spend:{id}"), cause, at))
    }

    /// Fails unless `amount` can be spent.
    pub(super) fn check_available(&self, amount: i64) -> Result<()> {
        let available = self.balance.row.available;
        if available >= amount {
            return Ok(());
        }
        let needed = if amount == 1 { "1 credit is".to_owned() } else { format!("{amount} credits are") };
        let there = if available == 1 { "1 is".to_owned() } else { format!("{available} are") };
        let message = format!("{needed} needed, and {there} available: grant or buy more.");
        Err(Error::refused("INSUFFICIENT_CREDITS", &["amount"], message))
    }

    /// Takes available credits from the grants in their order, and returns their moves to the bucket `to`.
    pub(super) fn draw(&mut self, amount: i64, to: LedgerBucket) -> Result<Vec<Move>> {
        let mut left = amount;
        let mut moves = Vec::with_capacity(1);
        for grant in self.grants.iter_mut().filter(|grant| grant.row.started && grant.row.remaining > 0) {
            if left == 0 {
                break;
            }
            let part = left.min(grant.row.remaining);
            grant.change().remaining -= part;
            left -= part;
            moves.push(Move { grant_id: Some(grant.row.id), from: LedgerBucket::Available, to, amount: part });
        }
        if left > 0 {
            return Err(Error::internal(anyhow::anyhow!("The grants of a balance hold less than it says.")));
        }
        Ok(moves)
    }
}
