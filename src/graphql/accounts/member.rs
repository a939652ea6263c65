//! Members of accounts.

use super::account::Account;
use super::user::User;
use crate::graphql::common::{Instant, Row, StoredEnum, global_id, to_exactly_one, to_one};
use crate::stored_enum;
use async_graphql::{Context, ID, Object, Result};
use entity::account_members;

pub struct AccountMember(pub(crate) Row<account_members::Entity>);

stored_enum! {
    /// A member's role in an account.
    MemberRole: crate::accounts::MemberRole {
        /// May do everything. An account has exactly one owner.
        Owner,
        /// May manage the account and its subscriptions.
        Admin,
        /// May use what the account has.
        Member,
    }
}

/// A current or former member of an account.
#[Object]
impl AccountMember {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<AccountMember>(self.0.id)
    }

    /// The account.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The user; null for a former member whom the caller may no longer see.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        to_one(ctx, Some(self.0.user_id)).await
    }

    /// The member's role in the account.
    async fn member_role(&self) -> Result<MemberRole> {
        Ok(MemberRole::read(&self.0.role)?)
    }

    /// Time of joining.
    async fn joined_at(&self) -> Instant {
        self.0.joined_at.into()
    }

    /// Time of leaving; null for a current member.
    async fn left_at(&self) -> Option<Instant> {
        self.0.left_at.map(Instant::from)
    }
}
