//! What happens, as it happens. Each event is an operation of its own: signed in anew, with loaders of its own, under the
//! limits of a query. Its row is read as any reader's, so that what the caller may not see is passed over.

use super::accounts::account::Account;
use super::engine::errors::is_refusal;
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

/// Why a subscription is executed.
pub enum Occasion {
    /// It has just arrived, and what it watches for is to be found out.
    Opening(Arc<OnceLock<Interest>>),
    /// This happened.
    Event(Change),
}

/// What can be watched. Each event shows the present state of what changed, once for each change; rows that the caller
/// may not see are passed over.
#[derive(Default, Description)]
pub struct LiveSubscription;

/// One row, or none.
type Told<T> = Iter<std::option::IntoIter<T>>;

#[async_graphql::Subscription(name = "Live", use_type_description)]
impl LiveSubscription {
    /// A subscription that the caller may see is not what it was: begun, changed, renewed or ended.
    async fn subscription_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of this account alone; of every account that the caller may see where it is left out.")]
        account_id: Option<ID>,
    ) -> Result<Told<Subscription>> {
        told(ctx, Kind::SubscriptionChanged, account_id).await
    }

    /// A payment that the caller may see was recorded, or is not what it was: succeeded, failed or refunded.
    async fn payment_recorded(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of this account alone; of every account that the caller may see where it is left out.")]
        account_id: Option<ID>,
    ) -> Result<Told<Payment>> {
        told(ctx, Kind::PaymentRecorded, account_id).await
    }

    /// A payment provider sent something. Needs the scope `billing:read`.
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
        Occasion::Event(change) => match to_one(ctx, Some(change.subject())).await {
            Err(error) if is_refusal(&error) => Ok(iter(None)),
            row => Ok(iter(row?)),
        },
    }
}

/// What the caller watches for, or why they may not.
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
