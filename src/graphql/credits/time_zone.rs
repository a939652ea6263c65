//! The mutation of an account's time zone.

use crate::credits;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{ContextExt, local_id, split_refusal, text};
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;

/// The mutation root of time zones.
#[derive(Default)]
pub struct TimeZoneMutation;

#[Object]
impl TimeZoneMutation {
    /// Sets the time zone of an account, in which the days of its allowances and limits begin. Requires the scope
    /// `billing:write`.
    async fn set_account_time_zone(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account and the time zone.")] input: SetAccountTimeZoneInput,
    ) -> Result<Option<SetAccountTimeZonePayload>> {
        let account_id = local_id::<Account>(&input.account_id)?;
        let zone = text("timeZone", input.time_zone)?;
        let set = credits::set_time_zone(ctx.app(), ctx.viewer(), account_id, zone).await;
        let (row, user_errors) = split_refusal(set)?;
        Ok(Some(SetAccountTimeZonePayload { account: row.map(|row| Account(Arc::new(row))), user_errors }))
    }
}

/// A time zone to be set.
#[derive(InputObject)]
pub struct SetAccountTimeZoneInput {
    /// The account.
    account_id: ID,
    /// The name in the IANA database, e.g. `Europe/Berlin`.
    time_zone: String,
}

/// The account with its time zone.
#[derive(SimpleObject)]
pub struct SetAccountTimeZonePayload {
    /// The account; null if there are user errors.
    account: Option<Account>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<SetAccountTimeZoneUserError>,
}

user_error! {
    /// A rule that refused to set a time zone.
    SetAccountTimeZoneUserError with
    /// The rules that can refuse `setAccountTimeZone`.
    SetAccountTimeZoneErrorCode {
        /// The account does not exist.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// There is no such time zone.
        TimeZoneInvalid = "TIME_ZONE_INVALID",
    }
}
