//! Users.

use super::account::Account;
use super::list::{AccountFilter, AccountOrder};
use crate::accounts;
use crate::graphql::common::{
    Connection, ContextExt, DateTimeRange, Instant, Row, StoredEnum, all_children, child_page, global_id, local_id,
    optional_text, page, page_args,
};
use crate::graphql::payments::payment::{Payment, PaymentFilter, PaymentOrder};
use crate::graphql::subscriptions::list::{SubscriptionFilter, SubscriptionOrder};
use crate::graphql::subscriptions::subscription::Subscription;
use crate::payments::PaymentsOf;
use crate::subscriptions::Holder;
use crate::{order_input, stored_enum};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::users;

pub struct User(pub(crate) Row<users::Entity>);

stored_enum! {
    /// A user's role, which decides about access to other people's data.
    UserRole: crate::accounts::UserRole {
        /// Sees their own data and that of their accounts.
        User,
        /// Sees and changes everything.
        Admin,
    }
}

/// A person, identified by the issuer and subject of their tokens and never by e-mail address.
#[Object]
impl User {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<User>(self.0.id)
    }

    /// The e-mail address as given by the identity provider; null if unknown. For display only: users are never matched
    /// by it.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// The full name as given by the identity provider; null if unknown.
    async fn full_name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// The address of a picture; null if there is none.
    async fn avatar_url(&self) -> Option<&str> {
        self.0.avatar_url.as_deref()
    }

    /// The preferred language and region as a BCP 47 tag, e.g. `de-AT`; null if unknown.
    async fn locale(&self) -> Option<&str> {
        self.0.locale.as_deref()
    }

    /// The user's role.
    async fn role(&self) -> Result<UserRole> {
        Ok(UserRole::read(&self.0.role)?)
    }

    /// Time at which the user was first seen.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// Time of the last activity; null if unknown.
    async fn last_active_at(&self) -> Option<Instant> {
        self.0.last_active_at.map(Instant::from)
    }

    /// The user's individual account; null if the caller may not see it.
    async fn own_account(&self, ctx: &Context<'_>) -> Result<Option<Account>> {
        Ok(all_children(ctx, (), self.0.id, accounts::OwnAccount).await?.pop())
    }

    /// Accounts that the user is currently a member of.
    async fn accounts(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the accounts.")] filter: Option<AccountFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<AccountOrder>,
    ) -> Result<Connection<Account>> {
        let list = AccountFilter::list(filter, order_by)?;
        child_page(ctx, (), self.0.id, list, page_args(first, after, last, before)).await
    }

    /// The subscription that gives the user their current plan, through any of their accounts: trialing, active or past
    /// due, to a plan known here. Of several, the one to the plan with the highest rank, then the newest. Null if none
    /// gives a plan; `subscriptions(first: 1)` has the newest in any status.
    async fn subscription(&self, ctx: &Context<'_>) -> Result<Option<Subscription>> {
        Subscription::current(ctx, Holder::User, self.0.id).await
    }

    /// Subscriptions of all accounts of the user.
    async fn subscriptions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the subscriptions.")] filter: Option<SubscriptionFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<SubscriptionOrder>,
    ) -> Result<Connection<Subscription>> {
        let list = SubscriptionFilter::list(filter, order_by)?;
        child_page(ctx, Holder::User, self.0.id, list, page_args(first, after, last, before)).await
    }

    /// Payments of all accounts of the user.
    async fn payments(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the payments.")] filter: Option<PaymentFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<PaymentOrder>,
    ) -> Result<Connection<Payment>> {
        let list = PaymentFilter::list(filter, order_by)?;
        child_page(ctx, PaymentsOf::User, self.0.id, list, page_args(first, after, last, before)).await
    }
}

/// Conditions on users; a user must meet all that are given.
#[derive(InputObject, Default)]
pub struct UserFilter {
    /// The user with this e-mail address, ignoring case.
    email: Option<String>,
    /// Users with this role.
    role: Option<UserRole>,
    /// Users first seen in this span.
    created_at: Option<DateTimeRange>,
}

order_input! {
    /// The order of a list of users.
    UserOrder by
    /// The fields that users can be ordered by.
    UserOrderField {
        /// Time at which the user was first seen.
        CreatedAt,
    }
}

/// The query roots of users.
#[derive(Default)]
pub struct UserQuery;

#[Object]
impl UserQuery {
    /// A user by id; null if there is none or the caller may not see them.
    async fn user(&self, ctx: &Context<'_>, #[graphql(desc = "The user's id.")] id: ID) -> Result<Option<User>> {
        ctx.viewer().require_signed_in()?;
        crate::graphql::common::to_one(ctx, Some(local_id::<User>(&id)?)).await
    }

    /// Users that the caller may see: themselves and the members of their accounts, or everyone with the scope
    /// `billing:read`.
    async fn users(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the users.")] filter: Option<UserFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<UserOrder>,
    ) -> Result<Connection<User>> {
        let filter = filter.unwrap_or_default();
        let list = accounts::Users {
            email: optional_text("email", filter.email)?,
            role: filter.role.map(StoredEnum::stored),
            created: DateTimeRange::between(filter.created_at),
            descending: UserOrder::descending(order_by, true),
        };
        page(ctx, list, page_args(first, after, last, before)).await
    }
}
