//! Live subscriptions of this feature.

use super::entitlement::Entitlement;
use crate::changes::{Change, Interest, Kind};
use crate::entitlements::next_change;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{ContextExt, StreamEvent, to_exactly_one, upcoming};
use crate::graphql::engine::execute::SubscriptionTrigger;
use crate::usage::terms_scope;
use async_graphql::{Context, ID, Result, Subscription};
use futures_util::stream::iter;

/// The subscription roots of this feature.
#[derive(Default)]
pub struct EntitlementEvents;

#[Subscription]
impl EntitlementEvents {
    /// Sends the entitlements of an account to all features, by code, whenever one of them has changed: by usage, with
    /// the plan, by an override, with the credits that pay beyond a limit, and as a window or the time to pay ends. Many
    /// changes at once are sent as one, with the newest state.
    async fn entitlements_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The account; by default the one that gives the caller their plan when the subscription begins, or \
            else their individual account. Callers who are not users have to pass it."
        )]
        account_id: Option<ID>,
    ) -> Result<StreamEvent<Vec<Entitlement>>> {
        let (viewer, app) = (ctx.viewer(), ctx.app());
        let (account, event) = match ctx.data_unchecked::<SubscriptionTrigger>() {
            SubscriptionTrigger::Opening(found) => {
                viewer.require_signed_in()?;
                let account = Entitlement::account_in_question(ctx, account_id).await?;
                to_exactly_one::<Account>(ctx, account).await?;
                let scope = terms_scope(viewer);
                found.get_or_init(|| Interest { kind: Kind::EntitlementsChanged, account: Some(account), scope });
                (account, None)
            }
            SubscriptionTrigger::Event(change) => {
                let entitlements = Entitlement::all(ctx, Some(change.subject())).await?;
                (change.subject(), Some(entitlements).filter(|found| !found.is_empty()))
            }
        };
        if let Some(upcoming) = upcoming(ctx) {
            let next = next_change(app, viewer, account).await?;
            upcoming.note(next.map(|at| (at, vec![Change::EntitlementsChanged(account)])));
        }
        Ok(iter(event))
    }
}
