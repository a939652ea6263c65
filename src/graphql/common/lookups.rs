//! Look-ups of the rows behind fields that hold one object.

use super::context::ContextExt;
use super::ids::Record;
use crate::error::Error;
use async_graphql::Context;
use uuid::Uuid;

/// Returns the row behind a field; `None` if there is none or the caller may not see it.
pub async fn to_one<T: Record>(ctx: &Context<'_>, id: Option<Uuid>) -> async_graphql::Result<Option<T>>
where
    <T::Entity as sea_orm::EntityTrait>::Model: Send + Sync,
{
    let Some(id) = id else { return Ok(None) };
    Ok(ctx.loaders().row::<T::Entity>(id).await?.map(T::from))
}

/// Returns the row behind a field that is never null, because a foreign key guarantees the row.
pub async fn to_exactly_one<T: Record>(ctx: &Context<'_>, id: Uuid) -> async_graphql::Result<T>
where
    <T::Entity as sea_orm::EntityTrait>::Model: Send + Sync,
{
    Ok(to_one(ctx, Some(id)).await?.ok_or(Error::NotFound(T::NAME))?)
}
