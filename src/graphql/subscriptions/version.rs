//! The history of subscriptions.

use super::status::SubscriptionStatus;
use crate::graphql::common::{Instant, Json, Money, Row, StoredEnum, global_id, to_one};
use crate::graphql::operations::webhook_events::WebhookEvent;
use crate::graphql::plans::plan::PlanVersion;
use crate::order_input;
use async_graphql::{Context, ID, Object, Result};
use entity::subscription_versions;

pub struct SubscriptionVersion(pub(crate) Row<subscription_versions::Entity>);

/// A state of a subscription. The history is append-only: states are added, never changed.
#[Object]
impl SubscriptionVersion {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<SubscriptionVersion>(self.0.id)
    }

    /// The time at which it took effect, by the provider's clock.
    async fn effective_at(&self) -> Instant {
        self.0.effective_at.into()
    }

    /// The time at which it was recorded here.
    async fn recorded_at(&self) -> Instant {
        self.0.recorded_at.into()
    }

    /// The status of the subscription in this state.
    async fn status(&self) -> Result<SubscriptionStatus> {
        Ok(SubscriptionStatus::read(&self.0.status)?)
    }

    /// True if the collection of payments was paused.
    async fn paused(&self) -> bool {
        self.0.paused
    }

    /// The version of the plan; null if it is unknown here.
    async fn plan_version(&self, ctx: &Context<'_>) -> Result<Option<PlanVersion>> {
        to_one(ctx, self.0.product_version_id).await
    }

    /// The items it billed for: a list of price, quantity and interval.
    async fn items_in_force(&self) -> Json {
        Json(self.0.items.clone())
    }

    /// The discount in force; null for none.
    async fn discount_in_force(&self) -> Option<Json> {
        self.0.discount.clone().map(Json)
    }

    /// Annual recurring revenue after discounts that last forever; null if nothing was billed in any currency. It
    /// counts as recurring revenue depending on the status.
    async fn arr(&self) -> Option<Money> {
        self.0.currency.as_deref().map(|currency| Money::new(self.0.arr_minor, currency))
    }

    /// Annual recurring revenue after all discounts in force; null if nothing was billed in any currency.
    async fn discounted_arr(&self) -> Option<Money> {
        self.0.currency.as_deref().map(|currency| Money::new(self.0.discounted_arr_minor, currency))
    }

    /// The cause of the change, such as the type of the provider's event.
    async fn cause(&self) -> &str {
        &self.0.cause
    }

    /// The provider's event that caused it; null if there was none. Requires the scope `billing:read`.
    async fn event(&self, ctx: &Context<'_>) -> Result<Option<WebhookEvent>> {
        to_one(ctx, self.0.inbox_event_id).await
    }
}

order_input! {
    /// Order of the history of a subscription.
    SubscriptionVersionOrder by
    /// Fields that the history of a subscription can be ordered by.
    SubscriptionVersionOrderField {
        /// By the time of taking effect.
        EffectiveAt,
    }
}
