//! The caller, and the look-up of objects by global id.

use super::plan::ViewerPlanStatus;
use crate::accounts::OwnAccount;
use crate::auth::Role;
use crate::graphql::accounts::account::Account;
use crate::graphql::accounts::list::{AccountFilter, AccountOrder};
use crate::graphql::accounts::user::User;
use crate::graphql::common::{Connection, ContextExt, SharedList, all_children, child_page, page_args, to_one};
use crate::graphql::entitlements::entitlement::Entitlement;
use crate::graphql::node::{self, Node};
use crate::graphql::subscriptions::subscription::Subscription;
use crate::subscriptions::{Holder, trial_available};
use async_graphql::{Context, Enum, ID, Object, Result};

pub struct Viewer;

/// The kind of caller. Values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Role")]
pub enum ViewerRole {
    /// A caller without a credential.
    Anonymous,
    /// A user, who sees their own data and that of their accounts.
    User,
    /// A back end, limited to its scopes.
    Service,
    /// A user who may see and do everything.
    Admin,
}

/// The caller.
#[Object]
impl Viewer {
    /// The kind of caller.
    async fn role(&self, ctx: &Context<'_>) -> ViewerRole {
        ctx.viewer().role().into()
    }

    /// The scopes that the caller holds, e.g. `billing:read`.
    async fn scopes(&self, ctx: &Context<'_>) -> Vec<&'static str> {
        ctx.viewer().permissions().iter().map(|permission| permission.scope()).collect()
    }

    /// The caller's user; null for anonymous callers and services.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        to_one(ctx, ctx.viewer().user_id()).await
    }

    /// The caller's individual account; null for anonymous callers and services.
    async fn account(&self, ctx: &Context<'_>) -> Result<Option<Account>> {
        let Some(user_id) = ctx.viewer().user_id() else { return Ok(None) };
        Ok(all_children(ctx, (), user_id, OwnAccount).await?.pop())
    }

    /// Accounts that the caller is a member of; null for anonymous callers and services.
    async fn accounts(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the accounts.")] filter: Option<AccountFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<AccountOrder>,
    ) -> Result<Option<Connection<Account>>> {
        let Some(user_id) = ctx.viewer().user_id() else { return Ok(None) };
        let list = AccountFilter::list(filter, order_by)?;
        child_page(ctx, (), user_id, list, page_args(first, after, last, before)).await.map(Some)
    }

    /// The caller's current plan; null if they have none, and for anonymous callers and services.
    async fn plan(&self, ctx: &Context<'_>) -> Result<Option<ViewerPlanStatus>> {
        ViewerPlanStatus::of(ctx).await
    }

    /// The entitlements to all features, by code, of the account that gives the caller their plan, or else of their
    /// individual account; null for anonymous callers and services.
    async fn entitlements(&self, ctx: &Context<'_>) -> Result<Option<Vec<Entitlement>>> {
        match ctx.viewer().user_id() {
            Some(_) => Entitlement::all(ctx, None).await.map(Some),
            None => Ok(None),
        }
    }

    /// True if the caller can still start their one free trial; null for anonymous callers and services.
    async fn trial_available(&self, ctx: &Context<'_>) -> Result<Option<bool>> {
        let Some(user_id) = ctx.viewer().user_id() else { return Ok(None) };
        Ok(Some(trial_available(ctx.app(), user_id).await?))
    }

    /// The subscription that gives the caller their current plan, through any of their accounts: trialing, active or
    /// past due, to a plan known here. Of several, the one to the plan with the highest rank, then the newest. Null if
    /// none gives a plan, and for anonymous callers and services; `user.subscriptions(first: 1)` has the newest in any
    /// status.
    async fn subscription(&self, ctx: &Context<'_>) -> Result<Option<Subscription>> {
        let Some(user_id) = ctx.viewer().user_id() else { return Ok(None) };
        Subscription::current(ctx, Holder::User, user_id).await
    }
}

/// The query roots about the caller and about objects by id.
#[derive(Default)]
pub struct ViewerQuery;

#[Object]
impl ViewerQuery {
    /// The caller. Open to everyone: a request without a credential is anonymous.
    async fn viewer(&self) -> Viewer {
        Viewer
    }

    /// An object by its global id; null if there is none or the caller may not see it.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "A global id.")] id: ID) -> Result<Option<Node>> {
        node::find(ctx, &id).await
    }

    /// Objects by their global ids, in the order of the ids; null for each that does not exist or that the caller may
    /// not see.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Global ids, at most 100.")] ids: Vec<ID>,
    ) -> Result<SharedList<Option<Node>>> {
        node::find_all(ctx, &ids).await
    }
}
