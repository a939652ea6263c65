//! Who is asking, and everything that has an id.

use super::plan::ViewerPlanStatus;
use crate::accounts::OwnAccount;
use crate::auth::Role;
use crate::graphql::accounts::account::Account;
use crate::graphql::accounts::list::{AccountFilter, AccountOrder};
use crate::graphql::accounts::user::User;
use crate::graphql::common::{Connection, ContextExt, all_under, page_args, to_one, under};
use crate::graphql::node::{self, Node};
use crate::graphql::subscriptions::subscription::Subscription;
use crate::subscriptions::{Holder, trial_available};
use async_graphql::{Context, Enum, ID, Object, Result};

pub struct Viewer;

/// What kind of caller this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Role")]
pub enum ViewerRole {
    /// Nobody in particular: no credential was sent.
    Anonymous,
    /// A person, who sees their own rows.
    User,
    /// A machine, which may do what its scopes say.
    Service,
    /// A person who may see and do everything.
    Admin,
}

/// The caller, and what is theirs.
#[Object]
impl Viewer {
    /// What kind of caller this is.
    async fn role(&self, ctx: &Context<'_>) -> ViewerRole {
        ctx.viewer().role().into()
    }

    /// What the caller may do beyond their own rows, e.g. `billing:read`.
    async fn scopes(&self, ctx: &Context<'_>) -> Vec<&'static str> {
        ctx.viewer().permissions().iter().map(|permission| permission.scope()).collect()
    }

    /// The user the caller is; null for anonymous callers and services.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        to_one(ctx, ctx.viewer().user_id()).await
    }

    /// The account that the user has of their own; null for anonymous callers and services.
    async fn account(&self, ctx: &Context<'_>) -> Result<Option<Account>> {
        let Some(user_id) = ctx.viewer().user_id() else { return Ok(None) };
        Ok(all_under(ctx, (), user_id, OwnAccount).await?.pop())
    }

    /// The accounts that the user is a member of; null for anonymous callers and services.
    async fn accounts(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Keeps the accounts that match.")] filter: Option<AccountFilter>,
        #[graphql(desc = "The order; newest first where it is left out.")] order_by: Option<AccountOrder>,
    ) -> Result<Option<Connection<Account>>> {
        let Some(user_id) = ctx.viewer().user_id() else { return Ok(None) };
        let list = AccountFilter::list(filter, order_by)?;
        under(ctx, (), user_id, list, page_args(first, after, last, before)).await.map(Some)
    }

    /// The plan that the user has at present, with all that is to be known of it; null where they have none, and for who
    /// is no user.
    async fn plan(&self, ctx: &Context<'_>) -> Result<Option<ViewerPlanStatus>> {
        ViewerPlanStatus::of(ctx).await
    }

    /// Whether the user may still have their one trial; null for who is no user.
    async fn trial_available(&self, ctx: &Context<'_>) -> Result<Option<bool>> {
        let Some(user_id) = ctx.viewer().user_id() else { return Ok(None) };
        Ok(Some(trial_available(ctx.app(), user_id).await?))
    }

    /// The subscription that gives the user their plan at present, through any of their accounts: trialing, active or past due to a plan that is known
    /// here, and of several the one to the plan of the highest rank, else the newest. Null where none does, and for who is no user;
    /// `user.subscriptions(first: 1)` has the newest, whatever it gives.
    async fn subscription(&self, ctx: &Context<'_>) -> Result<Option<Subscription>> {
        let Some(user_id) = ctx.viewer().user_id() else { return Ok(None) };
        Subscription::current(ctx, Holder::User, user_id).await
    }
}

/// Where every query starts.
#[derive(Default)]
pub struct ViewerQuery;

#[Object]
impl ViewerQuery {
    /// The caller. Open to everyone: who sends no credential is anonymous.
    async fn viewer(&self) -> Viewer {
        Viewer
    }

    /// Whatever has this id; null where there is no such thing, or the caller may not see it.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "A global id.")] id: ID) -> Result<Option<Node>> {
        node::find(ctx, &id).await
    }

    /// Whatever has these ids, in their order; null for each that is nothing, or that the caller may not see.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Global ids, at most 100.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        node::find_all(ctx, &ids).await
    }
}
