//! Live updates. Each event is executed as an operation of its own: authenticated again, with its own loaders and the
//! limits of a query. Rows are read through the caller's scope, so that events about rows they may not see are skipped.

use super::accounts::account::Account;
use super::operations::webhook_events::WebhookEvent;
use super::payments::payment::Payment;
use super::subscriptions::subscription::Subscription;
use crate::changes::{Change, Interest, Kind};
use crate::db::rows_for;
use crate::graphql::common::{ContextExt, Record, local_id, to_exactly_one, to_one};
use async_graphql::{Context, Description, ID, Result};
use futures_util::stream::{Iter, iter};
use sea_orm::EntityTrait;
use std::sync::{Arc, OnceLock};

/// Reason for executing a subscription operation.
pub enum Occasion {
    /// The operation has just arrived; its execution finds out the interest of the subscriber.
    Opening(Arc<OnceLock<Interest>>),
    /// An event of interest has happened.
    Event(Change),
}

/// Subscription fields. Each event returns the present state of the changed row, once per change; rows that the caller
/// may not see are skipped.
#[derive(Default, Description)]
pub struct LiveSubscription;

/// A stream of one row or none.
type Told<T> = Iter<std::option::IntoIter<T>>;

#[async_graphql::Subscription(name = "Live", use_type_description)]
impl LiveSubscription {
    /// Sends a subscription that the caller may see whenever it was started, changed, renewed or ended.
    async fn subscription_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of an account; every account that the caller may see by default.")] account_id: Option<
            ID,
        >,
    ) -> Result<Told<Subscription>> {
        told(ctx, Kind::SubscriptionChanged, account_id).await
    }

    /// Sends a payment that the caller may see whenever it was recorded, succeeded, failed or was refunded.
    async fn payment_recorded(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of an account; every account that the caller may see by default.")] account_id: Option<
            ID,
        >,
    ) -> Result<Told<Payment>> {
        told(ctx, Kind::PaymentRecorded, account_id).await
    }

    /// Sends each event received from a payment provider. Requires the scope `billing:read`.
    async fn webhook_event_received(&self, ctx: &Context<'_>) -> Result<Told<WebhookEvent>> {
        told(ctx, Kind::WebhookEventReceived, None).await
    }
}

async fn told<T: Record>(ctx: &Context<'_>, kind: Kind, account_id: Option<ID>) -> Result<Told<T>>
where
    <T::Entity as EntityTrait>::Model: Send + Sync,
{
    match ctx.data_unchecked::<Occasion>() {
        Occasion::Opening(found) => {
            let interest = interest::<T>(ctx, kind, account_id).await?;
            found.get_or_init(|| interest);
            Ok(iter(None))
        }
        Occasion::Event(change) => Ok(iter(to_one(ctx, Some(change.subject())).await?)),
    }
}

/// Returns the interest of the caller, or the error if they may not subscribe.
async fn interest<T: Record>(ctx: &Context<'_>, kind: Kind, account_id: Option<ID>) -> Result<Interest> {
    let viewer = ctx.viewer();
    viewer.require_signed_in()?;
    rows_for::<T::Entity>(viewer)?;
    let account = match account_id {
        Some(id) => Some(to_exactly_one::<Account>(ctx, local_id::<Account>(&id)?).await?.row().id),
        None => None,
    };
    Ok(Interest { kind, account, scope: viewer.scope() })
}
