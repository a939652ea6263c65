//! Live subscriptions of this feature.

use super::ledger::CreditBalance;
use crate::auth::Scope;
use crate::changes::{Change, Kind};
use crate::credits::next_due;
use crate::db::scope_for;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{ContextExt, StreamEvent, local_id, stream_event, upcoming};
use async_graphql::{Context, ID, Result, Subscription};
use entity::balances;

/// The subscription roots of this feature.
#[derive(Default)]
pub struct BalanceEvents;

#[Subscription]
impl BalanceEvents {
    /// Sends a credit balance that the caller may see whenever it has changed: by a request, or as a grant begins or
    /// expires, a hold times out or an allowance is due. Many changes at once are sent as one, with the newest state.
    async fn balance_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of an account; every account that the caller may see by default.")] account_id: Option<
            ID,
        >,
    ) -> Result<StreamEvent<CreditBalance>> {
        let event = stream_event::<_, Account>(ctx, Kind::BalanceChanged, account_id.clone()).await?;
        let account = account_id.map(|id| local_id::<Account>(&id)).transpose()?;
        // Those who watch everything hear of a change by time when it is written.
        let watches_all = account.is_none() && scope_for::<balances::Entity>(ctx.viewer())? == Scope::Everything;
        if let Some(upcoming) = upcoming(ctx).filter(|_| !watches_all) {
            let due = next_due(ctx.app().db.read(), ctx.viewer(), account, upcoming.since()).await?;
            let changes =
                |balances: Vec<_>| balances.into_iter().map(|(id, of)| Change::BalanceChanged(id, of)).collect();
            upcoming.note(due.map(|due| (due.at, changes(due.balances))));
        }
        Ok(event)
    }
}
