//! Who belongs to an account.

use super::account::Account;
use super::user::User;
use crate::graphql::common::{Instant, Row, Word, global_id, to_exactly_one, to_one};
use crate::words;
use async_graphql::{Context, ID, Object, Result};
use entity::account_members;

pub struct AccountMember(pub(crate) Row<account_members::Entity>);

words! {
    /// What a member may do with an account.
    MemberRole {
        /// Everything; there is one.
        Owner = "owner",
        /// Manage it.
        Admin = "admin",
        /// Use it.
        Member = "member",
    }
}

/// Someone who belongs, or belonged, to an account.
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

    /// The person; null for someone who left and whom the caller may no longer see.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        to_one(ctx, Some(self.0.user_id)).await
    }

    /// What they may do with the account.
    async fn member_role(&self) -> Result<MemberRole> {
        Ok(MemberRole::read(&self.0.role)?)
    }

    /// Since when they belong to it.
    async fn joined_at(&self) -> Instant {
        self.0.joined_at.into()
    }

    /// When they left; null for those who belong to it.
    async fn left_at(&self) -> Option<Instant> {
        self.0.left_at.map(Instant::from)
    }
}
