//! Connections as Relay specifies them (https://relay.dev/graphql/connections.htm).

use super::context::ContextExt;
use super::ids::Record;
use super::loaders::{AllChildren, ChildCounts, ChildPages, ChildrenOf, Row};
use crate::db::{self, ChildListing, Listing, Order, PageArgs, Slice};
use crate::error::{Error, Result};
use async_graphql::{Context, Enum, Object, OutputType, SimpleObject, TypeName};
use futures_util::future::BoxFuture;
use sea_orm::EntityTrait;
use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;
use uuid::Uuid;

/// The direction of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum OrderDirection {
    /// Smallest or oldest first.
    Asc,
    /// Largest or newest first.
    Desc,
}

/// Declares the `orderBy` input of a list: the fields it can be ordered by, and a direction.
#[macro_export]
macro_rules! order_input {
    ($(#[$doc:meta])* $name:ident by $(#[$field_doc:meta])* $field:ident { $($(#[$value_doc:meta])* $value:ident,)+ }) => {
        $(#[$field_doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
        pub enum $field { $($(#[$value_doc])* $value,)+ }

        $(#[$doc])*
        #[derive(Debug, Clone, Copy, async_graphql::InputObject)]
        pub struct $name {
            /// The field to order by.
            pub field: $field,
            /// The direction.
            pub direction: $crate::graphql::common::connections::OrderDirection,
        }

        impl $name {
            /// Returns true if the largest or newest comes first; `otherwise` applies without an order.
            pub(crate) fn descending(order: Option<Self>, otherwise: bool) -> bool {
                order.map_or(otherwise, |order| order.direction == $crate::graphql::common::connections::OrderDirection::Desc)
            }
        }
    };
}

/// The position of a page in its list.
#[derive(Debug, Clone, SimpleObject)]
pub struct PageInfo {
    /// True if there are rows after this page. For a page read backwards: true if it ended before a cursor.
    pub has_next_page: bool,
    /// True if there are rows before this page. For a page read forwards: true if it started after a cursor.
    pub has_previous_page: bool,
    /// The cursor of the first row; null for an empty page.
    pub start_cursor: Option<String>,
    /// The cursor of the last row; null for an empty page.
    pub end_cursor: Option<String>,
}

/// A row with its cursor.
pub struct Edge<'a, T: Record> {
    node: &'a T,
    order: &'a Order<T::Entity>,
}

impl<T: Record> TypeName for Edge<'_, T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Edge", T::NAME).into()
    }
}

/// A row with its cursor.
#[Object(name_type)]
impl<'a, T: Record + OutputType> Edge<'a, T>
where
    Order<T::Entity>: Sync,
{
    /// The position of the row in the list, for `after` and `before`. Opaque.
    async fn cursor(&self) -> String {
        self.order.cursor(self.node.row())
    }

    /// The row.
    async fn node(&self) -> &T {
        self.node
    }
}

/// Counts the rows of a whole list.
pub type Total = Box<dyn for<'a> Fn(&'a Context<'a>) -> BoxFuture<'a, Result<i64, Arc<Error>>> + Send + Sync>;

/// A page of a list. Fields that are not requested, such as cursors and the count, are not computed.
pub struct Connection<T: Record> {
    rows: Vec<T>,
    order: Order<T::Entity>,
    has_previous_page: bool,
    has_next_page: bool,
    total: Total,
}

impl<T: Record> TypeName for Connection<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", T::NAME).into()
    }
}

/// A page of a list.
#[Object(name_type)]
impl<T: Record + OutputType> Connection<T>
where
    Order<T::Entity>: Sync,
{
    /// The rows, each with its cursor.
    async fn edges(&self) -> Vec<Edge<'_, T>> {
        self.rows.iter().map(|node| Edge { node, order: &self.order }).collect()
    }

    /// The rows, without cursors.
    async fn nodes(&self) -> &[T] {
        &self.rows
    }

    /// The position of this page in the list.
    async fn page_info(&self) -> PageInfo {
        let cursor = |row: Option<&T>| row.map(|row| self.order.cursor(row.row()));
        PageInfo {
            has_next_page: self.has_next_page,
            has_previous_page: self.has_previous_page,
            start_cursor: cursor(self.rows.first()),
            end_cursor: cursor(self.rows.last()),
        }
    }

    /// The number of rows in the whole list, counted only when requested.
    async fn total_count(&self, ctx: &Context<'_>) -> async_graphql::Result<i64> {
        Ok((self.total)(ctx).await?)
    }
}

impl<T: Record> Connection<T> {
    /// Returns a page of a list.
    pub fn new(slice: Slice<Row<T::Entity>>, order: Order<T::Entity>, total: Total) -> Self {
        let Slice { rows, has_previous_page, has_next_page } = slice;
        Connection { rows: rows.into_iter().map(T::from).collect(), order, has_previous_page, has_next_page, total }
    }

    /// Returns the first row of the page.
    pub fn into_first(self) -> Option<T> {
        self.rows.into_iter().next()
    }
}

/// Builds the paging arguments of a field.
pub fn page_args(first: Option<i32>, after: Option<String>, last: Option<i32>, before: Option<String>) -> PageArgs {
    PageArgs { first, after, last, before }
}

/// Returns a page of the rows that a signed-in caller may see.
pub async fn page<T, L>(ctx: &Context<'_>, list: L, args: PageArgs) -> async_graphql::Result<Connection<T>>
where
    T: Record<Entity = L::Entity>,
    L: Listing,
    <L::Entity as EntityTrait>::Model: Send + Sync,
{
    ctx.viewer().require_signed_in()?;
    public_page(ctx, list, args).await
}

/// Like `page`, but also for anonymous callers.
pub async fn public_page<T, L>(ctx: &Context<'_>, list: L, args: PageArgs) -> async_graphql::Result<Connection<T>>
where
    T: Record<Entity = L::Entity>,
    L: Listing,
    <L::Entity as EntityTrait>::Model: Send + Sync,
{
    let slice = db::page(ctx.app().db.read(), ctx.viewer(), &list, &args).await?;
    ctx.loaders().deliver(slice.rows.len()).await;
    let order = list.order();
    let total: Total = Box::new(move |ctx| {
        let list = list.clone();
        Box::pin(async move { db::count(ctx.app().db.read(), ctx.viewer(), &list).await.map_err(Arc::new) })
    });
    Ok(Connection::new(slice.map(Arc::new), order, total))
}

/// Returns a page of the rows under a parent. All parents of a level are read with one statement.
pub async fn child_page<T, L>(
    ctx: &Context<'_>,
    of: L::Of,
    parent: Uuid,
    list: L,
    page: PageArgs,
) -> async_graphql::Result<Connection<T>>
where
    T: Record<Entity = L::Entity>,
    L: ChildListing + Debug,
    L::Of: Debug,
    <L::Entity as EntityTrait>::Model: Send + Sync,
{
    let key = ChildrenOf { parent, of, list: list.clone(), page };
    let slice = ctx.loaders().load::<ChildPages<L>>(key).await?;
    let slice = slice.ok_or_else(|| Error::internal(anyhow::anyhow!("every parent has a page")))?;
    let order = list.order();
    let total: Total = Box::new(move |ctx| {
        let key = ChildrenOf { parent, of, list: list.clone(), page: () };
        Box::pin(async move { Ok(ctx.loaders().load::<ChildCounts<L>>(key).await?.unwrap_or_default()) })
    });
    Ok(Connection::new(slice, order, total))
}

/// Returns all rows under a parent, for lists that are short by nature.
pub async fn all_children<T, L>(ctx: &Context<'_>, of: L::Of, parent: Uuid, list: L) -> async_graphql::Result<Vec<T>>
where
    T: Record<Entity = L::Entity>,
    L: ChildListing + Debug,
    L::Of: Debug,
    <L::Entity as EntityTrait>::Model: Send + Sync,
{
    let rows = ctx.loaders().load::<AllChildren<L>>(ChildrenOf { parent, of, list, page: () }).await?;
    Ok(rows.iter().flat_map(|rows| rows.iter()).map(|row| T::from(Arc::clone(row))).collect())
}
