//! Live subscriptions. Each event is an operation of its own: authenticated anew, with loaders of its own, under the
//! limits of a query. Its row is read like any other, so that the caller only receives what they may see.

use super::context::ContextExt;
use super::ids::{Record, local_id};
use super::lookups::{to_exactly_one, to_one};
use crate::changes::{Interest, Kind, Upcoming};
use crate::db::scope_for;
use crate::graphql::engine::execute::SubscriptionTrigger;
use async_graphql::{Context, ID, Result};
use futures_util::stream::{Iter, iter};
use sea_orm::EntityTrait;
use std::sync::Arc;

/// One row, or none if there is nothing to report.
pub type StreamEvent<T> = Iter<std::option::IntoIter<T>>;

/// Returns the place for the changes that time will bring; `None` where nobody waits for them.
pub fn upcoming<'a>(ctx: &Context<'a>) -> Option<&'a Upcoming> {
    ctx.data_opt::<Arc<Upcoming>>().map(AsRef::as_ref)
}

/// Returns the row of `T` that changed. When the subscription is opened, registers the changes that it watches instead:
/// those of one account (of the type `A`), or of every account that the caller may see.
pub async fn stream_event<T: Record, A: Record>(
    ctx: &Context<'_>,
    kind: Kind,
    account_id: Option<ID>,
) -> Result<StreamEvent<T>>
where
    <T::Entity as EntityTrait>::Model: Send + Sync,
    <A::Entity as EntityTrait>::Model: Send + Sync,
{
    match ctx.data_unchecked::<SubscriptionTrigger>() {
        SubscriptionTrigger::Opening(found) => {
            let interest = interest::<T, A>(ctx, kind, account_id).await?;
            found.get_or_init(|| interest);
            Ok(iter(None))
        }
        SubscriptionTrigger::Event(change) => Ok(iter(to_one(ctx, Some(change.subject())).await?)),
    }
}

/// Returns the changes to watch, or an error if the caller may not watch them.
async fn interest<T: Record, A: Record>(ctx: &Context<'_>, kind: Kind, account_id: Option<ID>) -> Result<Interest>
where
    <A::Entity as EntityTrait>::Model: Send + Sync,
{
    let viewer = ctx.viewer();
    viewer.require_signed_in()?;
    let scope = scope_for::<T::Entity>(viewer)?;
    let account = account_id.map(|id| local_id::<A>(&id)).transpose()?;
    if let Some(id) = account {
        to_exactly_one::<A>(ctx, id).await?;
    }
    Ok(Interest { kind, account, scope })
}
