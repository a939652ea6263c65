//! What was asked of Stripe.

use crate::auth::Permission;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{
    Connection, ContextExt, DateTimeRange, Instant, Json, Row, Word, global_id, listed, local_id, page_args, to_one,
};
use crate::outbox::OutboxCalls;
use crate::{order_input, words};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::outbox_calls;

pub struct ProviderCall(pub(crate) Row<outbox_calls::Entity>);

words! {
    /// Where a call stands.
    ProviderCallState {
        /// It is to be made, or made again: the provider did not answer.
        Pending = "pending",
        /// The provider did it.
        Done = "done",
        /// The provider said no.
        Refused = "refused",
        /// The provider did not answer, and it is made again only if its caller asks again.
        Abandoned = "abandoned",
        /// The provider did not answer for so long that it may have forgotten. What it says since is what counts.
        Unresolved = "unresolved",
    }
}

/// A change that was asked of a payment provider.
#[Object]
impl ProviderCall {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<ProviderCall>(self.0.id)
    }

    /// The account that it is for; null where it is for none, and where the caller may not see it.
    async fn billed_account(&self, ctx: &Context<'_>) -> Result<Option<Account>> {
        to_one(ctx, self.0.account_id).await
    }

    /// Who asked, as in the audit log.
    async fn actor(&self) -> &str {
        &self.0.actor
    }

    /// Which verb asked, e.g. `subscriptions.cancel`.
    async fn call_operation(&self) -> &str {
        &self.0.operation
    }

    /// The method of HTTP.
    async fn method(&self) -> &str {
        &self.0.method
    }

    /// Where, below `/v1/`.
    async fn path(&self) -> &str {
        &self.0.path
    }

    /// With which parameters. They may name people: null without the scope `billing:read`.
    async fn params(&self, ctx: &Context<'_>) -> Option<Json> {
        let may_see = ctx.viewer().permissions().contains(Permission::BillingRead);
        may_see.then(|| Json(self.0.params.clone()))
    }

    /// What makes it the same call at the provider, however often it is made.
    async fn sent_key(&self) -> &str {
        &self.0.idempotency_key
    }

    /// Where it stands.
    async fn call_state(&self) -> Result<ProviderCallState> {
        Ok(ProviderCallState::read(&self.0.state)?)
    }

    /// Whether it is made later where the provider does not answer, although its caller was told so.
    async fn retried_later(&self) -> bool {
        self.0.persistent
    }

    /// How often it was made.
    async fn attempts(&self) -> i64 {
        self.0.attempts
    }

    /// The kind of the object that the provider answered with, in its words; null before.
    async fn object_type(&self) -> Option<&str> {
        self.0.object_kind.as_deref()
    }

    /// The id of the object that the provider answered with; null before.
    async fn object_id(&self) -> Option<&str> {
        self.0.object_id.as_deref()
    }

    /// Why the provider said no, in its word; null where it did not.
    async fn error_code(&self) -> Option<&str> {
        self.0.error_code.as_deref()
    }

    /// The parameter that the provider found fault with; null where it named none.
    async fn error_param(&self) -> Option<&str> {
        self.0.error_param.as_deref()
    }

    /// Why a card was declined, in the provider's word; null where none was.
    async fn decline_code(&self) -> Option<&str> {
        self.0.decline_code.as_deref()
    }

    /// When it was asked for.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// When it was made last; null where it was not yet.
    async fn tried_at(&self) -> Option<Instant> {
        self.0.tried_at.map(Instant::from)
    }

    /// When it came to an end; null while it is pending.
    async fn settled_at(&self) -> Option<Instant> {
        self.0.settled_at.map(Instant::from)
    }
}

/// Which calls to list.
#[derive(InputObject, Default)]
pub struct ProviderCallFilter {
    /// In this state alone.
    state: Option<ProviderCallState>,
    /// For this account alone.
    account_id: Option<ID>,
    /// Asked for in this span.
    created_at: Option<DateTimeRange>,
}

order_input! {
    /// The order of a list of calls.
    ProviderCallOrder by
    /// The fields that calls can be ordered by.
    ProviderCallOrderField {
        /// When they were asked for.
        CreatedAt,
    }
}

/// What can be asked about calls.
#[derive(Default)]
pub struct ProviderCallQuery;

#[Object]
impl ProviderCallQuery {
    /// What was asked of the payment providers, and what came of it. Needs the scope `operations:read`.
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
            state: filter.state.map(Word::word),
            account_id: filter.account_id.as_ref().map(local_id::<Account>).transpose()?,
            created: DateTimeRange::between(filter.created_at),
            descending: ProviderCallOrder::descending(order_by, true),
        };
        listed(ctx, list, page_args(first, after, last, before)).await
    }
}
