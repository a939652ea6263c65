//! The changes of balances that time alone brings next.

use super::store::wallets;
use crate::auth::Viewer;
use crate::error::Result;
use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

/// The next instant at which balances change without a request, and those balances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextDue {
    /// The instant.
    pub at: DateTime<Utc>,
    /// The ids of the balances, each with that of its account.
    pub balances: Vec<(Uuid, Uuid)>,
}

/// Returns the next instant after `after` at which balances that the caller may see change without a request: those of one
/// account, or of all; `None` if none do.
pub async fn next_due(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    account_id: Option<Uuid>,
    after: DateTime<Utc>,
) -> Result<Option<NextDue>> {
    let rows = wallets::next_due(db, viewer, account_id, after).await?;
    let Some(at) = rows.first().map(|(.., at)| *at) else { return Ok(None) };
    let balances = rows.into_iter().take_while(|(.., due)| *due == at).map(|(id, account_id, _)| (id, account_id));
    Ok(Some(NextDue { at, balances: balances.collect() }))
}
