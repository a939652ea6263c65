//! Live subscriptions of this feature.

use super::payment::Payment;
use crate::changes::Kind;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{StreamEvent, stream_event};
use async_graphql::{Context, ID, Result, Subscription};

/// The subscription roots of this feature.
#[derive(Default)]
pub struct PaymentEvents;

#[Subscription]
impl PaymentEvents {
    /// Sends a payment that the caller may see whenever it was recorded, succeeded, failed or was refunded.
    async fn payment_recorded(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of an account; every account that the caller may see by default.")] account_id: Option<
            ID,
        >,
    ) -> Result<StreamEvent<Payment>> {
        stream_event::<_, Account>(ctx, Kind::PaymentRecorded, account_id).await
    }
}
