//! Holds of credits.

use crate::credits::Holds;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{BigInt, ContextExt, Instant, Row, StoredEnum, global_id, to_exactly_one};
use crate::graphql::plans::parts::CreditUnit;
use crate::{order_input, stored_enum};
use async_graphql::{Context, ID, InputObject, Object, Result};
use chrono::{DateTime, Utc};
use entity::credit_holds;

pub struct CreditHold(pub(crate) Row<credit_holds::Entity>);

stored_enum! {
    /// The state of a hold.
    CreditHoldState: crate::credits::HoldState {
        /// Its credits are reserved.
        Open,
        /// Its credits were spent, all or in part.
        Captured,
        /// Its credits were released.
        Released,
        /// Its time is over, and its credits were released.
        Expired,
    }
}

impl CreditHold {
    /// Returns true if the hold has timed out, also where this is not written yet.
    fn is_over(&self, ctx: &Context<'_>) -> bool {
        self.0.closed_at.is_none() && self.0.expires_at.to_utc() <= ctx.app().now()
    }
}

/// Credits that are reserved for work in progress. Visible to the account's members, and to callers with the scope
/// `billing:read` or `credits:write`.
#[Object]
impl CreditHold {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<CreditHold>(self.0.id)
    }

    /// The account.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The unit of the credits.
    async fn unit(&self, ctx: &Context<'_>) -> Result<CreditUnit> {
        to_exactly_one(ctx, self.0.credit_unit_id).await
    }

    /// The state.
    async fn reservation_state(&self, ctx: &Context<'_>) -> Result<CreditHoldState> {
        if self.is_over(ctx) { Ok(CreditHoldState::Expired) } else { Ok(CreditHoldState::read(&self.0.state)?) }
    }

    /// The amount that was reserved, in the smallest step of the unit.
    async fn credits(&self) -> BigInt {
        BigInt(self.0.amount)
    }

    /// The amount that is reserved now, in the smallest step of the unit.
    async fn remaining(&self, ctx: &Context<'_>) -> BigInt {
        BigInt(if self.is_over(ctx) { 0 } else { self.0.remaining })
    }

    /// The amount that was spent so far, in the smallest step of the unit.
    async fn captured(&self) -> BigInt {
        BigInt(self.0.captured)
    }

    /// Time of the reservation.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// Time at which what is left releases itself.
    async fn releases_at(&self) -> Instant {
        self.0.expires_at.into()
    }

    /// Time of the end; null while it is open.
    async fn closed_at(&self, ctx: &Context<'_>) -> Option<Instant> {
        if self.is_over(ctx) { Some(self.0.expires_at.into()) } else { self.0.closed_at.map(Instant::from) }
    }

    /// The actor who reserved the credits, in the form of the audit log.
    async fn created_by(&self) -> &str {
        &self.0.created_by
    }

    /// An explanation for display; null if none was given.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// The kind of object in the host application that the hold is about; null if none.
    async fn ref_type(&self) -> Option<&str> {
        self.0.ref_type.as_deref()
    }

    /// The id of that object in the host application; null if none.
    async fn ref_id(&self) -> Option<&str> {
        self.0.ref_id.as_deref()
    }
}

/// Conditions on holds; a hold must meet all that are given.
#[derive(InputObject, Default)]
pub struct CreditHoldFilter {
    /// Holds in this state.
    state: Option<CreditHoldState>,
}

order_input! {
    /// The order of a list of holds.
    CreditHoldOrder by
    /// The fields that holds can be ordered by.
    CreditHoldOrderField {
        /// Time of the reservation.
        CreatedAt,
    }
}

impl CreditHoldFilter {
    pub(crate) fn list(filter: Option<Self>, order: Option<CreditHoldOrder>, now: DateTime<Utc>) -> Holds {
        let state = filter.unwrap_or_default().state.map(StoredEnum::stored);
        Holds { state, now, descending: CreditHoldOrder::descending(order, true) }
    }
}
