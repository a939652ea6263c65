//! Balances at instants of the past.

use crate::app::App;
use crate::auth::Viewer;
use crate::credits::{self, BalanceAt};
use crate::error::Error;
use crate::graphql::common::{Batch, BigInt, ContextExt, Instant};
use async_graphql::{Context, Object, Result};
use chrono::{DateTime, Utc};
use std::collections::HashMap;
use uuid::Uuid;

/// An account's balance in one credit unit at an instant, from the entries of the ledger.
pub struct CreditBalanceSnapshot {
    at: DateTime<Utc>,
    balance: BalanceAt,
}

/// An account's balance in one credit unit at an instant. Amounts are in the smallest step of the unit.
#[Object]
impl CreditBalanceSnapshot {
    /// The instant.
    async fn at(&self) -> Instant {
        Instant(self.at)
    }

    /// Credits that could be spent.
    async fn available(&self) -> BigInt {
        BigInt(self.balance.available)
    }

    /// Credits that were reserved for work in progress.
    async fn held(&self) -> BigInt {
        BigInt(self.balance.held)
    }

    /// Credits spent until then.
    async fn spent(&self) -> BigInt {
        BigInt(self.balance.spent)
    }

    /// Credits that had expired unused.
    async fn expired(&self) -> BigInt {
        BigInt(self.balance.expired)
    }

    /// Credits that were taken back.
    async fn revoked(&self) -> BigInt {
        BigInt(self.balance.revoked)
    }

    /// Credits issued until then.
    async fn issued(&self) -> BigInt {
        BigInt(-self.balance.issued)
    }

    /// Credits that were owed.
    async fn owed(&self) -> BigInt {
        BigInt(-self.balance.owed)
    }
}

/// A loader of balances by account, unit and instant.
struct Snapshots;

impl Batch for Snapshots {
    type Key = (Uuid, String, DateTime<Utc>);
    type Value = BalanceAt;

    async fn load(
        app: &App,
        viewer: &Viewer,
        keys: &[Self::Key],
    ) -> crate::error::Result<HashMap<Self::Key, BalanceAt>> {
        credits::balances_at(app, viewer, keys).await
    }
}

impl CreditBalanceSnapshot {
    /// Reads the balance of an account in the unit with the code `unit` at an instant; zero where it held nothing.
    pub(crate) async fn read(ctx: &Context<'_>, account_id: Uuid, unit: String, at: Instant) -> Result<Self> {
        if at.0 > ctx.app().now() {
            return Err(Error::bad_input("`at` must not be in the future.").into());
        }
        let balance = ctx.loaders().load::<Snapshots>((account_id, unit, at.0)).await?.unwrap_or_default();
        Ok(CreditBalanceSnapshot { at: at.0, balance })
    }
}
