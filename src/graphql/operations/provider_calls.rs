//! Calls to payment providers.

use crate::auth::Permission;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{
    Connection, ContextExt, DateTimeRange, Instant, Json, Row, StoredEnum, global_id, local_id, page, page_args, to_one,
};
use crate::outbox::{self, OutboxCalls};
use crate::{order_input, stored_enum};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::outbox_calls;

pub struct ProviderCall(pub(crate) Row<outbox_calls::Entity>);

stored_enum! {
    /// The state of a call.
    ProviderCallState: crate::outbox::CallState {
        /// Due, or due again because the provider did not answer.
        Pending,
        /// Carried out by the provider.
        Done,
        /// Refused by the provider.
        Refused,
        /// Not answered by the provider. It is repeated only if its caller asks again.
        Abandoned,
        /// Not answered for so long that the provider may have forgotten it, or answered with an error that the provider
        /// repeats. Later reports of the provider decide.
        Unresolved,
    }
}

/// A change requested at a payment provider. Visible with the scope `operations:read`.
#[Object]
impl ProviderCall {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<ProviderCall>(self.0.id)
    }

    /// The account that is billed; null if there is none, or if the caller may not see it.
    async fn billed_account(&self, ctx: &Context<'_>) -> Result<Option<Account>> {
        to_one(ctx, self.0.account_id).await
    }

    /// The actor who requested the change, in the form of the audit log.
    async fn actor(&self) -> &str {
        &self.0.actor
    }

    /// The operation, e.g. `subscriptions.cancel`.
    async fn call_operation(&self) -> &str {
        &self.0.operation
    }

    /// The HTTP method.
    async fn method(&self) -> &str {
        &self.0.method
    }

    /// The path below `/v1/`.
    async fn path(&self) -> &str {
        &self.0.path
    }

    /// The parameters, which may hold personal data; null without the scope `billing:read`.
    async fn params(&self, ctx: &Context<'_>) -> Option<Json> {
        let may_see = ctx.viewer().permissions().contains(Permission::BillingRead);
        may_see.then(|| Json(self.0.params.clone()))
    }

    /// The idempotency key sent to the provider with each attempt since the last change of the key.
    async fn sent_key(&self) -> String {
        outbox::sent_key(&self.0)
    }

    /// The number of times that the call got another key, because the provider repeated an error under the one before.
    async fn key_changes(&self) -> i64 {
        self.0.key_changes
    }

    /// The state of the call.
    async fn call_state(&self) -> Result<ProviderCallState> {
        Ok(ProviderCallState::read(&self.0.state)?)
    }

    /// True if the call is repeated in the background when the provider does not answer.
    async fn retried_later(&self) -> bool {
        self.0.persistent
    }

    /// The number of attempts.
    async fn attempts(&self) -> i64 {
        self.0.attempts
    }

    /// The kind of the object in the provider's answer, in its terms; null before the answer.
    async fn object_type(&self) -> Option<&str> {
        self.0.object_kind.as_deref()
    }

    /// The id of the object in the provider's answer; null before the answer.
    async fn object_id(&self) -> Option<&str> {
        self.0.object_id.as_deref()
    }

    /// The provider's code for a refusal; null if it did not refuse.
    async fn error_code(&self) -> Option<&str> {
        self.0.error_code.as_deref()
    }

    /// The parameter that the provider rejected; null if it named none.
    async fn error_param(&self) -> Option<&str> {
        self.0.error_param.as_deref()
    }

    /// The provider's code for a declined card, e.g. `insufficient_funds`; null if none was declined.
    async fn decline_code(&self) -> Option<&str> {
        self.0.decline_code.as_deref()
    }

    /// Time of the request.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// Time of the last attempt; null before the first.
    async fn tried_at(&self) -> Option<Instant> {
        self.0.tried_at.map(Instant::from)
    }

    /// Time of completion; null while it is pending.
    async fn settled_at(&self) -> Option<Instant> {
        self.0.settled_at.map(Instant::from)
    }
}

/// Conditions on calls; a call must meet all that are given.
#[derive(InputObject, Default)]
pub struct ProviderCallFilter {
    /// Calls in this state.
    state: Option<ProviderCallState>,
    /// Calls for this account.
    account_id: Option<ID>,
    /// Calls requested in this span.
    created_at: Option<DateTimeRange>,
}

order_input! {
    /// The order of a list of calls.
    ProviderCallOrder by
    /// The fields that calls can be ordered by.
    ProviderCallOrderField {
        /// Time of the request.
        CreatedAt,
    }
}

/// The query root of calls to payment providers.
#[derive(Default)]
pub struct ProviderCallQuery;

#[Object]
impl ProviderCallQuery {
    /// Changes requested at the payment providers, and their results. Requires the scope `operations:read`.
    async fn provider_calls(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the calls.")] filter: Option<ProviderCallFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<ProviderCallOrder>,
    ) -> Result<Connection<ProviderCall>> {
        let filter = filter.unwrap_or_default();
        let list = OutboxCalls {
            state: filter.state.map(StoredEnum::stored),
            account_id: filter.account_id.as_ref().map(local_id::<Account>).transpose()?,
            created: DateTimeRange::between(filter.created_at),
            descending: ProviderCallOrder::descending(order_by, true),
        };
        page(ctx, list, page_args(first, after, last, before)).await
    }
}
