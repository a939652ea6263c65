//! The states that subscriptions have been in.

use super::subscription::SubscriptionStatus;
use crate::graphql::common::{Instant, Json, Money, Row, Word, global_id, to_one};
use crate::graphql::operations::webhook_events::WebhookEvent;
use crate::graphql::plans::plan::PlanVersion;
use crate::order_input;
use async_graphql::{Context, ID, Object, Result};
use entity::subscription_versions;

pub struct SubscriptionVersion(pub(crate) Row<subscription_versions::Entity>);

/// A state that a subscription was in. States are added, never changed.
#[Object]
impl SubscriptionVersion {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<SubscriptionVersion>(self.0.id)
    }

    /// When it took effect, by the provider's clock.
    async fn effective_at(&self) -> Instant {
        self.0.effective_at.into()
    }

    /// When it was written down here.
    async fn recorded_at(&self) -> Instant {
        self.0.recorded_at.into()
    }

    /// Where the subscription stood.
    async fn status(&self) -> Result<SubscriptionStatus> {
        Ok(SubscriptionStatus::read(&self.0.status)?)
    }

    /// Whether collecting payments was paused.
    async fn paused(&self) -> bool {
        self.0.paused
    }

    /// The version of the plan that it was for; null where it is not known here.
    async fn plan_version(&self, ctx: &Context<'_>) -> Result<Option<PlanVersion>> {
        to_one(ctx, self.0.product_version_id).await
    }

    /// What it billed for: a list of price, quantity and interval.
    async fn items_in_force(&self) -> Json {
        Json(self.0.items.clone())
    }

    /// The discount in force; null for none.
    async fn discount_in_force(&self) -> Option<Json> {
        self.0.discount.clone().map(Json)
    }

    /// A year's worth after discounts that last for ever; null where it billed for nothing in any currency. Whether it
    /// counts as recurring revenue depends on the status, too.
    async fn arr(&self) -> Option<Money> {
        self.0.currency.as_deref().map(|currency| Money::new(self.0.arr_minor, currency))
    }

    /// A year's worth after every discount in force; null where it billed for nothing in any currency.
    async fn discounted_arr(&self) -> Option<Money> {
        self.0.currency.as_deref().map(|currency| Money::new(self.0.discounted_arr_minor, currency))
    }

    /// What brought it about, such as the kind of the provider's event.
    async fn cause(&self) -> &str {
        &self.0.cause
    }

    /// The provider's event that brought it about; null where there was none. Needs the scope `billing:read`.
    async fn event(&self, ctx: &Context<'_>) -> Result<Option<WebhookEvent>> {
        to_one(ctx, self.0.inbox_event_id).await
    }
}

order_input! {
    /// How to order the states of a subscription.
    SubscriptionVersionOrder by
    /// What the states of a subscription can be ordered by.
    SubscriptionVersionOrderField {
        /// When they took effect.
        EffectiveAt,
    }
}
