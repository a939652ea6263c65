//! People.

use super::account::Account;
use super::list::{AccountFilter, AccountOrder};
use crate::accounts as feature;
use crate::graphql::common::{
    Connection, ContextExt, DateTimeRange, Instant, Row, Word, all_under, global_id, listed, local_id, optional_text,
    page_args, under,
};
use crate::graphql::payments::payment::{Payment, PaymentFilter, PaymentOrder};
use crate::graphql::subscriptions::list::{SubscriptionFilter, SubscriptionOrder};
use crate::graphql::subscriptions::subscription::Subscription;
use crate::payments::PaymentsOf;
use crate::subscriptions::Holder;
use crate::{order_input, words};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::users;

pub struct User(pub(crate) Row<users::Entity>);

words! {
    /// What a person may do beyond their own rows.
    UserRole {
        /// Nothing.
        User = "user",
        /// Everything.
        Admin = "admin",
    }
}

/// A person, known by the issuer and subject of their tokens and never by e-mail address.
#[Object]
impl User {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<User>(self.0.id)
    }

    /// The e-mail address as it was given; null where it is unknown. For people to read, never to find someone by.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// The name as it was given; null where it is unknown.
    async fn full_name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Where a picture of them is; null where there is none.
    async fn avatar_url(&self) -> Option<&str> {
        self.0.avatar_url.as_deref()
    }

    /// The language and region they read in, as a BCP 47 tag; null where it is unknown.
    async fn locale(&self) -> Option<&str> {
        self.0.locale.as_deref()
    }

    /// What they may do beyond their own rows.
    async fn role(&self) -> Result<UserRole> {
        Ok(UserRole::read(&self.0.role)?)
    }

    /// When they were first seen.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// When they last did something; null where it is unknown.
    async fn last_active_at(&self) -> Option<Instant> {
        self.0.last_active_at.map(Instant::from)
    }

    /// The account that everyone has of their own; null where the caller may not see it.
    async fn own_account(&self, ctx: &Context<'_>) -> Result<Option<Account>> {
        Ok(all_under(ctx, (), self.0.id, feature::OwnAccount).await?.pop())
    }

    /// The accounts they are a member of at present.
    async fn accounts(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Keeps the accounts that match.")] filter: Option<AccountFilter>,
        #[graphql(desc = "The order; newest first where it is left out.")] order_by: Option<AccountOrder>,
    ) -> Result<Connection<Account>> {
        let list = AccountFilter::list(filter, order_by)?;
        under(ctx, (), self.0.id, list, page_args(first, after, last, before)).await
    }

    /// The subscription that gives them their plan at present, through any of their accounts: trialing, active or past due to a plan that is known
    /// here, and of several the one to the plan of the highest rank, else the newest. Null where none does;
    /// `subscriptions(first: 1)` has the newest, whatever it gives.
    async fn subscription(&self, ctx: &Context<'_>) -> Result<Option<Subscription>> {
        Subscription::current(ctx, Holder::User, self.0.id).await
    }

    /// Every subscription of their accounts.
    async fn subscriptions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Keeps the subscriptions that match.")] filter: Option<SubscriptionFilter>,
        #[graphql(desc = "The order; newest first where it is left out.")] order_by: Option<SubscriptionOrder>,
    ) -> Result<Connection<Subscription>> {
        let list = SubscriptionFilter::list(filter, order_by)?;
        under(ctx, Holder::User, self.0.id, list, page_args(first, after, last, before)).await
    }

    /// The payments of their accounts.
    async fn payments(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Keeps the payments that match.")] filter: Option<PaymentFilter>,
        #[graphql(desc = "The order; newest first where it is left out.")] order_by: Option<PaymentOrder>,
    ) -> Result<Connection<Payment>> {
        let list = PaymentFilter::list(filter, order_by)?;
        under(ctx, PaymentsOf::User, self.0.id, list, page_args(first, after, last, before)).await
    }
}

/// Which users to list.
#[derive(InputObject, Default)]
pub struct UserFilter {
    /// Exactly this e-mail address, whatever its case.
    email: Option<String>,
    /// This role alone.
    role: Option<UserRole>,
    /// First seen in this span.
    created_at: Option<DateTimeRange>,
}

order_input! {
    /// How to order users.
    UserOrder by
    /// What users can be ordered by.
    UserOrderField {
        /// When they were first seen.
        CreatedAt,
    }
}

/// What can be asked about people.
#[derive(Default)]
pub struct UserQuery;

#[Object]
impl UserQuery {
    /// A user by their id; null where there is none or the caller may not see them.
    async fn user(&self, ctx: &Context<'_>, #[graphql(desc = "The user's id.")] id: ID) -> Result<Option<User>> {
        ctx.viewer().require_signed_in()?;
        crate::graphql::common::to_one(ctx, Some(local_id::<User>(&id)?)).await
    }

    /// The users that the caller may see: all of them for admins, else oneself and those with whom one shares an
    /// account.
    async fn users(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Keeps the users that match.")] filter: Option<UserFilter>,
        #[graphql(desc = "The order; newest first where it is left out.")] order_by: Option<UserOrder>,
    ) -> Result<Connection<User>> {
        let filter = filter.unwrap_or_default();
        let list = feature::Users {
            email: optional_text("email", filter.email)?,
            role: filter.role.map(Word::word),
            created: DateTimeRange::between(filter.created_at),
            descending: UserOrder::descending(order_by, true),
        };
        listed(ctx, list, page_args(first, after, last, before)).await
    }
}
